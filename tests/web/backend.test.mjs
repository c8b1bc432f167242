// A backend that knows the OpenAPI document and nothing else, and the clients who see what it does.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, Ears, rejectsWith, within } from './clients.mjs';

const PEER = 0;
const ROOM = 1;
const GROUP = 2;
const BANNED = 6000124;

/** Makes every call from what the document says: path, method, parameters, whether there is a body, whether it wants a key. */
class Backend {
  #document;
  #base;
  #key;

  static async open(address, key) {
    const backend = new Backend();
    backend.#key = key;
    backend.#document = await (await fetch(address)).json();
    backend.#base = new URL(backend.#document.servers[0].url, address).href.replace(/\/$/, '');
    return backend;
  }

  /** Calls an operation by its name; `values` are parameters, and fields of the body. */
  async call(name, values = {}, headers = {}) {
    const { path, method, operation } = this.#find(name);
    const rest = { ...values };
    const take = (key) => {
      const value = rest[key];
      delete rest[key];
      return encodeURIComponent(value);
    };
    const url = new URL(this.#base + path.replace(/\{(\w+)\}/g, (_, key) => take(key)));
    for (const parameter of operation.parameters ?? []) {
      if (parameter.in === 'query' && rest[parameter.name] !== undefined) url.searchParams.set(parameter.name, decodeURIComponent(take(parameter.name)));
    }
    const sent = { ...headers };
    if (operation.security.some((scheme) => 'key' in scheme)) sent.authorization = `Bearer ${this.#key}`;
    const [type] = Object.keys(operation.requestBody?.content ?? {});
    if (type) sent['content-type'] = type;
    else assert.deepEqual(rest, {}, `${name} has no body`);
    const answer = await fetch(url, { method, headers: sent, body: type && JSON.stringify(rest), signal: AbortSignal.timeout(10_000) });
    const said = await answer.json();
    assert.ok(String(answer.status) in operation.responses, `${name} answered ${answer.status}, which is not documented`);
    assert.ok(answer.ok, `${name}: ${JSON.stringify(said)}`);
    const schema = operation.responses[answer.status].content['application/json'].schema;
    assert.deepEqual(this.#unlike(schema, said, name), [], `the answer of ${name} is not as documented: ${JSON.stringify(said)}`);
    return said;
  }

  /** All entries of a list, page by page. */
  async all(name, field, values) {
    const entries = [];
    for (let cursor; ;) {
      const page = await this.call(name, { ...values, ...(cursor && { cursor }) });
      entries.push(...page[field]);
      cursor = page.nextCursor;
      if (cursor === undefined) return entries;
      assert.ok(entries.length < 10_000, `${name} does not end`);
    }
  }

  #find(name) {
    for (const [path, item] of Object.entries(this.#document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.operationId === name) return { path, method: method.toUpperCase(), operation };
      }
    }
    throw new Error(`the document has no ${name}`);
  }

  /** A schema that stands elsewhere, or is made of parts, as one. */
  #whole(schema) {
    if (schema.$ref) return this.#whole(schema.$ref.slice(2).split('/').reduce((part, key) => part[key], this.#document));
    const parts = (schema.allOf ?? []).map((part) => this.#whole(part));
    if (parts.length === 0) return schema;
    return { type: 'object', required: parts.flatMap(({ required }) => required ?? []), properties: Object.assign({}, ...parts.map(({ properties }) => properties)) };
  }

  /** Where a value is not what its schema says: fields that are missing, of another type, or not told of. */
  #unlike(given, value, at) {
    const schema = this.#whole(given);
    if (schema.oneOf) return schema.oneOf.some((one) => this.#unlike(one, value, at).length === 0) ? [] : [at];
    const types = [schema.type ?? []].flat();
    const type = value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
    if (types.length > 0 && !types.includes(type)) return [`${at} is ${type}, not ${types}`];
    if (type === 'array') return value.flatMap((entry, n) => this.#unlike(schema.items ?? {}, entry, `${at}[${n}]`));
    if (type !== 'object') return [];
    const missing = (schema.required ?? []).filter((field) => !(field in value)).map((field) => `${at}.${field} is missing`);
    const isOpen = schema.properties === undefined || schema.additionalProperties || schema.properties.messageID; // kinds of messages have more
    const untold = Object.keys(value).filter((field) => !isOpen && !(field in schema.properties)).map((field) => `${at}.${field} is not told of`);
    const fields = Object.entries(schema.properties ?? {}).filter(([field]) => field in value);
    return [...missing, ...untold, ...fields.flatMap(([field, one]) => this.#unlike(one, value[field], `${at}.${field}`))];
  }
}

let broker;
let clients;
let backend;
let alice;
let bob;
const broadcasts = new Map();

before(async () => {
  broker = await startBroker({ TIDINGS_API__BROADCASTS_PER_SECOND: '1000' });
  clients = new Clients(broker);
  backend = await Backend.open(`${broker.server}/api/v1/openapi.json`, await broker.key('backend'));
  await backend.call('register_users', { users: ['alice', 'bob', 'carol'].map((userID) => ({ userID, userName: userID.toUpperCase() })) });
  alice = await clients.login('alice');
  bob = await clients.login('bob');
  for (const { zim, userID } of [alice, bob]) broadcasts.set(userID, new Ears(zim, ['broadcastMessageReceived']));
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const text = (message) => ({ type: 1, message });
const heard = ({ ears }, event, message) => ears.until(`${event} ${message}`, () => ears.messages(event).find((one) => one.message === message));

test('those it registered are known, page by page', async () => {
  const users = await backend.all('list_users', 'userList', { limit: 1 });
  assert.deepEqual(users.map(({ userID }) => userID), ['alice', 'bob', 'carol']);
  const { userStatusList } = await backend.call('query_presence', { userIDs: ['alice', 'carol'] });
  assert.deepEqual(userStatusList.map(({ userID, onlineStatus }) => [userID, onlineStatus]), [['alice', 0], ['carol', 1]]);
});

test('a message of its own arrives once, however often it is sent', async () => {
  const call = { toConversationID: 'bob', conversationType: PEER, message: text('your parcel') };
  const first = await backend.call('send_message', call, { 'Idempotency-Key': 'parcel-1' });
  const again = await backend.call('send_message', call, { 'Idempotency-Key': 'parcel-1' });
  assert.equal(again.message.messageID, first.message.messageID);
  await backend.call('send_message', { ...call, message: text('and another') });
  await heard(bob, 'receivePeerMessage', 'and another');
  assert.deepEqual(bob.ears.messages('receivePeerMessage').map(({ message }) => message), ['your parcel', 'and another']);
});

test('a message in a user’s name is edited, found and taken back before the eyes of the other', async () => {
  const place = { conversationID: 'bob', conversationType: PEER, userID: 'alice' };
  const { message } = await backend.call('send_message', { fromUserID: 'alice', toConversationID: 'bob', conversationType: PEER, message: text('helo') });
  assert.equal((await heard(bob, 'receivePeerMessage', 'helo')).senderUserID, 'alice');

  await backend.call('edit_message', { ...place, messageID: message.messageID, message: text('hello') });
  await heard(bob, 'messageEdited', 'hello');
  const found = await backend.all('search_messages', 'messageList', { userID: 'bob', keywords: ['hello'] });
  assert.deepEqual(found.map(({ messageID }) => messageID), [message.messageID]);

  await backend.call('revoke_message', { ...place, messageID: message.messageID });
  await bob.ears.until('the revocation', () => bob.ears.messages('messageRevokeReceived').find(({ messageID }) => messageID === message.messageID));
  const [last] = (await backend.call('list_messages', { userID: 'bob', conversationID: 'alice', conversationType: PEER })).messageList;
  assert.deepEqual([last.type, last.messageID], [31, message.messageID]);

  await backend.call('delete_messages', { userID: 'bob', conversationID: 'alice', conversationType: PEER });
  assert.deepEqual((await backend.call('list_messages', { userID: 'bob', conversationID: 'alice', conversationType: PEER })).messageList, []);
  assert.equal((await backend.call('list_messages', { userID: 'alice', conversationID: 'bob', conversationType: PEER })).messageList.length, 1);
});

test('a broadcast reaches everyone who is online, and the sender', async () => {
  const { sessionCount } = await backend.call('send_broadcast', { fromUserID: 'alice', message: text('we open at nine') });
  assert.equal(sessionCount, 2);
  for (const { userID } of [alice, bob]) {
    const { message } = await broadcasts.get(userID).event('broadcastMessageReceived');
    assert.deepEqual([message.message, message.senderUserID], ['we open at nine', 'alice']);
  }
});

test('a room of its own fills, is spoken to, loses one and ends', async () => {
  await backend.call('create_room', { roomID: 'sale', roomName: 'The sale', roomAttributes: { price: '12' } });
  for (const { zim } of [alice, bob]) await within(zim.joinRoom('sale'), 'joining the room');
  assert.deepEqual((await backend.all('list_room_members', 'memberList', { roomID: 'sale', limit: 1 })).map(({ userID }) => userID), ['alice', 'bob']);

  await backend.call('send_message', { toConversationID: 'sale', conversationType: ROOM, message: { type: 20, message: 'two left' } });
  for (const user of [alice, bob]) await heard(user, 'receiveRoomMessage', 'two left');
  const { roomAttributes } = await backend.call('change_room_attributes', { roomID: 'sale', set: { price: '9' } });
  assert.deepEqual(roomAttributes, { price: '9' });

  await backend.call('kick_room_members', { roomID: 'sale', userIDs: ['bob'], reason: 'closed' });
  assert.equal((await bob.ears.event('roomStateChanged', { roomID: 'sale', event: 8 })).state, 0);
  await backend.call('destroy_room', { roomID: 'sale' });
  await alice.ears.event('roomStateChanged', { roomID: 'sale', event: 3 });
  assert.deepEqual(await backend.all('list_rooms', 'roomList', {}), []);
});

test('a group of its own is written to, mutes one, changes hands and ends', async () => {
  await backend.call('create_group', { ownerUserID: 'alice', groupID: 'team', groupName: 'The team', userIDs: ['bob'] });
  await bob.ears.until('the group', () => bob.ears.of('groupStateChanged').find(({ state }) => state === 1));
  await backend.call('add_group_members', { groupID: 'team', userIDs: ['carol'] });
  await backend.call('send_message', { toConversationID: 'team', conversationType: GROUP, message: text('lunch') });
  await heard(bob, 'receiveGroupMessage', 'lunch');

  await backend.call('mute_group_members', { groupID: 'team', userIDs: ['bob'], isMute: true, duration: 60 });
  await rejectsWith(6000231, bob.zim.sendMessage(text('but'), 'team', GROUP, { priority: 1 }));
  assert.deepEqual((await backend.all('list_muted_members', 'memberList', { groupID: 'team' })).map(({ userID }) => userID), ['bob']);
  await backend.call('mute_group_members', { groupID: 'team', userIDs: ['bob'], isMute: false });
  await within(bob.zim.sendMessage(text('thanks'), 'team', GROUP, { priority: 1 }), 'a message after the mute');

  await backend.call('change_group', { groupID: 'team', groupName: 'The A team' });
  await bob.ears.event('groupNameUpdated', { groupID: 'team', groupName: 'The A team' });
  await backend.call('change_group_member', { groupID: 'team', userID: 'carol', nickname: 'Caro' });
  assert.equal((await backend.call('transfer_group', { groupID: 'team', userID: 'bob' })).ownerUserID, 'bob');
  const names = (await backend.all('list_messages', 'messageList', { conversationID: 'team', conversationType: GROUP, limit: 1 })).filter(({ type }) => type === 1).map(({ message }) => message);
  assert.deepEqual(names, ['thanks', 'lunch'], 'beside what the group says of itself');
  await backend.call('kick_group_members', { groupID: 'team', userIDs: ['carol'] });
  await backend.call('dismiss_group', { groupID: 'team' });
  await bob.ears.until('the end of the group', () => bob.ears.of('groupStateChanged').find(({ state }) => state === 0));
});

test('who is banned is out and stays out until the ban is lifted', async () => {
  const gone = bob.ears.until('the end', (ears) => ears.of('connectionStateChanged').find(({ state, event }) => state === 0 && event !== 0));
  await backend.call('ban_user', { userID: 'bob', reason: 'spam', durationSeconds: 60 });
  await gone;
  assert.deepEqual((await backend.all('list_bans', 'banList', {})).map(({ userID, reason }) => [userID, reason]), [['bob', 'spam']]);
  const token = await broker.token('bob');
  await rejectsWith(BANNED, clients.make().login('bob', { userName: 'bob', token }));
  await backend.call('unban_user', { userID: 'bob' });
  await clients.login('bob');
  assert.equal((await backend.call('get_user', { userID: 'bob' })).onlineStatus, 0);
});

test('what an operator looks at is as documented', async () => {
  const stats = await backend.call('get_stats');
  assert.equal(stats.usersOnline, 2);
  for (const name of ['list_sessions', 'list_uploads', 'get_storage', 'get_config', 'list_groups', 'get_openapi']) await backend.call(name);
});

test('who follows the events does not hold up the end of the broker', async () => {
  const other = await startBroker();
  const answer = await fetch(`${other.server}/api/v1/events`, { headers: { authorization: `Bearer ${await other.key('follower')}` } });
  const reader = answer.body.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /^: hello/);
  const began = Date.now();
  await other.stop();
  assert.ok(Date.now() - began < 4_000, `it took ${Date.now() - began} ms`);
  assert.equal((await reader.read()).done, true);
});
