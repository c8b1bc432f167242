// Where the brokers are: how their addresses are written, and which one is tried when. No broker: sockets that fail, refuse and
// answer as the test says, and time that passes as the test says.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { ZIM, ZIMConnectionEvent, ZIMConnectionState } from '../../src/web/tidings.js';
import { Ears } from './clients.mjs';

const { Connecting, Connected, Disconnected, Reconnecting } = ZIMConnectionState;

const STEP_MS = 25;
const LASTING_MS = 11_000;
const BUSY = { code: 6000005, message: 'busy', temporary: true };
const PATH = `/media/${'a'.repeat(32)}/original`;

const { random } = Math;
const { fetch } = globalThis;
let made;
let net;
let now;

/** What lies behind the addresses: `up` ones let everyone in, the others do as `refuse` says, or fail. */
class Net {
  up = new Set();
  /** Host → what the socket does instead of letting in: a close code, the error of a login, or a function. */
  refuse = new Map();
  /** [when, host] of each socket. */
  tries = [];
  urls = [];
  sockets = [];
  logins = [];

  get WebSocket() {
    const own = this;
    return class extends EventTarget {
      readyState = 0;

      constructor(url) {
        super();
        this.host = new URL(url).host;
        own.urls.push(url);
        own.tries.push([now, this.host]);
        own.sockets.push(this);
        const refusal = own.refuse.get(this.host);
        if (typeof refusal === 'function') refusal();
        queueMicrotask(() => this.#begin(refusal));
      }

      #begin(refusal) {
        if (own.up.has(this.host) || typeof refusal === 'object') this.dispatchEvent(new Event('open'));
        else if (typeof refusal === 'number') this.closeWith(refusal);
        // As Node says it when it cannot connect, or the answer is 503.
        else this.dispatchEvent(new Event('error'));
      }

      send(text) {
        const { id, op, args } = JSON.parse(text);
        if (op === 'login') own.logins.push({ host: this.host, resumeFrom: args.resumeFrom });
        const error = op === 'login' ? own.refuse.get(this.host) : undefined;
        const session = { heartbeatSeconds: 30, cursor: 'c', rooms: [], mediaToken: `of ${this.host}`, mediaTokenSeconds: 600 };
        const reply = error ? { id, error } : { id, result: op === 'login' ? session : {} };
        queueMicrotask(() => this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(reply) })));
      }

      closeWith(code) {
        this.dispatchEvent(Object.assign(new Event('close'), { code, reason: '' }));
      }

      close() {}
    };
  }

  /** Which hosts were tried, in order, since this was last asked. */
  tried() {
    return this.tries.splice(0).map(([, host]) => host);
  }

  /** Takes the hosts down; the connections that there are end with a code. */
  down(...hosts) {
    for (const host of hosts) this.up.delete(host);
    this.cut(1006);
  }

  cut(code) {
    this.sockets.at(-1).closeWith(code);
  }
}

/** Lets promises settle. */
const settle = () => new Promise((resolve) => { setImmediate(resolve); });

/** Lets time pass, and everything happen that is due in it. */
async function pass(ms) {
  await settle();
  for (const end = now + ms; now < end;) {
    now += STEP_MS;
    mock.timers.tick(STEP_MS);
    await settle();
  }
}

function client(server, config = {}) {
  const zim = ZIM.createInstance({ appID: 1, server, WebSocket: net.WebSocket, ...config });
  made.push(zim);
  return { zim, ears: new Ears(zim) };
}

async function loggedIn(server, config) {
  const one = client(server, config);
  await one.zim.login('alice', { token: 't' });
  return one;
}

/** The hosts a, b, … as a list of addresses. */
const list = (hosts) => [...hosts].map((host) => `http://${host}`);
const states = ({ ears }) => ears.of('connectionStateChanged').map(({ state }) => state);
/** The waits in which the time stood between sockets. */
const waits = (tries) => tries.slice(1).map(([at], n) => at - tries[n][0]);

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  mock.method(performance, 'now', () => now);
  Math.random = () => 0.5;
  now = 0;
  net = new Net();
  made = [];
});

afterEach(() => {
  for (const zim of made) zim.destroy();
  mock.reset();
  mock.timers.reset();
  Math.random = random;
  globalThis.fetch = fetch;
  delete globalThis.TIDINGS_SERVER;
  delete globalThis.location;
});

/** Where a client goes to: its socket, and its base for files. */
async function placesOf(server) {
  const { zim } = client(server);
  const login = zim.login('alice', { token: 't' });
  net.sockets.at(-1).dispatchEvent(new Event('open'));
  await login;
  const { fileDownloadUrl } = zim.refreshMediaUrls({ fileDownloadUrl: PATH });
  return [net.urls.at(-1), fileDownloadUrl.split('/media/')[0]];
}

