// A send has an end: after `sendTimeoutMs` without an answer it has failed. What was stored all the same is told later, as the vendor's
// page says about the status of messages; what never left the program never leaves it; and nothing is stored twice.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, newCable, newSieve, rejectsWith, sendText, wholeHistory, within } from './clients.mjs';

const PEER = 0;
const [SENDING, SUCCESS, FAILED] = [0, 1, 2];
const sendTimeoutMs = 300;

let broker;
let clients;
let bob;

beforeEach(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  bob = await clients.login('bob');
});

afterEach(async () => {
  clients.destroy();
  await broker.stop();
});

const statuses = ({ ears }, { localMessageID }) =>
  ears.of('messageSentStatusChanged').flatMap(({ infos }) => infos).filter(({ message }) => message.localMessageID === localMessageID).map(({ status }) => status);
const settled = (client, draft, status) => client.ears.until(`status ${status}`, () => statuses(client, draft).at(-1) === status);
const send = ({ zim }, draft) => zim.sendMessage(draft, 'bob', PEER, { priority: 1 });
const words = (messageList) => messageList.map(({ message }) => message);
const isSentAnswer = ({ result }) => result?.message !== undefined;
const connected = ({ ears }, times) => ears.until('the connection again', () => ears.of('connectionStateChanged').filter(({ state }) => state === 2).length >= times);

test('a late answer tells Success after Failed, in the same object', async () => {
  const alice = await clients.login('alice', { sendTimeoutMs });
  broker.freeze();
  const draft = { type: 1, message: 'late' };
  try {
    const error = await rejectsWith(6000104, send(alice, draft));
    assert.match(error.message, /300 ms/);
    assert.equal(draft.sentStatus, FAILED);
  } finally {
    broker.thaw();
  }
  await settled(alice, draft, SUCCESS);
  assert.deepEqual(statuses(alice, draft), [SENDING, FAILED, SUCCESS]);
  assert.deepEqual([draft.sentStatus, draft.conversationSeq], [SUCCESS, 1]);
  assert.deepEqual(words(await wholeHistory(alice.zim, 'bob', PEER)), ['late']);
});

test('an answer that is lost is learnt from the replay, and the message is told as sent, not as received', async () => {
  const sieve = newSieve();
  const alice = await clients.login('alice', { sendTimeoutMs, WebSocket: sieve.WebSocket, reconnectMaxMs: 50 });
  await sendText(alice.zim, 'bob', 'before');
  sieve.losesIncoming = isSentAnswer;
  // One under an id of the client's, one under the program's own.
  const drafts = [{ type: 1, message: 'unheard' }, { type: 1, message: 'own id', localMessageID: 'my-own-id' }];
  await Promise.all(drafts.map((draft) => rejectsWith(6000104, send(alice, draft))));
  await bob.ears.until('both', (ears) => ears.messages('receivePeerMessage').length === 3);
  assert.deepEqual(drafts.map((draft) => statuses(alice, draft)), [[SENDING, FAILED], [SENDING, FAILED]]);
  await broker.kill();
  sieve.losesIncoming = () => false;
  await broker.start();
  for (const draft of drafts) await settled(alice, draft, SUCCESS);
  assert.deepEqual(drafts.map((draft) => statuses(alice, draft)), [[SENDING, FAILED, SUCCESS], [SENDING, FAILED, SUCCESS]]);
  assert.equal(alice.ears.messages('receivePeerMessage').length + alice.ears.messages('peerMessageReceived').length, 0);
  assert.deepEqual(words(await wholeHistory(alice.zim, 'bob', PEER)), ['before', 'unheard', 'own id']);
  assert.equal(bob.ears.messages('receivePeerMessage').filter(({ message }) => message === 'unheard').length, 1);
});

test('an answer that no replay brings is learnt from history, where the message is once', async () => {
  const sieve = newSieve();
  const alice = await clients.login('alice', { sendTimeoutMs, WebSocket: sieve.WebSocket });
  sieve.losesIncoming = isSentAnswer;
  const draft = { type: 1, message: 'unheard' };
  await rejectsWith(6000104, send(alice, draft));
  await within(alice.zim.logout(), 'logout');
  sieve.losesIncoming = () => false;
  await within(alice.zim.login('alice', { userName: '', token: await broker.token('alice') }), 'login');
  const history = await wholeHistory(alice.zim, 'bob', PEER);
  assert.deepEqual(history.map(({ message, sentStatus }) => [message, sentStatus]), [['unheard', SUCCESS]]);
  assert.deepEqual(statuses(alice, draft), [SENDING, FAILED, SUCCESS]);
  assert.deepEqual([draft.sentStatus, draft.messageID], [SUCCESS, history[0].messageID], 'in the same object');
});

