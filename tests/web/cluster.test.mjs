// Two brokers that work at the same time: clients of either talk with those of the other, and the console of either shows both.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, sendText } from './clients.mjs';
import { ControlRoom } from './console-kit.mjs';
import { natsProgram, startNats } from './nats.mjs';
import { postgresPrograms, startPostgres } from './postgres.mjs';

const isThere = (postgresPrograms() && natsProgram()) || process.env.CI === 'true';
/** What a broker says that was built without a cluster. */
const WITHOUT = /store\.engine is "postgres", expected|built without the feature `(postgres|cluster)`/;
const READY_MS = 20_000;

const cleanups = [];
let brokers = [];
let room = null;
let skip = isThere ? null : 'PostgreSQL and NATS are not installed (Debian: postgresql nats-server)';

before(async () => {
  if (skip) return;
  const [database, nats] = await Promise.all([startPostgres(), startNats()]);
  cleanups.push(() => database.stop(), () => nats.stop());
  const env = (node) => ({
    TIDINGS_AUTH__SECRET: 'one secret for both brokers', TIDINGS_STORE__ENGINE: 'postgres', TIDINGS_STORE__POSTGRES__URL: database.url,
    TIDINGS_CLUSTER__NATS: nats.url, TIDINGS_CLUSTER__NODE: node, TIDINGS_CLUSTER__LEASE_MS: '1000', TIDINGS_CLUSTER__SHARDS: '8',
    TIDINGS_MEDIA__STORE: 'none',
  });
  try {
    room = await ControlRoom.start(env('east'));
    cleanups.push(() => room.stop());
    const west = await startBroker(env('west'));
    cleanups.push(() => west.stop());
    brokers = [room.broker, west];
  } catch (error) {
    if (!WITHOUT.test(error.message)) throw error;
    skip = 'the broker was built without the feature cluster';
    return;
  }
  await Promise.all(brokers.map(untilReady));
});

after(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Nobody is told when a broker owns its part. */
async function untilReady({ server }) {
  const until = performance.now() + READY_MS;
  while ((await fetch(`${server}/readyz`)).status !== 200) {
    assert.ok(performance.now() < until, `${server} is not ready`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

test('clients of two brokers talk with each other', async (t) => {
  if (skip) return t.skip(skip);
  const [east, west] = brokers;
  const clients = new Clients(east);
  const alice = await clients.login('alice', { server: east.server });
  const bob = await clients.login('bob', { server: west.server });
  await sendText(alice.zim, 'bob', 'from east to west');
  await bob.ears.until('it', (ears) => ears.messages('receivePeerMessage').some(({ message }) => message === 'from east to west'));
  await sendText(bob.zim, 'alice', 'and back');
  await alice.ears.until('it', (ears) => ears.messages('receivePeerMessage').some(({ message }) => message === 'and back'));
  clients.destroy();
});

test('the console shows both brokers, and lets one hand over and own again', async (t) => {
  if (skip) return t.skip(skip);
  const page = await room.enter({}, 'cluster');
  await Promise.all(['east', 'west'].map((node) => room.row(node).filter({ hasText: 'active' }).waitFor()));
  const owned = (node) => room.row(node).locator('td[data-name="ownedShards"]');
  await owned('west').filter({ hasNotText: /\b0$/ }).waitFor();
  await room.picture('cluster');
  await room.row('west').getByRole('button', { name: 'Let west hand over' }).click();
  await room.say('Hand over');
  await room.told('It hands over.');
  await room.row('west').filter({ hasText: 'handing over' }).waitFor();
  await owned('west').filter({ hasText: /\b0$|store0$/ }).waitFor();
  await owned('east').filter({ hasText: /8$/ }).waitFor();
  await room.row('west').getByRole('button', { name: 'Let west own again' }).click();
  await room.say('Own again');
  await room.row('west').filter({ hasText: 'active' }).waitFor();
  await owned('east').filter({ hasNotText: /8$/ }).waitFor();
  assert.equal(await page.locator('main tbody tr').count(), 2);
  await room.close();
});
