// The documentation is what the generator makes of the types, the protocol and the texts, and its links lead somewhere.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { ZIM } from '../../src/web/tidings.js';
import { build, stale } from './docs/build.mjs';
import { fill, format, match, parse } from './docs/frames.mjs';
import { laterMethods } from './docs/surface.mjs';

test('the pages are as the generator writes them', async () => {
  assert.deepEqual(await stale(), [], 'run: node docs/build.mjs');
  assert.deepEqual(await build(), await build());
});

test('every public method of the client has its place on the page', async () => {
  const html = await readFile(new URL('../../src/web/docs/api.html', import.meta.url), 'utf8');
  const own = Object.getOwnPropertyNames(ZIM.prototype).filter((name) => name !== 'constructor');
  const statics = Object.getOwnPropertyNames(ZIM).filter((name) => typeof ZIM[name] === 'function');
  assert.deepEqual([...own, ...statics].filter((name) => !html.includes(`id="${name}"`)), []);
  assert.ok(laterMethods().includes('callInvite'));
});

test('what is written as an example is matched exactly, but for its holes', () => {
  const wanted = parse('{"id": <id>, "url": "/media/<file>/original", "list": [{"file": "<file>"}]}');
  const got = { id: 7, url: '/media/abc/original', list: [{ file: 'abc' }] };
  const found = match(wanted, got, new Map());
  assert.deepEqual([...found], [['id', 7], ['file', 'abc']]);
  assert.deepEqual(fill(wanted, found), got);
  assert.deepEqual(parse(format(wanted, 20)), wanted);

  assert.equal(match(wanted, { ...got, more: true }, new Map()), null, 'another key');
  assert.equal(match(wanted, { ...got, id: '7' }, new Map()), null, 'another type');
  assert.equal(match(wanted, { ...got, list: [{ file: 'abd' }] }, new Map()), null, 'another file');
  assert.equal(match(wanted, got, new Map([['id', 8]])), null, 'another number than before');
  assert.equal(match(parse('{"a": 1}'), { a: 2 }, new Map()), null);
});
