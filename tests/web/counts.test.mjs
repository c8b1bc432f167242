// Goal: whatever number a program asks for, it gets as many, or all there are. Method: lists longer than the longest page the broker
// gives, here made short by its settings' defaults or by many members.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, newSieve, rejectsWith, sendText, within } from './clients.mjs';

const [PEER, ROOM, GROUP] = [0, 1, 2];

let broker;
let clients;
let ann;
let ben;
let root;
const asked = newSieve();
const requests = [];
const ask = (promise) => within(promise, 'an answer');

before(async () => {
  broker = await startBroker({ TIDINGS_RATE__SEARCHES_PER_SECOND: '1000' });
  clients = new Clients(broker);
  asked.losesOutgoing = (frame) => { requests.push(frame); return false; };
  ann = await clients.login('ann', { WebSocket: asked.WebSocket });
  ben = await clients.login('ben');
  const users = await Promise.all(Array.from({ length: 12 }, (_, n) => clients.login(`user-${n}`)));
  await ask(ann.zim.createGroup({ groupID: 'g', groupName: 'g', groupAvatarUrl: '' }, ['ben', ...users.slice(0, 8).map(({ userID }) => userID)]));
  await ask(ann.zim.createRoom({ roomID: 'r', roomName: '' }));
  for (const { zim } of users) await ask(zim.joinRoom('r'));
  await Promise.all(Array.from({ length: 130 }, (_, n) => sendText(ann.zim, 'ben', `word ${n}`)));
  root = (await ask(ann.zim.sendMessage({ type: 1, message: 'root' }, 'g', GROUP, { priority: 1, hasReceipt: true }))).message;
  await Promise.all(Array.from({ length: 105 }, (_, n) => ask(ann.zim.replyMessage({ type: 1, message: `reply ${n}` }, root, { priority: 1 }))));
  await ask(ben.zim.sendMessageReceiptsRead([root], 'g', GROUP));
  await ask(ann.zim.addMessageReaction('up', root));
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

/** Every method that takes a count: how it is called, the list it answers, and how many there are. */
const METHODS = [
  ['queryHistoryMessage', (config) => ['ben', PEER, { ...config, reverse: true }], 'messageList', 130],
  ['queryConversationList', (config) => [config], 'conversationList', 2],
  ['queryConversationPinnedList', (config) => [config], 'conversationList', 0],
  ['queryRoomMemberList', (config) => ['r', config], 'memberList', 13],
  ['queryRoomMemberAttributesList', (config) => ['r', config], 'infos', 0],
  ['queryGroupMemberList', (config) => ['g', config], 'userList', 10],
  ['queryGroupMemberMutedList', (config) => ['g', config], 'userList', 0],
  ['searchLocalGroups', (config) => [{ ...config, keywords: ['g'] }], 'groupSearchInfoList', 1],
  ['searchLocalGroupMembers', (config) => ['g', { ...config, keywords: ['user'] }], 'userList', 8],
  ['queryMessageRepliedList', (config) => [root, config], 'messageList', 105],
  ['queryMessageReactionUserList', (config) => [root, { ...config, reactionType: 'up' }], 'userList', 1],
  ['queryGroupMessageReceiptReadMemberList', (config) => [root, 'g', config], 'userList', 1],
  ['queryGroupMessageReceiptUnreadMemberList', (config) => [root, 'g', config], 'userList', 8],
  ['searchLocalMessages', (config) => ['ben', PEER, { ...config, keywords: ['word'] }], 'messageList', 130],
  ['searchGlobalLocalMessages', (config) => [{ ...config, keywords: ['word'] }], 'messageList', 130],
];

for (const [method, args, list, total] of METHODS) {
  test(`${method} serves any count`, async () => {
    const call = (count) => ann.zim[method](...args({ count, nextFlag: method.startsWith('queryRoom') ? '' : 0 }));
    for (const count of [0, 1, 100, 101, 5_000, '5000']) {
      const result = await ask(call(count));
      assert.equal(result[list].length, Math.min(total, Number(count)), `${count}`);
    }
    for (const count of [-1, NaN, 'many', null, undefined, {}]) {
      const error = await rejectsWith(6000001, call(count));
      assert.match(error.message, /^config\.count is/);
    }
  });
}

test('pages continue where the last one ended, whatever their length', async () => {
  const seen = [];
  let nextFlag = 0;
  do {
    const page = await ask(ann.zim.queryMessageRepliedList(root, { count: 40, nextFlag }));
    seen.push(...page.messageList.map(({ message }) => message));
    ({ nextFlag } = page);
  } while (nextFlag && seen.length < 200);
  assert.deepEqual([seen.length, new Set(seen).size], [105, 105]);
  const nothing = await ask(ann.zim.queryMessageRepliedList(root, { count: 0, nextFlag: 3 }));
  assert.deepEqual([nothing.messageList, nothing.nextFlag], [[], 3], 'nothing was read, so nothing was passed');
});

test('searchLocalConversations serves any count of conversations, and of messages in each', async () => {
  const call = (totalConversationCount, conversationMessageCount) =>
    ann.zim.searchLocalConversations({ keywords: ['word'], totalConversationCount, conversationMessageCount, nextFlag: 0 });
  const found = await ask(call(500, 500));
  assert.deepEqual(found.conversationSearchInfoList.map(({ totalMessageCount, messageList }) => [totalMessageCount, messageList.length]), [[130, 130]]);
  assert.equal(new Set(found.conversationSearchInfoList[0].messageList.map(({ messageID }) => messageID)).size, 130);
  assert.deepEqual((await ask(call(1, 0))).conversationSearchInfoList.map(({ messageList }) => messageList), [[]]);
  assert.deepEqual((await ask(call(0, 1))).conversationSearchInfoList, []);
  assert.match((await rejectsWith(6000001, call(-1, 1))).message, /config\.totalConversationCount/);
  assert.match((await rejectsWith(6000001, call(1, -1))).message, /config\.conversationMessageCount/);
});

test('users that were seen are known; only the others are asked for, in tens', async () => {
  const names = Array.from({ length: 8 }, (_, n) => `user-${n}`);
  const asksOf = async (userIDs, config) => {
    const before = requests.length;
    const result = await ask(ann.zim.queryUsersInfo(userIDs, config));
    return { result, ops: requests.slice(before).filter(({ op }) => op === 'queryUsersInfo').map(({ args }) => args.userIDs) };
  };
  const first = await asksOf([...names, 'user-0'], { isQueryFromServer: false });
  assert.deepEqual(first.result.userList.map(({ baseInfo }) => baseInfo.userID), names);
  assert.deepEqual(first.ops, [names]);
  const again = await asksOf([...names, 'user-9', 'nobody'], { isQueryFromServer: false });
  assert.deepEqual(again.ops, [['user-9', 'nobody']]);
  assert.deepEqual(again.result.userList.map(({ baseInfo }) => baseInfo.userID), [...names, 'user-9']);
  assert.deepEqual(again.result.errorUserList.map(({ userID }) => userID), ['nobody']);
  // The quota of ten in ten seconds is used up: what is known is answered all the same, and what really asks is refused.
  for (let n = 0; n < 5; n += 1) assert.deepEqual((await asksOf(names)).ops, []);
  await rejectsWith(6000012, ann.zim.queryUsersInfo(names, { isQueryFromServer: true }));
  await rejectsWith(6000012, ann.zim.queryUsersInfo(['user-10'], { isQueryFromServer: false }));

  again.result.userList[0].baseInfo.userName = 'changed by the program';
  assert.equal((await asksOf(['user-0'])).result.userList[0].baseInfo.userName, 'user-0', 'results are the program\'s own');
  await rejectsWith(6000001, ann.zim.queryUsersInfo([]));
});

test('more than ten users are asked for in tens', async () => {
  const before = requests.length;
  const everybody = Array.from({ length: 12 }, (_, n) => `user-${n}`);
  const cleo = await clients.login('cleo', { WebSocket: asked.WebSocket });
  await rejectsWith(6000012, cleo.zim.queryUsersInfo(everybody));
  const ops = requests.slice(before).filter(({ op }) => op === 'queryUsersInfo').map(({ args }) => args.userIDs.length);
  assert.deepEqual(ops, [10, 2]);
  assert.equal((await ask(cleo.zim.queryUsersInfo(everybody.slice(0, 10)))).userList.length, 10, 'the first ten are known now');
});
