import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import DefaultZIM, * as module from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, Ears, rejectsWith, sendText, within } from './clients.mjs';

const { ZIM, ZIMConnectionEvent, ZIMConnectionState, ZIMMessageType } = module;
const { Disconnected, Connecting, Connected } = ZIMConnectionState;
const { Success, ActiveLogin, LoginTimeout, KickedOut, TokenExpired } = ZIMConnectionEvent;

let broker;
let clients;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const states = (ears) => ears.of('connectionStateChanged').map(({ state, event }) => [state, event]);

test('the module has the vendor’s names and numbers', () => {
  assert.equal(DefaultZIM, ZIM);
  assert.equal(ZIM.getVersion(), '2.18.1');
  assert.deepEqual([ZIMMessageType.Text, ZIMMessageType.Command, ZIMMessageType.Barrage, ZIMMessageType.Custom], [1, 2, 20, 200]);
  for (const name of Object.keys(module)) assert.match(name, /^(default|ZIM.*)$/);
});

test('a program of the older form is shown what it can know', async () => {
  for (const [config, version, sees] of [[{ appID: 1 }, '2.18.1', true], [1, '2.14.0', false]]) {
    globalThis.TIDINGS_SERVER = broker.server;
    const zim = ZIM.create(config);
    assert.equal(ZIM.getVersion(), version);
    const userID = `of-${version}`;
    await zim.login(userID, { token: await broker.token(userID), userName: '', customStatus: '', isOfflineLogin: false });
    const groupID = `tips-${version}`;
    await zim.createGroup({ groupID, groupName: 'Crew', groupAvatarUrl: '' }, []);
    await zim.sendMessage({ type: 1, message: 'hi' }, groupID, 2, { priority: 1 });
    await zim.updateGroupName('Team', groupID);
    const { messageList } = await zim.queryHistoryMessage(groupID, 2, { count: 10, reverse: true });
    assert.deepEqual(messageList.map(({ type }) => type), sees ? [32, 1, 32] : [1]);
    const { conversationList: [{ lastMessage }] } = await zim.queryConversationList({ count: 1 });
    assert.equal(lastMessage.type, sees ? 32 : 1);
    zim.destroy();
  }
  delete globalThis.TIDINGS_SERVER;
});

test('create makes one client, until it is destroyed', () => {
  const zim = ZIM.create({ appID: 1, server: broker.server });
  assert.ok(zim instanceof ZIM);
  assert.equal(ZIM.create({ appID: 1 }), null);
  assert.equal(ZIM.create(1), null);
  assert.equal(ZIM.getInstance(), zim);
  assert.notEqual(ZIM.createInstance({ appID: 1 }), zim);
  zim.destroy();
  assert.equal(ZIM.getInstance(), null);
  const next = ZIM.create(1);
  assert.ok(next instanceof ZIM);
  next.destroy();
});

test('before login every method rejects with 6000121', async () => {
  const zim = clients.make();
  await rejectsWith(6000121, zim.sendMessage({ type: 1, message: 'hi' }, 'bob', 0, { priority: 1 }));
  await rejectsWith(6000121, zim.sendMediaMessage({ type: 11 }, 'bob', 0, { priority: 1 }));
  await rejectsWith(6000121, zim.queryHistoryMessage('bob', 0, { count: 1, reverse: true }));
  await rejectsWith(6000121, zim.joinRoom('r'));
  await rejectsWith(6000121, zim.queryGroupList());
  await rejectsWith(6000121, zim.queryConversationList({ count: 10 }));
  await rejectsWith(6000121, zim.renewToken('t'));
  await rejectsWith(6000121, zim.logout());
});

test('login and logout tell their states, and a client may log in again', async () => {
  const { zim, ears } = await clients.login('inout');
  assert.deepEqual(states(ears), [[Connecting, ActiveLogin], [Connected, Success]]);
  assert.equal(ears.of('connectionStateChanged')[0].extendedData, '{}');
  await within(zim.logout(), 'logout');
  assert.deepEqual(states(ears).slice(2), [[Disconnected, Success]]);
  await rejectsWith(6000121, zim.queryGroupList());

  await within(zim.login({ userID: 'inout', userName: 'In Out' }, await broker.token('inout')), 'the older login');
  assert.deepEqual(states(ears).slice(3), [[Connecting, ActiveLogin], [Connected, Success]]);
  const { userList } = await within(zim.queryUsersInfo(['inout'], { isQueryFromServer: true }), 'users');
  assert.equal(userList[0].baseInfo.userName, 'In Out');
});

test('a login of the same user is the one that runs, or brings a new token; another user is refused', async () => {
  const zim = clients.make();
  const ears = new Ears(zim);
  const token = await broker.token('again');
  // As a framework does that starts each of its parts twice.
  const logins = [zim.login('again', { userName: 'Again', token }), zim.login({ userID: 'again', userName: 'Again' }, token)];
  await rejectsWith(6000111, zim.login('another', { userName: '', token: await broker.token('another') }));
  assert.deepEqual(await within(Promise.all(logins), 'both logins'), [undefined, undefined]);
  assert.deepEqual(states(ears), [[Connecting, ActiveLogin], [Connected, Success]]);
  await within(zim.queryGroupList(), 'an answer, as both are logged in');

  await within(zim.login('again', { userName: 'Again', token }), 'a third login');
  await within(zim.login('again', { userName: 'Again', token: await broker.token('again', 3600) }), 'one with another token');
  await rejectsWith(6000103, zim.login('again', { userName: 'Again', token: 'no token' }));
  await rejectsWith(6000111, zim.login('another', { userName: '', token: await broker.token('another') }));
  await within(zim.queryGroupList(), 'an answer, as nothing ended');
  assert.equal(states(ears).length, 2, 'no state changed');
});

