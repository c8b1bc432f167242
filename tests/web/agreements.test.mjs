// What members of groups and rooms agree on, through the client: management of groups, attributes, moving between rooms.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  ZIMConversationPinnedFilter, ZIMGroupJoinMode, ZIMGroupMuteMode, ZIMRoomAttributesUpdateAction, ZIMRoomEvent, ZIMRoomState,
} from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, newCable, rejectsWith, sendText, within } from './clients.mjs';

const GROUP = 2;
const { Set: SetAction, Delete } = ZIMRoomAttributesUpdateAction;

let broker;
let clients;
let alice;
let bob;
const ask = (promise) => within(promise, 'answer');

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

test('a group is managed: each call has its result and its event', async () => {
  const groupID = 'managed';
  const { zim } = alice;
  await ask(zim.createGroup({ groupID, groupName: 'One', groupAvatarUrl: '' }, ['bob']));
  assert.deepEqual(await ask(zim.updateGroupName('Two', groupID)), { groupID, groupName: 'Two' });
  const { operatedInfo } = await bob.ears.event('groupNameUpdated', { groupID, groupName: 'Two' });
  const { operatedUserInfo, ...tiled } = operatedInfo;
  assert.deepEqual(tiled, { userID: 'alice', userName: 'alice', memberNickname: '', memberRole: 1 });
  assert.deepEqual([operatedUserInfo.userID, operatedUserInfo.memberRole], ['alice', 1], 'as a member, for older programs');
  assert.deepEqual(await ask(zim.updateGroupNotice('read', groupID)), { groupID, groupNotice: 'read' });
  await bob.ears.event('groupNoticeUpdated', { groupNotice: 'read' });
  assert.deepEqual(await ask(zim.updateGroupAvatarUrl('https://a/b', groupID)), { groupID, groupAvatarUrl: 'https://a/b' });
  await bob.ears.event('groupAvatarUrlUpdated', { groupAvatarUrl: 'https://a/b' });

  assert.deepEqual(await ask(zim.setGroupAttributes({ k: 'v', l: 'w' }, groupID)), { groupID, errorKeys: [] });
  assert.deepEqual((await bob.ears.event('groupAttributesUpdated')).infoList, [{ action: SetAction, groupAttributes: { k: 'v', l: 'w' } }]);
  assert.deepEqual(await ask(bob.zim.queryGroupAttributes(['k'], groupID)), { groupID, groupAttributes: { k: 'v' } });
  assert.deepEqual(await ask(bob.zim.deleteGroupAttributes(['k', 'x'], groupID)), { groupID, errorKeys: ['x'] });
  assert.deepEqual(await ask(zim.queryGroupAllAttributes(groupID)), { groupID, groupAttributes: { l: 'w' } });

  assert.deepEqual(await ask(bob.zim.setGroupMemberNickname('Bobby', 'bob', groupID)), { groupID, forUserID: 'bob', nickname: 'Bobby' });
  assert.equal((await alice.ears.event('groupMemberInfoUpdated')).userList[0].memberNickname, 'Bobby');
  assert.deepEqual(await ask(zim.setGroupMemberRole(2, 'bob', groupID)), { groupID, forUserID: 'bob', role: 2 });
  const { userInfo } = await ask(zim.queryGroupMemberInfo('bob', groupID));
  const { groupEnterInfo, ...member } = userInfo;
  assert.equal(typeof groupEnterInfo.enterTime, 'number');
  assert.deepEqual(member, {
    userID: 'bob', userName: 'bob', userAvatarUrl: '', memberAvatarUrl: '', memberNickname: 'Bobby', memberRole: 2, muteExpiredTime: 0,
  });
  assert.equal((await ask(zim.searchLocalGroupMembers(groupID, { keywords: ['bobb'], isAlsoMatchGroupMemberNickname: true, count: '5', nextFlag: 0 }))).userList.length, 1);
  const found = await ask(zim.searchLocalGroups({ keywords: ['tw'], isAlsoMatchGroupMemberUserName: false, isAlsoMatchGroupMemberNickname: false, count: 5, nextFlag: 0 }));
  assert.deepEqual(found.groupSearchInfoList.map(({ groupInfo }) => groupInfo.groupID), [groupID]);

  assert.deepEqual(await ask(zim.updateGroupJoinMode(ZIMGroupJoinMode.Forbid, groupID)), { groupID, mode: 2 });
  assert.equal((await bob.ears.event('groupVerifyInfoUpdated')).verifyInfo.joinMode, 2);
  assert.deepEqual(await ask(zim.transferGroupOwner('bob', groupID)), { groupID, toUserID: 'bob' });
  await rejectsWith(6000541, zim.setGroupMemberRole(2, 'bob', groupID));
});

