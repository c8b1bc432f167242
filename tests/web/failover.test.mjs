// A client that knows two brokers goes on with the second when the first is lost.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { afterEach, test } from 'node:test';

import { ZIMConnectionState } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, sendText, wholeHistory, within } from './clients.mjs';
import { postgresPrograms, startPostgres } from './postgres.mjs';

const PEER = 0;
const { Connecting, Connected, Reconnecting } = ZIMConnectionState;
const SECRET = { TIDINGS_AUTH__SECRET: 'one secret for both brokers' };

const cleanups = [];
afterEach(cleanUp);

async function cleanUp() {
  for (const clean of cleanups.splice(0).reverse()) await clean();
}

async function start(env, listen) {
  const broker = await startBroker({ ...SECRET, ...env }, listen);
  cleanups.push(() => broker.stop());
  return broker;
}

/** Clients whose tokens the first broker's command line makes, and who know these servers. */
function clientsOf(broker, server) {
  const clients = new Clients(broker);
  cleanups.push(() => clients.destroy());
  return (userID, config) => clients.login(userID, { server, ...config });
}

/** An address that nobody listens on. */
async function freeAddress() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return `127.0.0.1:${port}`;
}

const states = ({ ears }) => ears.of('connectionStateChanged').map(({ state }) => state);
const words = (messageList) => messageList.map(({ message }) => message);
const again = (one, times = 2) =>
  one.ears.until('the connection again', () => states(one).filter((state) => state === Connected).length >= times);

test('of two brokers the second is used when the first is killed, and the first when the second is', async () => {
  const memory = { TIDINGS_STORE__ENGINE: 'memory' };
  const brokers = await Promise.all([start(memory), start(memory)]);
  const [first, second] = brokers;
  const login = clientsOf(first, brokers.map(({ server }) => server));
  const [alice, bob] = [await login('alice'), await login('bob')];
  await sendText(alice.zim, 'bob', 'over the first');
  const picture = { fileDownloadUrl: `/media/${'a'.repeat(32)}/original` };
  assert.ok(alice.zim.refreshMediaUrls(picture).fileDownloadUrl.startsWith(`${first.server}/media/`));

  await first.kill();
  await Promise.all([again(alice), again(bob)]);
  await sendText(alice.zim, 'bob', 'over the second');
  await bob.ears.until('it', (ears) => words(ears.messages('receivePeerMessage')).includes('over the second'));
  assert.ok(alice.zim.refreshMediaUrls(picture).fileDownloadUrl.startsWith(`${second.server}/media/`));

  await second.kill();
  await alice.ears.until('the loss', () => states(alice).at(-1) === Reconnecting);
  await first.start();
  // A store in memory has forgotten both.
  await Promise.all([again(alice, 3), again(bob, 3)]);
  await sendText(alice.zim, 'bob', 'over the first again');
  assert.deepEqual(states(alice), [Connecting, Connected, Reconnecting, Connected, Reconnecting, Connected]);
});

/** What a broker says that was built without PostgreSQL. */
const WITHOUT = /store\.engine is "postgres", expected|built without the feature `postgres`/;
const postgres = { skip: postgresPrograms() || process.env.CI === 'true' ? false : 'PostgreSQL is not installed (Debian: postgresql)' };

test('a broker that stood by takes over the store, and its clients miss nothing and store nothing twice', postgres, async (t) => {
  const database = await startPostgres();
  cleanups.push(() => database.stop());
  const env = {
    TIDINGS_STORE__ENGINE: 'postgres', TIDINGS_STORE__POSTGRES__URL: database.url, TIDINGS_CLUSTER__LEASE_MS: '1000',
  };
  const active = await start(env, await freeAddress()).catch((error) => {
    if (!WITHOUT.test(error.message)) throw error;
  });
  if (!active) {
    // After a test that is skipped nothing is called.
    await cleanUp();
    t.skip('the broker was built without the feature postgres');
    return;
  }
  const standby = await start(env, await freeAddress());
  assert.equal((await fetch(`${standby.server}/readyz`)).status, 503);

  // The one that stands by is the first of the list.
  const servers = [standby.server, active.server].join();
  const login = clientsOf(active, servers);
  const [alice, bob] = [await login('alice'), await login('bob')];
  const sent = [];
  const send = (word) => sent.push([word, sendText(alice.zim, 'bob', word)]);
  for (let n = 0; n < 10; n += 1) send(`before ${n}`);
  await Promise.all(sent.map(([, answer]) => answer));

  for (let n = 0; n < 10; n += 1) send(`under way ${n}`);
  await active.kill();
  await alice.ears.event('connectionStateChanged', { state: Reconnecting });
  for (let n = 0; n < 10; n += 1) send(`while away ${n}`);
  await within(Promise.all(sent.map(([, answer]) => answer)), 'every answer', () => alice.ears.heard);
  await again(bob);
  assert.equal((await fetch(`${standby.server}/readyz`)).status, 200);

  const expected = sent.map(([word]) => word);
  assert.deepEqual(words(await wholeHistory(alice.zim, 'bob', PEER)), expected);
  await bob.ears.until('all', (ears) => ears.messages('receivePeerMessage').length >= expected.length);
  assert.deepEqual(words(bob.ears.messages('receivePeerMessage')), expected, 'told once, in order: it resumed');
  assert.equal(bob.ears.of('resyncRequired').length, 0);
});
