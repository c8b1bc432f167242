// Holds what a client tells against the declarations of a version of the vendor's SDK: every field that is not optional there is there.
// Of the packages only the declarations are read.

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(fileURLToPath(new URL('./types/', import.meta.url)));
const ts = require('typescript');

/** The versions whose programs run here: name → package. */
export const VERSIONS = {
  2.4: 'zego-zim-web-2.4', 2.8: 'zego-zim-web-2.8', 2.13: 'zego-zim-web-2.13', 2.14: 'zego-zim-web', 2.19: 'zego-zim-web-2.19',
};

const KIND_TYPES = {
  1: 'ZIMTextMessage', 2: 'ZIMCommandMessage', 11: 'ZIMImageMessage', 12: 'ZIMFileMessage', 13: 'ZIMAudioMessage', 14: 'ZIMVideoMessage',
  20: 'ZIMBarrageMessage', 31: 'ZIMRevokeMessage', 32: 'ZIMTipsMessage', 100: 'ZIMCombineMessage', 200: 'ZIMCustomMessage',
};

const PRIMITIVES = [
  [ts.TypeFlags.StringLike, 'string'], [ts.TypeFlags.NumberLike, 'number'], [ts.TypeFlags.BooleanLike, 'boolean'], [ts.TypeFlags.EnumLike, 'number'],
];

export class Declarations {
  #checker;
  #exports;
  #methods;
  #events;

  constructor(version) {
    const folder = path.dirname(require.resolve(`${VERSIONS[version]}/package.json`));
    const index = readdirSync(folder).includes('index.d.ts') ? 'index.d.ts' : 'entity/index.d.ts';
    const options = { strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022, skipLibCheck: true, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] };
    const program = ts.createProgram([path.join(folder, index)], options);
    this.#checker = program.getTypeChecker();
    const module = this.#checker.getSymbolAtLocation(program.getSourceFile(path.join(folder, index)));
    this.#exports = new Map(this.#checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]));
    this.#methods = this.#membersOf(this.#declared('ZIM') ?? this.#declared('default'));
    this.#events = this.#membersOf(this.#declared('ZIMEventHandler'));
  }

  get methods() {
    return [...this.#methods.keys()];
  }

  get events() {
    return [...this.#events.keys()];
  }

  /** The fields that are missing or of another type in the result of a method; null: this version has no such method. */
  ofResult(method, result) {
    const type = this.#methods.get(method);
    const [signature] = type?.getCallSignatures() ?? [];
    if (!signature) return null;
    const promised = this.#checker.getAwaitedType(signature.getReturnType());
    return this.#missing(promised, result, `${method}()`);
  }

  /** As `ofResult`, of the data of an event. */
  ofEvent(event, data) {
    const [signature] = this.#events.get(event)?.getCallSignatures() ?? [];
    if (!signature) return null;
    return this.#missing(this.#typeOf(signature.parameters[1]), data, event);
  }

  /** As `ofResult`, of a message that a notification shows. */
  ofMessage(message, where) {
    return this.#message(message, where) ?? [];
  }

  #declared(name) {
    const symbol = this.#exports.get(name);
    if (!symbol) return undefined;
    const real = symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
    return this.#checker.getDeclaredTypeOfSymbol(real);
  }

  #typeOf(symbol) {
    return this.#checker.getTypeOfSymbol(symbol);
  }

  #membersOf(type) {
    return new Map(type.getProperties().map((symbol) => [symbol.name, this.#typeOf(symbol)]));
  }

  /** A message is walked by the type of its kind, too, whatever the declaration around it says. */
  #message(value, where) {
    const type = this.#declared(KIND_TYPES[value.type]);
    return type && this.#fields(type, value, where);
  }

  #missing(type, value, where) {
    if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.Void | ts.TypeFlags.Undefined | ts.TypeFlags.Null)) return [];
    if (type.isUnion() && !(type.flags & (ts.TypeFlags.EnumLike | ts.TypeFlags.BooleanLike))) {
      const found = type.types.map((one) => this.#missing(one, value, where));
      return found.reduce((best, one) => (one.length < best.length ? one : best));
    }
    for (const [flag, name] of PRIMITIVES) if (type.flags & flag) return typeof value === name ? [] : [`${where} is ${typeof value}, not ${name}`];
    if (this.#checker.isArrayType(type)) {
      if (!Array.isArray(value)) return [`${where} is no list`];
      const [element] = this.#checker.getTypeArguments(type);
      return value.flatMap((one) => this.#missing(element, one, `${where}[]`));
    }
    // Only the device that sent a file has it; and a path names one as well.
    if (type.symbol?.name === 'File' && typeof value === 'string') return [];
    if (value === null || typeof value !== 'object') return [`${where} is ${value}, not ${this.#checker.typeToString(type)}`];
    if (value instanceof Uint8Array || value instanceof Blob) return [];
    const isMessage = value.localMessageID !== undefined && 'orderKey' in value;
    return [...this.#fields(type, value, where), ...((isMessage && this.#message(value, where)) || [])];
  }

  #fields(type, value, where) {
    const name = type.symbol?.name.startsWith('__') ? where : `${where}: ${type.symbol?.name}`;
    return type.getProperties().flatMap((property) => {
      const given = value[property.name];
      const isOptional = property.flags & ts.SymbolFlags.Optional;
      if (given === undefined) {
        const allows = isOptional || this.#allowsUndefined(this.#typeOf(property));
        return allows ? [] : [`${name}.${property.name} is missing`];
      }
      return this.#missing(this.#checker.getNonNullableType(this.#typeOf(property)), given, `${where}.${property.name}`);
    });
  }

  #allowsUndefined(type) {
    return Boolean(type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.Undefined)) || (type.isUnion() && type.types.some((one) => this.#allowsUndefined(one)));
  }
}