test('the muted hear of it, are refused, and their message says so', async () => {
  const groupID = 'quiet';
  await ask(alice.zim.createGroup({ groupID, groupName: 'Quiet', groupAvatarUrl: '' }, ['bob']));
  const muted = await ask(alice.zim.muteGroupMembers(true, ['bob', 'nobody'], groupID, { duration: 60 }));
  assert.deepEqual(muted, { groupID, isMute: true, duration: 60, mutedUserIDs: ['bob'], errorUserList: [{ userID: 'nobody', reason: 6000521 }] });
  const draft = { type: 1, message: 'hush' };
  await rejectsWith(6000231, bob.zim.sendMessage(draft, groupID, GROUP, { priority: 1 }));
  assert.equal(draft.sentStatus, 2);
  assert.deepEqual((await ask(bob.zim.queryGroupMemberMutedList(groupID, { count: 10, nextFlag: 0 }))).userList.map(({ userID }) => userID), ['bob']);
  await ask(alice.zim.muteGroupMembers(false, ['bob'], groupID, { duration: 0 }));
  await ask(bob.zim.sendMessage({ type: 1, message: 'hello' }, groupID, GROUP, { priority: 1 }));
  const { mutedInfo } = await ask(alice.zim.muteGroup(true, groupID, { mode: ZIMGroupMuteMode.All, duration: -1, roles: [] }));
  assert.deepEqual(mutedInfo, { mode: 2, expiredTime: -1, roles: [] });
  assert.deepEqual((await bob.ears.event('groupMutedInfoUpdated', { groupID })).mutedInfo, mutedInfo);
  await rejectsWith(6000231, bob.zim.sendGroupMessage({ type: 1, message: 'hush' }, groupID, { priority: 1 }));
});

const attributesOf = ({ ears }, roomID) =>
  ears.heard.filter(({ type, data }) => type.startsWith('roomAttributes') && data.roomID === roomID);

test('room attributes: set, forced, deleted, and a batch as one event', async () => {
  const roomID = 'seats';
  await ask(alice.zim.createRoom({ roomID, roomName: '' }, { roomAttributes: { topic: 't' }, roomDestroyDelayTime: 0 }));
  await ask(bob.zim.joinRoom(roomID));
  const entered = await bob.ears.event('roomAttributesUpdated', { roomID });
  assert.deepEqual(entered.infos, [{ action: SetAction, roomAttributes: { topic: 't' } }]);
  const order = bob.ears.heard.map(({ type }) => type);
  assert.ok(order.indexOf('roomStateChanged') < order.indexOf('roomAttributesUpdated'), 'first inside, then what stands there');

  const config = { isForce: false, isUpdateOwner: false, isDeleteAfterOwnerLeft: false };
  assert.deepEqual(await ask(alice.zim.setRoomAttributes({ seat: 'alice' }, roomID, config)), { roomID, errorKeys: [] });
  await rejectsWith(6000331, bob.zim.setRoomAttributes({ seat: 'bob' }, roomID, config));
  await rejectsWith(6000331, bob.zim.deleteRoomAttributes(['seat'], roomID, { isForce: false }));
  await ask(bob.zim.deleteRoomAttributes(['seat'], roomID, { isForce: true }));

  alice.zim.beginRoomAttributesBatchOperation(roomID, config);
  assert.throws(() => alice.zim.beginRoomAttributesBatchOperation(roomID, config), { code: 6000001 });
  assert.deepEqual(await alice.zim.setRoomAttributes({ a: '1', b: '2' }, roomID, config), { roomID, errorKeys: [] });
  await alice.zim.deleteRoomAttributes(['b'], roomID, { isForce: false });
  assert.deepEqual(await ask(alice.zim.endRoomAttributesBatchOperation(roomID)), { roomID });
  await rejectsWith(6000001, alice.zim.endRoomAttributesBatchOperation(roomID));
  const batch = await bob.ears.event('roomAttributesBatchUpdated', { roomID });
  assert.deepEqual(batch.infos.map(({ action }) => action), [SetAction, Delete]);
  assert.deepEqual(await ask(bob.zim.queryRoomAllAttributes(roomID)), { roomID, roomAttributes: { topic: 't', a: '1' } });
});

