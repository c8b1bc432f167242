// After which close codes the client comes back. The broker in these tests is a class of sockets that lets anyone in.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { ZIM, ZIMConnectionEvent, ZIMConnectionState } from '../../src/web/tidings.js';
import { Ears } from './clients.mjs';

const { Disconnected, Reconnecting, Connected } = ZIMConnectionState;

let zim;
afterEach(() => zim?.destroy());

/** A WebSocket class whose sockets answer every request, and can be closed with any code. */
function newSockets() {
  const opened = [];
  class FakeSocket extends EventTarget {
    readyState = 0;

    constructor() {
      super();
      opened.push(this);
      queueMicrotask(() => this.#open());
    }

    #open() {
      this.readyState = 1;
      this.dispatchEvent(new Event('open'));
    }

    send(text) {
      const { id, op } = JSON.parse(text);
      const session = { userID: 'alice', userName: '', sessionID: 's', serverTime: Date.now(), heartbeatSeconds: 30, cursor: 'c', rooms: [] };
      const result = op === 'login' ? { ...session, mediaToken: 'm', mediaTokenSeconds: 600 } : {};
      queueMicrotask(() => this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify({ id, result }) })));
    }

    closeWith(code) {
      this.dispatchEvent(Object.assign(new Event('close'), { code, reason: '' }));
    }

    close() {}
  }
  return { FakeSocket, opened };
}

/** Logs in, closes with a code, and returns the states from then on and how many sockets there were. */
async function closedWith(code) {
  const { FakeSocket, opened } = newSockets();
  zim = ZIM.createInstance({ appID: 1, server: 'http://broker.invalid', WebSocket: FakeSocket, reconnectMaxMs: 1 });
  const ears = new Ears(zim);
  await zim.login('alice', { token: 't' });
  opened[0].closeWith(code);
  const states = () => ears.of('connectionStateChanged').map(({ state }) => state).slice(2);
  await ears.until('the end, or the connection again', () => [Disconnected, Connected].includes(states().at(-1)));
  const last = ears.of('connectionStateChanged').at(-1);
  zim.destroy();
  return { states: states(), event: last.event, sockets: opened.length };
}

for (const code of [1001, 1006, 4000, 4001, 4002, 4003, 4499]) {
  test(`after ${code} it comes back`, async () => {
    const { states, sockets } = await closedWith(code);
    assert.deepEqual(states, [Reconnecting, Connected]);
    assert.equal(sockets, 2);
  });
}

for (const code of [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 3999, 4500, 4501, 4503, 4504, 4505, 4506, 4999]) {
  test(`after ${code} it does not`, async () => {
    const { states, event, sockets } = await closedWith(code);
    assert.deepEqual(states, [Disconnected]);
    assert.equal(sockets, 1);
    const { KickedOut, TokenExpired, LoginTimeout } = ZIMConnectionEvent;
    assert.equal(event, { 4500: KickedOut, 4501: TokenExpired }[code] ?? LoginTimeout);
  });
}
