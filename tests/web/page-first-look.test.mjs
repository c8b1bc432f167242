// The demo page at first sight: a lobby that is alive, a flood whose drops can be seen, a second window, names that are taken.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Playground, skip } from './page-kit.mjs';

const LOBBY = { lobby: true };

describe('the demo page at first sight', { skip }, () => {
  const playground = Playground.ofSuite();

  /** How many barrages the broker was sent, by its own metrics. */
  async function barragesTaken() {
    const text = await (await fetch(`${playground.broker.server}/metrics`, { headers: { accept: 'text/plain;version=0.0.4' } })).text();
    const line = text.split('\n').find((one) => one.startsWith('tidings_messages_accepted_total{class="barrage"}'));
    return Number(line?.split(' ').at(-1) ?? 0);
  }

  test('one is in the lobby, where barrages fly that the page makes up until somebody writes', async () => {
    const [alice, bob] = await playground.openSignedIn(LOBBY);
    await alice.here('title').filter({ hasText: 'lobby' }).waitFor();
    await alice.here('made-up').filter({ hasText: 'Made up by this page' }).waitFor();
    await alice.here('stage').locator('.shot').nth(1).waitFor();
    await bob.here('title').filter({ hasText: 'alice' }).waitFor();
    assert.equal(await alice.count('accepted'), 0);
    assert.equal(await barragesTaken(), 0, 'no broker hears of them');
    await playground.picture('first-minute');
    await bob.open('lobby');
    await bob.here('made-up').waitFor();
    await bob.here('barrage-text').fill('the first real one');
    await bob.here('barrage-text').press('Enter');
    await alice.here('stage').locator('.shot', { hasText: 'the first real one' }).waitFor();
    for (const person of [alice, bob]) await person.here('made-up').waitFor({ state: 'hidden' });
    await bob.countsMoreThan('accepted', 0);
    assert.equal(await barragesTaken(), 1);
  });

  test('the button floods the room beyond its budget, and what is dropped is counted, the lowest priority first', async () => {
    const [alice, bob] = await playground.openSignedIn(LOBBY);
    await alice.here('flood').click();
    for (const person of [alice, bob]) await person.item('lobby').waitFor();
    await bob.open('lobby');
    for (const person of [alice, bob]) {
      await person.countsMoreThan('accepted', 1000);
      await person.countsMoreThan('delivered', 500);
      await person.countsMoreThan('dropped', 100, ['low']);
    }
    await playground.picture('flood');
    await bob.here('flood').click();
    for (const person of [alice, bob]) {
      await person.here('flood').filter({ hasText: 'Flood the room' }).waitFor();
      assert.equal(await person.here('rate').inputValue(), '0');
      assert.ok((await person.count('dropped', ['low'])) >= (await person.count('dropped', ['high'])));
    }
    const most = Number(await alice.here('rate').getAttribute('max'));
    assert.equal(most, 2000, 'the slider reaches beyond what a room passes on, 1,000 by default');
  });

  test('the lobby that was left stays left in this tab', async () => {
    const [alice] = await playground.openSignedIn(LOBBY);
    await alice.here('leave').click();
    await alice.item('lobby').waitFor({ state: 'detached' });
    await playground.page.reload();
    await alice.isConnected();
    await alice.here('title').filter({ hasText: 'bob' }).waitFor();
    assert.equal(await alice.item('lobby').count(), 0);
  });

  test('without demo tokens nothing is made up', async () => {
    const strict = await startBroker({ TIDINGS_AUTH__SECRET: 'a secret that somebody has configured' });
    try {
      const [alice] = await playground.open(LOBBY, `${strict.server}/`);
      await alice.part('token').fill(await strict.token('alice'));
      await alice.part('enter').click();
      await alice.isConnected();
      await alice.start('room', {});
      await alice.here('members').filter({ hasText: '1 online' }).waitFor();
      assert.equal(await alice.here('made-up').isVisible(), false);
      assert.equal(await alice.here('stage').locator('.shot').count(), 0);
      await playground.page.close();
    } finally {
      await strict.stop();
    }
    playground.complaints = playground.complaints.filter((line) => !line.includes('404'));
  });

  test('a second window has people of its own and ends no session of the first', async () => {
    const [alice, bob] = await playground.openSignedIn();
    const first = playground.page;
    const [carol, dave] = await playground.openIn(first.context());
    await Promise.all([carol.isConnected(), dave.isConnected()]);
    const names = await Promise.all([carol, dave].map((person) => person.part('name').textContent()));
    assert.deepEqual(names.sort(), ['carol', 'dave']);
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    // Loaded anew, each tab has its own people again.
    await playground.page.reload();
    await Promise.all([carol.isConnected(), dave.isConnected()]);
    assert.deepEqual((await Promise.all([carol, dave].map((person) => person.part('name').textContent()))).sort(), names);
    await first.reload();
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    assert.deepEqual(await Promise.all([alice, bob].map((person) => person.part('name').textContent())), ['alice', 'bob']);
  });

  test('who is there by another program is not taken for it, and a name can be insisted on', async () => {
    const { zim } = await playground.clients.login('bob');
    const [alice, other] = await playground.openSignedIn();
    assert.equal(await other.part('name').textContent(), 'carol');
    await alice.part('signout').click();
    await alice.part('user').fill('bob');
    await alice.part('enter').click();
    await alice.part('signin-error').filter({ hasText: 'bob is signed in in another window. How about alice?' }).waitFor();
    assert.equal(await alice.part('user').inputValue(), 'alice');
    await playground.picture('name-taken');
    const ended = new Promise((resolve) => { zim.on('connectionStateChanged', (_, { state, event }) => state === 0 && resolve(event)); });
    await alice.part('user').fill('bob');
    await alice.part('enter').click();
    await alice.isConnected();
    assert.equal(await alice.part('name').textContent(), 'bob');
    assert.equal(await ended, 4, 'kicked out');
  });

  test('who is signed out by another window is told so, and offered another name', async () => {
    const [alice] = await playground.openSignedIn();
    await playground.clients.login('alice');
    await alice.part('signin-error').filter({ hasText: /Signed in as alice somewhere else: this session ended. \w+ is free./ }).waitFor();
    assert.notEqual(await alice.part('user').inputValue(), 'alice');
    await alice.part('enter').click();
    await alice.isConnected();
  });

  test('people of one page find each other in the list before they have written', async () => {
    const [alice, bob] = await playground.openSignedIn(LOBBY);
    await alice.item('bob').locator('.avatar.online').waitFor();
    await alice.open('bob');
    await alice.write('there you are');
    await bob.sees('there you are');
  });
});

