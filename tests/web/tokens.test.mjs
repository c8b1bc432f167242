// The examples of "Your own page" that make a token, in every language that is installed: each token logs in at a real broker.
// The one in Rust is tried by `cargo test --test it tokens`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { ZIM } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { rejectsWith, within } from './clients.mjs';
import { isInstalled } from './installed.mjs';

const run = promisify(execFile);
const EXAMPLES = fileURLToPath(new URL('docs/tokens/', import.meta.url));
const SECRET = 'a secret with spaces, "quotes" and ünïcode';
const TOKEN_INVALID = 6000103;

/** How each language is called: the program, a file beside the example that prints a token, and the arguments. */
const LANGUAGES = {
  'Node': { program: process.execPath, example: 'token.mjs', main: 'main.mjs', args: ['main.mjs'],
    calls: "import { tokenFor } from './token.mjs';\nconsole.log(tokenFor(process.argv[2], process.env.SECRET));\n" },
  'Python': { program: 'python3', example: 'token.py', main: 'main.py', args: ['main.py'],
    // Its own library has a module `token`, too.
    calls: "import os, runpy, sys\nprint(runpy.run_path('token.py')['token_for'](sys.argv[1], os.environ['SECRET']))\n" },
  'Go': { program: 'go', example: 'token.go', main: 'main.go', args: ['run', 'main.go', 'token.go'],
    calls: 'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() { fmt.Println(tokenFor(os.Args[1], os.Getenv("SECRET"))) }\n' },
  'PHP': { program: 'php', example: 'token.php', main: 'main.php', args: ['main.php'],
    calls: "<?php require 'token.php'; echo token_for($argv[1], getenv('SECRET')), \"\\n\";\n" },
};

let broker;
let folder;

before(async () => {
  broker = await startBroker({ TIDINGS_AUTH__SECRET: SECRET });
  folder = await mkdtemp(join(tmpdir(), 'tidings-tokens-'));
});

after(async () => {
  await broker?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function logIn(userID, token) {
  const zim = ZIM.create({ appID: 0, server: broker.server });
  try {
    await within(zim.login(userID, { userName: '', token }), 'login');
  } finally {
    zim.destroy();
  }
}

for (const [language, { program, example, main, args, calls }] of Object.entries(LANGUAGES)) {
  const isThere = program === process.execPath || isInstalled(program);
  test(`a token made in ${language} logs in, and lets in nobody else`, { skip: isThere ? false : `${program} is not installed` }, async () => {
    await copyFile(join(EXAMPLES, example), join(folder, example));
    await writeFile(join(folder, main), calls);
    const userID = `from-${language.toLowerCase()}`;
    const make = async (secret) => {
      const env = { ...process.env, SECRET: secret, GOCACHE: join(folder, 'go'), GO111MODULE: 'off' };
      return (await run(program, [...args, userID], { cwd: folder, env, timeout: 120_000 })).stdout.trim();
    };
    const token = await make(SECRET);
    await logIn(userID, token);
    await rejectsWith(TOKEN_INVALID, logIn('somebody-else', token));
    await rejectsWith(TOKEN_INVALID, logIn(userID, await make('another secret than the broker has')));
  });
}

test('the page shows the examples as they were run', async () => {
  const html = await readFile(new URL('../../src/web/docs/your-page.html', import.meta.url), 'utf8');
  const plain = html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
  for (const example of ['token.mjs', 'token.py', 'token.go', 'token.rs', 'token.php']) {
    assert.ok(plain.includes((await readFile(join(EXAMPLES, example), 'utf8')).trim()), example);
  }
});
