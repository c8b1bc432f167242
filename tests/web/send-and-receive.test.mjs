// What the ZIM guide "Send and receive messages" promises of sending and receiving.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, newCable, newSieve, rejectsWith, within } from './clients.mjs';

const [PEER, ROOM, GROUP] = [0, 1, 2];
const TARGETS = [[PEER, 'ben', 'receivePeerMessage'], [ROOM, 'hall', 'receiveRoomMessage'], [GROUP, 'crowd', 'receiveGroupMessage']];
const KINDS = [
  { type: 1, message: 'text' },
  { type: 2, message: new Uint8Array([0, 255]) },
  { type: 200, message: '{}', subType: 3 },
];

let broker;
let clients;
let ann;
let ben;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  ann = await clients.login('ann');
  ben = await clients.login('ben');
  await ann.zim.createGroup({ groupID: 'crowd' }, ['ben']);
  for (const { zim } of [ann, ben]) await zim.enterRoom({ roomID: 'hall', roomName: '' });
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const send = (draft, to, type, notification) => within(ann.zim.sendMessage(draft, to, type, { priority: 1 }, notification), 'an answer');

test('one listener per event: a later one takes the place of an earlier', async () => {
  const { zim } = await clients.login('listener');
  const heard = [];
  zim.on('receivePeerMessage', () => heard.push('first'));
  const second = new Promise((resolve) => zim.on('receivePeerMessage', (_, data) => resolve(heard.push(data))));
  await send({ type: 1, message: 'hi' }, 'listener', PEER);
  await within(second, 'the second listener');
  assert.equal(heard.length, 1);
  assert.equal(heard[0].fromConversationID, 'ann');
});

test('one call sends every kind everywhere, and the conversation decides the event', async () => {
  for (const [conversationType, to, event] of TARGETS) {
    for (const kind of KINDS) {
      const { message } = await send({ ...kind }, to, conversationType);
      const arrived = await ben.ears.until(event, (ears) => ears.messages(event).find(({ messageID }) => messageID === message.messageID));
      assert.equal(arrived.type, kind.type);
      assert.deepEqual(arrived.message, kind.message);
      assert.equal(arrived.conversationType, conversationType);
      assert.equal(arrived.conversationID, conversationType === PEER ? 'ann' : to);
    }
  }
});

test('a send is attached, then ends as its promise says, and the event with it', async () => {
  const attached = [];
  const draft = { type: 1, message: 'ends well' };
  const { message } = await send(draft, 'ben', PEER, { onMessageAttached: (one) => attached.push({ one, status: one.sentStatus, id: one.messageID }) });
  assert.deepEqual(attached, [{ one: message, status: 0, id: '' }]);
  assert.equal(message, draft);
  assert.equal(message.sentStatus, 1);
  const failing = { type: 1, message: 'nobody hears it' };
  await rejectsWith(6000204, ann.zim.sendMessage(failing, 'nobody', PEER, { priority: 1 }));
  assert.equal(failing.sentStatus, 2);
  const told = (one) => ann.ears.of('messageSentStatusChanged').flatMap(({ infos }) => infos).filter((info) => info.message === one);
  assert.deepEqual(told(message).map(({ status }) => status), [0, 1]);
  assert.deepEqual(told(failing).map(({ status }) => status), [0, 2]);
  assert.equal(typeof told(failing)[1].reason, 'string');
  await rejectsWith(6000001, ann.zim.sendMessage({ type: 1, message: ' ' }, 'ben', PEER, {}, { onMessageAttached: () => attached.push('never') }));
  assert.equal(attached.length, 1);
});

test('a sender may ask that nobody is reminded; the message is the same', async () => {
  const config = { priority: 1, isNotifyMentionedUsers: false };
  const draft = { type: 1, message: 'quietly', mentionedUserIDs: ['ben'] };
  const { message } = await within(ann.zim.sendMessage(draft, 'crowd', GROUP, config), 'an answer');
  assert.deepEqual(message.mentionedUserIDs, ['ben']);
});

test('how receivers that are offline are to be told goes with the message, and has limits', async () => {
  const sieve = newSieve();
  const sent = [];
  sieve.losesOutgoing = ({ op, args }) => {
    if (op === 'sendMessage') sent.push(args.config);
    return false;
  };
  const { zim } = await clients.login('pusher', { WebSocket: sieve.WebSocket });
  const push = (pushConfig) => within(zim.sendMessage({ type: 1, message: 'ring' }, 'ben', PEER, { priority: 1, pushConfig }), 'an answer');
  const whole = { title: 'Ring', content: 'pusher rings', payload: '{}', resourcesID: 'door', enableBadge: true, badgeIncrement: 2 };
  const voIPConfig = { iOSVoIPHandleType: 1, iOSVoIPHandleValue: '', iOSVoIPHasVideo: false };
  await push({ ...whole, voIPConfig });
  // As before 2.8; and with what a program leaves empty.
  await push({ title: 'Ring', content: 'pusher rings', extendedData: '{"a":1}' });
  await push({ title: 'Ring', content: 'pusher rings', payload: null, resourcesID: undefined });
  await push(null);
  const short = { title: 'Ring', content: 'pusher rings' };
  assert.deepEqual(sent, [{ priority: 1, pushConfig: whole }, { priority: 1, pushConfig: { ...short, payload: '{"a":1}' } }, { priority: 1, pushConfig: short }, { priority: 1 }]);
  const error = await rejectsWith(6000001, push({ ...short, title: 'x'.repeat(1025) }));
  assert.match(error.message, /config\.pushConfig\.title/);
});

test('history holds what is kept, oldest first, and pages both ways', async () => {
  const reader = await clients.login('reader');
  for (let n = 0; n < 5; n += 1) await send({ type: 1, message: `${n}` }, 'reader', PEER);
  const page = (config) => within(reader.zim.queryHistoryMessage('ann', PEER, config), 'a page');
  const newest = await page({ count: 2, reverse: true });
  assert.deepEqual(newest.messageList.map(({ message }) => message), ['3', '4']);
  const older = await page({ count: 2, reverse: true, nextMessage: newest.messageList[0] });
  assert.deepEqual(older.messageList.map(({ message }) => message), ['1', '2']);
});

test('the state of the connection is told', async () => {
  const cable = newCable();
  const { zim, ears } = await clients.login('mover', { WebSocket: cable.WebSocket, reconnectMaxMs: 100 });
  cable.pull();
  await ears.event('connectionStateChanged', { state: 3, event: 3 });
  cable.plug();
  await ears.until('its return', () => ears.of('connectionStateChanged').filter(({ state, event }) => state === 2 && event === 0).length === 2);
  await zim.logout();
  await ears.event('connectionStateChanged', { state: 0, event: 0 });
});
