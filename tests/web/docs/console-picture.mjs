// Makes README's picture of the console, src/web/docs/console.png: a broker with people who talk and a room that is flooded.
//   node --experimental-websocket docs/console-picture.mjs [SECONDS]

import { setTimeout as sleep } from 'node:timers/promises';

import { sendText } from '../clients.mjs';
import { ControlRoom } from '../console-kit.mjs';
import { checkPicture, pictureFile } from './pictures.mjs';

const OUT = pictureFile('console.png');
const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy', 'mallory', 'niaj'];
const ROOM = 1;
const BARRAGE = 20;
const TURN_MS = 250;

const seconds = Number(process.argv[2] ?? 100);
const room = await ControlRoom.start({ TIDINGS_SHED__ROOM_BARRAGES_PER_SECOND: '60', TIDINGS_SHED__ROOM_BARRAGES_BURST: '60' });
try {
  const people = await Promise.all(PEOPLE.map((name) => room.clients.login(name)));
  await Promise.all(people.map(({ zim }) => zim.enterRoom({ roomID: 'stage', roomName: 'The stage' })));
  const page = await room.enter({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });

  const end = Date.now() + seconds * 1000;
  for (let turn = 0; Date.now() < end; turn += 1) {
    const began = Date.now();
    // Comes and goes in waves, so that the lines say something; at its height more than the room's budget.
    const wave = (1 + Math.sin(turn / 16)) / 2;
    const talk = people.slice(0, 3 + Math.round(wave * 4)).map(({ zim }, n) => sendText(zim, PEOPLE[(n + 1) % PEOPLE.length], `words ${turn}`));
    const flood = Array.from({ length: Math.round(4 + wave * 26) }, (_, n) => people[n % people.length].zim
      .sendMessage({ type: BARRAGE, message: 'encore!' }, 'stage', ROOM, { priority: 1 + (n % 3) }));
    await Promise.all([...talk, ...flood]);
    await sleep(Math.max(0, TURN_MS - (Date.now() - began)));
  }

  await page.screenshot({ path: OUT });
  await checkPicture(OUT);
  await room.close();
} finally {
  await room.stop();
}
