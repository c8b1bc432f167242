// The list of conversations, long histories, three people, keys, and cables on the demo page.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Clients, sendText } from './clients.mjs';
import { Playground, skip } from './page-kit.mjs';

describe('conversations on the demo page', { skip }, () => {
  let playground;
  let alice;
  let bob;

  before(async () => { playground = await Playground.start(); });
  after(() => playground?.stop());
  afterEach(() => playground.close());

  const begin = async (look) => { [alice, bob] = await playground.openSignedIn(look); };

  test('the newest is first, unread messages are counted, and reading clears them', async () => {
    await begin({ viewport: { width: 1960, height: 900 } });
    const carol = await playground.addThird();
    await carol.start('peer', { 'peer-id': 'alice' });
    await alice.start('peer', { 'peer-id': 'bob' });
    for (const words of ['one', 'two']) await carol.write(words);
    await alice.item('carol').locator('.badge').filter({ hasText: '2' }).waitFor();
    await alice.part('total').filter({ hasText: '2' }).waitFor();
    assert.deepEqual((await alice.root.locator('.item-name').allTextContents()).slice(0, 1), ['carol']);
    assert.match(await alice.item('carol').textContent(), /two/);
    await playground.picture('badges');
    await alice.open('carol');
    await alice.sees('two');
    await alice.item('carol').locator('.badge').waitFor({ state: 'detached' });
    await alice.part('total').waitFor({ state: 'hidden' });
    await alice.start('peer', { 'peer-id': 'bob' });
    await alice.write('to the top');
    await alice.root.locator('.list li:first-child', { hasText: 'bob' }).waitFor();
    // The third one goes again.
    await playground.page.locator('[data-part="add"]').click();
    await carol.root.waitFor({ state: 'detached' });
  });

  test('a long history comes in pages as one scrolls up, in its order', async () => {
    const clients = new Clients(playground.broker);
    const wanda = await clients.login('wanda');
    for (let n = 1; n <= 70; n += 1) await sendText(wanda.zim, 'alice', `line ${n}`);
    clients.destroy();
    await begin();
    await alice.open('wanda');
    await alice.sees('line 70');
    const log = alice.here('log');
    for (let rounds = 0; rounds < 20 && (await alice.words()).length < 70; rounds += 1) {
      const before = (await alice.words()).length;
      await log.evaluate((element) => { element.scrollTop = 0; });
      await playground.page.waitForFunction((n) => document.querySelectorAll('#pane-left .conversation:not([hidden]) .words').length > n, before);
    }
    assert.deepEqual(await alice.words(), Array.from({ length: 70 }, (_, n) => `line ${n + 1}`));
  });

  test('everything can be done with the keys alone', async () => {
    await begin();
    const { keyboard } = playground.page;
    await bob.write('only keys from here');
    await alice.sees('only keys from here');
    await alice.part('new').focus();
    await keyboard.press('Enter');
    await playground.page.locator('dialog.ask').waitFor();
    await keyboard.press('Escape');
    await playground.page.locator('dialog.ask').waitFor({ state: 'detached' });
    // From the button to the list, into the conversation, to its field.
    await keyboard.press('Tab');
    const focused = () => playground.page.evaluate(() => document.activeElement.className || document.activeElement.dataset.part);
    assert.equal(await focused(), 'item');
    await keyboard.press('Enter');
    await alice.bubble('only keys from here').locator('.more').focus();
    await keyboard.press('Enter');
    await alice.root.getByRole('menu').waitFor();
    await keyboard.press('ArrowRight');
    await keyboard.press('Enter');
    await bob.bubble('only keys from here').locator('.reaction').filter({ hasText: '❤️ 1' }).waitFor();
    await keyboard.press('Enter');
    await alice.root.getByRole('menu').waitFor();
    await keyboard.press('Escape');
    await alice.root.getByRole('menu').waitFor({ state: 'detached' });
    assert.equal(await focused(), 'bubble theirs', 'back where it was');
    // Everything that can be pressed or filled has a name.
    const nameless = await playground.page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, [role]')]
      .filter((element) => element.checkVisibility())
      .filter((element) => !(element.ariaLabel || element.textContent.trim() || element.title || element.closest('label') || element.getAttribute('aria-hidden') || ['listbox', 'status'].includes(element.role)))
      .map((element) => element.outerHTML));
    assert.deepEqual(nameless, []);
  });

  test('catches up after the cable was out, in both directions, each message once', async () => {
    await begin();
    await alice.write('before the cut');
    await bob.sees('before the cut');

    await bob.part('cable').click();
    await bob.root.locator('.pill[data-state="3"]').waitFor();
    await alice.write('sent while bob was away');
    await alice.sees('sent while bob was away');
    await bob.write('written without a cable');
    await bob.sees('written without a cable', 'sending');
    assert.equal(await bob.bubble('sent while bob was away').count(), 0);
    assert.equal(await alice.bubble('written without a cable').count(), 0);
    await playground.picture('unplugged');

    await bob.part('cable').click();
    await bob.isConnected();
    await bob.sees('sent while bob was away');
    await bob.sees('written without a cable');
    await alice.sees('written without a cable');
    await playground.picture('plugged-in');
    const [left, right] = [await alice.words(), await bob.words()];
    assert.deepEqual(right, left, 'both see the same order');
    assert.deepEqual(left.slice(-3), ['before the cut', 'sent while bob was away', 'written without a cable']);
  });

  test('a browser that is offline says so, and goes on by itself when it is online', async () => {
    await begin();
    await alice.start('room', { 'new-room-id': 'offline' });
    const context = playground.page.context();
    await context.setOffline(true);
    await alice.root.locator('.pill[data-state="3"]').waitFor();
    await bob.root.locator('.pill[data-state="3"]').waitFor();
    await bob.write('written offline');
    await bob.sees('written offline', 'sending');
    await playground.picture('offline');
    await context.setOffline(false);
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    await bob.sees('written offline');
    await alice.here('members').filter({ hasText: '1 online' }).waitFor();
    await alice.open('bob');
    await alice.sees('written offline');
    // What the browser says of each try without a network.
    playground.complaints = playground.complaints.filter((line) => !/ERR_INTERNET_DISCONNECTED/.test(line));
  });
});
