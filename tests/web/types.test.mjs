// Goal: src/web/tidings.d.ts says what src/web/tidings.js does, and what the vendor's types of 2.14 say of it.
// Method: the TypeScript compiler reads types/*.ts, which compare the two declaration by declaration, and programs as consumers
// have them; its view of the declarations is then held against the module itself. Needs `npm ci` in tests/web/types.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';

import * as client from '../../src/web/tidings.js';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const require = createRequire(here('./types/'));
const ts = require('typescript');

const DECLARATIONS = here('../../src/web/tidings.d.ts');
const VENDOR = path.join(path.dirname(require.resolve('zego-zim-web/package.json')), 'entity/index.d.ts');
const OUR_IMPORT = "'../../../src/web/tidings.js'";

/** The libraries of TypeScript are read once; they are what takes long. */
const libraries = new Map();

/** A program of these files; `virtual` ones are read from here and not from disk. */
function compile(files, options, virtual = {}) {
  const host = ts.createCompilerHost(options, true);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => name in virtual || fileExists.call(host, name);
  host.readFile = (name) => virtual[name] ?? readFile.call(host, name);
  host.getSourceFile = (name, settings, ...rest) => {
    if (name in virtual) return ts.createSourceFile(name, virtual[name], settings, true);
    if (!/[/\\]lib\.[^/\\]*\.d\.ts$/.test(name)) return getSourceFile.call(host, name, settings, ...rest);
    if (!libraries.has(name)) libraries.set(name, getSourceFile.call(host, name, settings, ...rest));
    return libraries.get(name);
  };
  return ts.createProgram(files, options, host);
}

function assertCompiles(program) {
  const text = ts.getPreEmitDiagnostics(program).map((one) => {
    const at = one.file?.getLineAndCharacterOfPosition(one.start);
    const place = one.file ? `${path.basename(one.file.fileName)}:${at.line + 1}: ` : '';
    return place + ts.flattenDiagnosticMessageText(one.messageText, '\n');
  });
  assert.deepEqual(text, []);
}

const STRICT = { strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022 };
const BUNDLER = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
const WEB = { ...STRICT, ...BUNDLER, skipLibCheck: true, noErrorTruncation: true, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] };

/** What a module declares: name → symbol. */
function exportsOf(program, file) {
  const checker = program.getTypeChecker();
  const symbols = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
  return new Map(symbols.map((symbol) => [symbol.name, symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol]));
}

const declared = compile([DECLARATIONS, VENDOR], WEB);
const ours = exportsOf(declared, DECLARATIONS);
const vendors = exportsOf(declared, VENDOR);
const isValue = (symbol) => (symbol.flags & ts.SymbolFlags.Value) !== 0;
const names = (values) => [...values].sort();

const folder = mkdtempSync(path.join(tmpdir(), 'tidings-types-'));
after(() => rmSync(folder, { recursive: true }));

test('the types stand in for the vendor\'s, method by method and event by event', () => {
  const files = ['compat.ts', 'negatives.ts', 'programs.ts', 'older.ts'].map((name) => here(`./types/${name}`));
  assertCompiles(compile(files, WEB));
});

test('the programs that must compile are the vendor\'s: they do with its import, too', () => {
  const swapped = here('./types/swapped.ts');
  const text = readFileSync(here('./types/programs.ts'), 'utf8').replaceAll(OUR_IMPORT, "'zego-zim-web'");
  assertCompiles(compile([swapped], WEB, { [swapped]: text }));
});

test('every type of the vendor\'s is here by its name, to be read and to be built', () => {
  const types = [...vendors].filter(([, symbol]) => symbol.flags & ts.SymbolFlags.Interface && !(symbol.flags & ts.SymbolFlags.Class));
  assert.ok(types.length > 150, `${types.length}`);
  const missing = [...vendors.keys()].filter((name) => !ours.has(name));
  assert.deepEqual(missing, []);
  const check = here('./types/names.ts');
  // The map of listeners has more events than the vendor's, so it is one only to be read.
  const compared = types.map(([name]) => name).filter((name) => name !== 'ZIMEventHandler');
  const text = [
    `import type * as Ours from ${OUR_IMPORT};`, "import type * as Vendor from 'zego-zim-web';", "import type { Adopt } from './adopt.js';",
    'type Both<Name, Our, Their> = [Our] extends [Their]',
    '  ? [Their] extends [Our] ? true : [Name, "is not built as theirs"]',
    '  : [Name, "is not read as theirs"];',
    ...compared.map((name) => `export const ${name}: Both<"${name}", Ours.${name}, Adopt<Vendor.${name}>> = true;`),
  ].join('\n');
  assertCompiles(compile([check], WEB, { [check]: text }));
});

