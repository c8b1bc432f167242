// Every example of the server API happens as it is written, every call has one, and the kept document is the served one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startBroker } from './broker.mjs';
import { callFiles, operationOf, operations, readCurl, readDialogue, shownCalls } from './docs/calls.mjs';
import { Counter, leaveOut } from './docs/counter.mjs';
import { keptDocument, servedDocument } from './docs/openapi.mjs';

const files = await callFiles();

for (const file of files) {
  test(`the examples of ${file.name} happen as they are written`, async () => {
    const counter = await Counter.open(file);
    try {
      for (const scene of file.scenes) await counter.play(scene);
    } finally {
      await counter.close();
    }
  });
}

test('the kept document is what the broker serves', async () => {
  const broker = await startBroker();
  try {
    assert.deepEqual(await keptDocument(), await servedDocument(broker.server), 'run: node docs/openapi.mjs && node docs/build.mjs');
  } finally {
    await broker.stop();
  }
});

test('every call of the document has an example that goes well', async () => {
  const document = await keptDocument();
  const shown = shownCalls(files, document);
  const all = operations(document);
  assert.ok(all.length > 45, `${all.length} operations`);
  // A dead letter takes attempts that fail; the Rust tests (`api_care`) have some.
  // A broker that hands over has others beside it: `cluster.test.mjs` has three.
  const elsewhere = ['resend_dead_letter', 'discard_dead_letter', 'change_node'];
  const goesWell = (operationId) => shown.get(operationId)?.some(({ status }) => status < 300 || elsewhere.includes(operationId));
  const missing = all.filter(({ operationId }) => !goesWell(operationId));
  assert.deepEqual(missing.map(({ method, path }) => `${method} ${path}`), [], 'add them to a file in src/http/api/examples');
});

test('every problem that a backend can bring about has an example', async () => {
  const document = await keptDocument();
  const statuses = new Set([...shownCalls(files, document).values()].flat().map(({ status }) => String(status)));
  // Only a broker that is overloaded, or has a full disk, gives these.
  const rare = ['503', '507'];
  const told = new Set(operations(document).flatMap(({ responses }) => Object.keys(responses)));
  assert.deepEqual([...told].filter((status) => !statuses.has(status) && !rare.includes(status)), []);
});

test('a command is read as a shell and curl read it', () => {
  const variables = { KEY: 'k1', BROKER: 'http://b' };
  const command = 'curl -i -X PATCH -H "Authorization: Bearer $KEY" "$BROKER/api/v1/users/bob?a=1&b=2" \\\n    --json \'{"userName": "B $KEY"}\'';
  assert.deepEqual(readCurl(command, variables), {
    url: 'http://b/api/v1/users/bob?a=1&b=2', method: 'PATCH', showsHeaders: true, isInBackground: false,
    headers: { authorization: 'Bearer k1', 'content-type': 'application/json' }, body: '{"userName": "B $KEY"}',
  });
  assert.equal(readCurl('curl $BROKER/x -d a=1', variables).headers['content-type'], 'application/x-www-form-urlencoded');
  assert.throws(() => readCurl('curl $OTHER', variables), /\$OTHER is not known/);
  assert.throws(() => readCurl('curl --fast $BROKER', variables), /--fast is not known/);
  assert.throws(() => readCurl("curl 'http://b", variables), /no command/);
});

test('a call belongs to the path with the fewest parameters', () => {
  const document = { paths: { '/a/{b}': { get: { operationId: 'one' } }, '/a/c': { get: { operationId: 'fixed' } } } };
  assert.equal(operationOf(document, { method: 'GET', url: 'http://b/api/v1/a/c' }).operationId, 'fixed');
  assert.equal(operationOf(document, { method: 'GET', url: 'http://b/api/v1/a/d?x=1' }).operationId, 'one');
  assert.equal(operationOf(document, { method: 'GET', url: 'http://b/api/v1/a/d/e' }), undefined);
});

test('only what an example leaves out may differ', () => {
  const got = { a: 1, b: { c: 2, d: 3 }, e: [{ f: 4 }] };
  assert.deepEqual(leaveOut({ a: '…', b: { c: 2, '…': '…' }, e: [{ f: 4 }] }, got), { a: '…', b: { c: 2, '…': '…' }, e: [{ f: 4 }] });
  assert.deepEqual(leaveOut({ a: 1, b: '…' }, got), { a: 1, b: '…', e: [{ f: 4 }] }, 'a field more is a field more');
  assert.deepEqual(leaveOut({ a: '…' }, {}), {}, 'and a missing one is missing');
  const [call, answer, heard] = readDialogue('$ curl $BROKER\n200 OK\nAllow: GET\n{"a":\n  1}\nbob ← {"event": "x", "data": {}}\n');
  assert.deepEqual([call.command, answer.status, answer.headers, answer.body, heard.who], ['curl $BROKER', 200, ['Allow: GET'], { a: 1 }, 'bob']);
});
