// Writes what is made of the client for those who cannot load a module: the classic script, CommonJS, and the package's licence.
//   node sdk/build.mjs            writes
//   node sdk/build.mjs --check    says which files are not as they would be written

import { readFile, writeFile } from 'node:fs/promises';

const WEB = new URL('../../../src/web/', import.meta.url);
const NOTE = '// Made of tidings.js by tests/web/sdk/build.mjs: change that one.\n\n';

/** The module without its exports, and the names that it exports. */
function parts(source) {
  const names = [...source.matchAll(/^export (?:class|const|function) (\w+)/gm)].map(([, name]) => name);
  const body = source.replace(/^export default \w+;\n/m, '').replace(/^export (?=class|const|function)/gm, '');
  if (/^export /m.test(body) || /^import /m.test(body)) throw new Error('tidings.js exports or imports in a way that this script does not know');
  return { names, body };
}

/** Replaces the import of Node's files, which a script cannot write, by another way to it. */
function withNodeFiles(body, way) {
  const importing = /await import\([^)]*NODE_FILES\)/;
  if (!importing.test(body)) throw new Error('tidings.js reads files in a way that this script does not know');
  return body.replace(importing, way);
}

const indented = (text) => text.replace(/^(?=.)/gm, '  ');

export async function build() {
  const source = await readFile(new URL('tidings.js', WEB), 'utf8');
  const types = await readFile(new URL('tidings.d.ts', WEB), 'utf8');
  const { names, body } = parts(source);
  const script = withNodeFiles(body, 'process.getBuiltinModule(NODE_FILES)');
  const common = withNodeFiles(body, 'module.require(NODE_FILES)');
  const list = indented(`${names.join(',\n')},`);
  return {
    'tidings.global.js': `${NOTE}(function () {\n'use strict';\n\n${script}\nObject.assign(globalThis, {\n${list}\n});\n})();\n`,
    'tidings.cjs': `${NOTE}'use strict';\n\n${common}\nmodule.exports = {\n${list}\n  default: ZIM,\n};\nObject.defineProperty(module.exports, '__esModule', { value: true });\n`,
    'tidings.d.cts': `${NOTE.replace(/tidings\.js/, 'tidings.d.ts')}${types}`,
    LICENSE: await readFile(new URL('../../LICENSE', WEB), 'utf8'),
  };
}

/** Names of files that are not as they would be written. */
export async function stale() {
  const built = Object.entries(await build());
  const kept = await Promise.all(built.map(([name]) => readFile(new URL(name, WEB), 'utf8').catch(() => '')));
  return built.filter(([, text], at) => text !== kept[at]).map(([name]) => name);
}

if (import.meta.filename === process.argv[1]) {
  if (process.argv.includes('--check')) {
    const old = await stale();
    if (old.length > 0) {
      console.error(`not as they would be written: ${old.join(', ')}`);
      process.exit(1);
    }
  } else {
    for (const [name, text] of Object.entries(await build())) await writeFile(new URL(name, WEB), text);
  }
}
