// Every example of the protocol happens as it is written, and every operation and event has one.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { exampleFiles, shown } from './docs/examples.mjs';
import { events, operations, refusedOperations } from './docs/sources.mjs';
import { Stage } from './docs/stage.mjs';

/** What only the host makes happen, and the test that replays it instead. */
const BY_THE_HOST = { broadcastMessageReceived: '../it/broadcast.rs' };

const files = await exampleFiles();

for (const file of files) {
  test(`the examples of ${file.name} happen as they are written`, async () => {
    const stage = await Stage.open(file);
    try {
      for (const scene of file.scenes) await stage.play(scene);
    } finally {
      await stage.close();
    }
  });
}

test('every operation the broker decodes has an example', async () => {
  const answered = await operations();
  const { ops } = shown(files);
  assert.ok(answered.length > 60 && answered.includes('login') && answered.includes('sendMessage'), `read: ${answered}`);
  assert.deepEqual(answered.filter((name) => !ops.has(name)), [], 'add them to a file in src/protocol/examples');

  const refused = await refusedOperations();
  assert.deepEqual(answered.filter((name) => refused.includes(name)), [], 'both answered and refused');
  const misspelt = ['fly', ...refused];
  assert.deepEqual([...ops.keys()].filter((name) => !answered.includes(name) && !misspelt.includes(name)), []);
});

test('every event the broker sends has an example', async () => {
  const sent = await events();
  const heard = shown(files).events;
  assert.ok(sent.includes('receivePeerMessage') && sent.includes('messagePinStatusChanged'), `read: ${sent}`);
  assert.deepEqual([...heard.keys()].filter((name) => !sent.includes(name)), [], 'heard, but not found in the sources');
  const missing = sent.filter((name) => !heard.has(name) && !(name in BY_THE_HOST));
  assert.deepEqual(missing, [], 'add them to a file in src/protocol/examples');
  for (const [name, test] of Object.entries(BY_THE_HOST)) {
    assert.match(await readFile(new URL(test, import.meta.url), 'utf8'), new RegExp(`"${name}"`));
    assert.ok(files.some(({ text }) => text.includes(`"${name}"`)), `${name} is shown nowhere`);
  }
});

test('what the sources call an operation is one to the broker', async () => {
  const names = (await operations()).filter((name) => !['login', 'logout'].includes(name));
  const asked = names.map((op, id) => ({ who: 'alice', kind: 'frame', isSent: true, frame: { id: id + 1, op, args: {} } }));
  const stage = await Stage.open({ settings: {}, scenes: [{ lines: asked }] });
  try {
    for (const line of asked) await stage.say(line);
    await stage.flush();
    const unknown = stage.takeUnread().filter(({ frame }) => /not an operation|not supported/.test(frame.error?.message));
    assert.deepEqual(unknown.map(({ frame }) => names[frame.id - 1]), []);
  } finally {
    await stage.close();
  }
});
