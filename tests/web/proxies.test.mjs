// The settings for nginx and Caddy that come with the broker, run as they stand but for addresses and certificates: pages, WebSockets of a
// browser's, large files and the client's own address get through them.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { startBroker } from './broker.mjs';
import { Clients, within } from './clients.mjs';
import { freePort, isInstalled, listens } from './installed.mjs';

// The certificate is of the test's own making.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const PACKAGING = new URL('../../.packaging/', import.meta.url);
const FILE_BYTES = 20 * 1024 * 1024;
const CONNECTIONS_MAX = 4;

const settings = (name) => readFile(new URL(name, PACKAGING), 'utf8');

/** Replaces what must be there exactly so often. */
function replace(text, found, by, times = 1) {
  assert.equal(text.split(found).length - 1, times, `${found} in the settings`);
  return text.replaceAll(found, by);
}

const inTheOpen = (folder) => `daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
`;
const ofTheFolder = (folder) => `access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
`;

/** How each is brought to listen at `port` with the certificate in `folder`, in front of `broker`. */
const PROXIES = {
  'nginx': {
    program: 'nginx',
    async command({ folder, port, plain, broker }) {
      let server = await settings('nginx.conf');
      server = replace(server, 'listen 80;', `listen 127.0.0.1:${plain};`);
      server = replace(server, 'listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`);
      server = server.replace(/^ *listen \[::\].*\n/gm, '').replaceAll('chat.example.com;', 'localhost;');
      server = replace(server, '/etc/letsencrypt/live/chat.example.com/fullchain.pem', `${folder}/certificate.pem`);
      server = replace(server, '/etc/letsencrypt/live/chat.example.com/privkey.pem', `${folder}/key.pem`);
      server = replace(server, 'http://127.0.0.1:7080', broker.server);
      await writeFile(join(folder, 'nginx.conf'), `${inTheOpen(folder)}events {}\nhttp {\n${ofTheFolder(folder)}${server}}\n`);
      return ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'error.log')];
    },
  },
  'nginx in front of many': {
    program: 'nginx',
    async command({ folder, port, broker }) {
      let all = await settings('cluster/nginx.conf');
      all = all.replace(/^ *server chat-[23]:7080 .*\n/gm, '');
      all = replace(all, 'chat-1:7080', broker.server.replace('http://', ''), 2);
      all = replace(all, '        listen 80;', `        listen 127.0.0.1:${port} ssl;`);
      all = replace(all, '# ssl_certificate /etc/nginx/chat.pem;', `ssl_certificate ${folder}/certificate.pem;`);
      all = replace(all, '# ssl_certificate_key /etc/nginx/chat.key;', `ssl_certificate_key ${folder}/key.pem;`);
      all = replace(all, 'worker_processes auto;', 'worker_processes 1;');
      all = all.replace(/^worker_rlimit_nofile .*\n/m, '').replace(/worker_connections \d+;/, 'worker_connections 512;');
      all = replace(all, 'http {\n', `http {\n${ofTheFolder(folder)}`);
      await writeFile(join(folder, 'nginx.conf'), inTheOpen(folder) + all);
      return ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'error.log')];
    },
  },
  'Caddy': {
    program: 'caddy',
    async command({ folder, port, broker }) {
      let site = await settings('Caddyfile');
      const own = `https://localhost:${port} {\n\tbind 127.0.0.1\n\ttls ${folder}/certificate.pem ${folder}/key.pem`;
      site = replace(site, 'chat.example.com {', own);
      site = replace(site, '127.0.0.1:7080', broker.server.replace('http://', ''));
      await writeFile(join(folder, 'Caddyfile'), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`);
      return ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'];
    },
  },
};

class Front {
  static async open(proxy) {
    const front = new Front();
    front.folder = await mkdtemp(join(tmpdir(), 'tidings-proxy-'));
    try {
      front.broker = await startBroker({
        TIDINGS_AUTH__SECRET: 'a secret as a public broker has one',
        TIDINGS_SERVER__TRUSTED_PROXIES: '127.0.0.1,::1',
        TIDINGS_SERVER__CONNECTIONS_PER_ADDRESS_MAX: `${CONNECTIONS_MAX}`,
      });
      front.port = await freePort();
      front.plain = await freePort();
      await certificate(front.folder);
      // Some write into the folder as another user.
      for (const name of ['client_body', 'proxy']) await mkdir(join(front.folder, name), { mode: 0o777 });
      await front.#start(proxy, await proxy.command(front));
    } catch (error) {
      await front.close();
      throw error;
    }
    return front;
  }

  get server() {
    return `https://localhost:${this.port}`;
  }

  async #start({ program }, args) {
    let said = '';
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, HOME: this.folder, XDG_DATA_HOME: this.folder, XDG_CONFIG_HOME: this.folder };
    this.child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (chunk) => { said += chunk; });
    this.gone = new Promise((resolve) => { this.child.once('exit', resolve); });
    for (let waited = 0; !await listens(this.port); waited += 20) {
      if (this.child.exitCode !== null || waited > 10_000) throw new Error(`${program} does not listen; it said:\n${said}`);
      await sleep(20);
    }
  }

  async close() {
    if (this.child) {
      this.child.kill('SIGTERM');
      await this.gone;
    }
    await this.broker?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Asks for a WebSocket as a browser does; resolves with the status, and the socket of 101. */
  upgrade({ from = '127.0.0.1', origin = this.server, headers = {} } = {}) {
    return new Promise((resolve, reject) => {
      const asked = request(`${this.server}/ws`, {
        localAddress: from,
        family: 4,
        headers: {
          Connection: 'Upgrade', Upgrade: 'websocket', Origin: origin,
          'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers,
        },
      });
      asked.once('upgrade', ({ statusCode }, socket) => resolve({ status: statusCode, socket }));
      asked.once('response', ({ statusCode }) => { asked.destroy(); resolve({ status: statusCode }); });
      asked.once('error', reject);
      asked.end();
    });
  }
}

