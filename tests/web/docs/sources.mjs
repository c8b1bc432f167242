// What the broker answers and says, read from its sources, so that nothing new stays without an example.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));

/** A match arm, `"joinRoom" =>` or one of `"a" | "b" =>`, or a comparison, `op == "joinRoom"`. */
const ARM = /"([a-z][A-Za-z]+)"\s*(?:=>|\|)|\|\s*"([a-z][A-Za-z]+)"|\bop == "([a-z][A-Za-z]+)"/g;
const EVENT = /"(receive[A-Z][A-Za-z]+|[a-z]+[A-Za-z]*(?:Received|Changed|Updated|Joined|Left|Dropped|Deleted|Edited|Expire))\\?"/g;
/** The file of the operations and events that are known and not supported. */
const REFUSED = /[/\\](later|unsupported)\.rs$/;
const FIRST_TEST = /^#\[cfg\(test\)\]\n(?:#\[.*\n)*mod tests/m;

async function rustFiles(folder) {
  const entries = await readdir(join(SRC, folder), { withFileTypes: true, recursive: true });
  const paths = entries.filter((entry) => entry.name.endsWith('.rs')).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return Promise.all(paths.sort().map(async (path) => ({ path, code: (await readFile(path, 'utf8')).split(FIRST_TEST)[0] })));
}

const namesIn = (code, pattern) => [...code.matchAll(pattern)].map((found) => found.slice(1).find(Boolean));

/** Operations the broker decodes. */
export async function operations() {
  const files = (await rustFiles('protocol')).filter(({ code }) => /\bfn decode\(op: &str/.test(code));
  return [...new Set(files.flatMap(({ code }) => namesIn(code, ARM)))].sort();
}

/** Operations of the vendor's that it knows and refuses. */
export async function refusedOperations() {
  const [{ code }] = (await rustFiles('protocol')).filter(({ path }) => REFUSED.test(path));
  return namesIn(code.slice(0, code.indexOf('];')), /"([a-z][A-Za-z]+)"()/g);
}

/** Events the broker sends. */
export async function events() {
  const files = [...(await rustFiles('actors')), ...(await rustFiles('protocol'))];
  const named = files.filter(({ path }) => !REFUSED.test(path)).flatMap(({ code }) => namesIn(code, EVENT));
  return [...new Set(named)].sort();
}
