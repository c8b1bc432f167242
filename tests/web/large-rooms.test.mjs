// Of huge rooms only some who come and go are told by name. What a program counts by the event for the others is right all the same.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, within } from './clients.mjs';

const NAMED_PER_SECOND = 3;
const CROWD = 12;

let broker;
let clients;
let ann;
let crowd;

before(async () => {
  broker = await startBroker({ TIDINGS_ROOM__MOVEMENTS_PER_SECOND: `${NAMED_PER_SECOND}` });
  clients = new Clients(broker);
  ann = await clients.login('ann');
  crowd = await Promise.all(Array.from({ length: CROWD }, (_, n) => clients.login(`fan${n}`)));
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const named = (ears, event) => ears.of(event).flatMap(({ memberList }) => memberList).length;
const counted = (ears, field) => ears.of('roomMembersCounted').reduce((sum, data) => sum + data[field], 0);

test('those who come and go are told by name or by number, each once', async () => {
  const roomID = 'stadium';
  await within(ann.zim.createRoom({ roomID, roomName: 'Stadium' }), 'the room');
  await within(Promise.all(crowd.map(({ zim }) => zim.joinRoom(roomID))), 'all inside');
  const { ears } = ann;
  await ears.until('all of them', () => named(ears, 'roomMemberJoined') + counted(ears, 'joinedCount') >= CROWD);
  assert.ok(counted(ears, 'joinedCount') > 0, 'not all by name');
  const [first] = ears.of('roomMembersCounted');
  assert.deepEqual(Object.keys(first).sort(), ['joinedCount', 'leftCount', 'memberCount', 'roomID']);
  assert.equal(first.roomID, roomID);
  assert.equal(ears.of('roomMembersCounted').at(-1).memberCount, CROWD + 1);
  assert.deepEqual(await within(ann.zim.queryRoomOnlineMemberCount(roomID), 'the count'), { roomID, count: CROWD + 1 });
  const { memberList } = await within(ann.zim.queryRoomMemberList(roomID, { count: 100, nextFlag: '' }), 'the members');
  assert.equal(memberList.length, CROWD + 1, 'whoever was told by number only is in the list');

  await within(Promise.all(crowd.map(({ zim }) => zim.leaveRoom(roomID))), 'all outside');
  await ears.until('all of them gone', () => named(ears, 'roomMemberLeft') + counted(ears, 'leftCount') >= CROWD);
  assert.equal(named(ears, 'roomMemberJoined') + counted(ears, 'joinedCount'), CROWD, 'each came once');
  assert.equal(named(ears, 'roomMemberLeft') + counted(ears, 'leftCount'), CROWD, 'each went once');
  assert.equal(ears.of('roomMembersCounted').at(-1).memberCount, 1);
});

test('the listener gets the client first, and off ends it', async () => {
  const roomID = 'court';
  await within(ann.zim.createRoom({ roomID, roomName: 'Court' }), 'the room');
  const told = new Promise((resolve) => { ann.zim.on('roomMembersCounted', (...args) => resolve(args)); });
  await within(Promise.all(crowd.map(({ zim }) => zim.joinRoom(roomID))), 'all inside');
  const [zim, data] = await within(told, 'the event');
  assert.equal(zim, ann.zim);
  assert.equal(data.roomID, roomID);
  ann.zim.off('roomMembersCounted');
});
