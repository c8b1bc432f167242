// The client as a package: packed, installed elsewhere, used from Node and by way of a bundler. And the two made of it, for those who cannot load a module.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { build } from 'esbuild';

import { startBroker } from './broker.mjs';
import { launch, skip } from './browser.mjs';
import { stale } from './sdk/build.mjs';

const run = promisify(execFile);
const client = fileURLToPath(new URL('../../src/web', import.meta.url));
const program = (importLine, server, token) => `
${importLine}
const zim = ZIM.create({ appID: 1, server: ${JSON.stringify(server)} });
await zim.login('packed', { userName: 'Packed', token: ${JSON.stringify(token)} });
const { groupInfo } = await zim.createGroup({ groupID: '', groupName: 'from a package', groupAvatarUrl: '' }, []);
const { message } = await zim.sendMessage({ type: ZIMMessageType.Text, message: 'hi' }, groupInfo.baseInfo.groupID, 2, { priority: 1 });
console.log(JSON.stringify([groupInfo.baseInfo.groupName, message.sentStatus]));
await zim.logout();
zim.destroy();
`;

let broker;
let folder;

before(async () => {
  broker = await startBroker();
  folder = await mkdtemp(path.join(tmpdir(), 'tidings-package-'));
});

after(async () => {
  await broker.stop();
  await rm(folder, { recursive: true, force: true });
});

const node = async (file) => (await run(process.execPath, ['--experimental-websocket', file], { cwd: folder, timeout: 30_000 })).stdout.trim();
const DONE = '["from a package",1]';

test('npm pack holds the client in its three forms, its types, README and LICENSE, and the package runs in Node and bundled', async () => {
  const offline = ['--offline', '--no-audit', '--no-fund', '--silent', '--cache', path.join(folder, 'cache')];
  const { stdout } = await run('npm', ['pack', client, '--json', '--pack-destination', folder, ...offline], { cwd: folder, timeout: 60_000 });
  const [{ filename, files }] = JSON.parse(stdout);
  assert.deepEqual(files.map((file) => file.path).sort(), [
    'LICENSE', 'README.md', 'package.json', 'tidings.cjs', 'tidings.d.cts', 'tidings.d.ts', 'tidings.global.js', 'tidings.js',
  ]);

  await writeFile(path.join(folder, 'package.json'), '{"name": "program", "private": true, "type": "module"}');
  await run('npm', ['install', path.join(folder, filename), ...offline], { cwd: folder, timeout: 60_000 });
  const { version } = JSON.parse(await readFile(path.join(folder, 'node_modules/tidings-client/package.json'), 'utf8'));
  const cargo = await readFile(path.join(client, '../../Cargo.toml'), 'utf8');
  assert.match(cargo, new RegExp(`^version = "${version}"$`, 'm'), 'one version for broker and client');

  const entry = path.join(folder, 'program.mjs');
  await writeFile(entry, program("import { ZIM, ZIMMessageType } from 'tidings-client';", broker.server, await broker.token('packed')));
  assert.equal(await node(entry), DONE);

  const required = path.join(folder, 'required.cjs');
  const body = program("const { ZIM, ZIMMessageType } = require('tidings-client');", broker.server, await broker.token('packed'));
  await writeFile(required, `(async () => {${body}})();`);
  assert.equal(await node(required), DONE);

  for (const platform of ['browser', 'node']) {
    const bundle = path.join(folder, `bundle-${platform}.mjs`);
    const { warnings } = await build({ entryPoints: [entry], outfile: bundle, bundle: true, minify: true, format: 'esm', platform, logLevel: 'silent' });
    assert.deepEqual(warnings.map(({ text }) => text), [], platform);
    assert.doesNotMatch(await readFile(bundle, 'utf8'), /from\s*"tidings-client"/);
    assert.equal(await node(bundle), DONE, platform);
  }
});

test('what is made of the client is as the script would write it', async () => {
  assert.deepEqual(await stale(), [], 'run `node sdk/build.mjs` in tests/web');
});

test('the two files alone, copied somewhere, are enough', async () => {
  const copy = path.join(folder, 'tidings.mjs');
  await writeFile(copy, await readFile(path.join(client, 'tidings.js')));
  const entry = path.join(folder, 'copied.mjs');
  await writeFile(entry, program("import ZIMDefault, { ZIM, ZIMMessageType } from './tidings.mjs'; if (ZIMDefault !== ZIM) throw 1;", broker.server, await broker.token('packed')));
  assert.equal(await node(entry), DONE);
});

test('the classic script sets window.ZIM, and works from a page without modules', { skip }, async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`${broker.server}/healthz`);
    await page.addScriptTag({ url: `${broker.server}/sdk/tidings.global.js` });
    const done = await page.evaluate(async (token) => {
      const { ZIM, ZIMMessageType } = window;
      const zim = ZIM.create({ appID: 1 });
      await zim.login('packed', { userName: 'Packed', token });
      const { groupInfo } = await zim.createGroup({ groupID: '', groupName: 'from a script', groupAvatarUrl: '' }, []);
      const { message } = await zim.sendMessage({ type: ZIMMessageType.Text, message: 'hi' }, groupInfo.baseInfo.groupID, 2, { priority: 1 });
      await zim.logout();
      return message.sentStatus;
    }, await broker.token('packed'));
    assert.equal(done, 1);
  } finally {
    await browser.close();
  }
});
