// Programs keep the client and its messages in stores of state. Some put a proxy before whatever is in them, some freeze it as soon as it is
// there, and methods are passed around without their client. Nothing of that may end a send.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ZIM } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, Ears, rejectsWith, wholeHistory, within } from './clients.mjs';

const PEER = 0;
const [TEXT, FILE] = [1, 12];
const [SENDING, SUCCESS, FAILED] = [0, 1, 2];

let broker;
let clients;
let ben;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  ben = await clients.login('ben');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

/** A proxy before plain objects and lists, and before everything that is in them, as stores that watch their content make. */
function reactive(target, made = new WeakMap()) {
  const isWatched = (value) => ['[object Object]', '[object Array]'].includes(Object.prototype.toString.call(value));
  if (!isWatched(target)) return target;
  if (!made.has(target)) made.set(target, new Proxy(target, { get: (object, name, self) => reactive(Reflect.get(object, name, self), made) }));
  return made.get(target);
}

function freeze(value) {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value) || ArrayBuffer.isView(value) || value instanceof Blob) return value;
  Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}

const send = (zim, draft, to = 'ben', notification = undefined) => within(zim.sendMessage(draft, to, PEER, { priority: 1 }, notification), 'an answer');
const statuses = (ears, { localMessageID }) =>
  ears.of('messageSentStatusChanged').flatMap(({ infos }) => infos).filter(({ message }) => message.localMessageID === localMessageID).map(({ status }) => status);

test('a client behind a proxy', async () => {
  const store = reactive({ zim: clients.make(), messages: [] });
  assert.notEqual(store.zim, ZIM.getInstance());
  await within(store.zim.login('proxy', { userName: 'Proxy', token: await broker.token('proxy') }), 'login');
  for (const draft of [{ type: TEXT, message: 'watched' }, { type: FILE, fileLocalPath: new File(['abc'], 'a.txt') }]) {
    store.messages.push(draft);
    const { message } = await send(store.zim, store.messages.at(-1));
    assert.equal(message, store.messages.at(-1));
    assert.equal(draft.sentStatus, SUCCESS);
  }
  await within(store.zim.logout(), 'logout');
});

test('methods without their client, and those of a class of the program\'s own', async () => {
  const { login, sendMessage, on, logout } = clients.make();
  const told = [];
  on('connectionStateChanged', (_, { state }) => told.push(state));
  await within(login('loose', { userName: '', token: await broker.token('loose') }), 'login');
  assert.equal((await within(sendMessage({ type: TEXT, message: 'hi' }, 'ben', PEER, { priority: 1 }), 'an answer')).message.sentStatus, SUCCESS);
  await within(logout(), 'logout');
  assert.deepEqual(told, [1, 2, 0]);

  class Own extends ZIM {
    async login(userID, token) {
      return super.login(userID, { userName: 'Own', token });
    }
  }
  const own = new Own({ appID: 1, server: broker.server });
  await within(own.login('own', await broker.token('own')), 'login');
  await within(own.logout(), 'logout');
});

for (const [name, draft] of [['a text', { type: TEXT, message: 'frozen' }], ['a file', { type: FILE, fileLocalPath: new File([new Uint8Array(1_500_000)], 'a.bin') }]]) {
  test(`${name} that is frozen at its attaching is sent as a copy`, async () => {
    const { zim, ears } = await clients.login(`freezer${draft.type}`);
    const attached = [];
    const sizes = [];
    const { message } = await send(zim, draft, 'ben', {
      onMessageAttached: (one) => attached.push(freeze(one)), onMediaUploadingProgress: (one) => sizes.push(freeze(one).fileSize),
    });
    assert.equal(attached[0], draft);
    assert.equal(draft.sentStatus, SENDING, 'a frozen object stays as it is');
    assert.deepEqual([message.sentStatus, message.localMessageID], [SUCCESS, draft.localMessageID]);
    assert.deepEqual(statuses(ears, message), [SENDING, SUCCESS]);
    if (draft.type === FILE) {
      assert.match(message.fileDownloadUrl, /^http/);
      assert.ok(sizes.length > 1 && sizes.every((size) => size === 1_500_000), `${sizes}`);
    }
  });
}

