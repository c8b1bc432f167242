// The demo page for everybody: keys alone, screen readers, contrast, little motion, small phones, both languages.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { sendText } from './clients.mjs';
import { contrastsBelow } from './page-contrast.mjs';
import { Playground, skip } from './page-kit.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

describe('the demo page for everybody', { skip }, () => {
  const playground = Playground.ofSuite();
  let alice;
  let bob;

  const begin = async (look) => { [alice, bob] = await playground.openSignedIn(look); };
  const focused = () => playground.page.evaluate(() => {
    const { dataset, classList, role } = document.activeElement;
    return dataset.part ?? (role === 'menuitem' ? document.activeElement.textContent : classList[0]);
  });

  test('everything can be done with the keys alone', async () => {
    await begin();
    const { keyboard } = playground.page;
    await bob.write('only keys from here');
    await alice.sees('only keys from here');
    // The list may hear of the message after the conversation does.
    await alice.root.locator('.item').first().waitFor();
    await alice.part('new').focus();
    await keyboard.press('Enter');
    await playground.page.locator('dialog.ask').waitFor();
    await keyboard.press('Escape');
    await playground.page.locator('dialog.ask').waitFor({ state: 'detached' });
    assert.equal(await focused(), 'new', 'back where it was');
    // From the button over the search to the list, into the conversation, to its field.
    await keyboard.press('Tab');
    assert.equal(await focused(), 'search');
    await keyboard.press('Tab');
    assert.equal(await focused(), 'item');
    await keyboard.press('Enter');
    assert.equal(await focused(), 'text');
    // To the newest message, to what can be done to it, and back.
    await keyboard.press('ArrowUp');
    assert.equal(await focused(), 'bubble');
    await keyboard.press('Enter');
    assert.equal(await focused(), '👍');
    await keyboard.press('ArrowRight');
    await keyboard.press('Enter');
    await bob.bubble('only keys from here').locator('.reaction').filter({ hasText: '❤️ 1' }).waitFor();
    await keyboard.press('Enter');
    await keyboard.press('End');
    assert.equal(await focused(), 'Delete for me');
    await keyboard.press('Escape');
    assert.equal(await focused(), 'bubble');
    await alice.root.getByRole('menu').waitFor({ state: 'detached' });
    await keyboard.press('Enter');
    for (let n = 0; n < 6; n += 1) await keyboard.press('ArrowDown');
    assert.equal(await focused(), 'Reply');
    await keyboard.press('Enter');
    assert.equal(await focused(), 'text');
    await keyboard.type('answered');
    await keyboard.press('Enter');
    await bob.bubble('answered').locator('.quote').waitFor();
    // A pile of messages is one stop, and the arrows walk through it.
    await keyboard.press('ArrowUp');
    await keyboard.press('ArrowUp');
    assert.match(await playground.page.evaluate(() => document.activeElement.ariaLabel), /^bob: only keys/);
    await keyboard.press('Escape');
    assert.equal(await focused(), 'text');
  });

  test('everything that can be pressed or filled has a name, and every name is its own', async () => {
    await begin();
    await alice.write('a message with a menu');
    await bob.start('room', { 'new-room-id': 'names' });
    const { page } = playground;
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, [role]')]
      .filter((element) => element.checkVisibility() && !['listbox', 'status'].includes(element.role))
      .filter((element) => !(element.ariaLabel || element.textContent.trim() || element.title || element.closest('label') || element.ariaHidden))
      .map((element) => element.outerHTML));
    assert.deepEqual(nameless, []);
    const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length);
    for (const name of ['Chats of alice', 'Chats of bob']) await page.getByRole('navigation', { name, exact: true }).waitFor();
    for (const name of ['alice', 'bob']) await page.getByRole('region', { name, exact: true }).waitFor();
    await page.getByRole('log', { name: 'Messages' }).first().waitFor();
  });

  test('what arrives is read out once, and what changes is not read out again', async () => {
    await begin();
    await alice.write('listen to this');
    const heard = bob.part('heard');
    await heard.filter({ hasText: 'bob hears alice: listen to this' }).waitFor({ state: 'attached' });
    await heard.evaluate((line) => {
      window.changes = 0;
      new MutationObserver(() => { window.changes += 1; }).observe(line, { childList: true, characterData: true, subtree: true });
    });
    await alice.menu('listen to this', '🎉');
    await bob.bubble('listen to this').locator('.reaction').waitFor();
    assert.equal(await playground.page.evaluate(() => window.changes), 0);
    await bob.write('what one says oneself is not news');
    await alice.part('heard').filter({ hasText: 'alice hears bob' }).waitFor({ state: 'attached' });
    assert.equal(await playground.page.evaluate(() => window.changes), 0);
  });

  test('a menu stays while its message changes, and goes when one presses beside it', async () => {
    const pia = await playground.clients.login('pia');
    await begin();
    await alice.start('peer', { 'peer-id': 'pia' });
    await alice.write('changes under the menu');
    const bubble = alice.bubble('changes under the menu');
    await alice.sees('changes under the menu');
    await bubble.hover();
    await bubble.locator('.more').click();
    const menu = alice.root.getByRole('menu');
    await menu.waitFor();
    // Beside it there came that alice was typing.
    const received = await pia.ears.until('the message', (ears) => ears.messages('receivePeerMessage').find(({ type }) => type === 1));
    await pia.zim.addMessageReaction('🎉', received);
    await bubble.locator('.reaction').waitFor();
    await playground.picture('menu');
    await alice.choose('Pin');
    await alice.here('pinned').filter({ hasText: 'changes under the menu' }).waitFor();
    await alice.here('options').click();
    await menu.waitFor();
    await alice.here('title').click();
    await menu.waitFor({ state: 'detached' });
    await alice.here('options').click();
    await menu.waitFor();
    await alice.here('options').click();
    await menu.waitFor({ state: 'detached' });
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`every text stands out enough from what is behind it, ${colorScheme}`, async () => {
      const stranger = await playground.clients.login('stranger');
      await sendText(stranger.zim, 'alice', 'hello from outside');
      await begin({ colorScheme, viewport: { width: 1680, height: 900 } });
      await alice.write(`mine, theirs, ${colorScheme}`);
      await bob.sees(`mine, theirs, ${colorScheme}`);
      await bob.menu(`mine, theirs, ${colorScheme}`, 'Reply');
      await bob.write(`a ${colorScheme} answer`);
      await alice.sees(`a ${colorScheme} answer`);
      await alice.menu(`a ${colorScheme} answer`, '😂');
      await bob.chat.locator('.reaction').first().waitFor();
      await bob.poll(`Which, ${colorScheme}?`, ['This', 'That']);
      const option = (person) => person.chat.locator('.poll', { hasText: `Which, ${colorScheme}?` }).locator('.option', { hasText: 'This' });
      await option(alice).click();
      await option(bob).locator('.count').filter({ hasText: '1' }).waitFor();
      await bob.write('to be taken back');
      await bob.sees('to be taken back');
      await bob.menu('to be taken back', 'Take back');
      await alice.item('bob').locator('.item-words').filter({ hasText: 'took a message back' }).waitFor();
      await bob.options('Pin to the top');
      await bob.item('alice').locator('.mark').first().waitFor();
      await bob.here('options').click();
      await playground.picture(`everything-${colorScheme}`);
      assert.deepEqual(await contrastsBelow(playground.page, 4.5), []);
      await bob.choose('Unpin from the top');
      await bob.item('alice').locator('.mark').waitFor({ state: 'detached' });
      await alice.start('peer', { 'peer-id': 'nobody-at-all' });
      await alice.write('to nobody');
      await alice.sees('to nobody', 'failed');
      await bob.start('room', { 'new-room-id': 'contrast' });
      await bob.part('cable').click();
      await bob.isAway();
      assert.deepEqual(await contrastsBelow(playground.page, 4.5), []);
      await bob.part('signout').click();
      await alice.part('new').click();
      await playground.page.locator('dialog.ask').waitFor();
      await playground.picture(`new-${colorScheme}`);
      assert.deepEqual(await contrastsBelow(playground.page, 4.5), []);
    });
  }

  test('who wants little motion sees barrages stand still', async () => {
    await begin({ reducedMotion: 'reduce' });
    await alice.start('room', { 'new-room-id': 'calm' });
    await alice.here('members').filter({ hasText: '1 online' }).waitFor();
    await alice.here('barrage-text').fill('stands still');
    await alice.here('barrage-text').press('Enter');
    const shot = alice.here('stage').locator('.shot.still');
    await shot.waitFor();
    const moves = await shot.evaluate((element) => element.getAnimations().some((flight) => flight.effect.getKeyframes().some(({ transform }) => transform && transform !== 'none')));
    assert.equal(moves, false);
  });

  test('nothing sticks out of a small phone, in either language, wherever one is', async () => {
    await begin({ ...PHONE, viewport: { width: 320, height: 640 } });
    const { page } = playground;
    const fits = async (where) => {
      const out = await page.evaluate(() => [...document.querySelectorAll('button, input, select, output, .bubble, .pill, .counters, h2, h3')]
        .filter((element) => element.checkVisibility() && !element.closest('.stage, .unseen'))
        .filter((element) => {
          const [inner, outer] = [element, element.closest('dialog, .pane, .top')].map((one) => one.getBoundingClientRect());
          return inner.right > outer.right + 1 || inner.left < outer.left - 1;
        })
        .map((element) => element.outerHTML.slice(0, 120)));
      assert.deepEqual(out, [], where);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, where);
    };
    for (const language of ['en', 'zh']) {
      await alice.write(`a long word ${'abcdefghij'.repeat(9)}`);
      await fits(`conversation ${language}`);
      await alice.bubble('a long word').last().locator('.more').tap();
      await alice.root.getByRole('menu').waitFor();
      await playground.picture(`small-menu-${language}`);
      await fits(`menu ${language}`);
      await page.keyboard.press('Escape');
      await alice.here('back').tap();
      await alice.start('room', { 'new-room-id': `small-${language}` });
      await fits(`room ${language}`);
      await playground.picture(`small-room-${language}`);
      await alice.here('back').tap();
      await fits(`list ${language}`);
      await alice.part('new').tap();
      await fits(`new ${language}`);
      await playground.picture(`small-new-${language}`);
      await page.keyboard.press('Escape');
      await alice.open('bob');
      await playground.tool('language');
    }
  });

  test('a phone shows the third person too, by its switch', async () => {
    await begin(PHONE);
    const carol = await playground.addThird();
    await carol.start('peer', { 'peer-id': 'alice' });
    await carol.write('me, too');
    const toAlice = playground.page.locator('[data-part="switch"] [data-side="left"]');
    await toAlice.locator('.badge').waitFor();
    await toAlice.tap();
    await alice.here('back').tap();
    await playground.picture('phone-third');
    await alice.open('carol');
    await alice.sees('me, too');
    await alice.here('back').tap();
    await alice.item('carol').waitFor();
    assert.equal(await alice.item('carol').locator('.badge').count(), 0);
  });

  test('both languages say everything, and a change of language leaves nothing behind', async () => {
    await begin({ locale: 'zh-CN', colorScheme: 'dark' });
    const { page } = playground;
    const entries = await page.evaluate(async () => {
      const { DICTIONARY } = await import('./page/text.js');
      const holes = (words) => Object.entries(words).map(([key, said]) => [key, (said.match(/\{\w+\}/g) ?? []).sort().join()]).sort();
      return [holes(DICTIONARY.en), holes(DICTIONARY.zh)];
    });
    assert.deepEqual(entries[0].map(([key]) => key), entries[1].map(([key]) => key));
    await alice.write('你好，鲍勃');
    await bob.sees('你好，鲍勃');
    await bob.menu('你好，鲍勃', '回复');
    await bob.write('你好！');
    await alice.bubble('你好！').locator('.quote').waitFor();
    await bob.poll('去哪儿？', ['海边', '山里']);
    await alice.chat.locator('.option', { hasText: '海边' }).click();
    await bob.chat.locator('.option[aria-pressed]', { hasText: '海边' }).locator('.count').filter({ hasText: '1' }).waitFor();
    await bob.start('group', { 'new-group-name': '朋友们', members: 'alice' });
    await bob.write('大家好');
    await alice.item('朋友们').locator('.badge').waitFor();
    await playground.picture('chinese-dark');
    const untold = () => page.evaluate(() => [...document.querySelectorAll('[data-text], [data-label], [data-hint]')]
      .filter((element) => [[element.dataset.text, element.textContent], [element.dataset.label, element.ariaLabel], [element.dataset.hint, element.title]]
        .some(([key, said]) => key !== undefined && (said === key || said === '' || said.includes('{'))))
      .map((element) => element.outerHTML));
    assert.deepEqual(await untold(), []);
    await page.locator('[data-part="language"]').click();
    assert.deepEqual(await untold(), []);
    const left = await page.evaluate(() => [...document.querySelectorAll('[data-text], [data-label], [data-hint], .state, .foot, .item-words')]
      .map(({ textContent, ariaLabel, title }) => `${textContent} ${ariaLabel ?? ''} ${title ?? ''}`)
      .filter((said) => /[已读回复置顶会话投票]/.test(said) && !/中文|朋友们|大家好|鲍勃|去哪儿|你好/.test(said)));
    assert.deepEqual(left, []);
  });
});