const SPELLINGS = {
  'http://im.example.com': ['ws://im.example.com/ws', 'http://im.example.com'],
  'https://im.example.com/': ['wss://im.example.com/ws', 'https://im.example.com'],
  'ws://im.example.com:7080': ['ws://im.example.com:7080/ws', 'http://im.example.com:7080'],
  'WSS://IM.example.com/ws': ['wss://im.example.com/ws', 'https://im.example.com'],
  'http://im.example.com/ws/': ['ws://im.example.com/ws', 'http://im.example.com'],
  'https://example.com/im': ['wss://example.com/im/ws', 'https://example.com/im'],
  'wss://example.com/im/ws': ['wss://example.com/im/ws', 'https://example.com/im'],
  'https://example.com/im//ws//': ['wss://example.com/im/ws', 'https://example.com/im'],
  'https://example.com/news': ['wss://example.com/news/ws', 'https://example.com/news'],
  'localhost:7080': ['ws://localhost:7080/ws', 'http://localhost:7080'],
  ' 127.0.0.1:7080/ws ': ['ws://127.0.0.1:7080/ws', 'http://127.0.0.1:7080'],
  '[::1]:7080': ['ws://[::1]:7080/ws', 'http://[::1]:7080'],
  'http://[::1]': ['ws://[::1]/ws', 'http://[::1]'],
  'im.example.com:443': ['wss://im.example.com:443/ws', 'https://im.example.com:443'],
};

for (const [server, places] of Object.entries(SPELLINGS)) {
  test(`the address ${server}`, async () => {
    net.up.add(new URL(places[0]).host);
    assert.deepEqual(await placesOf(server), places);
  });
}

test('an address object, an address without a scheme on a page that came by https, and the page\'s own origin', async () => {
  for (const host of ['im.example.com', 'im.example.com:7080']) net.up.add(host);
  assert.deepEqual(await placesOf(new URL('https://im.example.com/')), ['wss://im.example.com/ws', 'https://im.example.com']);
  globalThis.location = { protocol: 'https:', origin: 'https://im.example.com' };
  assert.deepEqual(await placesOf('im.example.com:7080'), ['wss://im.example.com:7080/ws', 'https://im.example.com:7080']);
  assert.deepEqual(await placesOf(undefined), ['wss://im.example.com/ws', 'https://im.example.com']);
});

const BAD = [
  'ftp://127.0.0.1', 'im.example.com', 'example', '', 'http://', 'http:///ws', '//im.example.com', 'http://a b', 'localhost:0', 'localhost:65536',
  'http://a:99999', 'http://user:word@a', 'http://a?x=1', 'http://a#x', 'http://a:', 'http://::1', 'a:1:2', 7080, {}, true,
];

for (const bad of BAD) {
  test(`what is no address is refused when the client is made: ${JSON.stringify(bad)}`, () => {
    const naming = (field) => ({ code: 6000001, message: new RegExp(`^${field} is ${`${bad}`.replace(/[[\]?]/g, '\\$&')}, it must be`) });
    assert.throws(() => client(bad), naming('server'));
    assert.throws(() => client(['http://a', bad]), naming('server'));
    assert.throws(() => ZIM.create({ appID: 1, server: bad }), naming('server'));
    assert.equal(ZIM.getInstance(), null);
    globalThis.TIDINGS_SERVER = [bad];
    assert.throws(() => client(undefined), naming('TIDINGS_SERVER'));
  });
}

test('an empty list is refused, and so is a gap in one', () => {
  assert.throws(() => client([]), { code: 6000001, message: /^server is an empty list/ });
  assert.throws(() => client('http://a,'), { code: 6000001, message: /^server is , it must be/ });
  globalThis.TIDINGS_SERVER = [];
  assert.throws(() => client(undefined), { code: 6000001, message: /^TIDINGS_SERVER is an empty list/ });
});

test('lists are arrays or texts with commas, in the config or in TIDINGS_SERVER, which may be named after the client is made', async () => {
  const lists = [['ws://a/ws', 'b:80', 'http://c'], 'ws://a/ws, b:80,http://c'];
  const failing = async (one) => {
    await assert.rejects(one.zim.login('alice', { token: 't' }), { code: 6000104 });
    return net.tried();
  };
  for (const servers of lists) {
    assert.deepEqual(await failing(client(servers)), ['a', 'b', 'c']);
    const later = client(undefined);
    await assert.rejects(later.zim.login('alice', { token: 't' }), { code: 6000001, message: /^server is undefined/ });
    globalThis.TIDINGS_SERVER = servers;
    assert.deepEqual(await failing(later), ['a', 'b', 'c']);
    assert.deepEqual(await failing(client('http://d')), ['d']);
    delete globalThis.TIDINGS_SERVER;
  }
  assert.deepEqual(await failing(client(['http://a', 'ws://A/ws', 'http://a/'])), ['a'], 'the same address is one');
});

