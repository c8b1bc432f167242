// Programs as they were written for the vendor's SDK between 2.4 and 2.14: older calls, loose arguments, copies of objects.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import Default, * as module from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, Ears, rejectsWith, sendText, within } from './clients.mjs';

const { ZIM } = module;
const [PEER, ROOM, GROUP] = [0, 1, 2];

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

test('create with a bare number, a second one is null, and the older login', async () => {
  globalThis.TIDINGS_SERVER = broker.server;
  try {
    assert.equal(Default, ZIM);
    assert.equal(ZIM.getInstance(), null);
    const zim = ZIM.create(123456);
    assert.ok(zim instanceof ZIM);
    assert.equal(ZIM.create({ appID: 123456 }), null);
    assert.equal(ZIM.getInstance(), zim);
    assert.equal(ZIM.getVersion(), '2.14.0');
    zim.setLogConfig({ logLevel: 'error' });
    const ears = new Ears(zim);
    await ask(zim.login({ userID: 'old', userName: 'Old Program' }, await broker.token('old')));
    await ears.event('connectionStateChanged', { state: 2, event: 0 });
    assert.equal(zim.logout() instanceof Promise, true);
    await ears.event('connectionStateChanged', { state: 0, event: 0 });
    // Not waited for and never caught, as in programs for whom it returns nothing.
    zim.logout();
    zim.destroy();
    assert.equal(ZIM.getInstance(), null);
    const next = ZIM.create({ appID: 1 });
    assert.notEqual(next, zim);
    next.destroy();
  } finally {
    delete globalThis.TIDINGS_SERVER;
  }
});

test('the three sends of before 2.4', async () => {
  await ask(alice.zim.createGroup({ groupID: 'g', groupName: 'G', groupAvatarUrl: '' }, ['bob']));
  await ask(alice.zim.createRoom({ roomID: 'r', roomName: '' }));
  await ask(bob.zim.joinRoom('r'));
  for (const [method, to, event] of [
    ['sendPeerMessage', 'bob', 'receivePeerMessage'], ['sendRoomMessage', 'r', 'receiveRoomMessage'], ['sendGroupMessage', 'g', 'receiveGroupMessage'],
  ]) {
    const { message } = await ask(alice.zim[method]({ type: 1, message: method }, to, { priority: 1 }));
    const arrived = await bob.ears.until(method, (ears) => ears.messages(event).find(({ messageID }) => messageID === message.messageID));
    assert.equal(arrived.message, method);
  }
});

test('a bare function, null and nonsense where a notification is expected', async () => {
  const attached = [];
  for (const notification of [(message) => attached.push(message.localMessageID), null, undefined, 'nonsense', 7, {}, { onMessageAttached: null }]) {
    await ask(alice.zim.sendMessage({ type: 1, message: 'x' }, 'bob', PEER, { priority: 1 }, notification));
  }
  assert.equal(attached.length, 1);
  await ask(alice.zim.sendMessage({ type: 1, message: 'no config' }, 'bob', PEER));
});

test('stray fields are tolerated and overwritten, in place and before the promise settles', async () => {
  const draft = {
    type: 1, message: 'stray', direction: 1, sentStatus: 2, orderKey: 77, conversationSeq: 5, senderUserID: 'mallory', reactions: 'none',
    timestamp: 1, isUserInserted: true, foo: { bar: 1 },
  };
  let seen;
  const sent = alice.zim.sendMessage(draft, 'bob', PEER, { priority: 1 }, { onMessageAttached: (message) => { seen = { ...message, same: message === draft }; } });
  const { message } = await ask(sent.then((result) => ({ ...result, atSettling: draft.sentStatus })));
  assert.equal(message, draft);
  assert.deepEqual([seen.same, seen.sentStatus, seen.senderUserID, seen.isUserInserted], [true, 0, 'alice', false]);
  assert.deepEqual([draft.sentStatus, draft.direction, draft.senderUserID, draft.conversationID], [1, 0, 'alice', 'bob']);
  assert.deepEqual(draft.reactions, []);
  assert.ok(draft.orderKey > 1e9 && draft.timestamp > 1e12);
});

test('ids, numbers and JSON: what programs store and compare', async () => {
  await sendText(bob.zim, 'alice', 'for the store');
  await ask(bob.zim.sendMessage({ type: 200, message: '{}', subType: 3, searchedContent: 'words' }, 'alice', PEER, { priority: 1 }));
  const { messageList } = await ask(alice.zim.queryHistoryMessage('bob', PEER, { count: 10, reverse: true }));
  for (const message of messageList) {
    assert.match(message.messageID, /^[A-Za-z0-9_-]+$/);
    assert.deepEqual(JSON.parse(JSON.stringify(message)), message, 'JSON keeps all of it');
    const numbers = Object.entries(message).filter(([, value]) => typeof value === 'number');
    assert.ok(numbers.length > 5);
    for (const [field, value] of numbers) assert.ok(Number.isSafeInteger(value), field);
  }
  const { conversationList } = await ask(alice.zim.queryConversationList({ count: '5' }));
  assert.deepEqual(JSON.parse(JSON.stringify(conversationList)), conversationList);
});

