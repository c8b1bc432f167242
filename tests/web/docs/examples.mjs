// Reads the examples of src/protocol/examples; its README.md says how they are written.

import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parse } from './frames.mjs';

export const EXAMPLES = fileURLToPath(new URL('../../../src/protocol/examples/', import.meta.url));

const FENCE = /^```(example|settings)( with lists)?\n(.*?)^```$/gms;
const LINE = /^([a-z]+(?:\.[a-z]+)?) ([→←]) (.*(?:\n[ \t]+.*|\n[\]}].*)*)$/gm;

/** The files, in the order in which they are read. */
export async function exampleFiles() {
  const names = (await readdir(EXAMPLES)).filter((name) => /^\d.*\.md$/.test(name)).sort();
  return Promise.all(names.map(async (name) => readExamples(join(EXAMPLES, name))));
}

export async function readExamples(path) {
  const text = await readFile(path, 'utf8');
  const name = basename(path, '.md').replace(/^\d+-/, '');
  const fences = [...text.matchAll(FENCE)];
  const settings = fences.filter(([, kind]) => kind === 'settings').flatMap(([, , , body]) => body.trim().split('\n'));
  const scenes = fences.filter(([, kind]) => kind === 'example').map(([, , lists, body]) => ({ withLists: Boolean(lists), lines: readScene(body) }));
  return { path, name, text, scenes, settings: Object.fromEntries(settings.map((line) => line.split('='))) };
}

/** The lines of one example: who, in which direction, what. */
export function readScene(body) {
  const lines = [...body.matchAll(LINE)].map(([, who, arrow, said]) => ({ who, isSent: arrow === '→', ...readSaid(said, arrow) }));
  const rest = body.replace(LINE, '').trim();
  if (rest !== '') throw new Error(`this is no line of an example:\n${rest}`);
  return lines;
}

function readSaid(said, arrow) {
  const socket = /^close(?: (\d+))?$/.exec(said);
  if (socket) return { kind: 'close', code: socket[1] && Number(socket[1]) };
  const request = /^(GET|POST|PUT) (\S+)(?: (.+))?$/.exec(said);
  if (request && arrow === '→') return { kind: 'http', method: request[1], path: request[2], body: request[3] };
  const answer = /^(\d{3})(?:\s+([^]+))?$/.exec(said);
  if (answer && arrow === '←') return { kind: 'http', status: Number(answer[1]), frame: answer[2] && parse(answer[2]) };
  const short = /^([a-z]\w+)\s+(\{[^]*)$/i.exec(said);
  if (short && arrow === '→') return { kind: 'short', op: short[1], args: parse(short[2]) };
  if (said.startsWith('{')) return { kind: 'frame', frame: parse(said) };
  if (arrow === '→') return { kind: 'raw', text: said };
  throw new Error(`this is no frame: ${said}`);
}

/** Every operation asked for and every event heard in the files, each with where it is shown. */
export function shown(files) {
  const ops = new Map();
  const events = new Map();
  const note = (map, name, place) => map.set(name, [...(map.get(name) ?? []), place]);
  for (const { name, scenes } of files) {
    scenes.forEach(({ lines }, at) => {
      for (const { frame, isSent } of lines) {
        if (isSent && frame?.op) note(ops, frame.op, { name, at });
        if (!isSent && frame?.event) note(events, frame.event, { name, at });
      }
    });
  }
  return { ops, events };
}
