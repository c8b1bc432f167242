import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, rejectsWith, sendText, within } from './clients.mjs';

const PEER = 0;
const SENDING = 0;
const SUCCESS = 1;
const FAILED = 2;

let broker;
let clients;
let alice;
let bob;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  alice = await clients.login('alice');
  bob = await clients.login('bob');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const statuses = ({ ears }, message) =>
  ears.of('messageSentStatusChanged').flatMap(({ infos }) => infos).filter((info) => info.message === message);

test('both names of an event carry the message, the newer one with info', async () => {
  await sendText(alice.zim, 'bob', 'both names');
  const has = (data) => data.messageList.some(({ message }) => message === 'both names');
  const older = await bob.ears.until('the older event', (ears) => ears.of('receivePeerMessage').find(has));
  const newer = await bob.ears.until('the newer event', (ears) => ears.of('peerMessageReceived').find(has));
  assert.deepEqual(Object.keys(older).sort(), ['fromConversationID', 'messageList']);
  assert.deepEqual(newer.info, { isOfflineMessage: false });
  assert.equal(newer.fromConversationID, 'alice');
  assert.equal(alice.ears.messages('receivePeerMessage').length, 0);
});

test('what one session sends keeps its order, with growing keys and gapless sequence', async () => {
  const words = Array.from({ length: 30 }, (_, n) => `in order ${n}`);
  const sent = await Promise.all(words.map((word) => sendText(alice.zim, 'bob', word)));
  const isOne = ({ message }) => typeof message === 'string' && message.startsWith('in order');
  const arrived = await bob.ears.until('30 messages', (ears) => {
    const found = ears.messages('receivePeerMessage').filter(isOne);
    return found.length >= words.length && found;
  });
  assert.deepEqual(arrived.map(({ message }) => message), words);
  for (let n = 1; n < arrived.length; n += 1) {
    assert.ok(arrived[n].orderKey > arrived[n - 1].orderKey, `orderKey of ${n}`);
    assert.equal(arrived[n].conversationSeq, arrived[n - 1].conversationSeq + 1);
  }
  assert.deepEqual(sent.map(({ message }) => message.messageID), arrived.map(({ messageID }) => messageID));
});

test('command bytes arrive as they were, 0x00 and invalid UTF-8 included', async () => {
  const bytes = Uint8Array.from([0, 255, 0xc3, 0x28, 0xed, 0xa0, 0x80, ...Array(256).keys()]);
  const { message } = await within(alice.zim.sendMessage({ type: 2, message: bytes }, 'bob', PEER, { priority: 3 }), 'answer');
  const isIt = ({ localMessageID }) => localMessageID === message.localMessageID;
  const arrived = await bob.ears.until('the command', (ears) => ears.messages('receivePeerMessage').find(isIt));
  assert.equal(Object.prototype.toString.call(arrived.message), '[object Uint8Array]');
  assert.deepEqual([...arrived.message], [...bytes]);
  assert.equal(arrived.priority, 3);
  assert.equal(arrived.conversationSeq, 0);
});

test('what is plainly wrong is refused before onMessageAttached', async () => {
  let attached = 0;
  const notification = { onMessageAttached: () => (attached += 1) };
  const send = (draft, to = 'bob', type = PEER) => alice.zim.sendMessage(draft, to, type, { priority: 1 }, notification);
  const wrong = [
    send({ type: 1, message: 'to myself' }, 'alice'),
    send({ type: 1, message: '' }),
    send({ type: 1, message: ' \n' }),
    send({ type: 1, message: 5 }),
    send({ type: 2, message: new Uint8Array(0) }),
    send({ type: 2, message: 'not bytes' }),
    send({ type: 7, message: 'no such kind' }),
    send({ type: 31, message: 'only the broker revokes' }),
    send(null),
    send('words'),
    send({ type: 1, message: 'to nobody' }, ''),
    send({ type: 1, message: 'no such conversation' }, 'bob', 9),
  ];
  for (const promise of wrong) await rejectsWith(6000001, promise);
  await rejectsWith(6000013, send({ type: 10, messageInfoList: [] }));
  await rejectsWith(6000001, send({ type: 13, fileDownloadUrl: 'https://example.com/a.mp3' }));
  await rejectsWith(6000211, alice.zim.sendMediaMessage({ type: 11 }, 'bob', PEER, { priority: 1 }, notification));
  assert.equal(attached, 0);
});

