import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { ZIMConnectionEvent, ZIMConnectionState, ZIMRoomEvent, ZIMRoomState } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, newCable, rejectsWith, sendText, wholeHistory, within } from './clients.mjs';

const PEER = 0;
const { Connected, Reconnecting } = ZIMConnectionState;
const { Success, LoginInterrupted } = ZIMConnectionEvent;

let broker;
let clients;

beforeEach(async () => {
  broker = await startBroker({ TIDINGS_SERVER__HEARTBEAT_SECONDS: '5', TIDINGS_GROUP__TIPS: 'false' });
  clients = new Clients(broker);
});

afterEach(async () => {
  clients.destroy();
  await broker.stop();
});

const words = (messageList) => messageList.map(({ message }) => message);
const timesConnected = (ears) =>
  ears.of('connectionStateChanged').filter(({ state }) => state === Connected).length;
const backAgain = ({ ears }, times = 2) => ears.until('the connection again', () => timesConnected(ears) >= times);

test('after kill -9 what was pending is sent once, in its order, under its own id', async () => {
  const alice = await clients.login('alice');
  const bob = await clients.login('bob');
  await sendText(alice.zim, 'bob', 'before');

  const expected = ['before'];
  const sent = [];
  const send = (word) => {
    expected.push(word);
    const draft = { type: 1, message: word };
    sent.push({ draft, answer: alice.zim.sendMessage(draft, 'bob', PEER, { priority: 1 }), id: draft.localMessageID });
  };
  // Some of these the broker answers, some it stores without answering, some it never sees.
  for (let n = 0; n < 20; n += 1) send(`under way ${n}`);
  await broker.kill();
  send('before the loss was noticed');
  await alice.ears.event('connectionStateChanged', { state: Reconnecting, event: LoginInterrupted });
  for (let n = 0; n < 10; n += 1) send(`while away ${n}`);
  assert.ok(sent.slice(20).every(({ draft }) => draft.sentStatus === 0));

  await broker.start();
  const answers = await within(Promise.all(sent.map(({ answer }) => answer)), 'every answer', () => alice.ears.heard);
  assert.deepEqual(answers.map(({ message }) => message.localMessageID), sent.map(({ id }) => id));
  assert.ok(answers.every(({ message }, n) => message.sentStatus === 1 && message === sent[n].draft));
  const history = await wholeHistory(alice.zim, 'bob', PEER);
  assert.deepEqual(words(history), expected);
  assert.deepEqual(
    history.slice(1).map(({ messageID }) => messageID),
    answers.map(({ message }) => message.messageID),
  );
  const heard = bob.ears.messages('receivePeerMessage').map(({ messageID }) => messageID);
  assert.equal(new Set(heard).size, heard.length, 'bob heard one of them twice');
  assert.deepEqual(
    alice.ears.of('connectionStateChanged').slice(2).map(({ state, event }) => [state, event]),
    [[Reconnecting, LoginInterrupted], [Connected, Success]],
  );
});

test('a client that came back hears what is new', async () => {
  const alice = await clients.login('alice');
  const bob = await clients.login('bob');
  await broker.kill();
  await broker.start();
  await Promise.all([backAgain(alice), backAgain(bob)]);
  await sendText(alice.zim, 'bob', 'news');
  await bob.ears.until('the news', (ears) => words(ears.messages('receivePeerMessage')).includes('news'));
  // One's own messages are not news, also when the broker replays them.
  assert.equal(alice.ears.messages('receivePeerMessage').length, 0);
});

test('what came while the connection was lost is told once, in order, under both names', async () => {
  const cable = newCable();
  const bob = await clients.login('bob', { WebSocket: cable.WebSocket });
  const alice = await clients.login('alice');
  const group = { groupID: 'g', groupName: 'g' };
  await within(alice.zim.createGroup(group, ['bob']), 'group');
  await sendText(alice.zim, 'bob', 'before');
  await bob.ears.until('the first', (ears) => ears.messages('receivePeerMessage').length === 1);

  cable.pull();
  await bob.ears.event('connectionStateChanged', { state: Reconnecting });
  await sendText(alice.zim, 'bob', 'missed 1');
  await within(alice.zim.sendMessage({ type: 1, message: 'missed 2' }, 'g', 2, { priority: 1 }), 'answer');
  await sendText(alice.zim, 'bob', 'missed 3');
  cable.plug();
  await backAgain(bob);
  await sendText(alice.zim, 'bob', 'live');
  await bob.ears.until('the live one', (ears) => words(ears.messages('peerMessageReceived')).includes('live'));

  const told = (type) => words(bob.ears.messages(type));
  assert.deepEqual(told('receivePeerMessage'), ['before', 'missed 1', 'missed 3', 'live']);
  assert.deepEqual(told('peerMessageReceived'), ['before', 'missed 1', 'missed 3', 'live']);
  assert.deepEqual(told('receiveGroupMessage'), ['missed 2']);
  assert.deepEqual(told('groupMessageReceived'), ['missed 2']);
  const offline = bob.ears.of('peerMessageReceived').flatMap(({ messageList, info }) => messageList.map(() => info.isOfflineMessage));
  assert.deepEqual(offline, [false, true, true, false]);
});

