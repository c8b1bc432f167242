// Writes the ← lines of example files: plays their → lines to a real broker and notes what comes back.
//   node --experimental-websocket docs/record.mjs ../../src/protocol/examples/20-rooms.md
// A → line may be short then: `alice → joinRoom {"roomID":"hall"}`. Read what it wrote before you keep it.

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readExamples } from './examples.mjs';
import { format } from './frames.mjs';
import { Names } from './names.mjs';
import { Stage } from './stage.mjs';

const SETTLE_MS = 300;
const SHORT_TOKEN_MS = 5_000;

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
