// The token for files: renewed in time, asked for again when a renewal is refused, and what needs it meanwhile. No broker: a
// socket that answers as the test says, and time that passes as the test says.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { ZIM } from '../../src/web/tidings.js';

const STEP_MS = 25;
/** The client renews after four fifths of this. */
const TOKEN_SECONDS = 100;
const RENEWAL_MS = 80_000;
const BUSY = { code: 6000005, message: 'busy', temporary: true };
const FILE_URL = `http://broker.test/media/${'a'.repeat(32)}/original`;

const { random } = Math;
const { fetch } = globalThis;
let zim;
let broker;
let now;

/** A broker that hands out the tokens t1, t2, … and refuses a renewal as long as `refusal` is one. */
class ScriptedBroker {
  refusal = null;
  /** When a renewal was asked for. */
  renewals = [];
  sockets = [];
  #tokens = 0;

  answer({ op }) {
    if (op === 'renewMediaToken') {
      this.renewals.push(now);
      return this.refusal ? { error: this.refusal } : { result: this.#token() };
    }
    return { result: op === 'login' ? { heartbeatSeconds: 30, cursor: 'c', rooms: [], ...this.#token() } : {} };
  }

  /** The answer to a request over HTTP: only the newest token is good. */
  fetch(headers) {
    if (headers.Authorization === `Bearer t${this.#tokens}` && !this.isOutdated) return new Response('content');
    return Response.json({ code: 6000106, detail: 'the token ran out' }, { status: 401 });
  }

  /** Whether the newest token has run out. */
  isOutdated = false;

  #token() {
    this.#tokens += 1;
    this.isOutdated = false;
    return { mediaToken: `t${this.#tokens}`, mediaTokenSeconds: TOKEN_SECONDS };
  }
}

/** The socket of a client, which reaches the broker at once. */
function socketTo(server) {
  return class extends EventTarget {
    readyState = 0;

    constructor() {
      super();
      server.sockets.push(this);
      queueMicrotask(() => this.dispatchEvent(new Event('open')));
    }

    send(text) {
      const request = JSON.parse(text);
      const data = JSON.stringify({ id: request.id, ...server.answer(request) });
      queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data })));
    }

    close() {}
  };
}

/** Lets promises settle. */
const settle = () => new Promise((resolve) => { setImmediate(resolve); });

/** Lets time pass, and everything happen that is due in it. */
async function pass(ms) {
  for (const end = now + ms; now < end;) {
    now += STEP_MS;
    mock.timers.tick(STEP_MS);
    await settle();
  }
}

/** The waits between renewals that were refused. */
const waits = (renewals) => renewals.slice(1).map((at, n) => at - renewals[n]);

beforeEach(async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  Math.random = () => 0.5;
  now = 0;
  broker = new ScriptedBroker();
  globalThis.fetch = async (_, { headers }) => broker.fetch(headers);
  zim = ZIM.createInstance({ appID: 1, server: 'http://broker.test', WebSocket: socketTo(broker) });
  await zim.login('alice', { token: 'good' });
});

afterEach(() => {
  zim.destroy();
  mock.timers.reset();
  Math.random = random;
  globalThis.fetch = fetch;
});

test('a refused renewal is tried again, after longer and longer waits up to a cap, and success starts over', async () => {
  broker.refusal = BUSY;
  await pass(RENEWAL_MS + 40_000);
  assert.equal(broker.renewals[0], RENEWAL_MS);
  assert.deepEqual(waits(broker.renewals).slice(0, 9), [125, 250, 500, 1000, 2000, 4000, 7500, 7500, 7500]);
  broker.refusal = null;
  await pass(7500);
  assert.match(zim.refreshMediaUrls({ fileDownloadUrl: FILE_URL }).fileDownloadUrl, /\?token=t2$/);
  const granted = broker.renewals.at(-1);
  broker.refusal = BUSY;
  await pass(RENEWAL_MS + 500);
  const again = broker.renewals.filter((at) => at >= granted);
  assert.deepEqual(waits(again).slice(0, 3), [RENEWAL_MS, 125, 250]);
});

test('the waits are spread by chance, and the broker may ask for longer ones', async () => {
  Math.random = () => 0.1;
  broker.refusal = { ...BUSY, retryAfterMs: 30_000 };
  await pass(RENEWAL_MS + 65_000);
  assert.deepEqual(waits(broker.renewals), [30_000, 30_000]);
  broker.refusal = BUSY;
  await pass(30_000);
  // A tenth of 2000, 4000, 8000 and the cap.
  assert.deepEqual(waits(broker.renewals).slice(2, 7), [30_000, 200, 400, 800, 1500]);
});

test('logging out ends the renewals', async () => {
  broker.refusal = BUSY;
  await pass(RENEWAL_MS);
  const leaving = zim.logout();
  await settle();
  await leaving;
  await pass(10 * RENEWAL_MS);
  assert.equal(broker.renewals.length, 1);
});

test('a renewal that is refused after the logout is not tried again', async () => {
  broker.refusal = BUSY;
  await pass(RENEWAL_MS - STEP_MS);
  mock.timers.tick(STEP_MS);
  zim.destroy();
  await pass(10 * RENEWAL_MS);
  assert.equal(broker.renewals.length, 1);
});

test('a lost connection brings a token with its login, and what was planned is planned anew', async () => {
  broker.refusal = BUSY;
  await pass(RENEWAL_MS);
  const before = broker.renewals.length;
  broker.refusal = null;
  broker.sockets[0].dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '' }));
  await pass(1000);
  assert.equal(broker.sockets.length, 2);
  assert.match(zim.refreshMediaUrls({ fileDownloadUrl: FILE_URL }).fileDownloadUrl, /\?token=t2$/);
  await pass(RENEWAL_MS - 2000);
  assert.equal(broker.renewals.length, before);
});

test('requests whose token ran out wait for the next one together, and ask for it no more often', async () => {
  broker.refusal = BUSY;
  await pass(RENEWAL_MS + 20_000);
  broker.isOutdated = true;
  const asked = broker.renewals.length;
  const downloads = Array.from({ length: 5 }, () => zim.downloadMediaFile({ fileDownloadUrl: FILE_URL }));
  await pass(30_000);
  assert.deepEqual(new Set(waits(broker.renewals.slice(asked))), new Set([7500]));
  broker.refusal = null;
  await pass(15_000);
  for (const { file } of await Promise.all(downloads)) assert.equal(await file.text(), 'content');
});

test('a token that ran out unexpectedly is renewed at once and once', async () => {
  broker.isOutdated = true;
  const downloads = Array.from({ length: 5 }, () => zim.downloadMediaFile({ fileDownloadUrl: FILE_URL }));
  await pass(1000);
  await Promise.all(downloads);
  assert.equal(broker.renewals.length, 1);
});

test('a request gives up when no token comes for long, and at the end of its session', async () => {
  const isOutdated = { code: 6000106 };
  broker.refusal = { ...BUSY, retryAfterMs: 600_000 };
  broker.isOutdated = true;
  const patient = assert.rejects(zim.downloadMediaFile({ fileDownloadUrl: FILE_URL }), isOutdated);
  await pass(65_000);
  await patient;
  const ended = assert.rejects(zim.downloadMediaFile({ fileDownloadUrl: FILE_URL }), isOutdated);
  await settle();
  zim.logout();
  await pass(1000);
  await ended;
});
