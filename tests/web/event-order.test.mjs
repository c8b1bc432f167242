// The order in which a send, a failure and a login tell of themselves, as programs for the vendor's SDK expect it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, Ears, newCable, rejectsWith, sendText, wholeHistory, within } from './clients.mjs';

const [PEER, ROOM, GROUP] = [0, 1, 2];
const [SENDING, SUCCESS, FAILED] = [0, 1, 2];
const [ADDED, UPDATED] = [0, 1];

let broker;
let clients;
let ann;
let ben;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  ann = await clients.login('ann');
  ben = await clients.login('ben');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

/** What a client told since, as [name, status of the message in it]; the events that the broker adds of itself left out. */
function told({ ears }, from, until = ears.heard.length) {
  return ears.heard.slice(from, until).flatMap(({ type, data }) => {
    if (type === 'messageSentStatusChanged') return [[type, data.infos[0].status]];
    if (type === 'conversationChanged') return [[type, data.infoList[0].conversation.lastMessage.sentStatus]];
    return [];
  });
}

test('a send: attached, Sending, the list; then Success and the list before the promise', async () => {
  const from = ann.ears.heard.length;
  let atAttached;
  const draft = { type: 1, message: 'hello' };
  const send = ann.zim.sendMessage(draft, 'ben', PEER, { priority: 1 }, { onMessageAttached: () => { atAttached = told(ann, from); } });
  assert.deepEqual(atAttached, []);
  assert.deepEqual(told(ann, from), [['messageSentStatusChanged', SENDING], ['conversationChanged', SENDING]]);
  const attached = ann.ears.of('conversationChanged').at(-1).infoList[0];
  assert.deepEqual([attached.event, attached.conversation.conversationID, attached.conversation.type], [ADDED, 'ben', PEER]);
  await within(send, 'an answer');
  const names = told(ann, from);
  assert.deepEqual(names.slice(0, 2), [['messageSentStatusChanged', SENDING], ['conversationChanged', SENDING]]);
  const success = names.findIndex(([type, status]) => type === 'messageSentStatusChanged' && status === SUCCESS);
  assert.ok(names.slice(success).some(([type, status]) => type === 'conversationChanged' && status === SUCCESS), `${names}`);
  assert.equal(ann.ears.of('conversationChanged').flatMap(({ infoList }) => infoList).filter(({ event }) => event === ADDED).length, 1, 'added once');
});

test('a conversation that is known keeps what is known of it', async () => {
  await within(ann.zim.updateConversationPinnedState(true, 'ben', PEER), 'an answer');
  await within(ann.zim.queryConversation('ben', PEER), 'the conversation');
  const send = ann.zim.sendMessage({ type: 1, message: 'again' }, 'ben', PEER, { priority: 1 });
  const { event, conversation } = ann.ears.of('conversationChanged').at(-1).infoList[0];
  assert.deepEqual([event, conversation.conversationName, conversation.isPinned, conversation.lastMessage.message], [UPDATED, 'ben', true, 'again']);
  await within(send, 'an answer');
});

test('of several messages under way the last one stays the last', async () => {
  await within(ann.zim.createGroup({ groupID: 'order', groupName: 'order', groupAvatarUrl: '' }, ['ben']), 'the group');
  const sends = ['one', 'two', 'three'].map((message) => ann.zim.sendMessage({ type: 1, message }, 'order', GROUP, { priority: 1 }));
  const lasts = () => ann.ears.of('conversationChanged').flatMap(({ infoList }) => infoList).filter(({ conversation }) => conversation.conversationID === 'order');
  assert.deepEqual(lasts().slice(-3).map(({ conversation }) => conversation.lastMessage.message), ['one', 'two', 'three']);
  await within(Promise.all(sends), 'answers');
  assert.deepEqual([lasts().at(-1).conversation.lastMessage.message, lasts().at(-1).conversation.lastMessage.sentStatus], ['three', SUCCESS]);
});