test('only tier D is left open', () => {
  const lines = readFileSync(DECLARATIONS, 'utf8').replaceAll(/\/\*\*[^]*?\*\//g, '').split('\n').map((line) => line.replace(/\/\/.*/, ''));
  const open = lines.filter((line) => /\bany\b/.test(line)).map((line) => line.split(/[<=]/)[0].trim());
  assert.deepEqual(open, ['type Runtime', 'export type ZIMTierD']);
  const aliases = lines.map((line) => /^export type (\w+) = ZIMTierD;/.exec(line)?.[1]).filter(Boolean);
  assert.deepEqual(aliases.filter((name) => !/^ZIM(EventOf)?(Call|Friend|Blacklist)/.test(name)), []);
});

test('what is declared is exported, and the other way round', () => {
  const values = [...ours].filter(([, symbol]) => isValue(symbol)).map(([name]) => name);
  assert.deepEqual(names(values), names(Object.keys(client)));
  assert.equal(client.default, client.ZIM);
});

test('enums have the numbers that are declared', () => {
  const checker = declared.getTypeChecker();
  const enums = [...ours].filter(([, symbol]) => symbol.flags & ts.SymbolFlags.Enum);
  for (const [name, symbol] of enums) {
    const members = [...symbol.exports.values()].map((member) => [member.name, checker.getConstantValue(member.valueDeclaration)]);
    assert.deepEqual(Object.fromEntries(members), { ...client[name] }, name);
  }
});

test('the class has the statics and methods that are declared, and no others', () => {
  const symbol = ours.get('ZIM');
  const isMethod = (member) => (member.flags & ts.SymbolFlags.Method) !== 0;
  const declaredOf = (table) => names([...table.values()].filter(isMethod).map((member) => member.name));
  const own = (object, others) => names(Object.getOwnPropertyNames(object).filter((name) => !others.includes(name)));
  assert.deepEqual(own(client.ZIM.prototype, ['constructor']), declaredOf(symbol.members));
  assert.deepEqual(own(client.ZIM, ['length', 'name', 'prototype']), declaredOf(symbol.exports));
});

test('every method of tiers A to C says what it does, and since when', () => {
  const laterFrom = declared.getSourceFile(DECLARATIONS).text.indexOf('// ---- tier D');
  const { members, exports } = ours.get('ZIM');
  const methods = [...members.values(), ...exports.values()].filter((member) => member.flags & ts.SymbolFlags.Method);
  const checked = methods.filter((member) => member.valueDeclaration.getStart() < laterFrom);
  assert.ok(checked.length > 100, `${checked.length}`);
  const said = (member) => ts.displayPartsToString(member.getDocumentationComment(declared.getTypeChecker()));
  assert.deepEqual(checked.filter((member) => !/Since \d|Newer than 2|Our choice/.test(said(member))).map((member) => member.name), []);
});

/** A Node program without the "dom" library: no File, Blob or WebSocket is known, and none is needed. */
const PROGRAM = `
import ZIM, { ZIM as Named, ZIMError, ZIMMessageType } from './tidings.js';
import type { ZIMMessage } from './tidings.js';
class Socket { constructor(readonly url: string) {} }
const zim = ZIM.createInstance({ appID: 1, server: 'ws://localhost', WebSocket: Socket });
export const same: Named | null = Named.create(1);
zim.on('receivePeerMessage', (_zim, { messageList }) => messageList.map((message: ZIMMessage) => message.type === ZIMMessageType.Text));
export const sent = zim
  .login('ann', { token: '' })
  .then(() => zim.sendMediaMessage({ type: 11, fileLocalPath: '/tmp/a.png' }, 'bob', 0, { priority: 1 }))
  .then(({ message }) => message.fileDownloadUrl, (error: unknown) => (error instanceof ZIMError ? error.code : 0));
`;

const SETTINGS = {
  bundler: BUNDLER,
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  node10: { module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Node10 },
  classic: { module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Classic },
  commonjs: { module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10, esModuleInterop: true },
};
const LIBRARIES = {
  'no "dom"': { lib: ['lib.es2022.d.ts'] },
  '"dom"': { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] },
  'Node\'s types': { lib: ['lib.es2022.d.ts'], types: ['node'], typeRoots: [here('./types/node_modules/@types')], skipLibCheck: true },
};

test('the two files compile beside a program, whatever its settings', async (t) => {
  const main = path.join(folder, 'main.ts');
  for (const name of ['tidings.js', 'tidings.d.ts']) copyFileSync(here(`../../src/web/${name}`), path.join(folder, name));
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(main, PROGRAM);
  for (const [setting, resolution] of Object.entries(SETTINGS)) {
    for (const [library, libs] of Object.entries(LIBRARIES)) {
      await t.test(`${setting}, ${library}`, () => {
        const options = { ...STRICT, ...resolution, ...libs, exactOptionalPropertyTypes: true };
        assertCompiles(compile([main, path.join(folder, 'tidings.d.ts')], options));
      });
    }
  }
});