test('a first login tries each server once, without a wait, and says what each did', async () => {
  net.refuse.set('b', 4000);
  const one = client(list('abc'));
  const error = await one.zim.login('alice', { token: 't' }).catch((why) => why);
  assert.deepEqual(net.tries, [[0, 'a'], [0, 'b'], [0, 'c']]);
  assert.equal(error.code, 6000104);
  assert.match(error.message, /^the broker at http:\/\/a is unreachable \(.*the socket failed\); the broker at http:\/\/b .*closed with 4000\); the broker at http:\/\/c .*the socket failed\)$/);
  assert.deepEqual(states(one), [Connecting, Disconnected]);
  assert.equal(one.ears.of('connectionStateChanged').at(-1).event, ZIMConnectionEvent.LoginTimeout);
  await pass(60_000);
  assert.equal(net.tries.length, 3, 'the program decides whether to try again');
});

test('a login passes by servers that stand by, and one that does not answer at all', async () => {
  net.up.add('c');
  net.refuse.set('b', () => { throw new Error('ws: is not allowed here'); });
  const one = await loggedIn(list('abc'));
  assert.deepEqual(net.tries, [[0, 'a'], [0, 'b'], [0, 'c']]);
  assert.deepEqual(states(one), [Connecting, Connected]);

  const silent = new Set(['a']);
  const Sockets = net.WebSocket;
  class Silent extends Sockets {
    dispatchEvent(event) {
      return silent.has(this.host) || super.dispatchEvent(event);
    }
  }
  net.tried();
  const other = client(list('ac'), { WebSocket: Silent });
  const login = other.zim.login('bob', { token: 't' });
  await pass(10_000);
  await login;
  assert.deepEqual(net.tried(), ['a', 'c']);
});

for (const code of [1001, 1006, 4000, 4001, 4002, 4499]) {
  test(`after ${code} the next server is tried at once, and there it stays`, async () => {
    net.up = new Set(['a', 'b']);
    const one = await loggedIn(list('abc'));
    await pass(LASTING_MS);
    const left = now;
    net.cut(code);
    await settle();
    assert.deepEqual(net.tries, [[0, 'a'], [left, 'b']]);
    assert.deepEqual(net.logins, [{ host: 'a', resumeFrom: undefined }, { host: 'b', resumeFrom: 'c' }], 'it resumes');
    assert.deepEqual(states(one), [Connecting, Connected, Reconnecting, Connected]);
    await pass(60_000);
    assert.equal(net.tries.length, 2);
    // The next loss goes on from there.
    net.down('a', 'b');
    net.up.add('a');
    await settle();
    assert.deepEqual(net.tried(), ['a', 'b', 'c', 'a']);
  });
}

for (const code of [1000, 1011, 4500, 4501, 4503]) {
  test(`after ${code} no server is tried`, async () => {
    net.up = new Set(['a', 'b']);
    const one = await loggedIn(list('ab'));
    await pass(LASTING_MS);
    net.cut(code);
    await pass(60_000);
    assert.deepEqual(net.tried(), ['a']);
    assert.deepEqual(states(one), [Connecting, Connected, Disconnected]);
  });
}

test('there is a wait after each full round only, as long as those of a single server, and a round begins where the last one did', async () => {
  // Half of 250, 500, … and of the cap of 15,000.
  const backoffs = [125, 250, 500, 1000, 2000, 4000, 7500, 7500];
  const seen = {};
  for (const hosts of ['a', 'ab', 'abc']) {
    net = new Net();
    now = 0;
    net.up.add('b').add('a');
    const one = await loggedIn(list(hosts));
    net.up.clear();
    await pass(LASTING_MS);
    net.cut(1006);
    await pass(30_000);
    one.zim.destroy();
    seen[hosts] = net.tries.splice(1);
    assert.deepEqual(states(one).slice(0, 3), [Connecting, Connected, Reconnecting]);
  }
  // Of one server the first try comes after the first wait.
  assert.deepEqual(waits([[LASTING_MS], ...seen.a]).slice(0, 8), backoffs);
  const hosts = (tries) => tries.map(([, host]) => host).join('');
  assert.equal(hosts(seen.ab).slice(0, 7), 'babababa'.slice(0, 7));
  assert.deepEqual(waits([[LASTING_MS], ...seen.ab]).slice(0, 9), [0, 125, 0, 250, 0, 500, 0, 1000, 0]);
  assert.equal(hosts(seen.abc).slice(0, 8), 'bcabcabc');
  assert.deepEqual(waits([[LASTING_MS], ...seen.abc]).slice(0, 8), [0, 0, 125, 0, 0, 250, 0, 0]);
});

