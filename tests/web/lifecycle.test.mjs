// Connection states and events as in the vendor's tables: what ends a session, what interrupts it, what follows.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { ZIMConnectionEvent, ZIMConnectionState, ZIMRoomEvent, ZIMRoomState } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, Ears, newCable, rejectsWith, sendText, within } from './clients.mjs';

const { Disconnected, Connecting, Connected, Reconnecting } = ZIMConnectionState;
const { Success, ActiveLogin, LoginInterrupted, KickedOut, TokenExpired } = ZIMConnectionEvent;

// A login wants thirty seconds; the rest is for a busy machine to come to it.
const TOKEN_SECONDS = 36;

let broker;
let clients;

beforeEach(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
});

afterEach(async () => {
  clients.destroy();
  await broker.stop();
});

const states = (ears) => ears.of('connectionStateChanged').map(({ state, event }) => [state, event]);
const came = (ears, state, event) => ears.until(`state ${state}, event ${event}`, () => states(ears).some(([one, other]) => one === state && other === event));

test('a token that runs out: a warning first, then the end, and the next call says why', { timeout: 60_000 }, async () => {
  const zim = clients.make();
  const ears = new Ears(zim);
  await within(zim.login('short', { userName: '', token: await broker.token('short', TOKEN_SECONDS) }), 'login');
  const { second } = await ears.event('tokenWillExpire');
  assert.ok(second > 0 && second <= TOKEN_SECONDS, `${second}`);
  // The vendor's thirty seconds cannot be shortened: this test takes them.
  await new Promise((resolve) => { zim.on('connectionStateChanged', (_, { state, event }) => state === Disconnected && resolve(assert.equal(event, TokenExpired))); });
  await rejectsWith(6000121, zim.queryGroupList());
  await within(zim.login('short', { userName: '', token: await broker.token('short') }), 'a new login with a new token');
});

test('a token that ran out while away ends the session at its return; one renewed meanwhile does not', { timeout: 90_000 }, async () => {
  const cable = newCable();
  const [late, renewed] = [clients.make({ WebSocket: cable.WebSocket }), clients.make({ WebSocket: cable.WebSocket })];
  const [lateEars, renewedEars] = [new Ears(late), new Ears(renewed)];
  await within(late.login('late', { userName: '', token: await broker.token('late', TOKEN_SECONDS) }), 'login');
  await within(renewed.login('renewed', { userName: '', token: await broker.token('renewed', TOKEN_SECONDS) }), 'login');
  cable.pull();
  await came(lateEars, Reconnecting, LoginInterrupted);
  await came(renewedEars, Reconnecting, LoginInterrupted);
  const token = await broker.token('renewed');
  assert.deepEqual(await within(renewed.renewToken(token), 'renewal while away'), { token });
  await new Promise((resolve) => { setTimeout(resolve, (TOKEN_SECONDS + 0.5) * 1000); });
  cable.plug();
  await new Promise((resolve) => { late.on('connectionStateChanged', (_, { state, event }) => state === Disconnected && resolve(assert.equal(event, TokenExpired))); });
  await renewedEars.until('the connection again', () => states(renewedEars).filter(([state]) => state === Connected).length === 2 || undefined);
});

test('a broker that is told to stop says so: its clients come back to the next one and go on', async () => {
  const alice = await clients.login('alice', { reconnectMaxMs: 100 });
  const bob = await clients.login('bob', { reconnectMaxMs: 100 });
  await within(alice.zim.createRoom({ roomID: 'r', roomName: '' }), 'room');
  await broker.stopGently();
  await came(alice.ears, Reconnecting, LoginInterrupted);
  const room = alice.ears.of('roomStateChanged').at(-1);
  assert.deepEqual([room.state, room.event], [ZIMRoomState.Connecting, ZIMRoomEvent.NetworkInterrupted]);
  const pending = sendText(alice.zim, 'bob', 'sent while nobody was there');
  await broker.start();
  await within(pending, 'the send');
  await bob.ears.until('the message', (ears) => ears.messages('receivePeerMessage').find(({ message }) => message === 'sent while nobody was there'));
  assert.deepEqual(states(alice.ears), [[Connecting, ActiveLogin], [Connected, Success], [Reconnecting, LoginInterrupted], [Connected, Success]]);
  const last = alice.ears.of('roomStateChanged').at(-1);
  assert.deepEqual([last.state, last.event], [ZIMRoomState.Disconnected, ZIMRoomEvent.ConnectTimeout], 'places do not outlive the broker');
});

test('kicked out by another device: the old one ends, and ends its rooms', async () => {
  const first = await clients.login('one', { deviceID: 'phone' });
  await within(first.zim.createRoom({ roomID: 'mine', roomName: '' }), 'room');
  const second = await clients.login('one', { deviceID: 'tablet' });
  await came(first.ears, Disconnected, KickedOut);
  const room = first.ears.of('roomStateChanged').at(-1);
  assert.equal(room.state, ZIMRoomState.Disconnected);
  await rejectsWith(6000121, first.zim.queryGroupList());
  await within(second.zim.queryGroupList(), 'the new one works');
});
