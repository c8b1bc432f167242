// Goal: everything that tidings.d.ts declares in its section "tier D" is there, and says that it is not supported.
// Method: the section's methods by name, called on a client that is logged in.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, rejectsWith } from './clients.mjs';

const UNSUPPORTED = 6000013;

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

test('every method of tier D rejects with 6000013', async () => {
  const { zim } = await clients.login('dora');
  const text = readFileSync(new URL('../../src/web/tidings.d.ts', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('// ---- tier D'));
  const names = [...section.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
  assert.ok(names.length >= 39, `${names.length} methods`);
  for (const name of names) await rejectsWith(UNSUPPORTED, zim[name]());
});
