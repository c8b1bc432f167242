// Writes the ← lines of example files: plays their → lines to a real broker and notes what comes back.
//   node --experimental-websocket docs/record.mjs ../../src/protocol/examples/20-rooms.md
// A → line may be short then: `alice → joinRoom {"roomID":"hall"}`. Read what it wrote before you keep it.

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readExamples } from './examples.mjs';
import { Hole, fill, format } from './frames.mjs';
import { Stage } from './stage.mjs';

const SETTLE_MS = 300;
const SHORT_TOKEN_MS = 5_000;

/** What is another value in every run, by the name of its field. */
const DIFFERS = {
  messageID: 'message', combineID: 'combine', fileUID: 'file', sessionID: 'session', mediaToken: 'mediaToken',
  token: 'token', orderKey: 'orderKey',
};
const isTime = (key, value) => typeof value === 'number' && value > 1.5e12 && value < 2e13 && /time/i.test(key);

class Names {
  #counts = new Map();
  #names = new Map();

  constructor(known) {
    for (const [name, value] of known) this.#names.set(value, name);
  }

  /** Ids are named before what holds them within a longer text. */
  collect(value, known) {
    if (value === null || typeof value !== 'object') return;
    for (const [key, entry] of Object.entries(value)) {
      if (key === 'messageID' || key === 'fileUID') this.generalise(entry, known, '', key);
      else this.collect(entry, known);
    }
  }

  /** The frame with holes where values differ, named in the order in which they first appear. */
  generalise(value, known, who, key = '') {
    if (Array.isArray(value)) return value.map((entry) => this.generalise(entry, known, who, key === 'errorMessageIDs' ? 'messageID' : key));
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, this.generalise(entry, known, who, name)]));
    }
    // Two that are alike by chance need not be alike next time.
    if (key === 'cursor') {
      const name = this.#next(`${who.split('.')[0]}Cursor`);
      known.set(name, value);
      return `<${name}>`;
    }
    if (typeof value === 'string') {
      const whole = [...this.#names].find(([had]) => had === value);
      if (whole) return `<${whole[1]}>`;
      const inside = [...this.#names].find(([had]) => typeof had === 'string' && had.length > 15 && value.includes(had));
      if (inside) return value.replaceAll(inside[0], `<${inside[1]}>`);
    }
    const kind = isTime(key, value) ? 'time' : DIFFERS[key];
    if (kind === undefined || value === '' || value === 0) return value;
    if (!this.#names.has(value)) {
      this.#names.set(value, this.#next(kind));
      known.set(this.#names.get(value), value);
    }
    const name = this.#names.get(value);
    return typeof value === 'number' ? new Hole(name) : `<${name}>`;
  }

  #next(kind) {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `${kind}${count}`;
  }
}

async function record(path) {
  const file = await readExamples(path);
  const stage = await Stage.open(file);
  const names = new Names(stage.known);
  const ids = new Map();
  const written = [];
  try {
    for (const scene of file.scenes) {
      const lines = [];
      await sleep(SETTLE_MS);
      stage.takeUnread(true);
      for (const line of scene.lines.filter(({ isSent }) => isSent)) {
        if (line.kind === 'short' || line.frame?.op) {
          const id = (ids.get(line.who) ?? 0) + 1;
          ids.set(line.who, id);
          line.frame = { id, op: line.op ?? line.frame.op, args: line.args ?? line.frame.args };
          line.kind = 'frame';
        }
        await stage.say(line);
        await sleep(/Short/.test(line.frame?.args?.token) ? SHORT_TOKEN_MS : SETTLE_MS);
        const heard = stage.takeUnread(scene.withLists);
        for (const { frame } of heard) names.collect(frame, stage.known);
        const replies = ({ who, kind, frame }) => (who === line.who && (kind === 'http' || frame?.id !== undefined) ? 0 : 1);
        heard.sort((a, b) => replies(a) - replies(b));
        lines.push(line, ...heard.map((said) => ({ ...said, frame: names.generalise(said.frame, stage.known, said.who) })));
      }
      written.push(lines.map(write).join('\n'));
    }
  } finally {
    await stage.close();
  }
  const scenes = written.values();
  await writeFile(path, file.text.replace(/^(```example.*?\n).*?^```$/gms, (_, head) => `${head}${scenes.next().value}\n\`\`\``));
}

function write({ who, isSent, kind, frame, code, status, method, path, body, text }) {
  const said = {
    frame: () => format(frame, 104),
    raw: () => text,
    close: () => `close${code ? ` ${code}` : ''}`,
    http: () => (isSent ? `${method} ${path}${body ? ` ${body}` : ''}` : `${status}${frame ? ` ${format(frame, 104)}` : ''}`),
  };
  return `${who} ${isSent ? '→' : '←'} ${said[kind]()}`;
}

for (const path of process.argv.slice(2)) await record(resolve(path));
process.exit(0);
