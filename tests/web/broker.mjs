// A real broker for one test file: its own data directory, a free port, and a way to lose it without warning.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const BIN = process.env.TIDINGS_BIN ?? fileURLToPath(new URL('../../target/debug/tidings', import.meta.url));
const READY_MS = 15_000;
const STOP_MS = 5_000;

// The tests are not about the rate gate, except the one that says so.
const GENEROUS_RATES = {
  TIDINGS_RATE__SENDS_PER_SECOND: '10000',
  TIDINGS_RATE__BURST: '10000',
  TIDINGS_RATE__COMMANDS_PER_SECOND: '10000',
  TIDINGS_RATE__COMMANDS_BURST: '10000',
  TIDINGS_RATE__HIGH_PRIORITY_PER_SECOND: '10000',
  TIDINGS_RATE__HIGH_PRIORITY_BURST: '10000',
  TIDINGS_RATE__CHANGES_PER_SECOND: '10000',
  TIDINGS_RATE__CHANGES_BURST: '10000',
};

// A test run that is cut short must not leave brokers behind.
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

class Broker {
  #dataDir;
  #env;
  #child = null;
  #listen;

  constructor(dataDir, env, listen) {
    this.#dataDir = dataDir;
    this.#env = { ...process.env, ...env };
    this.#listen = listen;
  }

  /** The base address, such as `http://127.0.0.1:40123`; the same after a restart. */
  get server() {
    return `http://${this.#listen}`;
  }

  async start() {
    const args = ['serve', '--listen', this.#listen, '--data-dir', this.#dataDir];
    const child = spawn(BIN, args, { env: this.#env, cwd: this.#dataDir, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    child.once('exit', () => running.delete(child));
    this.#child = child;
    const { address } = await ready(this.#child);
    this.#listen = address;
    const key = await readFile(join(this.#dataDir, 'demo-key'), 'utf8').catch(() => '');
    this.page = `${this.server}/${key && `#demo=${key.trim()}`}`;
  }

  /** The link to the page: with its key, where demo tokens are given out. */
  page = null;

  /** What `tidings console reset` prints: a link to set a password. */
  async resetConsole() {
    const { stdout } = await promisify(execFile)(BIN, ['console', 'reset', '--data-dir', this.#dataDir], { env: this.#env, cwd: this.#dataDir });
    return stdout.trim();
  }

  /** One token, as the command line prints it. */
  async token(userID, ttlSeconds) {
    const args = ['token', '--user', userID, '--data-dir', this.#dataDir];
    if (ttlSeconds !== undefined) args.push('--ttl', String(ttlSeconds));
    const { stdout } = await promisify(execFile)(BIN, args, { env: this.#env, cwd: this.#dataDir });
    return stdout.trim();
  }

  /** A key of the server API, as the command line prints it; without scopes it may do everything. */
  async key(name, scopes = []) {
    const args = ['key', 'new', '--name', name, '--data-dir', this.#dataDir, ...scopes.flatMap((scope) => ['--scope', scope])];
    const { stdout } = await promisify(execFile)(BIN, args, { env: this.#env, cwd: this.#dataDir });
    return stdout.trim();
  }

  /** kill -9. */
  async kill() {
    await end(this.#child, 'SIGKILL');
  }

  /** As an operator stops it; its data stays. */
  async stopGently() {
    await end(this.#child, 'SIGTERM');
  }

  /** Alive but silent, as behind a network that drops everything. */
  freeze() {
    this.#child.kill('SIGSTOP');
  }

  thaw() {
    this.#child.kill('SIGCONT');
  }

  async stop() {
    await end(this.#child, 'SIGTERM');
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

/** Resolves with the address of the line `listening on http://ADDRESS` or `standing by on ADDRESS`, and everything said up to it. */
function ready(child) {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`the broker ${why}; it said:\n${said}`));
    };
    const timer = setTimeout(() => fail(`was not ready within ${READY_MS} ms`), READY_MS);
    const hear = (chunk) => {
      said += chunk;
      const listens = /^(?:listening on http:\/\/|standing by on )(\S+)$/m.exec(said);
      if (!listens) return;
      clearTimeout(timer);
      resolve({ address: listens[1], said });
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', (chunk) => (said += chunk));
    child.once('error', (error) => fail(`did not start (${error.message})`));
    // At its end everything it said has been heard.
    child.once('close', (code, signal) => fail(`ended with ${signal ?? code}`));
  });
}

async function end(child, signal) {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.kill(signal);
  await gone;
  clearTimeout(timer);
}

/**
 * Starts a broker, which may be one that stands by; `env` holds settings such as `TIDINGS_RATE__BURST`, `listen` is an address of its
 * own in place of a free one.
 */
export async function startBroker(env = {}, listen = '127.0.0.1:0') {
  const broker = new Broker(await mkdtemp(join(tmpdir(), 'tidings-web-')), { ...GENEROUS_RATES, ...env }, listen);
  try {
    await broker.start();
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return broker;
}