test('what the broker refuses fails with its code, and the message says so', async () => {
  const cases = [
    [6000001, { type: 1, message: 'x'.repeat(32_769) }, 'bob', PEER],
    [6000001, { type: 1, message: 'x'.repeat(300_000) }, 'bob', PEER],
    [6000001, { type: 200, message: 'x', subType: 201 }, 'bob', PEER],
    [6000001, { type: 20, message: 'a barrage outside a room' }, 'bob', PEER],
    [6000204, { type: 1, message: 'x' }, 'nobody-here', PEER],
    [6000322, { type: 1, message: 'x' }, 'no-such-room', 1],
    [6000523, { type: 1, message: 'x' }, 'no-such-group', 2],
  ];
  for (const [code, draft, to, type] of cases) {
    const error = await rejectsWith(code, alice.zim.sendMessage(draft, to, type, { priority: 1 }));
    assert.equal(draft.sentStatus, FAILED);
    const infos = statuses(alice, draft);
    assert.deepEqual(infos.map(({ status }) => status), [SENDING, FAILED]);
    assert.equal(infos[1].reason, error.message);
  }
  // The session outlives all of them.
  await sendText(alice.zim, 'bob', 'still here');
});

test('the object given is the one attached, told and resolved; one sent before is copied', async () => {
  const draft = { type: 1, message: 'one object', mine: 'kept' };
  let attached = null;
  const answer = alice.zim.sendMessage(draft, 'bob', PEER, undefined, (message) => (attached = message));
  assert.equal(attached, draft);
  assert.match(draft.localMessageID, /^[A-Za-z0-9_-]{1,64}$/);
  assert.equal(draft.messageID, '');
  const { message } = await within(answer, 'answer');
  assert.equal(message, draft);
  assert.equal(draft.mine, 'kept');
  assert.deepEqual(statuses(alice, draft).map(({ status }) => status), [SENDING, SUCCESS]);

  const first = { ...draft };
  const again = await within(alice.zim.sendMessage(draft, 'bob', PEER, { priority: 1 }), 'answer');
  assert.notEqual(again.message, draft);
  assert.deepEqual(draft, first);
  assert.notEqual(again.message.messageID, draft.messageID);
  assert.notEqual(again.message.localMessageID, draft.localMessageID);
});

test('the same draft sent many times at once is as many messages', async () => {
  const draft = { type: 1, message: 'five of these' };
  const answers = Array.from({ length: 5 }, () => alice.zim.sendMessage(draft, 'bob', PEER, { priority: 1 }));
  const sent = await within(Promise.all(answers), 'five answers');
  assert.equal(new Set(sent.map(({ message }) => message.messageID)).size, 5);
});

test('a listener or notification that throws does not break the client', async (t) => {
  const reported = t.mock.method(console, 'error', () => {});
  const carol = await clients.login('carol');
  carol.zim.on('messageSentStatusChanged', () => {
    throw new Error('a bug in the program');
  });
  const onMessageAttached = async () => {
    throw new Error('another bug');
  };
  const answer = carol.zim.sendMessage({ type: 1, message: 'hi' }, 'bob', PEER, { priority: 1 }, { onMessageAttached });
  const { message } = await within(answer, 'answer');
  assert.equal(message.sentStatus, SUCCESS);
  assert.ok(reported.mock.callCount() >= 2);
});

test('users are found by id, and those that are not are named', async () => {
  const { userList, errorUserList } = await within(
    alice.zim.queryUsersInfo(['bob', 'nobody-here'], { isQueryFromServer: true }),
    'users',
  );
  assert.deepEqual(userList.map(({ baseInfo }) => baseInfo.userID), ['bob']);
  assert.equal(userList[0].baseInfo.userName, 'bob');
  assert.deepEqual(errorUserList.map(({ userID }) => userID), ['nobody-here']);
});