test('servers that let in and cut at once are not besieged', async () => {
  for (const hosts of ['a', 'ab', 'abc']) {
    net = new Net();
    net.up = new Set(hosts);
    const one = await loggedIn(list(hosts));
    net.tried();
    while (now < 30_000) {
      net.cut(4000);
      await pass(STEP_MS);
    }
    const rounds = net.tries.length / hosts.length;
    assert.ok(rounds > 5 && rounds < 15, `${net.tries.length} connections to ${hosts.length} in ${now} ms`);
    one.zim.destroy();
    now = 0;
  }
});

test('a connection that lasts ends the round and its waits', async () => {
  net.up.add('a');
  await loggedIn(list('ab'));
  await pass(LASTING_MS);
  net.down('a');
  await pass(20_000);
  net.up.add('b');
  await pass(8_000);
  assert.equal(net.tries.at(-1)[1], 'b');
  await pass(LASTING_MS);
  net.tried();
  const left = now;
  net.down('b');
  await pass(1000);
  assert.deepEqual(net.tries.slice(0, 3), [[left, 'a'], [left + 125, 'b'], [left + 125, 'a']]);
});

test('a server that refuses for now is passed by, too, and its wait is kept when all have failed', async () => {
  net.up = new Set(['a', 'b']);
  net.refuse.set('a', { ...BUSY, retryAfterMs: 3000 });
  await loggedIn(list('ab'));
  assert.deepEqual(net.tries, [[0, 'a'], [0, 'b']], 'at the first login');
  await pass(LASTING_MS);
  net.tried();
  const left = now;
  net.down('b');
  await pass(3000);
  assert.deepEqual(net.tries, [[left, 'a'], [left + 3000, 'b'], [left + 3000, 'a']]);

  net.tried();
  const error = await client(list('cab')).zim.login('bob', { token: 't' }).catch((why) => why);
  assert.deepEqual(net.tried(), ['c', 'a', 'b']);
  assert.deepEqual({ ...error }, { code: 6000005, name: 'ZIMError', message: 'busy', temporary: true, retryAfterMs: 3000 });
});

test('a server that refuses for good, by its answer or by how it closes, is the last', async () => {
  net.up = new Set(['a', 'b']);
  net.refuse.set('a', { code: 6000103, message: 'no' });
  await assert.rejects(client(list('ab')).zim.login('alice', { token: 't' }), { code: 6000103 });
  assert.deepEqual(net.tried(), ['a']);
  net.up.delete('a');
  net.refuse.set('a', 4502);
  await assert.rejects(client(list('ab')).zim.login('alice', { token: 't' }), { code: 6000104, message: /closed with 4502$/ });
  assert.deepEqual(net.tried(), ['a']);
});

test('logging out ends the round, also from a listener', async () => {
  net.up.add('a');
  const one = await loggedIn(list('abc'));
  one.zim.on('connectionStateChanged', (zim, { state }) => state === Reconnecting && zim.logout());
  net.down('a');
  await pass(60_000);
  assert.deepEqual(net.tried(), ['a']);
});

test('the next login begins with the server that worked', async () => {
  net.up.add('b');
  const { zim } = await loggedIn(list('abc'));
  await zim.logout();
  net.tried();
  await zim.login('bob', { token: 't' });
  assert.deepEqual(net.tried(), ['b']);
});

test('files are those of the server that is connected, whichever a URL names', async () => {
  const asked = [];
  globalThis.fetch = async (url, { headers } = {}) => {
    asked.push([url, headers?.Authorization]);
    return new Response('content');
  };
  net.up = new Set(['a', 'b']);
  const { zim } = await loggedIn(['http://a', 'http://b/im']);
  const url = () => zim.refreshMediaUrls({ fileDownloadUrl: PATH }).fileDownloadUrl;
  const kept = url();
  assert.equal(kept, `http://a${PATH}?token=of a`);
  await pass(LASTING_MS);
  net.down('a', 'b');
  await settle();
  assert.equal(url(), kept, 'while away it is the one before');
  net.up.add('b');
  await pass(1000);
  assert.equal(url(), `http://b/im${PATH}?token=of b`);
  assert.equal(zim.refreshMediaUrls({ fileDownloadUrl: kept }).fileDownloadUrl, url());
  const { file } = await zim.downloadMediaFile({ fileDownloadUrl: kept });
  assert.equal(await file.text(), 'content');
  assert.deepEqual(asked, [[`http://b/im${PATH}`, 'Bearer of b']]);
  // One elsewhere is nobody's.
  const elsewhere = `http://elsewhere${PATH}?token=x`;
  assert.equal(zim.refreshMediaUrls({ fileDownloadUrl: elsewhere }).fileDownloadUrl, elsewhere);
});