test('messages and conversations come back as JSON clones and partial copies, counts as strings', async () => {
  const [carl, dana] = [await clients.login('carl'), await clients.login('dana')];
  for (const word of ['one', 'two', 'three']) await sendText(carl.zim, 'dana', word);
  const page = async (nextMessage) => (await ask(dana.zim.queryHistoryMessage('carl', PEER, { count: '1', reverse: true, nextMessage }))).messageList[0];
  const third = await page();
  assert.equal(third.message, 'three');
  const second = await page(JSON.parse(JSON.stringify(third)));
  assert.equal(second.message, 'two');
  assert.equal((await page({ orderKey: second.orderKey })).message, 'one');

  const { messageID, conversationID, conversationType } = JSON.parse(JSON.stringify(second));
  const { reaction } = await ask(dana.zim.addMessageReaction('👍', { messageID, conversationID, conversationType }));
  assert.equal(reaction.messageID, messageID);
  await ask(dana.zim.deleteMessages([JSON.parse(JSON.stringify(third))], 'carl', PEER, { isAlsoDeleteServerMessage: true }));
  assert.equal((await page()).message, 'two');
  const { conversationList } = await ask(dana.zim.queryConversationList({ count: 1, nextConversation: undefined }));
  const rest = await ask(dana.zim.queryConversationList({ count: '10', nextConversation: JSON.parse(JSON.stringify(conversationList[0])) }));
  assert.ok(Array.isArray(rest.conversationList));
});

test('lists of errors are lists, also when there is nothing in them', async () => {
  const { errorUserList } = await ask(alice.zim.queryUsersInfo(['bob'], { isQueryFromServer: true }));
  assert.deepEqual(errorUserList, []);
  const created = await ask(alice.zim.createGroup({ groupID: '', groupName: 'n', groupAvatarUrl: '' }, []));
  assert.deepEqual(created.errorUserList, []);
  await ask(alice.zim.createRoom({ roomID: 'lists', roomName: '' }));
  assert.deepEqual((await ask(alice.zim.queryRoomMembers(['alice'], 'lists'))).errorUserList, []);
  const page = await ask(alice.zim.queryRoomMemberList('lists', { count: '10', nextFlag: '' }));
  assert.deepEqual([page.memberList.length, page.nextFlag], [1, '']);
});

test('a room member whose id is a number pages on by it', async () => {
  const seven = await clients.login('7');
  const eight = await clients.login('8');
  await ask(seven.zim.createRoom({ roomID: 'numbers', roomName: '' }));
  await ask(eight.zim.joinRoom('numbers'));
  const first = await ask(seven.zim.queryRoomMemberList('numbers', { count: 1, nextFlag: '' }));
  assert.equal(first.nextFlag, '7');
  const next = await ask(seven.zim.queryRoomMemberList('numbers', { count: 1, nextFlag: first.nextFlag }));
  assert.deepEqual(next.memberList.map(({ userID }) => userID), ['8']);
});

test('every storable message changes the conversation on both sides, and clearing does once more', async () => {
  const [erik, fay] = [await clients.login('erik'), await clients.login('fay')];
  await sendText(erik.zim, 'fay', 'hi');
  const last = ({ ears }, id) => ears.until(`a change of ${id}`, () => ears.of('conversationChanged').flatMap(({ infoList }) => infoList).findLast(({ conversation }) => conversation.conversationID === id));
  assert.equal((await last(erik, 'fay')).conversation.lastMessage.message, 'hi');
  assert.equal((await last(fay, 'erik')).conversation.unreadMessageCount, 1);
  const changes = fay.ears.of('conversationChanged').length;
  await ask(fay.zim.clearConversationUnreadMessageCount('erik', PEER));
  await fay.ears.until('the change after clearing', (ears) => ears.of('conversationChanged').length > changes);
  assert.equal((await last(fay, 'erik')).conversation.unreadMessageCount, 0);
});

test('errors say what is wrong, in the console and in JSON', async () => {
  const error = await rejectsWith(6000001, alice.zim.sendMessage({ type: 1, message: 'x'.repeat(40_000) }, 'bob', PEER, { priority: 1 }));
  assert.match(error.message, /message\.message is 40000 bytes, the limit is 32768/);
  assert.match(String(error), /40000/);
  assert.match(JSON.stringify(error), /"code":6000001/);
  await rejectsWith(6000521, alice.zim.sendMessage({ type: 1, message: 'x' }, 'nowhere-g', GROUP, { priority: 1 })).catch(() => rejectsWith(6000523, alice.zim.sendMessage({ type: 1, message: 'x' }, 'nowhere-g', GROUP, { priority: 1 })));
  await rejectsWith(6000322, alice.zim.sendMessage({ type: 1, message: 'x' }, 'nowhere-r', ROOM, { priority: 1 }));
});
