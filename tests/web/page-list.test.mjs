// The list of conversations on the demo page: its order, its badges, its options, long histories.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { sendText } from './clients.mjs';
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
    const wanda = await playground.clients.login('wanda');
    for (let n = 1; n <= 70; n += 1) await sendText(wanda.zim, 'alice', `line ${n}`);
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
});