test('what failed is told, is the last in the list, and stays in its place in the history of this device', async () => {
  const cable = newCable();
  const cut = await clients.login('cut', { WebSocket: cable.WebSocket, sendTimeoutMs: 200, reconnectMaxMs: 50 });
  await sendText(cut.zim, 'ben', 'first');
  cable.pull();
  await cut.ears.event('connectionStateChanged', { state: 3 });
  const draft = { type: 1, message: 'failed' };
  const from = cut.ears.heard.length;
  await rejectsWith(6000104, cut.zim.sendMessage(draft, 'ben', PEER, { priority: 1 }));
  assert.deepEqual(told(cut, from), [
    ['messageSentStatusChanged', SENDING], ['conversationChanged', SENDING], ['messageSentStatusChanged', FAILED], ['conversationChanged', FAILED],
  ]);
  assert.equal(draft.messageID, draft.localMessageID);
  cable.plug();
  await cut.ears.until('its return', (ears) => ears.of('connectionStateChanged').filter(({ state }) => state === 2).length === 2);
  await sendText(cut.zim, 'ben', 'second');
  const words = async () => (await wholeHistory(cut.zim, 'ben', PEER)).map(({ message }) => message);
  assert.deepEqual(await words(), ['first', 'failed', 'second']);
  const { messageList: [older] } = await within(cut.zim.queryHistoryMessage('ben', PEER, { count: 1, reverse: true, nextMessage: draft }), 'what is before it');
  assert.equal(older.message, 'first');

  const { message } = await within(cut.zim.sendMessage(draft, 'ben', PEER, { priority: 1 }), 'an answer');
  assert.equal(message, draft);
  assert.deepEqual(await words(), ['first', 'second', 'failed'], 'sent again it is the newest, and there once');

  const gone = { type: 1, message: 'gone' };
  await rejectsWith(6000204, cut.zim.sendMessage(gone, 'nobody', PEER, { priority: 1 }));
  assert.deepEqual(await within(cut.zim.deleteMessages([gone], 'nobody', PEER, { isAlsoDeleteServerMessage: true }), 'the deletion'), { conversationID: 'nobody', conversationType: PEER });
});

test('commands and rooms change no conversation', async () => {
  await within(ann.zim.createRoom({ roomID: 'room', roomName: '' }), 'the room');
  const before = ann.ears.of('conversationChanged').length;
  const sends = [
    ann.zim.sendMessage({ type: 2, message: Uint8Array.of(1) }, 'ben', PEER, { priority: 1 }),
    ann.zim.sendMessage({ type: 1, message: 'x' }, 'room', ROOM, { priority: 1 }),
    ann.zim.sendMessage({ type: 20, message: 'x' }, 'room', ROOM, { priority: 1 }),
  ];
  await within(Promise.all(sends), 'answers');
  assert.equal(ann.ears.of('conversationChanged').length, before);
});

test('a parameter error is told as Failed, in the object given, without onMessageAttached', async () => {
  const wrong = [
    [{ type: 1, message: ' ' }, 'ben', PEER], [{ type: 1, message: 'x' }, 'ann', PEER], [{ type: 1, message: 'x' }, '', PEER],
    [{ type: 1, message: 'x' }, 'ben', 9], [{ type: 7, message: 'x' }, 'ben', PEER], [{ type: 13, fileDownloadUrl: 'https://a.example/a.mp3' }, 'ben', PEER],
    [{ type: 11 }, 'ben', PEER], [{ type: 10, messageInfoList: [] }, 'ben', PEER],
  ];
  for (const [draft, to, type] of wrong) {
    const from = ann.ears.heard.length;
    const error = await ann.zim.sendMessage(draft, to, type, { priority: 1 }, { onMessageAttached: () => assert.fail() }).then(() => assert.fail(), (refusal) => refusal);
    const told = ann.ears.heard.slice(from).filter((event) => event.type === 'messageSentStatusChanged');
    assert.equal(told.length, 1, JSON.stringify(draft));
    const [{ status, message, reason }] = told[0].data.infos;
    assert.deepEqual([status, message === draft, draft.sentStatus, reason], [FAILED, true, FAILED, error.message]);
  }
  const mended = { type: 1, message: '' };
  await rejectsWith(6000001, ann.zim.sendMessage(mended, 'ben', PEER, { priority: 1 }));
  mended.message = 'not empty any more';
  assert.equal((await within(ann.zim.sendMessage(mended, 'ben', PEER, { priority: 1 }), 'an answer')).message, mended);
});

test('a login that times out is an error besides the state', async () => {
  const zim = clients.make({ server: 'http://127.0.0.1:9' });
  const ears = new Ears(zim);
  const error = await rejectsWith(6000104, zim.login('far', { userName: '', token: 't' }));
  assert.deepEqual(ears.heard.map(({ type }) => type), ['connectionStateChanged', 'connectionStateChanged', 'error']);
  assert.deepEqual(ears.of('error'), [{ code: error.code, message: error.message }]);
});

test('what succeeded has an empty reason', async () => {
  const { message } = await sendText(ben.zim, 'ann', 'reason');
  const infos = ben.ears.of('messageSentStatusChanged').flatMap((data) => data.infos).filter((info) => info.message === message);
  assert.deepEqual(infos.map(({ reason }) => reason), ['', '']);
});
