// A PostgreSQL cluster for one test file: in a temporary folder, on a socket in it, nothing that is there is touched.

import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const HOME = '/usr/lib/postgresql';

// As little as a test needs, and nothing that waits for a disk.
const SETTINGS = '-c listen_addresses= -c shared_buffers=16MB -c jit=off -c fsync=off -c full_page_writes=off -c max_connections=60';

// Makes the cluster and starts it; at the end of its input, which is at the latest when this process ends, it stops it and cleans up.
const SHELL = `
dir=$(mktemp -d /tmp/tidings-pg.XXXXXX) || exit 1
trap '"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
"$1/initdb" -D "$dir/data" -A trust -U tidings -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 &&
  "$1/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/log" -o "-k $dir $2" start >/dev/null 2>&1 || { cat "$dir/log" >&2; exit 1; }
echo "$dir"
cat >/dev/null
`;

/** Where the server's programs are; null: it is not installed. */
export function postgresPrograms() {
  const found = existsSync(HOME) ? readdirSync(HOME).map((version) => join(HOME, version, 'bin')) : [];
  return found.filter((folder) => existsSync(join(folder, 'initdb'))).sort().pop() ?? null;
}

/** Starts a cluster. `url` is the address of an empty database. As root it runs as the user `postgres`, as PostgreSQL demands. */
export async function startPostgres() {
  const shell = ['sh', '-c', SHELL, 'sh', postgresPrograms(), SETTINGS];
  const [program, ...args] = process.getuid() === 0 ? ['runuser', '-u', 'postgres', '--', ...shell] : shell;
  const child = spawn(program, args, { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => { child.once('exit', resolve); });
  const folder = await new Promise((resolve, reject) => {
    child.stdout.once('data', (line) => resolve(String(line).trim()));
    ended.then((code) => reject(new Error(`PostgreSQL did not start: ${code}`)));
  });
  const psql = (text) => promisify(execFile)(join(postgresPrograms(), 'psql'), ['-X', '-q', '-h', folder, '-U', 'tidings', '-d', 'postgres', '-c', text]);
  await psql('CREATE DATABASE tidings');
  return {
    url: `host=${folder} user=tidings dbname=tidings`,
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
