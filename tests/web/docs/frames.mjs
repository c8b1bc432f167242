// The notation of the examples in src/protocol/examples: JSON in which <name> stands for what differs from run to run.

/** Stands for a value that is not known beforehand; written `<name>` where a number stands, `"<name>"` in a string. */
export class Hole {
  constructor(name) {
    this.name = name;
  }
}

const HOLE_KEY = '<>';
const STRING_OR_HOLE = /"(?:[^"\\]|\\.)*"|<([A-Za-z]\w*)>/g;
const IN_STRING = /<([A-Za-z]\w*)>/g;

/** JSON with holes. */
export function parse(text) {
  const plain = text.replace(STRING_OR_HOLE, (all, name) => (name ? JSON.stringify({ [HOLE_KEY]: name }) : all));
  return JSON.parse(plain, (_, value) => (value?.[HOLE_KEY] ? new Hole(value[HOLE_KEY]) : value));
}

/** As `parse` takes it: on one line where there is room; else as many entries on a line as fit. */
export function format(value, room = 100, indent = '', lead = 0) {
  const flat = flatText(value);
  if (isPlain(value) || lead + flat.length <= room) return flat;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const keyed = (key) => (Array.isArray(value) ? '' : `${JSON.stringify(key)}: `);
  const entries = Object.entries(value);

  // `{"id": 1, "result": {` needs no line for each of its brackets.
  const [lastKey, last] = entries.at(-1);
  const before = entries.slice(0, -1).map(([key, entry]) => `${keyed(key)}${flatText(entry)}, `).join('');
  const head = `${open}${before}${keyed(lastKey)}`;
  if (!isPlain(last) && lead + head.length < room * 0.8) return `${head}${format(last, room, indent, lead + head.length)}${close}`;

  const deeper = `${indent}  `;
  const lines = [''];
  entries.forEach(([key, entry], at) => {
    const text = keyed(key) + format(entry, room, deeper, deeper.length + keyed(key).length + 1) + (at < entries.length - 1 ? ',' : '');
    const joined = `${lines.at(-1)} ${text}`;
    if (lines.at(-1) === '') lines[lines.length - 1] = text;
    else if (!joined.includes('\n') && deeper.length + joined.length <= room) lines[lines.length - 1] = joined;
    else lines.push(text);
  });
  return `${open}\n${lines.map((line) => deeper + line).join('\n')}\n${indent}${close}`;
}

function isPlain(value) {
  return value === null || typeof value !== 'object' || value instanceof Hole || Object.keys(value).length === 0;
}

function flatText(value) {
  if (value instanceof Hole) return `<${value.name}>`;
  if (Array.isArray(value)) return `[${value.map(flatText).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)}: ${flatText(entry)}`).join(', ')}}`;
}

/** The value with its holes filled. */
export function fill(value, known) {
  if (value instanceof Hole) return lookup(known, value.name);
  if (typeof value === 'string') return value.replace(IN_STRING, (_, name) => lookup(known, name));
  if (Array.isArray(value)) return value.map((entry) => fill(entry, known));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fill(entry, known)]));
}

function lookup(known, name) {
  if (!known.has(name)) throw new Error(`<${name}> is used before anything said what it is`);
  return known.get(name);
}

/**
 * What `got` says that the holes of `wanted` are, or null where they differ: other keys, other values, or a hole that is
 * something else already.
 */
export function match(wanted, got, known) {
  const found = new Map();
  return fits(wanted, got, { known, found }) ? found : null;
}

function fits(wanted, got, names) {
  if (wanted instanceof Hole) return typeof got === 'number' && isThe(wanted.name, got, names);
  if (typeof wanted === 'string') return typeof got === 'string' && fitsString(wanted, got, names);
  if (wanted === null || typeof wanted !== 'object') return Object.is(wanted, got);
  if (got === null || typeof got !== 'object' || Array.isArray(wanted) !== Array.isArray(got)) return false;
  const keys = Object.keys(wanted);
  return keys.length === Object.keys(got).length && keys.every((key) => Object.hasOwn(got, key) && fits(wanted[key], got[key], names));
}

function fitsString(wanted, got, names) {
  const parts = wanted.split(IN_STRING);
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = parts.map((part, at) => (at % 2 ? '(.+)' : escaped(part))).join('');
  const values = new RegExp(`^${pattern}$`, 's').exec(got);
  return values !== null && values.slice(1).every((value, at) => isThe(parts[2 * at + 1], value, names));
}

function isThe(name, value, { known, found }) {
  const before = found.get(name) ?? known.get(name);
  if (before === undefined) found.set(name, value);
  return before === undefined || before === value;
}
