// A page that slept, or whose network came and went: the client looks at once, and does not wait for its timers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, newCable, sendText, within } from './clients.mjs';

let broker;
let clients;
/** What a browser has and Node has not. */
const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
const globals = new EventTarget();

before(async () => {
  globalThis.document = page;
  globalThis.addEventListener = globals.addEventListener.bind(globals);
  globalThis.removeEventListener = globals.removeEventListener.bind(globals);
  broker = await startBroker();
  clients = new Clients(broker);
});

after(async () => {
  clients.destroy();
  for (const name of ['document', 'addEventListener', 'removeEventListener']) delete globalThis[name];
  await broker.stop();
});

/** A WebSocket class whose sockets fall silent, as when a laptop was closed: they stay open and carry nothing. */
function newSilence() {
  let isSilent = false;
  class SilentSocket extends WebSocket {
    send(data) {
      if (!isSilent) super.send(data);
    }
  }
  return { WebSocket: SilentSocket, begin() { isSilent = true; }, end() { isSilent = false; } };
}

test('while away, the network being back is reason enough to try', async () => {
  const cable = newCable();
  let tries = 0;
  class Counted extends cable.WebSocket {
    constructor(url) {
      super(url);
      tries += 1;
    }
  }
  const alice = await clients.login('alice', { WebSocket: Counted, deviceID: 'a' });
  const times = () => alice.ears.of('connectionStateChanged').filter(({ state }) => state === 2).length;
  const random = Math.random;
  // No wait before the first tries; then its next own one would come after more than four seconds.
  Math.random = () => (tries < 6 ? 0 : 0.99);
  try {
    cable.pull();
    await alice.ears.event('connectionStateChanged', { state: 3 });
    while (tries < 6) await new Promise((resolve) => { setImmediate(resolve); });
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    cable.plug();
    const began = performance.now();
    globals.dispatchEvent(new Event('online'));
    await alice.ears.until('the connection again', () => times() === 2);
    assert.ok(performance.now() - began < 3000);
  } finally {
    Math.random = random;
  }
});

test('a connection that died in its sleep is found dead soon after waking', async () => {
  const silence = newSilence();
  const bob = await clients.login('bob', { WebSocket: silence.WebSocket, deviceID: 'b', reconnectMaxMs: 20 });
  silence.begin();
  page.visibilityState = 'hidden';
  page.dispatchEvent(new Event('visibilitychange'));
  page.visibilityState = 'visible';
  const woke = performance.now();
  page.dispatchEvent(new Event('visibilitychange'));
  await bob.ears.event('connectionStateChanged', { state: 3, event: 3 });
  const took = performance.now() - woke;
  assert.ok(took > 2000 && took < 6000, `${took} ms: the probe's time, far below that of silence`);
  silence.end();
  await bob.ears.until('the connection again', (ears) => ears.of('connectionStateChanged').filter(({ state }) => state === 2).length === 2);
});

test('a connection that is alive stays, whatever the page is told', async () => {
  const carol = await clients.login('carol', { deviceID: 'c' });
  for (const type of ['offline', 'online', 'pageshow']) globals.dispatchEvent(new Event(type));
  await sendText(carol.zim, 'alice', 'still here');
  assert.deepEqual(carol.ears.of('connectionStateChanged').map(({ state }) => state), [1, 2]);
  await within(carol.zim.logout(), 'logout');
});
