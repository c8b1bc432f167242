// The list of conversations and what is done to messages after sending, as a program of the vendor's SDK sees it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, rejectsWith, sendText, within } from './clients.mjs';

const PEER = 0;
const GROUP = 2;
const SERVER_TOO = { isAlsoDeleteServerMessage: true };

let broker;
let clients;
let users = 0;

before(async () => {
  broker = await startBroker({ TIDINGS_USERS__DEVICES_PER_USER_MAX: '3' });
  clients = new Clients(broker);
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

/** Two users nobody has heard of. */
async function pair(config) {
  users += 1;
  return [await clients.login(`ann${users}`, config), await clients.login(`ben${users}`, config)];
}

const ask = (promise) => within(promise, 'an answer');
const changes = (ears) => ears.of('conversationChanged').flatMap(({ infoList }) => infoList);
const changeTo = ({ ears }, test) => ears.until('a change of the list', () => changes(ears).find(({ conversation }) => test(conversation)));
const lastOf = (conversation) => conversation.lastMessage?.message;
const texts = (messageList) => messageList.map(({ message }) => message);

async function history({ zim }, conversationID, type = PEER) {
  return (await ask(zim.queryHistoryMessage(conversationID, type, { count: 100, reverse: true }))).messageList;
}

test('an entry is whole on both sides, and pages go on from partial copies', async () => {
  const [ann, ben] = await pair();
  await rejectsWith(6000603, ann.zim.queryConversation(ben.userID, PEER));
  const { message } = await sendText(ann.zim, ben.userID, 'hi');
  const { event, conversation } = await changeTo(ben, (one) => lastOf(one) === 'hi');
  assert.equal(event, 0);
  assert.deepEqual(Object.keys(conversation).sort(), [
    'conversationAlias', 'conversationAvatarUrl', 'conversationID', 'conversationName', 'draft', 'isDisabled', 'isPinned', 'lastMessage',
    'marks', 'mentionedInfoList', 'mutedExpiredTime', 'notificationStatus', 'orderKey', 'pinnedTime', 'type', 'unreadMessageCount',
  ]);
  assert.equal(conversation.conversationID, ann.userID);
  assert.equal(conversation.conversationName, ann.userID);
  assert.equal(conversation.lastMessage.messageID, message.messageID);
  assert.equal(conversation.lastMessage.direction, 1);
  assert.equal(conversation.lastMessage.conversationID, ann.userID);
  const total = ({ totalUnreadMessageCount }) => totalUnreadMessageCount === 1;
  await ben.ears.until('the total', (ears) => ears.of('conversationTotalUnreadMessageCountUpdated').find(total));
  const own = await changeTo(ann, (one) => lastOf(one) === 'hi');
  assert.equal(own.conversation.unreadMessageCount, 0);
  for (let n = 0; n < 3; n += 1) {
    const friend = await clients.login(`friend${users}-${n}`);
    await sendText(friend.zim, ben.userID, `from ${n}`);
  }
  await ask(ben.zim.updateConversationPinnedState(true, ann.userID, PEER));
  const ids = [];
  let nextConversation;
  for (;;) {
    const { conversationList } = await ask(ben.zim.queryConversationList({ count: '2', nextConversation }));
    if (conversationList.length === 0) break;
    ids.push(...conversationList.map(({ conversationID }) => conversationID));
    const { conversationID, type, orderKey } = JSON.parse(JSON.stringify(conversationList.at(-1)));
    nextConversation = { conversationID, type, orderKey };
  }
  assert.deepEqual(ids, [ann.userID, `friend${users}-2`, `friend${users}-1`, `friend${users}-0`]);
  const { conversationList: pinned } = await ask(ben.zim.queryConversationPinnedList({ count: 10 }));
  assert.deepEqual(pinned.map(({ conversationID, isPinned }) => [conversationID, isPinned]), [[ann.userID, true]]);
});

test('clearing unread clears the mentions on every device', async () => {
  const [ann, ben] = await pair();
  const desk = await clients.login(ben.userID);
  const groupID = `g${users}`;
  await ask(ann.zim.createGroup({ groupID, groupName: 'G' }, [ben.userID]));
  const named = { type: 1, message: 'look', mentionedUserIDs: [ben.userID], isMentionAll: true };
  const { message } = await ask(ann.zim.sendMessage(named, groupID, GROUP, { priority: 1 }));
  for (const device of [ben, desk]) {
    const { conversation } = await changeTo(device, (one) => one.mentionedInfoList.length === 1);
    const { messageID, messageSeq } = message;
    assert.deepEqual(conversation.mentionedInfoList, [{ type: 3, fromUserID: ann.userID, messageID, messageSeq }]);
    assert.equal(conversation.lastMessage.conversationID, groupID);
  }
  await ask(desk.zim.clearConversationUnreadMessageCount(groupID, GROUP));
  const cleared = (one) => one.conversationID === groupID && one.unreadMessageCount === 0 && one.mentionedInfoList.length === 0;
  await changeTo(ben, cleared);
  await sendText(ann.zim, ben.userID, 'more');
  await ask(ben.zim.clearConversationTotalUnreadMessageCount());
  const { unreadMessageCount } = await ask(ben.zim.queryConversationTotalUnreadMessageCount({}));
  assert.equal(unreadMessageCount, 0);
});

test('drafts, notes and inserted messages stay on their device', async () => {
  const [ann, ben] = await pair();
  const desk = await clients.login(ann.userID);
  const { message } = await sendText(ann.zim, ben.userID, 'one');
  await ask(ann.zim.setConversationDraft('half a tho', ben.userID, PEER));
  await changeTo(ann, (one) => one.draft === 'half a tho');
  assert.equal((await ask(ann.zim.queryConversation(ben.userID, PEER))).conversation.draft, 'half a tho');
  assert.equal((await ask(desk.zim.queryConversation(ben.userID, PEER))).conversation.draft, '');
  await ask(ann.zim.updateMessageLocalExtendedData('mine', message));
  assert.equal(message.localExtendedData, 'mine');
  assert.equal((await history(ann, ben.userID))[0].localExtendedData, 'mine');
  assert.equal((await history(desk, ben.userID))[0].localExtendedData, '');
  const inserted = (await ask(ann.zim.insertMessageToLocalDB({ type: 1, message: 'note' }, ben.userID, PEER, ben.userID))).message;
  assert.equal(inserted.isUserInserted, true);
  assert.equal(inserted.direction, 1);
  await sendText(ann.zim, ben.userID, 'two');
  assert.deepEqual(texts(await history(ann, ben.userID)), ['one', 'note', 'two']);
  assert.deepEqual(texts(await history(desk, ben.userID)), ['one', 'two']);
  await rejectsWith(6000001, ann.zim.insertMessageToLocalDB({ type: 2, message: new Uint8Array([1]) }, ben.userID, PEER, ben.userID));
});

test('what is deleted here only is hidden here only, and on the server everywhere', async () => {
  const [ann, ben] = await pair();
  const desk = await clients.login(ben.userID);
  for (const text of ['1', '2', '3', '4']) await sendText(ann.zim, ben.userID, text);
  const seen = await history(ben, ann.userID);
  await ask(ben.zim.deleteMessages([seen[3]], ann.userID, PEER, {}));
  assert.deepEqual(texts(await history(ben, ann.userID)), ['1', '2', '3']);
  assert.deepEqual(texts(await history(desk, ann.userID)), ['1', '2', '3', '4']);
  await ask(ben.zim.deleteMessages(JSON.parse(JSON.stringify([seen[0]])), ann.userID, PEER, SERVER_TOO));
  const deleted = await desk.ears.event('messageDeleted', { messageDeleteType: 0 });
  assert.deepEqual(texts(deleted.messageList), ['1']);
  assert.equal(deleted.messageList[0].conversationID, ann.userID);
  assert.deepEqual(texts(await history(desk, ann.userID)), ['2', '3', '4']);
  await ask(ben.zim.deleteConversation(ann.userID, PEER, { isAlsoDeleteServerConversation: false }));
  assert.deepEqual((await ask(ben.zim.queryConversationList({ count: 10 }))).conversationList, []);
  assert.equal((await ask(desk.zim.queryConversationList({ count: 10 }))).conversationList.length, 1);
  await sendText(ann.zim, ben.userID, '5');
  await changeTo(ben, (one) => lastOf(one) === '5');
  assert.equal((await ask(ben.zim.queryConversationList({ count: 10 }))).conversationList.length, 1);
  await ask(ben.zim.deleteConversation(ann.userID, PEER, { isAlsoDeleteServerConversation: true }));
  await desk.ears.until('its end elsewhere', (ears) => changes(ears).find(({ event }) => event === 3));
  await ask(desk.zim.deleteAllMessage(ann.userID, PEER, SERVER_TOO));
  await ben.ears.event('messageDeleted', { messageDeleteType: 1 });
  assert.deepEqual(await history(ann, ben.userID).then(texts), ['1', '2', '3', '4', '5']);
  assert.deepEqual(await history(ben, ann.userID), []);
});

test('revoked and edited messages change in place, for everyone', async () => {
  const [ann, ben] = await pair();
  const { message } = await sendText(ann.zim, ben.userID, 'teh');
  message.message = 'the';
  const edited = await ask(ann.zim.editMessage(message, {}));
  assert.equal(edited.message, message);
  assert.equal(message.editorUserID, ann.userID);
  const event = await ben.ears.event('messageEdited');
  assert.deepEqual([event.messageList[0].message, event.messageList[0].conversationID], ['the', ann.userID]);
  const revoked = await ask(ann.zim.revokeMessage(message, { revokeExtendedData: 'why' }));
  assert.equal(revoked.message, message);
  const received = (await ben.ears.event('messageRevokeReceived')).messageList[0];
  for (const one of [message, received]) {
    assert.equal(one.type, 31);
    assert.equal(one.originalMessageType, 1);
    assert.equal(one.originalTextMessageContent, 'the');
    assert.equal(one.revokeExtendedData, 'why');
    assert.equal(one.operatedUserID, ann.userID);
  }
  await rejectsWith(6000279, ann.zim.revokeMessage(message));
  await rejectsWith(6000001, ann.zim.sendMessage({ type: 31, message: 'x' }, ben.userID, PEER, {}));
});

test('reactions, receipts, answers and pins have the shapes of the vendor', async () => {
  const [ann, ben] = await pair();
  const { message } = await ask(ann.zim.sendMessage({ type: 1, message: 'read me' }, ben.userID, PEER, { priority: 1, hasReceipt: true }));
  assert.equal(message.receiptStatus, 1);
  const received = await ben.ears.until('the message', (ears) => ears.messages('receivePeerMessage')[0]);
  assert.equal(received.receiptStatus, 1);
  const { errorMessageIDs } = await ask(ben.zim.sendMessageReceiptsRead([received], ann.userID, PEER));
  assert.deepEqual(errorMessageIDs, []);
  const { infos: [info] } = await ann.ears.event('messageReceiptChanged');
  assert.deepEqual([info.messageID, info.status, info.conversationID], [message.messageID, 2, ben.userID]);
  const { reaction } = await ask(ben.zim.addMessageReaction('👍', received));
  assert.deepEqual([reaction.totalCount, reaction.isSelfIncluded, reaction.conversationID], [1, true, ann.userID]);
  const { reactions } = await ann.ears.event('messageReactionsChanged');
  assert.deepEqual([reactions[0].conversationID, reactions[0].isSelfIncluded, reactions[0].messageID], [ben.userID, false, message.messageID]);
  const users = await ask(ann.zim.queryMessageReactionUserList(message, { reactionType: '👍', count: 10, nextFlag: 0 }));
  assert.deepEqual([users.totalCount, users.userList, users.message], [1, [{ userID: ben.userID }], message]);
  const [kept] = await history(ann, ben.userID);
  assert.deepEqual([kept.receiptStatus, kept.reactions[0].messageID, kept.reactions[0].conversationID], [2, message.messageID, ben.userID]);
  const attached = [];
  const answer = await ask(ben.zim.replyMessage({ type: 1, message: 'done' }, received, { priority: 1 }, (one) => attached.push(one)));
  assert.deepEqual(attached, [answer.message]);
  assert.equal(answer.message.repliedInfo.messageInfo.message, 'read me');
  await ann.ears.event('messageRepliedCountChanged');
  const replies = await ask(ann.zim.queryMessageRepliedList(message, { count: 10, nextFlag: 0 }));
  assert.deepEqual([texts(replies.messageList), replies.rootRepliedInfo.message.messageID], [['done'], message.messageID]);
  await ask(ann.zim.pinMessage(message, true));
  const pin = await ben.ears.event('messagePinStatusChanged');
  assert.deepEqual([pin.infos[0].pinStatus, pin.infos[0].message.pinnedUserID], [1, ann.userID]);
  const { messageList } = await ask(ben.zim.queryPinnedMessageList(ann.userID, PEER));
  assert.deepEqual(texts(messageList), ['read me']);
  const bySeq = await ask(ben.zim.queryMessages([message.messageSeq], ann.userID, PEER));
  assert.deepEqual(texts(bySeq.messageList), ['read me']);
});

test('messages are forwarded as one and one by one', async () => {
  const [ann, ben] = await pair();
  const [cat] = await pair();
  const one = (await sendText(ann.zim, ben.userID, 'one')).message;
  const named = { type: 200, message: '{}', subType: 7, extendedData: 'e', mentionedUserIDs: [ben.userID] };
  const two = (await ask(ann.zim.sendMessage(named, ben.userID, PEER, { priority: 1 }))).message;
  const combined = { type: 100, title: 'Notes', summary: 'two', messageList: [one, two] };
  const { message } = await ask(ann.zim.sendMessage(combined, cat.userID, PEER, { priority: 1 }));
  assert.equal(message.type, 100);
  const received = await cat.ears.until('it', (ears) => ears.messages('receivePeerMessage').find(({ type }) => type === 100));
  assert.deepEqual([received.title, received.summary, received.messageList], ['Notes', 'two', []]);
  const detail = await ask(cat.zim.queryCombineMessageDetail(received));
  assert.equal(detail.message, received);
  assert.deepEqual(texts(received.messageList), ['one', '{}']);
  assert.deepEqual([received.messageList[1].subType, received.messageList[1].senderUserID], [7, ann.userID]);
  const passedOn = (await ask(cat.zim.sendMessage(received, ann.userID, PEER, { priority: 1 }))).message;
  assert.notEqual(passedOn.messageID, received.messageID);
  const again = (await ask(ann.zim.sendMessage(two, cat.userID, PEER, { priority: 1 }))).message;
  assert.notEqual(again, two);
  assert.deepEqual([again.extendedData, again.mentionedUserIDs, again.subType], ['e', [], 7]);
  const failed = { ...one, sentStatus: 2 };
  await rejectsWith(6000001, ann.zim.sendMessage({ ...combined, messageList: [failed] }, ben.userID, PEER, {}));
});

test('messages and users are looked for and followed', async () => {
  const [ann, ben] = await pair();
  await sendText(ann.zim, ben.userID, '明天下午开会');
  const { message } = await sendText(ann.zim, ben.userID, 'Noon?');
  const found = await ask(ben.zim.searchLocalMessages(ann.userID, PEER, { keywords: ['下午'], order: 0, count: 10 }));
  assert.deepEqual(texts(found.messageList), ['明天下午开会']);
  const pages = await ask(ben.zim.searchGlobalLocalMessages({ keywords: [], count: 1, order: 0 }));
  const next = await ask(ben.zim.searchGlobalLocalMessages({ keywords: [], count: 1, order: 0, nextMessage: pages.nextMessage }));
  assert.deepEqual([texts(pages.messageList), texts(next.messageList)], [['Noon?'], ['明天下午开会']]);
  const by = await ask(ben.zim.searchLocalConversations({ keywords: ['noon'], totalConversationCount: 5, conversationMessageCount: 5 }));
  assert.equal(by.conversationSearchInfoList[0].messageList[0].messageID, message.messageID);
  await ask(ben.zim.subscribeUsersStatus([ann.userID], { subscriptionDuration: 10 }));
  const { userName } = await ask(ann.zim.updateUserName('Anne'));
  assert.equal(userName, 'Anne');
  await changeTo(ben, (one) => one.conversationName === 'Anne');
  await ask(ann.zim.logout());
  const { userStatusList } = await ben.ears.event('userStatusUpdated');
  assert.deepEqual([userStatusList[0].userID, userStatusList[0].onlineStatus], [ann.userID, 2]);
});
