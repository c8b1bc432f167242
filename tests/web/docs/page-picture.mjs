// Makes README's picture of the page, src/web/docs/page.png: two people, one in the lobby, one in a conversation. Needs ffmpeg.
//   node --experimental-websocket docs/page-picture.mjs

import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import { Playground } from '../page-kit.mjs';
import { checkPicture, pictureFile } from './pictures.mjs';

const OUT = pictureFile('page.png');
const FLYING_MS = 2500;

const playground = await Playground.start();
try {
  const [alice, bob] = await playground.openSignedIn({ lobby: true, viewport: { width: 1280, height: 820 }, colorScheme: 'light' });
  await bob.write('Are you coming to the concert tonight?');
  await alice.item('bob').locator('.badge').waitFor();
  await alice.open('bob');
  await alice.write('Already in the lobby! The stream starts at nine: https://example.org/live');
  await bob.sees('Already in the lobby!');
  await bob.menu('Already in the lobby!', 'Reply');
  await bob.write('See you there');
  await alice.sees('See you there');
  await bob.poll('What should they play first?', ['The new one', 'The old one']);
  await alice.chat.locator('.option', { hasText: 'The old one' }).click();
  await bob.chat.locator('.option', { hasText: 'The old one' }).locator('.count').filter({ hasText: '1' }).waitFor();
  await bob.start('group', { 'new-group-name': 'Concert night', members: 'alice' });
  await bob.open('alice');
  await alice.open('lobby');
  await alice.here('flood').click();
  await alice.countsMoreThan('dropped', 100, ['low']);
  await sleep(FLYING_MS);
  await playground.page.mouse.move(0, 0);
  await playground.page.evaluate(() => document.activeElement.blur());
  const shot = await playground.page.screenshot();
  // As 256 colours, which halves it.
  const colours = 'split[one][other];[one]palettegen[colours];[other][colours]paletteuse=dither=none';
  execFileSync('ffmpeg', ['-loglevel', 'error', '-y', '-f', 'png_pipe', '-i', '-', '-vf', colours, '-frames:v', '1', '-update', '1', OUT], { input: shot });
  await checkPicture(OUT);
  await playground.close();
} finally {
  await playground.stop();
}