async function certificate(folder) {
  await promisify(execFile)('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem'),
  ]);
}

for (const [name, proxy] of Object.entries(PROXIES)) {
  const missing = ['openssl', proxy.program].find((program) => !isInstalled(program));
  const skip = missing && process.env.CI !== 'true' ? `${missing} is not installed` : false;
  describe(`behind ${name}`, { skip }, () => {
    let front;

    before(async () => { front = await Front.open(proxy); });
    after(() => front?.close());

    test('pages come, what is the operator’s does not', async () => {
      const page = await fetch(`${front.server}/`);
      assert.equal(page.status, 200);
      assert.match(await page.text(), /<!doctype html>/i);
      assert.equal((await fetch(`${front.server}/readyz`)).status, 200);
      assert.equal((await fetch(`${front.server}/metrics`)).status, 404);
    });

    test('a client talks, and sends a file larger than proxies let through by themselves', async () => {
      const clients = new Clients({ server: front.server, token: (userID) => front.broker.token(userID) });
      try {
        const [alice, bob] = await Promise.all(['alice', 'bob'].map((userID) => clients.login(userID)));
        const file = new File([new Uint8Array(FILE_BYTES)], 'zeros.bin');
        const { message } = await within(alice.zim.sendMessage({ type: 12, fileLocalPath: file }, 'bob', 0, { priority: 1 }), 'file');
        assert.equal(message.fileSize, FILE_BYTES);
        const { messageList } = await bob.ears.event('receivePeerMessage');
        assert.equal(messageList[0].messageID, message.messageID);
      } finally {
        clients.destroy();
      }
    });

    test('a page of the same host may connect, another may not', async () => {
      const own = await front.upgrade();
      assert.equal(own.status, 101);
      own.socket.destroy();
      assert.equal((await front.upgrade({ origin: 'https://elsewhere.example' })).status, 403);
    });

    test('limits per address are those of the client, whatever it says of itself', async () => {
      const open = [];
      const come = async (options) => {
        const { status, socket } = await front.upgrade(options);
        if (socket) open.push(socket);
        return status;
      };
      for (let n = 0; n < CONNECTIONS_MAX; n += 1) assert.equal(await come({ from: '127.0.0.2' }), 101);
      assert.equal(await come({ from: '127.0.0.2' }), 429);
      const claims = { 'X-Forwarded-For': '192.0.2.1', Forwarded: 'for=192.0.2.1' };
      assert.equal(await come({ from: '127.0.0.2', headers: claims }), 429);
      assert.equal(await come({ from: '127.0.0.3' }), 101);
      for (const socket of open) socket.destroy();
    });
  });
}