test('who was away from a room hears only what changed meanwhile', async () => {
  const roomID = 'away';
  const cable = newCable();
  const carol = await clients.login('carol', { WebSocket: cable.WebSocket, reconnectMaxMs: 50 });
  await ask(alice.zim.createRoom({ roomID, roomName: '' }, { roomAttributes: { keep: '1', change: '1', drop: '1' }, roomDestroyDelayTime: 0 }));
  await ask(carol.zim.joinRoom(roomID));
  await carol.ears.event('roomAttributesUpdated', { roomID });
  cable.pull();
  await carol.ears.event('roomStateChanged', { roomID, state: ZIMRoomState.Connecting, event: ZIMRoomEvent.NetworkInterrupted });
  await ask(alice.zim.setRoomAttributes({ change: '2', fresh: '1' }, roomID, { isForce: true }));
  await ask(alice.zim.deleteRoomAttributes(['drop'], roomID, { isForce: true }));
  cable.plug();
  await carol.ears.until('what changed', () => attributesOf(carol, roomID).length === 2);
  assert.deepEqual(attributesOf(carol, roomID)[1].data.infos, [
    { action: Delete, roomAttributes: { drop: '1' } }, { action: SetAction, roomAttributes: { change: '2', fresh: '1' } },
  ]);
});

test('members of a room have attributes of their own', async () => {
  const roomID = 'levels';
  await ask(alice.zim.createRoom({ roomID, roomName: '' }));
  await ask(bob.zim.joinRoom(roomID));
  const done = await ask(alice.zim.setRoomMembersAttributes({ lv: '9' }, ['bob', 'nobody'], roomID, { isDeleteAfterOwnerLeft: true }));
  assert.deepEqual(done, { roomID, infos: [{ attributesInfo: { userID: 'bob', attributes: { lv: '9' } }, errorKeys: [] }], errorUserList: ['nobody'] });
  const told = await bob.ears.event('roomMemberAttributesUpdated', { roomID });
  assert.deepEqual([told.infos, told.operatedInfo], [[{ attributesInfo: { userID: 'bob', attributes: { lv: '9' } } }], { userID: 'alice' }]);
  assert.deepEqual((await ask(bob.zim.queryRoomMembersAttributes(['bob'], roomID))).infos, [{ userID: 'bob', attributes: { lv: '9' } }]);
  const list = await ask(bob.zim.queryRoomMemberAttributesList(roomID, { count: 10, nextFlag: '' }));
  assert.deepEqual([list.infos.length, list.nextFlag], [1, '']);
});

test('switching rooms and leaving all: states and results', async () => {
  await ask(alice.zim.createRoom({ roomID: 'from', roomName: '' }));
  const { roomInfo } = await ask(alice.zim.switchRoom('from', { roomID: 'to', roomName: 'To' }, true));
  assert.deepEqual(roomInfo.baseInfo, { roomID: 'to', roomName: 'To' });
  const states = (roomID) => alice.ears.of('roomStateChanged').filter((data) => data.roomID === roomID).map(({ state, event }) => [state, event]);
  assert.deepEqual(states('to'), [[1, ZIMRoomEvent.ActiveSwitch], [2, 0]]);
  assert.deepEqual(states('from').at(-1), [0, 0]);
  await rejectsWith(6000322, alice.zim.switchRoom('to', { roomID: 'nowhere', roomName: '' }, false));
  assert.deepEqual(states('nowhere').at(-1), [0, ZIMRoomEvent.SwitchFailed]);
  const { roomIDs } = await ask(alice.zim.leaveAllRoom());
  assert.ok(roomIDs.includes('to'));
  assert.deepEqual(states('to').at(-1), [0, 0]);
  assert.deepEqual(await ask(alice.zim.leaveAllRoom()), { roomIDs: [] });
});

test('conversations are marked, and the list is narrowed', async () => {
  const [dora, emil] = [await clients.login('dora'), await clients.login('emil')];
  await sendText(dora.zim, 'emil', 'hi');
  await emil.ears.event('conversationChanged');
  const info = { conversationID: 'dora', conversationType: 0 };
  const failed = await ask(emil.zim.setConversationMark(3, true, [info, { conversationID: 'nobody', conversationType: 0 }]));
  assert.deepEqual(failed, { failedConversationInfos: [{ conversationID: 'nobody', conversationType: 0 }] });
  const changed = await emil.ears.until('the mark', (ears) => ears.of('conversationChanged').find(({ infoList }) => infoList[0].conversation.marks.length > 0));
  assert.deepEqual(changed.infoList[0].conversation.marks, [3]);
  const option = (fields) => ({ conversationTypes: [], marks: [], isOnlyUnreadConversation: false, pinnedFilter: ZIMConversationPinnedFilter.All, ...fields });
  const count = async (fields) => (await ask(emil.zim.queryConversationList({ count: 10 }, option(fields)))).conversationList.length;
  assert.equal(await count({ marks: [3] }), 1);
  assert.equal(await count({ marks: [4] }), 0);
  assert.equal(await count({ pinnedFilter: ZIMConversationPinnedFilter.OnlyPinned }), 0);
  assert.deepEqual(await ask(emil.zim.queryConversationTotalUnreadMessageCount({ conversationTypes: [0], marks: [3] })), { unreadMessageCount: 1 });
});
