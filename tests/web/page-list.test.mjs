// The list of conversations on the demo page: its order, its badges, its options, long histories.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { sendText } from './clients.mjs';
import { Playground, skip } from './page-kit.mjs';

describe('conversations on the demo page', { skip }, () => {
  const playground = Playground.ofSuite();
  let alice;
  let bob;

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

  test('the conversation that is open never has a badge, not even for a moment', async () => {
    await begin();
    await bob.item('alice').waitFor();
    await playground.page.evaluate(() => {
      window.badges = 0;
      const list = document.querySelector('#pane-right .list');
      const look = () => { window.badges += list.querySelectorAll('[aria-current] .badge').length; };
      new MutationObserver(() => requestAnimationFrame(look)).observe(list, { subtree: true, childList: true });
    });
    for (const words of ['one', 'two', 'three']) {
      await alice.write(words);
      await bob.sees(words);
      await bob.item('alice').locator('.item-words').filter({ hasText: words }).waitFor();
    }
    assert.equal(await playground.page.evaluate(() => window.badges), 0);
  });

  test('a conversation is pinned to the top, muted, taken off the list, and comes back', async () => {
    const zack = await playground.clients.login('zack');
    await begin();
    await alice.write('bob is pinned');
    await alice.options('Pin to the top');
    await alice.item('bob').locator('[aria-label="Pinned"]').waitFor();
    await sendText(zack.zim, 'alice', 'newer, and below');
    await alice.item('zack').waitFor();
    assert.deepEqual((await alice.root.locator('.item-name').allTextContents()).slice(0, 2), ['bob', 'zack']);
    await alice.open('zack');
    await alice.options('Mute');
    await alice.item('zack').locator('[aria-label="Silent"]').waitFor();
    await alice.open('bob');
    const total = alice.part('total');
    const before = await total.isVisible() ? await total.textContent() : '';
    await sendText(zack.zim, 'alice', 'in silence');
    await alice.item('zack').locator('.badge').filter({ hasText: '1' }).waitFor();
    assert.equal(await total.isVisible() ? await total.textContent() : '', before, 'the silent do not count in the total');
    await playground.picture('pinned-muted');
    await alice.open('zack');
    await alice.options('Unmute');
    await alice.item('zack').locator('[aria-label="Silent"]').waitFor({ state: 'detached' });
    await alice.options('Take off the list');
    await alice.item('zack').waitFor({ state: 'detached' });
    await sendText(zack.zim, 'alice', 'back again');
    await alice.item('zack').locator('.item-words').filter({ hasText: 'back again' }).waitFor();
    await alice.open('bob');
    await alice.options('Unpin from the top');
    await alice.item('bob').locator('[aria-label="Pinned"]').waitFor({ state: 'detached' });
    await sendText(zack.zim, 'alice', 'now on top');
    await alice.root.locator('.list li:first-child', { hasText: 'now on top' }).waitFor();
  });

  test('a group is joined by its ID, tells who comes and goes, and is left', async () => {
    await begin();
    await alice.start('group', { 'new-group-name': 'Open house', members: '' });
    await alice.write('come in');
    const groupID = await alice.here('subtitle').textContent();
    await bob.start('join', { 'group-id': groupID });
    await bob.here('title').filter({ hasText: 'Open house' }).waitFor();
    await bob.write('here I am');
    await alice.sees('here I am');
    await bob.options('Leave the group');
    await bob.here('outside').filter({ hasText: 'not in this group' }).waitFor();
    assert.equal(await bob.here('text').isVisible(), false);
    await alice.write('gone already?');
    await alice.sees('gone already?');
    assert.equal(await bob.bubble('gone already?').count(), 0);
    await bob.part('new').click();
    const dialog = playground.page.locator('dialog.ask');
    await dialog.locator('input[value="join"]').check();
    await dialog.locator('[data-part="group-id"]').fill('no-such-group');
    await dialog.locator('[data-part="start"]').click();
    await bob.root.locator('.toast').filter({ hasText: 'no such group' }).waitFor();
  });

  test('a long history comes in pages as one scrolls up, in its order; quotes are found however far back', async () => {
    const wanda = await playground.clients.login('wanda');
    const sent = [];
    for (let n = 1; n <= 70; n += 1) sent.push((await sendText(wanda.zim, 'alice', `line ${n}.`)).message);
    await begin();
    await alice.open('wanda');
    await alice.sees('line 70.');
    while ((await alice.words()).length < 70) await alice.scrollUp();
    assert.deepEqual(await alice.words(), Array.from({ length: 70 }, (_, n) => `line ${n + 1}.`));
    await wanda.zim.replyMessage({ type: 1, message: 'about the second' }, sent[1], { priority: 1 });
    await playground.page.reload();
    await alice.isConnected();
    await alice.open('wanda');
    await alice.sees('about the second');
    assert.equal(await alice.bubble('line 2.').count(), 0);
    await alice.bubble('about the second').locator('.quote').click();
    await alice.chat.locator('.bubble:focus', { hasText: 'line 2.' }).waitFor();
    await wanda.zim.revokeMessage(sent[1]);
    await alice.bubble('about the second').locator('.quote').filter({ hasText: 'taken back' }).waitFor();
  });

  test('a message counts as read when it comes into sight', async () => {
    const xena = await playground.clients.login('xena');
    for (let n = 1; n <= 28; n += 1) await xena.zim.sendMessage({ type: 1, message: `line ${n}.` }, 'bob', 0, { priority: 1, hasReceipt: true });
    await begin();
    await bob.open('xena');
    await bob.sees('line 28.');
    const read = () => xena.ears.of('messageReceiptChanged').flatMap(({ infos }) => infos).length;
    await xena.ears.until('what bob sees', () => read() >= 10);
    assert.ok(read() < 28, `${read()} were read`);
    await bob.here('log').evaluate((log) => { log.scrollTop = 0; });
    await xena.ears.until('all of them', () => read() >= 28);
  });
});
