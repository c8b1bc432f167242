// A NATS server for one test file, on a port of loopback that the system picks.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';

/** Where the server's program is; null: it is not installed. */
export function natsProgram() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, 'nats-server')).find((program) => existsSync(program)) ?? null;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

const listens = (port) => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => resolve(true));
  socket.once('error', () => resolve(false));
  socket.once('connect', () => socket.destroy());
});

/** Starts a server; `url` is its address. */
export async function startNats() {
  const port = await freePort();
  const child = spawn(natsProgram(), ['-a', '127.0.0.1', '-p', `${port}`], { stdio: 'ignore' });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise((resolve) => { child.once('exit', resolve); });
  // Nobody is told that it listens.
  while (!await listens(port)) await new Promise((resolve) => { setTimeout(resolve, 10); });
  return {
    url: `nats://127.0.0.1:${port}`,
    async stop() {
      process.off('exit', kill);
      kill();
      await ended;
    },
  };
}
