// What can be done with messages on the demo page: every kind of them, answers, reactions, receipts, and taking things back.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Playground, fixture, skip } from './page-kit.mjs';

/** Three people, each with list and conversation beside each other. */
const WIDE = { viewport: { width: 1960, height: 900 } };

describe('messages on the demo page', { skip }, () => {
  const playground = Playground.ofSuite();
  let alice;
  let bob;

  const begin = async (look) => { [alice, bob] = await playground.openSignedIn(look); };

  test('what was read is marked, of one and of several readers', async () => {
    await begin(WIDE);
    const carol = await playground.addThird();
    await alice.start('group', { 'new-group-name': 'Readers', members: 'bob, carol' });
    await alice.write('who reads this?');
    await alice.bubble('who reads this?').locator('.state').filter({ hasText: 'Sent' }).waitFor();
    await bob.open('Readers');
    await alice.bubble('who reads this?').locator('.state').filter({ hasText: 'Read by 1 of 2' }).waitFor();
    await carol.open('Readers');
    await alice.bubble('who reads this?').locator('.state').filter({ hasText: 'Read by 2 of 2' }).waitFor();
    await playground.picture('three-readers');
    const colour = (person) => person.bubble('who reads this?').evaluate((bubble) => getComputedStyle(bubble).backgroundColor);
    assert.equal(await colour(bob), await colour(carol), 'alice has one colour everywhere');
    await alice.start('peer', { 'peer-id': 'bob' });
    await alice.write('and you?');
    await alice.bubble('and you?').locator('.state').filter({ hasText: 'Sent' }).waitFor();
    await bob.open('alice');
    await alice.bubble('and you?').locator('.state').filter({ hasText: /Read$/ }).waitFor();
  });

  test('answers quote what they answer, and lead to it', async () => {
    await begin();
    await alice.write('Tea or coffee?');
    await bob.sees('Tea or coffee?');
    await bob.menu('Tea or coffee?', 'Reply');
    await bob.here('context-words').filter({ hasText: 'Tea or coffee?' }).waitFor();
    await bob.write('Tea, please');
    await alice.bubble('Tea, please').locator('.quote').filter({ hasText: 'alice: Tea or coffee?' }).click();
    await alice.chat.locator('.bubble.found', { hasText: 'Tea or coffee?' }).first().waitFor();
    await alice.chat.locator('.bubble', { hasText: 'Replies: 1' }).waitFor();
    assert.equal(await bob.here('context').isHidden(), true);
    await playground.picture('reply');
  });

  test('reactions come and go on both sides', async () => {
    await begin();
    await alice.write('We won!');
    await bob.sees('We won!');
    await bob.menu('We won!', '🎉');
    await alice.bubble('We won!').locator('.reaction').filter({ hasText: '🎉 1' }).waitFor();
    await alice.bubble('We won!').locator('.reaction').click();
    await bob.bubble('We won!').locator('.reaction').filter({ hasText: '🎉 2' }).waitFor();
    await playground.picture('reactions');
    await bob.bubble('We won!').locator('.reaction').click();
    await alice.bubble('We won!').locator('.reaction').filter({ hasText: '🎉 1' }).waitFor();
    await alice.bubble('We won!').locator('.reaction').click();
    await bob.bubble('We won!').locator('.reaction').waitFor({ state: 'detached' });
  });

  test('a message is corrected, pinned, taken back, deleted for oneself', async () => {
    await begin();
    await alice.write('Meet at nien');
    await bob.sees('Meet at nien');
    await alice.menu('Meet at nien', 'Edit');
    assert.equal(await alice.here('text').inputValue(), 'Meet at nien');
    await alice.write('Meet at nine');
    await bob.bubble('Meet at nine').filter({ hasText: 'Edited' }).waitFor();
    await alice.bubble('Meet at nine').locator('.state').filter({ hasText: /Read$/ }).waitFor();
    await bob.menu('Meet at nine', 'Pin');
    await alice.here('pinned').filter({ hasText: 'Meet at nine' }).waitFor();
    await playground.picture('pinned');
    await bob.write('pinned later');
    await alice.sees('pinned later');
    await alice.menu('pinned later', 'Pin');
    await bob.here('pinned').filter({ hasText: /2 · pinned later/ }).waitFor();
    await bob.menu('pinned later', 'Unpin');
    await alice.here('pinned').filter({ hasText: 'Meet at nine' }).waitFor();
    await alice.write('a slip of the tongue');
    await bob.sees('a slip of the tongue');
    await alice.menu('a slip of the tongue', 'Take back');
    await bob.chat.locator('.bubble.gone', { hasText: 'alice took a message back' }).waitFor();
    await bob.item('alice').locator('.item-words').filter({ hasText: 'alice took a message back' }).waitFor();
    await bob.menu('Meet at nine', 'Unpin');
    await alice.here('pinned').waitFor({ state: 'hidden' });
    await bob.menu('Meet at nine', 'Delete for me');
    await bob.bubble('Meet at nine').waitFor({ state: 'detached' });
    await alice.sees('Meet at nine');
  });

  test('a poll is asked, answered once by each, and counted everywhere', async () => {
    await begin(WIDE);
    const carol = await playground.addThird();
    await alice.start('group', { 'new-group-name': 'Voters', members: 'bob, carol' });
    await alice.here('poll').click();
    const dialog = playground.page.locator('dialog.ask');
    await dialog.locator('[data-part="question"]').fill('Where to?');
    await dialog.locator('[data-part="poll-options"]').fill('Sea\nSea');
    await dialog.locator('[data-part="ask"]').click();
    assert.match(await dialog.locator('[data-part="poll-options"]').evaluate((field) => field.validationMessage), /Between 2 and 8/);
    await dialog.locator('[data-part="cancel"]').click();
    await alice.poll('Where to?', ['Sea', 'Mountains', '']);
    for (const person of [bob, carol]) await person.open('Voters');
    const option = (person, name) => person.chat.locator('.option', { hasText: name });
    await option(bob, 'Sea').click();
    await option(carol, 'Sea').click();
    await option(alice, 'Sea').locator('.count').filter({ hasText: '2' }).waitFor();
    await option(carol, 'Mountains').click();
    for (const person of [alice, bob, carol]) {
      await option(person, 'Sea').locator('.count').filter({ hasText: '1' }).waitFor();
      await option(person, 'Mountains').locator('.count').filter({ hasText: '1' }).waitFor();
      await person.chat.locator('.poll-total').filter({ hasText: 'Votes: 2' }).waitFor();
    }
    assert.equal(await option(bob, 'Sea').getAttribute('aria-pressed'), 'true');
    await bob.item('Voters').locator('.item-words').filter({ hasText: '[Poll] Where to?' }).waitFor();
    await playground.picture('poll');
  });

  test('messages are passed on as one, opened, one within the other; and one by one', async () => {
    await begin();
    await alice.write('first of all');
    await alice.write('second to none');
    await alice.sees('second to none');
    await bob.sees('second to none');
    const forward = async (count, how) => {
      await alice.here('picked').filter({ hasText: `${count} selected` }).waitFor();
      await alice.here('pick-forward').click();
      const dialog = playground.page.locator('dialog.ask');
      await dialog.locator('label', { hasText: 'bob' }).click();
      await dialog.getByRole('button', { name: how }).click();
    };
    await alice.menu('first of all', 'Select to forward');
    await alice.bubble('second to none').locator('.pick').check();
    await playground.picture('picking');
    await forward(2, 'As one');
    await bob.chat.locator('.combined', { hasText: 'Messages: 2' }).waitFor();
    await alice.chat.locator('.bubble[data-state="sent"] .combined').waitFor();
    await alice.chat.locator('.bubble', { has: playground.page.locator('.combined') }).hover();
    await alice.chat.locator('.bubble', { has: playground.page.locator('.combined') }).locator('.more').click();
    await alice.root.getByRole('menuitem', { name: 'Select to forward' }).click();
    await forward(1, 'As one');
    const outer = bob.chat.locator('.combined', { hasText: 'Messages: 1' });
    await outer.click();
    const viewer = playground.page.locator('dialog.history');
    await viewer.locator('.combined').click();
    await viewer.last().getByText('second to none').waitFor();
    await playground.picture('combined');
    await playground.page.keyboard.press('Escape');
    await playground.page.keyboard.press('Escape');
    await viewer.first().waitFor({ state: 'detached' });
    await alice.menu('first of all', 'Select to forward');
    await forward(1, 'One by one');
    await playground.page.waitForFunction(() => [...document.querySelectorAll('#pane-right .words')].filter(({ textContent }) => textContent === 'first of all').length === 2);
  });

  test('a mention is chosen while writing, and stands out until it is read', async () => {
    await begin();
    await alice.start('group', { 'new-group-name': 'Mentions', members: 'bob' });
    await alice.here('text').pressSequentially('hey @b');
    await alice.here('mentions').locator('[role="option"]', { hasText: '@bob' }).waitFor();
    await playground.picture('mention-choice');
    await alice.here('text').press('Enter');
    assert.equal(await alice.here('text').inputValue(), 'hey @bob ');
    await alice.here('text').pressSequentially('look');
    await alice.here('text').press('Enter');
    await bob.item('Mentions').locator('.at').waitFor();
    await bob.item('Mentions').locator('.badge').filter({ hasText: '1' }).waitFor();
    await playground.picture('mentioned');
    await bob.open('Mentions');
    await bob.chat.locator('.bubble.to-me', { hasText: 'hey @bob look' }).waitFor();
    await bob.item('Mentions').locator('.at').waitFor({ state: 'detached' });
    await alice.here('text').pressSequentially('and @ev');
    await alice.here('text').press('Tab');
    await alice.here('text').press('Enter');
    await bob.chat.locator('.bubble.to-me', { hasText: 'and @everyone' }).waitFor();
  });

  test('pictures, sounds, films and files are chosen, dropped, shown, opened and taken by the other side', async () => {
    await begin();
    const { page } = playground;
    const input = alice.here('file');
    await input.setInputFiles([fixture('turned.jpg'), fixture('cbr.mp3'), fixture('make.sh')]);
    const shown = (person, selector) => person.chat.locator(`.bubble[data-state="sent"] ${selector}`);
    for (const person of [alice, bob]) {
      await shown(person, '.picture img').first().waitFor();
      await shown(person, 'audio').first().waitFor();
      await shown(person, '.chip').first().waitFor();
    }
    const thumbnail = await shown(bob, '.picture img').first().elementHandle();
    await page.waitForFunction((image) => image.complete && image.naturalWidth === 198 && image.naturalHeight === 264, thumbnail);
    assert.match(await shown(bob, '.chip').first().textContent(), /^SHmake\.sh\d\.\d KB↓$/);
    await playground.picture('files');
    await shown(bob, '.picture').first().click();
    const large = await page.locator('dialog.viewer img').elementHandle();
    await page.waitForFunction((image) => image.complete && image.naturalWidth === 300, large);
    await playground.picture('files-large');
    await page.keyboard.press('Escape');
    await page.locator('dialog.viewer').waitFor({ state: 'detached' });
    // A film: its first picture is made here and goes up with it.
    await input.setInputFiles(fixture('vp9.mp4'));
    const film = shown(bob, 'video').first();
    await film.waitFor();
    const poster = await film.getAttribute('poster');
    assert.match(poster, /\/frame\?token=/);
    assert.equal((await page.request.get(poster)).headers()['content-type'], 'image/jpeg');
    // Dropped onto the conversation, large enough for its progress to be seen.
    await page.evaluate(() => {
      const chat = document.querySelector('#pane-left .conversation:not([hidden])');
      const dropped = new DataTransfer();
      dropped.items.add(new File([new Uint8Array(12_000_000)], 'large.bin'));
      window.progressSeen = [];
      new MutationObserver(() => {
        const bar = chat.querySelector('.bubble:last-child progress');
        if (bar && !bar.hidden) window.progressSeen.push(bar.value / bar.max);
      }).observe(chat, { subtree: true, attributes: true, childList: true });
      chat.dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true }));
    });
    await bob.chat.locator('.chip', { hasText: 'large.bin' }).waitFor();
    const seen = await page.evaluate(() => window.progressSeen);
    assert.ok(seen.some((some) => some > 0 && some < 1) && seen.every((some, n) => n === 0 || some >= seen[n - 1]), `${seen}`);
    await playground.picture('files-all');
  });

  test('what is recorded is sent as audio', async () => {
    await begin({ permissions: ['microphone'] });
    const button = alice.here('record');
    // Hidden where the browser records nothing that others can play.
    await button.waitFor();
    await button.click();
    await alice.chat.locator('[data-part="record"][aria-pressed="true"]').waitFor();
    await alice.here('clock').filter({ hasText: '0:01' }).waitFor();
    await button.click();
    await bob.chat.locator('.bubble[data-state="sent"] audio[aria-label="recording.m4a"]').waitFor();
  });
});