test('what failed and is frozen is told as failed, stays in its place, and is sent again under its id', async () => {
  const { zim, ears } = await clients.login('careful');
  zim.on('messageSentStatusChanged', (_, data) => {
    ears.heard.push({ type: 'messageSentStatusChanged', data });
    freeze(data);
  });
  const draft = { type: TEXT, message: 'to one who comes later' };
  await rejectsWith(6000204, zim.sendMessage(draft, 'late', PEER, { priority: 1 }));
  assert.deepEqual(statuses(ears, draft), [SENDING, FAILED]);
  const failed = ears.of('messageSentStatusChanged').at(-1).infos[0].message;
  assert.deepEqual([failed.sentStatus, failed.messageID], [FAILED, draft.localMessageID]);
  await clients.login('late');
  assert.deepEqual((await wholeHistory(zim, 'late', PEER)).map(({ sentStatus }) => sentStatus), [FAILED]);
  const { message } = await send(zim, failed, 'late');
  assert.deepEqual([message.localMessageID, message.sentStatus], [draft.localMessageID, SUCCESS]);
  assert.deepEqual((await wholeHistory(zim, 'late', PEER)).map(({ sentStatus }) => sentStatus), [SUCCESS]);
});

test('an upload whose message is frozen can be cancelled by it', async () => {
  const { zim } = await clients.login('canceller');
  const ears = new Ears(zim);
  const draft = { type: FILE, fileLocalPath: new File([new Uint8Array(4_000_000)], 'a.bin') };
  const answer = zim.sendMessage(draft, 'ben', PEER, { priority: 1 }, { onMediaUploadingProgress: (one) => zim.cancelSendingMessage(freeze(one)).catch(() => {}) });
  await rejectsWith(6000206, answer);
  assert.deepEqual(statuses(ears, draft), [SENDING, FAILED]);
});

test('URLs are renewed in a copy of what is frozen', async () => {
  const { zim } = await clients.login('renewer');
  const { message } = await send(zim, { type: FILE, fileLocalPath: new File(['abc'], 'a.txt') });
  freeze(message);
  const renewed = zim.refreshMediaUrls(message);
  assert.notEqual(renewed, message);
  assert.equal((await fetch(renewed.fileDownloadUrl)).status, 200);
});

test('what comes in may be frozen, too', async () => {
  const { zim, ears } = await clients.login('keeper');
  for (const event of ['receivePeerMessage', 'conversationChanged', 'userInfoUpdated']) zim.on(event, (_, data) => { freeze(data); ears.heard.push({ type: event, data }); });
  await send(ben.zim, { type: TEXT, message: 'one' }, 'keeper');
  await ears.until('one', () => ears.messages('receivePeerMessage').length === 1);
  const { messageList } = freeze(await within(zim.queryHistoryMessage('ben', PEER, { count: 10, reverse: true }), 'history'));
  freeze(await within(zim.queryConversationList({ count: 10 }), 'the list'));
  freeze(await within(zim.queryUsersInfo(['ben']), 'users'));
  await within(zim.updateUserName('Keeper'), 'the name');
  await within(zim.setConversationDraft('a draft', 'ben', PEER), 'the draft');
  await send(zim, { type: TEXT, message: 'two' });
  const revoked = await within(ben.zim.queryHistoryMessage('keeper', PEER, { count: 1, reverse: false }), 'history');
  await within(ben.zim.revokeMessage(revoked.messageList[0]), 'the revocation');
  await within(zim.updateMessageLocalExtendedData('a note', messageList[0]), 'the note');
  const again = await within(zim.queryHistoryMessage('ben', PEER, { count: 10, reverse: true }), 'history');
  assert.deepEqual(again.messageList.map(({ type, localExtendedData }) => [type, localExtendedData]), [[31, 'a note'], [TEXT, '']]);
});
