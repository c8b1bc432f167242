// README and the chapters: short enough, without a broken link, and their commands do what is printed beside them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { BIN } from './broker.mjs';
import { PICTURE_BYTES_MAX } from './docs/pictures.mjs';
import { freePort } from './installed.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LINES_MAX = 250;
const WAIT_MS = 20_000;

const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
const blocks = (language) => [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(([, text]) => text);

test('README is short, begins with what it is, and has the two commands on its first screen', () => {
  const lines = readme.split('\n');
  assert.ok(lines.length <= LINES_MAX, `${lines.length} lines`);
  const screen = lines.slice(0, 40).join('\n');
  for (const wanted of ['barrage', 'danmaku', 'bullet comments', 'cargo run --release', 'cargo test', 'What it is not for', 'PostgreSQL', 'NATS', 'ZEGOCLOUD']) {
    assert.ok(screen.includes(wanted), wanted);
  }
  assert.ok(readme.indexOf('ZEGOCLOUD') < readme.toLowerCase().indexOf('the vendor'), 'the vendor is named where it is first meant');
});

test('every link of README and of the texts beside the sources leads to a file', async () => {
  const texts = ['README.md', '.packaging/README.md', '.packaging/cluster/README.md', 'src/protocol/PROTOCOL.md', 'src/web/README.md'];
  const missing = [];
  for (const text of texts) {
    const links = [...(await readFile(join(ROOT, text), 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link.split('#')[0]);
    const own = links.filter((link) => link !== '' && !/^https?:/.test(link));
    missing.push(...own.filter((link) => !existsSync(resolve(ROOT, dirname(text), link))).map((link) => `${text} names ${link}`));
  }
  assert.deepEqual(missing, []);
});

test('every link between the texts of the documentation leads to a page that is built', async () => {
  const docs = join(ROOT, 'src/web/docs');
  const pages = new Set((await readdir(docs)).filter((name) => name.endsWith('.html')).map((name) => name.slice(0, -'.html'.length)));
  for (const name of (await readdir(docs)).filter((file) => file.endsWith('.md'))) {
    const links = [...(await readFile(join(docs, name), 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link.split('#')[0]);
    const wrong = links.filter((link) => link !== '' && !/^https?:|^\.\.\//.test(link) && !pages.has(link));
    assert.deepEqual(wrong, [], name);
  }
});

test('pictures are small', async () => {
  for (const [, picture] of readme.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)) {
    const { size } = await stat(join(ROOT, picture));
    assert.ok(size <= PICTURE_BYTES_MAX, `${picture}: ${size} bytes`);
  }
});

/** What a line of README stands for: numbers differ from run to run, `…` is anything, boxes are as wide as they must be. */
function pattern(line) {
  const text = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/…/g, '.*').replace(/─+/g, '─+').replace(/ {2,}/g, ' +').replace(/\d+/g, '\\d+');
  return new RegExp(`^${text}$`);
}

/** Fails unless the lines stand in the output in this order; only where README has `…` for a line may others be between. */
function compare(expected, output) {
  const lines = output.trimEnd().split('\n');
  let at = 0;
  let mayskip = false;
  for (const line of expected) {
    if (line === '…') {
      mayskip = true;
      continue;
    }
    const found = mayskip ? lines.findIndex((said, n) => n >= at && pattern(line).test(said)) : at;
    assert.ok(found >= 0 && pattern(line).test(lines[found] ?? ''), `README says\n${line}\nwhere the program says\n${lines.slice(at).join('\n')}`);
    at = found + 1;
    mayskip = false;
  }
}

/** The commands of a console block, each with the lines printed under it. */
function commands(block) {
  const found = [];
  for (const line of block.trimEnd().replaceAll('\\\n', ' ').split('\n')) {
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), expected: [] });
    else found.at(-1).expected.push(line);
  }
  return found;
}

describe('the quick start', () => {
  let folder;
  let port;
  let env;
  const running = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidings-readme-'));
    port = await freePort();
    await mkdir(join(folder, 'bin'));
    await symlink(resolve(BIN), join(folder, 'bin/tidings'));
    await copyFile(join(ROOT, 'tests/fixtures/picture.jpg'), join(folder, 'photo.jpg'));
    env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, TIDINGS_SERVER__LISTEN: `127.0.0.1:${port}` };
  });

  after(async () => {
    for (const { child, ended, inTerminal } of running) {
      // What runs in a terminal outlives it otherwise.
      if (inTerminal) child.stdin.write('\x03');
      else child.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  });

  const atPort = (text) => text.replaceAll('7080', `${port}`);

  /** Starts a line of a shell; `said()` is what it printed so far, `shown()` that and what a terminal shows besides. */
  function start(command, inTerminal = false) {
    let output = '';
    let both = '';
    const shell = inTerminal ? ['script', ['-qefc', atPort(command), '/dev/null']] : ['bash', ['-euo', 'pipefail', '-c', atPort(command)]];
    const child = spawn(...shell, { cwd: folder, env, stdio: [inTerminal ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk) => {
      const text = `${chunk}`.replaceAll('\r', '');
      output += text;
      both += text;
    });
    child.stderr.on('data', (chunk) => { both += chunk; });
    const ended = new Promise((done) => { child.once('close', (code) => done(code)); });
    return { child, ended, said: () => output, shown: () => both };
  }

  async function run(command) {
    const { ended, said, shown } = start(command);
    assert.equal(await ended, 0, `${command}\n${shown()}`);
    return said();
  }

  /** Starts what goes on by itself, and waits for a line of it. */
  async function keep(command, line, inTerminal = false) {
    const one = start(`exec ${command}`, inTerminal);
    one.inTerminal = inTerminal;
    running.push(one);
    const until = Date.now() + WAIT_MS;
    while (!line.test(one.shown())) {
      assert.ok(Date.now() < until && one.child.exitCode === null, `${command} said\n${one.shown()}`);
      await new Promise((done) => { setTimeout(done, 20); });
    }
    return one;
  }

  /** Runs one command of README. A variable it sets is there for the next; what only ends when told goes on. */
  async function play({ command, expected }) {
    const assigned = /^([A-Z]+)=\$\((.*)\)$/.exec(command);
    if (assigned) {
      env[assigned[1]] = (await run(assigned[2])).trim();
    } else if (command === 'tidings') {
      // Only a terminal is shown the box with its links.
      const broker = await keep(command, /^listening on /m, true);
      compare(expected, broker.said());
    } else if (command.startsWith('tidings tail')) {
      const tail = await keep(command, /^listening as /m);
      tail.expected = expected;
    } else {
      if (command === 'tidings store check') await stopAll();
      compare(expected, await run(command));
    }
  }

  /** What listens has heard what README says, and everything ends as it should. */
  async function stopAll() {
    for (const { child, ended, expected, shown, inTerminal } of running.splice(0).reverse()) {
      if (inTerminal) child.stdin.write('\x03');
      else child.kill('SIGINT');
      assert.equal(await ended, 0);
      if (expected) compare(expected, shown().split('\n').slice(0, expected.length).join('\n'));
    }
  }

  test('every command prints what README says', async () => {
    const all = blocks('console').flatMap(commands);
    assert.ok(all.some(({ command }) => command === 'tidings store check'), 'the quick start stops the broker and checks its store');
    for (const one of all) await play(one);
    assert.equal(running.length, 0);
  });

  test('what a backend and a page are shown works, too', async () => {
    for (const { child, ended, inTerminal } of running.splice(0)) {
      if (inTerminal) child.stdin.write('\x03');
      else child.kill('SIGKILL');
      await ended;
    }
    await keep('tidings', /^listening on /m);
    const [shown] = blocks('sh').filter((block) => block.includes('Idempotency-Key'));
    await run(`curl() { command curl -sS --fail-with-body "$@"; }\n${shown}`);

    await copyFile(join(ROOT, 'src/web/tidings.js'), join(folder, 'tidings.mjs'));
    const [program] = blocks('js');
    const here = atPort(program).replace(/'http:[^']*tidings\.js'/, "'./tidings.mjs'");
    const given = `import { readFile } from 'node:fs/promises';\nconst token = process.env.TOKEN;\n`
      + "const file = new File([await readFile('photo.jpg')], 'photo.jpg', { type: 'image/jpeg' });\n";
    await writeFile(join(folder, 'program.mjs'), `${given}${here}\nzim.destroy();\n`);
    env.TOKEN = (await run('tidings token --user alice')).trim();
    await run(`"${process.execPath}" --experimental-websocket program.mjs`);
    await stopAll();
  });
});
