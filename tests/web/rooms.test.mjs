import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ZIMRoomEvent, ZIMRoomState } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, rejectsWith, within } from './clients.mjs';

const ROOM = 1;
const { Disconnected, Connecting, Connected } = ZIMRoomState;
const { Success, RoomNotExist, ActiveCreate, CreateFailed, ActiveEnter, EnterFailed } = ZIMRoomEvent;

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

const states = ({ ears }, roomID) =>
  ears.of('roomStateChanged').filter((data) => data.roomID === roomID).map(({ state, event }) => [state, event]);

test('create, join, talk, leave: the states and what the others see', async () => {
  const roomID = 'talk';
  const { roomInfo } = await within(alice.zim.createRoom({ roomID, roomName: 'Talk' }), 'room');
  assert.deepEqual(roomInfo, { baseInfo: { roomID, roomName: 'Talk' } });
  assert.deepEqual(states(alice, roomID), [[Connecting, ActiveCreate], [Connected, Success]]);

  const joined = await within(bob.zim.joinRoom(roomID), 'join');
  assert.equal(joined.roomInfo.baseInfo.roomName, 'Talk');
  assert.deepEqual(states(bob, roomID), [[Connecting, ActiveEnter], [Connected, Success]]);
  const came = await alice.ears.event('roomMemberJoined', { roomID });
  assert.deepEqual(came.memberList.map(({ userID }) => userID), ['bob']);

  for (const draft of [{ type: 1, message: 'a text' }, { type: 20, message: 'a barrage' }, { type: 2, message: Uint8Array.of(0, 1) }]) {
    const { message } = await within(alice.zim.sendMessage(draft, roomID, ROOM, { priority: 2 }), 'answer');
    const isIt = ({ messageID }) => messageID === message.messageID;
    const arrived = await bob.ears.until(`type ${draft.type}`, (ears) => ears.messages('receiveRoomMessage').find(isIt));
    assert.equal(arrived.conversationID, roomID);
    assert.equal(arrived.conversationType, ROOM);
    assert.equal(arrived.direction, 1);
    assert.equal(arrived.priority, 2);
  }
  assert.equal(bob.ears.of('roomMessageReceived').at(-1).fromConversationID, roomID);

  assert.deepEqual(await within(bob.zim.leaveRoom(roomID), 'leave'), { roomID });
  assert.deepEqual(states(bob, roomID).at(-1), [Disconnected, Success]);
  const left = await alice.ears.event('roomMemberLeft', { roomID });
  assert.deepEqual(left.memberList.map(({ userID }) => userID), ['bob']);
  const told = bob.ears.of('roomStateChanged').length;
  assert.deepEqual(await within(bob.zim.leaveRoom(roomID), 'leave again'), { roomID });
  assert.deepEqual(await within(bob.zim.leaveRoom('never-was'), 'leave what never was'), { roomID: 'never-was' });
  assert.equal(bob.ears.of('roomStateChanged').length, told, 'nothing changed');
  await rejectsWith(6000321, bob.zim.sendMessage({ type: 1, message: 'from outside' }, roomID, ROOM, { priority: 1 }));
});

test('members are listed, looked up and counted; counts may be strings', async () => {
  const roomID = 'members';
  await within(alice.zim.enterRoom({ roomID, roomName: '' }), 'enter');
  await within(bob.zim.enterRoom({ roomID, roomName: '' }), 'enter');
  const list = await within(alice.zim.queryRoomMemberList(roomID, { count: '20', nextFlag: '' }), 'members');
  assert.deepEqual(list.memberList.map(({ userID }) => userID).sort(), ['alice', 'bob']);
  assert.equal(list.nextFlag, '');
  const some = await within(alice.zim.queryRoomMembers(['bob', 'nobody-here'], roomID), 'members');
  assert.deepEqual(some.memberList.map(({ userID }) => userID), ['bob']);
  assert.deepEqual(some.errorUserList.map(({ userID }) => userID), ['nobody-here']);
  await rejectsWith(6000311, alice.zim.queryRoomMembers(['nobody-here'], roomID));
  assert.deepEqual(await within(alice.zim.queryRoomOnlineMemberCount(roomID), 'count'), { roomID, count: 2 });
});

test('what fails ends in its failed state', async () => {
  await rejectsWith(6000322, alice.zim.joinRoom('not-there'));
  assert.deepEqual(states(alice, 'not-there'), [[Connecting, ActiveEnter], [Disconnected, EnterFailed]]);

  await within(alice.zim.createRoom({ roomID: 'taken', roomName: '' }), 'room');
  await rejectsWith(6000323, bob.zim.createRoom({ roomID: 'taken', roomName: '' }));
  assert.deepEqual(states(bob, 'taken'), [[Connecting, ActiveCreate], [Disconnected, CreateFailed]]);
  await rejectsWith(6000001, bob.zim.createRoom(null));
});

test('the last one out ends the room, and its id is free again', async () => {
  const roomID = 'short-lived';
  await within(alice.zim.createRoom({ roomID, roomName: '' }), 'room');
  await within(alice.zim.leaveRoom(roomID), 'leave');
  await rejectsWith(6000322, bob.zim.joinRoom(roomID));
  await within(bob.zim.createRoom({ roomID, roomName: '' }), 'room');
  assert.ok(!states(alice, roomID).some(([, event]) => event === RoomNotExist));
});
