// A first connection that fails says why, in words: a WebSocket itself says nothing.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { afterEach, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { launch, skip } from './browser.mjs';
import { Clients, rejectsWith } from './clients.mjs';

const open = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A server that answers as told, and lets no WebSocket in. */
async function serve(answer) {
  const server = http.createServer(answer);
  server.on('upgrade', (_, socket) => socket.destroy());
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  open.push(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }));
  return `http://127.0.0.1:${server.address().port}`;
}

async function failure(server, config = {}) {
  const clients = new Clients({ server });
  open.push(() => clients.destroy());
  const { message } = await rejectsWith(6000104, clients.make({ server, ...config }).login('ann', { userName: '', token: 't' }));
  return message;
}

test('nobody is there', async () => {
  const base = await serve(() => {});
  await open.pop()();
  assert.match(await failure(base), new RegExp(`^the broker at ${base} is unreachable`));
});

test('a broker is not ready, and says why', async () => {
  const base = await serve((request, response) => {
    response.writeHead(503, { 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify({ title: 'not ready', detail: `draining, as ${request.url} says`, code: 1 }));
  });
  assert.match(await failure(base), /is not ready: draining, as \/readyz says/);
});

test('what answers is no broker, or keeps WebSockets back', async () => {
  const stranger = await serve((_, response) => { response.writeHead(404); response.end(); });
  assert.match(await failure(stranger), /answers 404 to \/readyz: is it a broker's address\?/);
  const proxied = await serve((_, response) => { response.end('{"status":"ready"}'); });
  assert.match(await failure(proxied), /is ready, but its WebSocket cannot be opened/);
});

test('of several servers each says what is wrong with it', async () => {
  const gone = await serve(() => {});
  await open.pop()();
  const proxied = await serve((_, response) => { response.end('{}'); });
  assert.match(await failure([gone, proxied]), /is unreachable .*; the broker at .* is ready/);
});

test('a page whose Origin is not allowed is told the setting, in a browser', { skip }, async () => {
  // A secret of its own: no broker for development, which would let every page of this machine in.
  const broker = await startBroker({ TIDINGS_AUTH__SECRET: 'a-secret-of-thirty-two-bytes-or-more' });
  open.push(() => broker.stop());
  const source = await readFile(new URL('../../src/web/tidings.js', import.meta.url));
  const origin = await serve((request, response) => {
    const isScript = request.url === '/tidings.js';
    response.writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html' });
    response.end(isScript ? source : '<!doctype html><title>elsewhere</title>');
  });
  const browser = await launch();
  open.push(() => browser.close());
  const page = await browser.newPage();
  await page.goto(origin);
  const login = (server) => page.evaluate(async (address) => {
    const { ZIM } = await import('/tidings.js');
    const zim = ZIM.createInstance({ appID: 1, server: address });
    return zim.login('ann', { userName: '', token: 't' }).catch(({ code, message }) => ({ code, message }));
  }, server);
  const refused = await login(broker.server);
  assert.equal(refused.code, 6000104);
  assert.match(refused.message, new RegExp(`Origin is not allowed: add "${origin}" to its setting server\\.origins`));
  await broker.kill();
  assert.match((await login(broker.server)).message, /is unreachable/);
});
