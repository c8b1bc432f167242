// Goal: every object of every method and event has the fields that the vendor's declarations of five versions call required.
// Method: two users do everything that the client answers, all of what it tells is kept, and walked by the declarations.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { ZIM } from '../../src/web/tidings.js';
import { fixture } from './browser.mjs';
import { startBroker } from './broker.mjs';
import { Clients, within } from './clients.mjs';
import { laterMethods } from './docs/surface.mjs';
import { EVENTS, METHODS } from './docs/tiers.mjs';
import { Declarations, VERSIONS } from './field-walk.mjs';

const [PEER, ROOM, GROUP] = [0, 1, 2];
const [IMAGE, FILE, AUDIO, VIDEO, COMBINE] = [11, 12, 13, 14, 100];

let broker;
let clients;
let cid;
/** What was told: kind, name, value, as it was at that moment. */
const seen = [];

/** A copy of what was told, as a program finds it at that moment; files and bytes as they are. */
function snapshot(value) {
  if (value instanceof Uint8Array || value instanceof Blob || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(snapshot);
  return Object.fromEntries(Object.entries(value).map(([field, one]) => [field, snapshot(one)]));
}

const keep = (kind, name, value) => seen.push({ kind, name, value: snapshot(value) });

/** A client of which everything is kept. */
async function watched(userID, config = {}, tokenSeconds = undefined) {
  const zim = clients.make({ sdkVersion: '2.19.0', ...config });
  for (const event of Object.values(EVENTS).flat()) zim.on(event, (_, data) => { keep('event', event, data); wake(); });
  const token = await broker.token(userID, tokenSeconds);
  const call = async (method, ...args) => {
    const result = await within(zim[method](...args), `an answer to ${method}`);
    keep('result', method, result);
    return result;
  };
  await call('login', userID, { userName: userID, token });
  return { zim, call, userID, token };
}

let waiting = [];
const wake = () => { for (const look of waiting) look(); };
const told = (event, test = () => true) => within(new Promise((resolve) => {
  const look = () => {
    if (!seen.some(({ kind, name, value }) => kind === 'event' && name === event && test(value))) return;
    waiting = waiting.filter((one) => one !== look);
    resolve();
  };
  waiting.push(look);
  look();
}), event, () => seen.filter(({ kind }) => kind === 'event').map(({ name }) => name));

const notification = (kind) => ({
  onMessageAttached: (message) => keep('message', `attached ${kind}`, message),
  onMediaUploadingProgress: (message) => {
    keep('message', `progress ${kind}`, message);
    for (const field of ['fileName', 'fileSize', 'fileUID']) assert.ok(message[field], `${field} of kind ${kind} at the first progress`);
  },
});

before(async () => {
  broker = await startBroker({ TIDINGS_GROUP__TIPS: 'true', TIDINGS_USERS__DEVICES_PER_USER_MAX: '2' });
  clients = new Clients(broker);
  await everything();
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

async function everything() {
  const ann = await watched('ann');
  const ben = await watched('ben');
  // A second device of ben's hears what the first one does.
  await watched('ben', { deviceID: 'tablet' });
  cid = await clients.login('cid');
  await ben.call('updateUserName', 'Ben');
  await told('userInfoUpdated');
  await ann.call('updateUserName', 'Ann');
  await ann.call('updateUserAvatarUrl', 'https://a.example/ann.png');
  await ann.call('updateUserExtendedData', 'about ann');
  await ann.call('queryUsersInfo', ['ann', 'ben', 'nobody'], { isQueryFromServer: true });
  await ann.call('renewToken', await broker.token('ann'));
  await messages(ann, ben);
  await lists(ann, ben);
  await groups(ann, ben);
  await rooms(ann, ben);
  await ann.call('uploadLog');
  await assert.rejects(watched('far', { server: 'http://127.0.0.1:9' }));
  // Good for little more than the thirty seconds that a login wants.
  await watched('brief', {}, 33);
  await told('tokenWillExpire');
  const broadcast = { fromUserID: 'ann', message: { type: 1, message: 'to all', extendedData: '' } };
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${await broker.key('walk')}` };
  assert.ok((await fetch(`${broker.server}/api/v1/broadcasts`, { method: 'POST', headers, body: JSON.stringify(broadcast) })).ok);
  await told('broadcastMessageReceived');
  await ben.call('logout');
}

async function messages(ann, ben) {
  const send = (draft, to = 'ben', type = PEER, config = { priority: 1, hasReceipt: true }) => ann.call('sendMessage', draft, to, type, config, notification(draft.type));
  const texts = [];
  for (const word of ['one', 'two', 'three', 'four']) texts.push((await send({ type: 1, message: word })).message);
  await send({ type: 2, message: Uint8Array.of(1) });
  await send({ type: 200, message: 'custom', subType: 1, searchedContent: 'custom' });
  const files = [
    { type: IMAGE, fileLocalPath: new File([await readFile(fixture('picture.png'))], 'picture.png') },
    { type: FILE, fileLocalPath: new File(['a file'], 'a.txt') },
    { type: FILE, fileLocalPath: new File([new Uint8Array(1_500_000).fill(7)], 'large.bin') },
    { type: AUDIO, fileLocalPath: new File([await readFile(fixture('cbr.mp3'))], 'cbr.mp3'), audioDuration: 2 },
    { type: VIDEO, fileLocalPath: new File([await readFile(fixture('h264.mp4'))], 'h264.mp4'), videoDuration: 2 },
  ];
  for (const draft of files) {
    const failing = { ...draft };
    const { message } = await ann.call('sendMediaMessage', draft, 'ben', PEER, { priority: 1 }, notification(draft.type));
    await ann.call('downloadMediaFile', message, 1);
    await assert.rejects(ann.zim.sendMediaMessage(failing, 'nobody', PEER, { priority: 1 }, notification(draft.type)));
    keep('message', `failed ${draft.type}`, failing);
  }
  const failed = { type: 1, message: 'x'.repeat(40_000) };
  await assert.rejects(ann.zim.sendMessage(failed, 'ben', PEER, { priority: 1 }, notification(1)));
  keep('message', 'failed 1', failed);
  await assert.rejects(ann.zim.sendMessage({ type: 1, message: '' }, 'ben', PEER, { priority: 1 }));
  const combined = (await send({ type: COMBINE, title: 't', summary: 's', messageList: [texts[0]] })).message;
  await ben.call('queryCombineMessageDetail', combined);
  await ben.call('sendMessage', { type: 1, message: 'ann!', mentionedUserIDs: ['ann'], isMentionAll: true }, 'ann', PEER, { priority: 1 });
  await told('conversationChanged', ({ infoList }) => infoList.some(({ conversation }) => conversation.mentionedInfoList.length > 0));
  await ann.call('queryHistoryMessage', 'ben', PEER, { count: 100, reverse: true });
  const { messageList } = await ben.call('queryHistoryMessage', 'ann', PEER, { count: 100, reverse: true });
  const third = messageList.find(({ messageID }) => messageID === texts[2].messageID);
  await ben.call('replyMessage', { type: 1, message: 'a reply' }, third, { priority: 1 }, notification(1));
  await told('messageRepliedCountChanged');
  await ben.call('queryMessageRepliedList', third, { count: 10, nextFlag: 0 });
  await ben.call('queryMessages', [messageList[0].messageSeq], 'ann', PEER);
  await ben.call('addMessageReaction', 'up', messageList[0]);
  await told('messageReactionsChanged');
  await ben.call('queryMessageReactionUserList', messageList[0], { reactionType: 'up', count: 10, nextFlag: 0 });
  await ben.call('deleteMessageReaction', 'up', messageList[0]);
  await ben.call('sendMessageReceiptsRead', [messageList[0]], 'ann', PEER);
  await told('messageReceiptChanged');
  await ben.call('sendConversationMessageReceiptRead', 'ann', PEER);
  await ann.call('queryMessageReceiptsInfo', [texts[0]], 'ben', PEER);
  await ann.call('editMessage', { ...texts[1], message: 'edited' }, {}, notification(1));
  await told('messageEdited');
  await ann.call('pinMessage', texts[1], true, {});
  await told('messagePinStatusChanged');
  await ann.call('queryPinnedMessageList', 'ben', PEER);
  await ann.call('revokeMessage', texts[2], { revokeExtendedData: 'why' });
  await told('messageRevokeReceived');
  await told('messageRepliedInfoChanged');
  await ann.call('insertMessageToLocalDB', { type: 1, message: 'inserted' }, 'ben', PEER, 'ben');
  await ann.call('updateMessageLocalExtendedData', 'a note', texts[0]);
  const search = { keywords: ['one'], count: 10, senderUserIDs: [], messageTypes: [], subMessageTypes: [], startTime: 0, endTime: 0, order: 0 };
  await ann.call('searchLocalMessages', 'ben', PEER, search);
  await ann.call('searchGlobalLocalMessages', search);
  await ann.call('searchLocalConversations', { ...search, totalConversationCount: 5, conversationMessageCount: 5, nextFlag: 0 });
  await ann.call('deleteMessages', [texts[3]], 'ben', PEER, { isAlsoDeleteServerMessage: true });
}

async function lists(ann, ben) {
  await ann.call('queryConversation', 'ben', PEER);
  await ann.call('queryConversationList', { count: 10 });
  await ann.call('updateConversationPinnedState', true, 'ben', PEER);
  await ann.call('queryConversationPinnedList', { count: 10 });
  await ann.call('setConversationMark', 1, true, [{ conversationID: 'ben', conversationType: PEER }, { conversationID: 'none', conversationType: PEER }]);
  await ann.call('setConversationNotificationStatus', 2, 'ben', PEER);
  await ann.call('setConversationDraft', 'a draft', 'ben', PEER);
  await ann.call('queryConversationTotalUnreadMessageCount', {});
  await ben.call('clearConversationUnreadMessageCount', 'ann', PEER);
  await ben.call('clearConversationTotalUnreadMessageCount');
  await ann.call('queryUsersStatus', ['ben', 'nobody']);
  await ann.call('subscribeUsersStatus', ['ben', 'cid', 'nobody'], { subscriptionDuration: 10 });
  await ann.call('querySubscribedUserStatusList', { userIDs: [] });
  await within(cid.zim.logout(), 'logout');
  await told('userStatusUpdated');
  await ann.call('unsubscribeUsersStatus', ['ben']);
  await ben.call('deleteAllMessage', 'ann', PEER, { isAlsoDeleteServerMessage: true });
  await ben.call('deleteConversation', 'ann', PEER, { isAlsoDeleteServerConversation: true });
  await ben.call('deleteAllConversations', { isAlsoDeleteServerConversation: true });
  await ben.call('deleteAllConversationMessages', { isAlsoDeleteServerMessage: true });
}

async function groups(ann, ben) {
  const groupID = 'crew';
  await ann.call('createGroup', { groupID, groupName: 'Crew', groupAvatarUrl: '' }, ['ben', 'nobody'], { groupNotice: 'be kind', groupAttributes: { a: '1' } });
  const { message } = await ann.call('sendMessage', { type: 1, message: 'to the crew', isMentionAll: true }, groupID, GROUP, { priority: 1, hasReceipt: true });
  await told('receiveGroupMessage');
  const { messageList } = await ben.call('queryHistoryMessage', groupID, GROUP, { count: 10, reverse: true });
  await ben.call('sendMessageReceiptsRead', [messageList.at(-1)], groupID, GROUP);
  for (const method of ['queryGroupMessageReceiptReadMemberList', 'queryGroupMessageReceiptUnreadMemberList']) await ann.call(method, message, groupID, { count: 10, nextFlag: 0 });
  await ann.call('inviteUsersIntoGroup', ['cid', 'nobody'], groupID);
  await told('groupMemberStateChanged');
  await ann.call('kickGroupMembers', ['cid'], groupID);
  for (const [method, ...args] of [
    ['queryGroupList'], ['queryGroupInfo', groupID], ['queryGroupMemberList', groupID, { count: 10, nextFlag: 0 }], ['queryGroupMemberCount', groupID],
    ['queryGroupMemberInfo', 'ben', groupID], ['setGroupMemberRole', 2, 'ben', groupID], ['setGroupMemberNickname', 'Benny', 'ben', groupID],
    ['updateGroupName', 'The Crew', groupID], ['updateGroupNotice', 'be quick', groupID], ['updateGroupAvatarUrl', 'https://a.example/g.png', groupID],
    ['updateGroupJoinMode', 0, groupID], ['updateGroupInviteMode', 1, groupID], ['updateGroupBeInviteMode', 0, groupID],
    ['setGroupAttributes', { b: '2' }, groupID], ['deleteGroupAttributes', ['b'], groupID], ['queryGroupAttributes', ['a'], groupID], ['queryGroupAllAttributes', groupID],
    ['muteGroupMembers', true, ['ben'], groupID, { duration: 60 }], ['queryGroupMemberMutedList', groupID, { count: 10, nextFlag: 0 }],
    ['muteGroup', true, groupID, { mode: 2, duration: 60, roles: [] }], ['muteGroup', false, groupID, { mode: 0, duration: 0, roles: [] }],
    ['searchLocalGroups', { keywords: ['Crew'], count: 10, nextFlag: 0, isAlsoMatchGroupMemberUserName: true, isAlsoMatchGroupMemberNickname: true }],
    ['searchLocalGroupMembers', groupID, { keywords: ['ben'], count: 10, nextFlag: 0, isAlsoMatchGroupMemberNickname: true }],
    ['transferGroupOwner', 'ben', groupID], ['leaveGroup', groupID], ['joinGroup', groupID],
  ]) await ann.call(method, ...args);
  await ben.call('queryHistoryMessage', groupID, GROUP, { count: 100, reverse: true });
  await ben.call('queryGroupList');
  await ben.call('dismissGroup', groupID);
  await told('groupStateChanged', ({ event }) => event === 2);
}

async function rooms(ann, ben) {
  const roomID = 'hall';
  const config = { roomAttributes: { a: '1' }, roomDestroyDelayTime: 0 };
  await ann.call('createRoom', { roomID, roomName: 'Hall' }, config);
  await ben.call('joinRoom', roomID);
  await told('roomMemberJoined');
  await ann.call('sendMessage', { type: 20, message: 'barrage' }, roomID, ROOM, { priority: 1 }, notification(20));
  await told('receiveRoomMessage');
  for (const [method, ...args] of [
    ['queryRoomMemberList', roomID, { count: 10, nextFlag: '' }], ['queryRoomMembers', ['ben', 'nobody'], roomID], ['queryRoomOnlineMemberCount', roomID],
    ['setRoomAttributes', { b: '2' }, roomID, { isForce: true, isUpdateOwner: true, isDeleteAfterOwnerLeft: false }], ['deleteRoomAttributes', ['b'], roomID, { isForce: true }],
    ['queryRoomAllAttributes', roomID], ['setRoomMembersAttributes', { mood: 'good' }, ['ann'], roomID, { isDeleteAfterOwnerLeft: true }],
    ['queryRoomMembersAttributes', ['ann'], roomID], ['queryRoomMemberAttributesList', roomID, { count: 10, nextFlag: '' }],
    ['queryHistoryMessage', roomID, ROOM, { count: 10, reverse: true }],
  ]) await ann.call(method, ...args);
  await ann.zim.beginRoomAttributesBatchOperation(roomID, { isForce: true, isUpdateOwner: true, isDeleteAfterOwnerLeft: true });
  await ann.call('setRoomAttributes', { c: '3' }, roomID);
  await ann.call('endRoomAttributesBatchOperation', roomID);
  await told('roomAttributesUpdated');
  await told('roomMemberAttributesUpdated');
  await ann.call('enterRoom', { roomID: 'yard', roomName: 'Yard' }, config);
  await ann.call('switchRoom', 'yard', { roomID: 'loft', roomName: 'Loft' }, true, config);
  await ben.call('leaveRoom', roomID);
  await told('roomMemberLeft');
  await ann.call('leaveAllRoom');
}

for (const version of Object.keys(VERSIONS)) {
  test(`every object has the fields that ${version} requires`, () => {
    const declarations = new Declarations(version);
    const walked = { result: new Set(), event: new Set() };
    const missing = new Set();
    for (const { kind, name, value } of seen) {
      const found = kind === 'result' ? declarations.ofResult(name, value) : kind === 'event' ? declarations.ofEvent(name, value) : declarations.ofMessage(value, name);
      if (found === null) continue;
      walked[kind]?.add(name);
      for (const one of found) missing.add(one);
    }
    assert.deepEqual([...missing].sort(), []);
    const answered = declarations.methods.filter((name) => typeof ZIM.prototype[name] === 'function' && !laterMethods().includes(name));
    const plain = ['on', 'off', 'destroy', 'setLogConfig', 'beginRoomAttributesBatchOperation', 'callExperimentalAPI', 'cancelSendingMessage', 'sendPeerMessage', 'sendRoomMessage', 'sendGroupMessage'];
    assert.deepEqual(answered.filter((name) => !walked.result.has(name) && !plain.includes(name)), [], 'methods that were not called');
    const here = [...EVENTS.A, ...EVENTS.B, ...EVENTS.C];
    assert.deepEqual(here.filter((name) => declarations.events.includes(name) && !walked.event.has(name)), [], 'events that were not told');
  });
}

test('every method that is answered was called', () => {
  const called = new Set(seen.filter(({ kind }) => kind === 'result').map(({ name }) => name));
  const statics = ['create', 'getVersion', 'getInstance', 'on', 'off', 'destroy', 'setGeofencingConfig', 'setAdvancedConfig', 'setLogConfig', 'beginRoomAttributesBatchOperation', 'cancelSendingMessage'];
  assert.deepEqual(Object.values(METHODS).flat().filter((name) => !called.has(name) && !laterMethods().includes(name) && !statics.includes(name)), []);
});
