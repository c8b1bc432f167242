// A NATS server for one test file, on a port of loopback that the system picks.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { freePort, listens } from './installed.mjs';

/** Where the server's program is; null: it is not installed. */
export function natsProgram() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, 'nats-server')).find((program) => existsSync(program)) ?? null;
}

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
