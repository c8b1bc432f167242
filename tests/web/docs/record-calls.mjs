// Writes the answers of example files of the server API: makes their calls to a real broker and notes what comes back.
//   node --experimental-websocket docs/record-calls.mjs ../../src/http/api/examples/40-users.md
// What an answer that is there already leaves out, is left out again. Read what it wrote before you keep it.

import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { readCalls } from './calls.mjs';
import { Counter, answerText, leaveOut } from './counter.mjs';
import { format } from './frames.mjs';
import { Names } from './names.mjs';

const SETTLE_MS = 300;

async function record(path) {
  const file = await readCalls(path);
  const counter = await Counter.open(file);
  const { stage } = counter;
  const names = new Names(stage.known);
  const written = [];
  const ids = new Map();

  const named = (answer, before) => {
    const body = leaveOut(before?.body, answer.body);
    names.collect(body, stage.known);
    const events = answer.events?.length ? answer.events.map((event) => names.generalise(event, stage.known, '')) : undefined;
    const headers = answer.headers.map((line) => names.generaliseHeader(line));
    return answerText({ ...answer, headers, body: body && names.generalise(body, stage.known, ''), events });
  };
  const heard = () => {
    const all = stage.takeUnread(false);
    for (const { frame } of all) names.collect(frame, stage.known);
    return all.map(({ who, kind, frame, code }) => `${who} ← ${kind === 'close' ? `close ${code}` : format(names.generalise(frame, stage.known, who), 104)}`);
  };
  try {
    for (const scene of file.scenes) {
      const lines = [];
      await sleep(SETTLE_MS);
      stage.takeUnread(true);
      const before = scene.lines.filter(({ kind }) => kind === 'answer');
      for (const line of scene.lines.filter(({ kind, isSent }) => kind === 'call' || isSent)) {
        if (line.kind === 'call') {
          lines.push(`$ ${line.command}`);
          const answer = await counter.ask(line.command);
          if (answer) lines.push(named(answer, before.shift()));
        } else {
          if (line.kind === 'short') {
            const id = (ids.get(line.who) ?? 0) + 1;
            ids.set(line.who, id);
            Object.assign(line, { kind: 'frame', frame: { id, op: line.op, args: line.args } });
          } else if (line.frame) ids.set(line.who, line.frame.id);
          lines.push(`${line.who} → ${line.kind === 'frame' ? format(line.frame, 104) : `close`}`);
          await stage.say(line);
        }
        await sleep(SETTLE_MS);
        lines.push(...heard());
      }
      while (counter.isStreaming) lines.push(named(await counter.streamed(before.shift()?.events?.length ?? 1)));
      written.push(lines.join('\n'));
    }
  } finally {
    await counter.close();
  }
  const scenes = written.values();
  await writeFile(path, file.text.replace(/^```example\n.*?^```$/gms, () => `\`\`\`example\n${scenes.next().value}\n\`\`\``));
}

for (const path of process.argv.slice(2)) {
  console.log(path);
  await record(resolve(path));
}
process.exit(0);
