// Reads the examples of src/http/api/examples; its README.md says how they are written.

import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readScene } from './examples.mjs';
import { parse } from './frames.mjs';

export const CALLS = fileURLToPath(new URL('../../../src/http/api/examples/', import.meta.url));

const FENCE = /^```(example|settings|keys|online)\n(.*?)^```$/gms;
const ITEM = /^(?=\$ |\d{3} |[a-z]+(?:\.[a-z]+)? [→←] )/m;
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** The files, in the order in which they are read. */
export async function callFiles() {
  const names = (await readdir(CALLS)).filter((name) => /^\d.*\.md$/.test(name)).sort();
  return Promise.all(names.map((name) => readCalls(join(CALLS, name))));
}

export async function readCalls(path) {
  const text = await readFile(path, 'utf8');
  const name = basename(path, '.md').replace(/^\d+-/, '');
  const fences = [...text.matchAll(FENCE)].map(([, kind, body]) => ({ kind, body }));
  const lines = (wanted) => fences.filter(({ kind }) => kind === wanted).flatMap(({ body }) => body.trim().split('\n'));
  const settings = Object.fromEntries(lines('settings').map((line) => line.split('=')));
  const keys = Object.fromEntries(lines('keys').map((line) => line.split('=')).map(([key, scopes]) => [key, scopes.split(',')]));
  const scenes = fences.filter(({ kind }) => kind === 'example').map(({ body }) => ({ lines: readDialogue(body) }));
  const online = lines('online').flatMap((line) => line.split(' '));
  return { path, name, text, settings, keys, online, scenes };
}

/** The lines of one example: calls, their answers, and what clients say and hear. */
export function readDialogue(body) {
  return body.split(ITEM).filter((item) => item.trim() !== '').map(readItem);
}

function readItem(item) {
  if (item.startsWith('$ ')) return { kind: 'call', command: item.slice(2).trimEnd() };
  const answer = /^(\d{3}) .*\n([^]*)$/.exec(item);
  if (!answer) return readScene(item)[0];
  const [, headers, rest] = /^((?:[A-Z][\w-]*: .*\n)*)([^]*)$/.exec(answer[2]);
  const body = rest.trim();
  return {
    kind: 'answer', status: Number(answer[1]), headers: headers.trim().split('\n').filter(Boolean),
    // A stream's lines stay lines; everything else is JSON.
    events: body.startsWith(':') || body.startsWith('data:') ? readEvents(body) : undefined,
    body: body.startsWith('{') ? parse(body) : undefined,
  };
}

/** Data of a stream, without its comments. */
export function readEvents(text) {
  return [...text.matchAll(/^data: ((?:.*)(?:\n[ \t]+.*|\n[\]}].*)*)$/gm)].map(([, data]) => parse(data));
}

/** What a shell would make of a command, of which it takes words, quotes, variables and lines that go on. */
function words(command, variables) {
  const lookup = (name) => {
    if (!(name in variables)) throw new Error(`$${name} is not known`);
    return variables[name];
  };
  const found = [];
  let word = null;
  const PART = /\\\n\s*|\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\$(\w+)|([^\s'"$\\]+)/gy;
  for (const part of command.matchAll(PART)) {
    const [all, single, double, variable, plain] = part;
    if (single === undefined && double === undefined && variable === undefined && plain === undefined) {
      if (word !== null) found.push(word);
      word = null;
      continue;
    }
    const value = single ?? double?.replace(/\\(.)/g, '$1').replace(/\$(\w+)/g, (_, name) => lookup(name)) ?? plain ?? lookup(variable);
    word = (word ?? '') + value;
    if (all === '') throw new Error('nothing read');
  }
  if (word !== null) found.push(word);
  const read = [...command.matchAll(PART)].reduce((length, [all]) => length + all.length, 0);
  if (read !== command.length) throw new Error(`this is no command: ${command.slice(read)}`);
  return found;
}

/** The request that a curl command makes. */
export function readCurl(command, variables) {
  const [program, ...rest] = words(command, variables);
  if (program !== 'curl') throw new Error(`this is not curl: ${command}`);
  const request = { url: undefined, method: undefined, headers: {}, body: undefined, showsHeaders: false, isInBackground: false };
  const send = (data, type) => {
    request.method ??= 'POST';
    request.body = data;
    request.headers['content-type'] ??= type;
  };
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '-X') request.method = rest.shift();
    else if (word === '-H') {
      const [, name, value] = /^([\w-]+): (.*)$/.exec(rest.shift());
      request.headers[name.toLowerCase()] = value;
    } else if (word === '--json') send(rest.shift(), 'application/json');
    else if (word === '-d') send(rest.shift(), 'application/x-www-form-urlencoded');
    else if (word === '-i') request.showsHeaders = true;
    else if (word === '&') request.isInBackground = true;
    else if (word.startsWith('-') && word !== '-N') throw new Error(`curl's ${word} is not known here`);
    else if (word !== '-N') request.url = word;
  }
  request.method ??= 'GET';
  return request;
}

/** The operation of the OpenAPI document that a request is of, if there is one. */
export function operationOf(document, { method, url }) {
  const path = new URL(url).pathname.replace(/^.*?\/api\/v1/, '');
  const fits = (template) => new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  // A path without a parameter is meant before one with.
  const templates = Object.keys(document.paths).filter(fits).sort((a, b) => a.split('{').length - b.split('{').length);
  return document.paths[templates[0]]?.[method.toLowerCase()];
}

/** Every operation of a document, with its path and method. */
export function operations(document) {
  return Object.entries(document.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method])
    .map((method) => ({ path, method: method.toUpperCase(), ...item[method] })));
}

/** The calls and answers of the files by operation: `{file, at, status}`. */
export function shownCalls(files, document) {
  const found = new Map();
  for (const file of files) {
    const variables = { BROKER: 'http://broker', ...Object.fromEntries(['KEY', ...Object.keys(file.keys)].map((key) => [key, 'key'])) };
    file.scenes.forEach(({ lines }, at) => {
      const waiting = [];
      for (const line of lines) {
        if (line.kind === 'call') waiting.push(readCurl(line.command, variables));
        if (line.kind !== 'answer') continue;
        const next = waiting.findLastIndex((call) => !call.isInBackground);
        const [call] = waiting.splice(next < 0 ? 0 : next, 1);
        const operation = operationOf(document, call);
        const list = found.get(operation?.operationId) ?? [];
        found.set(operation?.operationId, [...list, { file: file.name, at, status: line.status }]);
      }
    });
  }
  return found;
}