test('logins that run together fail together, and the next one may succeed', async () => {
  const zim = clients.make();
  const wrong = () => rejectsWith(6000103, zim.login('both', { userName: '', token: 'no token' }));
  await Promise.all([wrong(), wrong()]);
  await within(zim.login('both', { userName: '', token: await broker.token('both') }), 'login');
});

test('a login right after a logout tells the end first, and stays logged in', async () => {
  const { zim, ears } = await clients.login('quick');
  const token = await broker.token('quick');
  const out = zim.logout();
  await within(Promise.all([out, zim.login('quick', { userName: '', token })]), 'logout and login');
  assert.deepEqual(states(ears).slice(2), [[Disconnected, Success], [Connecting, ActiveLogin], [Connected, Success]]);
  await within(zim.queryGroupList(), 'an answer');
});

test('a client that is made, logged in and destroyed twice at once, as in React\'s StrictMode', async () => {
  const token = await broker.token('strict');
  const mount = () => {
    const zim = ZIM.create({ appID: 1, server: broker.server }) ?? ZIM.getInstance();
    const login = zim.login('strict', { userName: '', token });
    login.catch(() => {});
    return { zim, login };
  };
  const first = mount();
  first.zim.destroy();
  const second = mount();
  try {
    await rejectsWith(6000121, first.login);
    await within(second.login, 'the second login');
    await within(second.zim.queryGroupList(), 'an answer');
  } finally {
    second.zim.destroy();
  }
});

test('an offline login needs no connection where this device knows the user, and comes to one by itself', async () => {
  const { zim, ears } = await clients.login('offline');
  await within(zim.setConversationDraft('a draft', 'nobody', 0).catch(() => {}), 'nothing');
  await within(zim.logout(), 'logout');
  const token = await broker.token('offline');
  await broker.kill();
  const seen = states(ears).length;
  await within(zim.login('offline', { userName: '', token, isOfflineLogin: true }), 'the login');
  const draft = { type: 1, message: 'written offline' };
  const answer = zim.sendMessage(draft, 'again', 0, { priority: 1 });
  const unknown = await rejectsWith(6000001, clients.make().login('stranger', { userName: '', token, isOfflineLogin: true }));
  assert.match(unknown.message, /^isOfflineLogin is true, but stranger was never logged in on this device/);
  await broker.start();
  await within(answer, 'the message that waited');
  const { Reconnecting } = ZIMConnectionState;
  assert.deepEqual(states(ears).slice(seen).map(([state]) => state), [Connecting, Reconnecting, Connected]);
});

test('uploadLog resolves', async () => {
  assert.equal(await within(clients.make().uploadLog(), 'an answer'), undefined);
});

test('a wrong, short or old token is refused with its code', async () => {
  const zim = clients.make();
  const ears = new Ears(zim);
  await rejectsWith(6000103, zim.login('tok', { userName: '', token: 'not a token' }));
  assert.equal(states(ears).at(-1)[0], Disconnected);
  await rejectsWith(6000103, zim.login('tok', { userName: '', token: await broker.token('someone-else') }));
  await rejectsWith(6000108, zim.login('tok', { userName: '', token: await broker.token('tok', 20) }));

  const short = await broker.token('tok', 1);
  const expiry = async () => {
    for (;;) {
      const code = await zim.login('tok', { userName: '', token: short }).catch((error) => error.code);
      if (code !== 6000108) return code;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  assert.equal(await within(expiry(), 'expiry of the token', () => ears.heard), 6000106);
  assert.deepEqual(states(ears).at(-1), [Disconnected, TokenExpired]);
  await rejectsWith(6000001, zim.login('', { userName: '', token: 't' }));
});

test('a token can be renewed, and a wrong one is not taken', async () => {
  const { zim } = await clients.login('renew');
  const token = await broker.token('renew');
  assert.deepEqual(await within(zim.renewToken(token), 'renewal'), { token });
  await rejectsWith(6000103, zim.renewToken('not a token'));
  await rejectsWith(6000001, zim.renewToken(''));
});

test('a broker that cannot be reached is 6000104 and LoginTimeout', async () => {
  const zim = clients.make({ server: 'http://127.0.0.1:9' });
  const ears = new Ears(zim);
  await rejectsWith(6000104, zim.login('far', { userName: '', token: 't' }));
  assert.deepEqual(states(ears), [[Connecting, ActiveLogin], [Disconnected, LoginTimeout]]);
});

test('a second device takes the place, and the first does not fight for it', async () => {
  const first = await clients.login('twice');
  const second = await clients.login('twice');
  await first.ears.event('connectionStateChanged', { state: Disconnected, event: KickedOut });
  await rejectsWith(6000121, first.zim.queryGroupList());
  await clients.login('other');
  await sendText(second.zim, 'other', 'the second stays');
  assert.deepEqual(states(first.ears).at(-1), [Disconnected, KickedOut]);
  assert.deepEqual(states(second.ears), [[Connecting, ActiveLogin], [Connected, Success]]);
  // Kicked is not gone: the same client may come back, and kicks in turn.
  await within(first.zim.login('twice', { userName: '', token: await broker.token('twice') }), 'login');
  await second.ears.event('connectionStateChanged', { state: Disconnected, event: KickedOut });
});

test('after destroy there are no more events and no more calls', async () => {
  const { zim, ears } = await clients.login('gone');
  zim.destroy();
  const heard = ears.heard.length;
  await rejectsWith(6000121, zim.queryGroupList());
  await rejectsWith(6000002, zim.login('gone', { userName: '', token: 't' }));
  assert.equal(ears.heard.length, heard);
});
