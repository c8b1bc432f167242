import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ZIMConnectionState } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, newCable, wholeHistory, within } from './clients.mjs';

const PEER = 0;
const BURST = 5;

let broker;
let clients;

before(async () => {
  broker = await startBroker({ TIDINGS_RATE__BURST: String(BURST), TIDINGS_RATE__SENDS_PER_SECOND: '10' });
  clients = new Clients(broker);
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

test('over the rate a first send is refused with 6000005 and when to come again', async () => {
  const alice = await clients.login('alice');
  await clients.login('bob');
  const sends = Array.from({ length: 20 }, (_, n) =>
    alice.zim.sendMessage({ type: 1, message: `burst ${n}` }, 'bob', PEER, { priority: 1 }),
  );
  const answers = await within(Promise.allSettled(sends), 'every answer');
  const refused = answers.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  assert.ok(refused.length > 0, 'nothing was refused');
  for (const error of refused) {
    assert.equal(error.code, 6000005, `${error.code} ${error.message}`);
    assert.ok(error.retryAfterMs >= 0, `retryAfterMs ${error.retryAfterMs}`);
  }
});

test('what waited for the connection waits for the rate too, in its order', async () => {
  const cable = newCable();
  const carol = await clients.login('carol', { WebSocket: cable.WebSocket });
  await clients.login('bob');
  cable.pull();
  await carol.ears.event('connectionStateChanged', { state: ZIMConnectionState.Reconnecting });
  const expected = Array.from({ length: 3 * BURST }, (_, n) => `patient ${n}`);
  const sends = expected.map((message) => carol.zim.sendMessage({ type: 1, message }, 'bob', PEER, { priority: 1 }));
  cable.plug();
  await within(Promise.all(sends), 'every answer', () => carol.ears.heard);
  const history = await wholeHistory(carol.zim, 'bob', PEER);
  assert.deepEqual(history.map(({ message }) => message), expected);
});