test('a new login is told what came since under the newer names only', async () => {
  const bob = await clients.login('bob');
  const alice = await clients.login('alice');
  await within(bob.zim.logout(), 'logout');
  await sendText(alice.zim, 'bob', 'while away');
  const again = await clients.login('bob');
  await again.ears.until('the missed one', (ears) => words(ears.messages('peerMessageReceived')).includes('while away'));
  assert.deepEqual(again.ears.of('peerMessageReceived')[0].info, { isOfflineMessage: true });
  assert.equal(again.ears.messages('receivePeerMessage').length, 0);
});

test('a broker that falls silent is left, and what it did not answer is sent once', async () => {
  const alice = await clients.login('alice');
  await clients.login('bob');
  await sendText(alice.zim, 'bob', 'before');
  broker.freeze();
  // It lies in the frozen broker's socket, which will take it when it thaws: so will the one that is sent again.
  const answer = sendText(alice.zim, 'bob', 'into the silence');
  await alice.ears.event('connectionStateChanged', { state: Reconnecting, event: LoginInterrupted });
  broker.thaw();
  const { message } = await answer;
  assert.equal(message.sentStatus, 1);
  assert.deepEqual(words(await wholeHistory(alice.zim, 'bob', PEER)), ['before', 'into the silence']);
});

test('commands and barrages are at most once: without a connection they fail', async () => {
  const cable = newCable();
  const alice = await clients.login('alice', { WebSocket: cable.WebSocket });
  await clients.login('bob');
  const draft = { type: 2, message: Uint8Array.of(1) };
  const answer = alice.zim.sendMessage(draft, 'bob', PEER, { priority: 1 });
  cable.pull();
  // It may have been answered before the cable was out; if not, it has failed for good.
  await within(answer.catch((error) => assert.equal(error.code, 6000104)), 'the command');
  await alice.ears.event('connectionStateChanged', { state: Reconnecting });
  await rejectsWith(6000104, alice.zim.sendMessage({ type: 2, message: Uint8Array.of(2) }, 'bob', PEER, { priority: 1 }));
  await rejectsWith(6000104, alice.zim.queryGroupList());
  cable.plug();
  await backAgain(alice);
  await sendText(alice.zim, 'bob', 'back');
});

test('a short loss keeps the room, a restart of the broker does not', async () => {
  const cable = newCable();
  const roomID = 'kept';
  const alice = await clients.login('alice', { WebSocket: cable.WebSocket });
  const bob = await clients.login('bob');
  await within(alice.zim.enterRoom({ roomID, roomName: '' }), 'room');
  await within(bob.zim.enterRoom({ roomID, roomName: '' }), 'room');
  const states = () => alice.ears.of('roomStateChanged').slice(2).map(({ state, event }) => [state, event]);
  const { Disconnected, Connecting } = ZIMRoomState;

  cable.pull();
  await alice.ears.event('connectionStateChanged', { state: Reconnecting });
  cable.plug();
  await backAgain(alice);
  assert.deepEqual(states(), [
    [Connecting, ZIMRoomEvent.NetworkInterrupted],
    [ZIMRoomState.Connected, ZIMRoomEvent.Success],
  ]);
  const answer = bob.zim.sendMessage({ type: 20, message: 'you are back' }, roomID, 1, { priority: 1 });
  await within(answer, 'answer');
  await alice.ears.until('the barrage', (ears) => words(ears.messages('receiveRoomMessage')).includes('you are back'));

  await broker.kill();
  await broker.start();
  await backAgain(alice, 3);
  assert.deepEqual(states().slice(2), [
    [Connecting, ZIMRoomEvent.NetworkInterrupted],
    [Disconnected, ZIMRoomEvent.ConnectTimeout],
  ]);
});

test('logging out while away gives up what was pending', async () => {
  const alice = await clients.login('alice');
  await clients.login('bob');
  await broker.kill();
  await alice.ears.event('connectionStateChanged', { state: Reconnecting });
  const answer = alice.zim.sendMessage({ type: 1, message: 'too late' }, 'bob', PEER, { priority: 1 });
  const refused = rejectsWith(6000121, answer);
  await within(alice.zim.logout(), 'logout');
  await refused;
  assert.deepEqual(alice.ears.of('connectionStateChanged').at(-1).state, ZIMConnectionState.Disconnected);
});