test('what was never written is dropped for good, and what follows is not held up', async () => {
  const cable = newCable();
  const alice = await clients.login('alice', { sendTimeoutMs, WebSocket: cable.WebSocket, reconnectMaxMs: 50 });
  cable.pull();
  await alice.ears.event('connectionStateChanged', { state: 3 });
  const dropped = [1, 2].map((n) => ({ type: 1, message: `dropped ${n}` }));
  await Promise.all(dropped.map((draft) => rejectsWith(6000104, send(alice, draft))));
  cable.plug();
  await connected(alice, 2);
  await sendText(alice.zim, 'bob', 'after');
  assert.deepEqual(words(await wholeHistory(bob.zim, 'alice', PEER)), ['after']);
  for (const draft of dropped) assert.deepEqual(statuses(alice, draft), [SENDING, FAILED]);
});

test('a message that failed by time and is sent again is stored once and told once', async () => {
  const sieve = newSieve();
  const alice = await clients.login('alice', { sendTimeoutMs, WebSocket: sieve.WebSocket });
  sieve.losesIncoming = isSentAnswer;
  const draft = { type: 1, message: 'again' };
  await rejectsWith(6000104, send(alice, draft));
  sieve.losesIncoming = () => false;
  const { message } = await within(send(alice, draft), 'an answer');
  assert.equal(message, draft);
  assert.deepEqual(statuses(alice, draft), [SENDING, FAILED, SENDING, SUCCESS]);
  assert.deepEqual(words(await wholeHistory(alice.zim, 'bob', PEER)), ['again']);
});

test('commands have an end, too; a refusal that comes late leaves what has failed', async () => {
  const alice = await clients.login('alice', { sendTimeoutMs });
  const drafts = [{ type: 2, message: Uint8Array.of(1) }, { type: 1, message: 'x'.repeat(40_000) }];
  broker.freeze();
  try {
    await Promise.all(drafts.map((draft) => rejectsWith(6000104, send(alice, draft))));
  } finally {
    broker.thaw();
  }
  await settled(alice, drafts[0], SUCCESS);
  await sendText(alice.zim, 'bob', 'the refusal came before this');
  assert.deepEqual(statuses(alice, drafts[1]), [SENDING, FAILED]);
});

test('programs for versions before 2.6 are not told of late success', async () => {
  const alice = await clients.login('alice', { sendTimeoutMs, sdkVersion: '2.5.9' });
  broker.freeze();
  const draft = { type: 1, message: 'late' };
  try {
    await rejectsWith(6000104, send(alice, draft));
  } finally {
    broker.thaw();
  }
  await sendText(alice.zim, 'bob', 'later');
  assert.deepEqual(statuses(alice, draft), [SENDING, FAILED]);
});

test('the time counts from the end of the upload', async (t) => {
  const alice = await clients.login('alice', { sendTimeoutMs });
  const { fetch } = globalThis;
  t.mock.method(globalThis, 'fetch', async (...args) => {
    await new Promise((resolve) => { setTimeout(resolve, 2 * sendTimeoutMs); });
    return fetch(...args);
  });
  const draft = { type: 12, fileLocalPath: new File(['slow'], 'slow.txt') };
  const { message } = await within(send(alice, draft), 'an answer');
  assert.equal(message.sentStatus, SUCCESS);
});

test('0 is never, and what is no time is refused', async () => {
  const alice = await clients.login('alice', { sendTimeoutMs: 0 });
  assert.equal((await within(send(alice, { type: 1, message: 'x' }), 'an answer')).message.sentStatus, SUCCESS);
  for (const wrong of [-1, 1.5, '30', NaN, 2 ** 31]) {
    assert.throws(() => clients.make({ sendTimeoutMs: wrong }), ({ code, message }) => code === 6000001 && /sendTimeoutMs/.test(message));
  }
});
