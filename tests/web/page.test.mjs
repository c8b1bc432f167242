// The demo page: signing in, talking, the live room, languages, phones. Other features stand in page-*.test.mjs.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Playground, skip } from './page-kit.mjs';

describe('the demo page', { skip }, () => {
  const playground = Playground.ofSuite();

  test('carries a peer chat both ways and finds it again after a reload', async () => {
    const [alice, bob] = await playground.openSignedIn();
    await alice.write('Good morning, Bob');
    await bob.sees('Good morning, Bob');
    await alice.sees('Good morning, Bob');
    await bob.write('Good morning, Alice');
    await alice.sees('Good morning, Alice');
    await playground.picture('peer');

    await playground.page.reload();
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    await bob.sees('Good morning, Alice');
    assert.deepEqual(await bob.words(), ['Good morning, Bob', 'Good morning, Alice']);
  });

  test('shows text as text, whatever it looks like', async () => {
    const [alice, bob] = await playground.openSignedIn();
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
    await alice.write(markup);
    await bob.sees(markup);
    assert.equal(await bob.chat.locator('.log img, .log b').count(), 0);
    assert.equal(await bob.item('alice').locator('img, b').count(), 0);
    assert.equal(await playground.page.title(), 'Tidings');
  });

  test('flies barrages over the player area and counts them', async () => {
    const [alice, bob] = await playground.openSignedIn({ colorScheme: 'dark' });
    await alice.start('room', {});
    await bob.start('room', {});
    await bob.here('members').filter({ hasText: '2 online' }).waitFor();

    await alice.here('rate').fill('60');
    await bob.here('rate').fill('15');
    await bob.here('priority').selectOption('3');
    await bob.countsMoreThan('delivered', 100);
    const shot = await bob.here('stage').locator('.shot').last().elementHandle();
    const start = await shot.evaluate((element) => element.getBoundingClientRect().x);
    await playground.page.waitForFunction(([element, x]) => element.getBoundingClientRect().x < x - 20, [shot, start]);
    assert.ok((await bob.here('stage').locator('.shot').count()) <= 90);
    await playground.picture('room-dark');

    await alice.here('rate').fill('0');
    await bob.here('rate').fill('0');
    // Of high priority: what is low and finds every lane taken is not drawn.
    await alice.here('priority').selectOption('3');
    await alice.here('barrage-text').fill('typed by hand');
    await alice.here('barrage-text').press('Enter');
    await bob.here('stage').locator('.shot', { hasText: 'typed by hand' }).waitFor();
    assert.ok((await bob.count('delivered')) <= (await alice.count('accepted')));

    await alice.write('and this one is kept');
    await bob.sees('and this one is kept');
  });

  test('names the link that opens it where it is opened without', async () => {
    const [alice] = await playground.open({}, `${playground.broker.server}/`);
    await alice.part('signin-error').filter({ hasText: 'link that the broker printed' }).waitFor();
    await alice.part('token').waitFor();
    await playground.picture('no-demo-key');
    // The browser itself notes each answer of 403.
    assert.ok(playground.complaints.splice(0).every((line) => line.includes('403')));
    await playground.page.goto(playground.broker.page);
    await playground.page.reload();
    await alice.isConnected();
    assert.ok(!playground.page.url().includes('demo='), 'the key does not stay in the address');
  });

  test('shows what the room sheds', async () => {
    const tight = await startBroker({ TIDINGS_SHED__ROOM_BARRAGES_PER_SECOND: '5', TIDINGS_SHED__ROOM_BARRAGES_BURST: '5' });
    try {
      const [alice, bob] = await playground.open({}, tight.page);
      await Promise.all([alice.isConnected(), bob.isConnected()]);
      await alice.start('room', {});
      await bob.start('room', {});
      await alice.here('rate').fill('100');
      await bob.countsMoreThan('dropped', 50);
      await playground.picture('room-dropped');
      assert.ok((await bob.count('delivered')) < (await alice.count('accepted')) / 2);
      await playground.page.close();
    } finally {
      await tight.stop();
    }
  });

  test('a person is in several rooms, hears of each, and leaves one', async () => {
    const [alice, bob] = await playground.openSignedIn();
    for (const room of ['stage', 'backstage']) {
      await alice.start('room', { 'new-room-id': room });
      await bob.start('room', { 'new-room-id': room });
    }
    await bob.open('stage');
    await alice.write('said backstage');
    await bob.item('backstage').locator('.badge').filter({ hasText: '1' }).waitFor();
    await bob.open('backstage');
    await bob.sees('said backstage');
    await bob.item('backstage').locator('.badge').waitFor({ state: 'detached' });
    await bob.here('leave').click();
    await bob.item('backstage').waitFor({ state: 'detached' });
    await alice.here('members').filter({ hasText: '1 online' }).waitFor();
  });

  test('signs out and back in under another name', async () => {
    const [alice, bob] = await playground.openSignedIn();
    await bob.part('signout').click();
    await bob.part('user').fill('alice');
    await bob.part('enter').click();
    await bob.part('signin-error').filter({ hasText: 'alice already' }).waitFor();
    await bob.part('user').fill('dora');
    await bob.part('enter').click();
    await bob.isConnected();
    await alice.start('peer', { 'peer-id': 'dora' });
    await alice.write('hello, dora');
    await bob.item('alice').locator('.item-words').filter({ hasText: 'hello, dora' }).waitFor();
  });

  test('speaks Chinese and fits a phone, one person and one thing at a time', async () => {
    const [alice, bob] = await playground.openSignedIn({ locale: 'zh-CN', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    const { page } = playground;
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-Hans');
    assert.equal(await bob.root.isVisible(), false);
    await alice.write('你好');
    await alice.sees('你好');
    const toBob = page.locator('[data-part="switch"] [data-side="right"]');
    await toBob.locator('.badge').filter({ hasText: '1' }).waitFor();
    await playground.picture('phone-peer');
    await toBob.click();
    await bob.sees('你好');
    await toBob.locator('.badge').waitFor({ state: 'hidden' });
    assert.equal(await alice.root.isVisible(), false);
    await bob.here('back').click();
    await bob.item('alice').waitFor();
    assert.equal(await bob.here('text').isVisible(), false);
    await playground.picture('phone-list');
    await bob.start('room', {});
    await playground.picture('phone-room');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, 'nothing sticks out');
    await playground.tool('language');
    await bob.chat.getByRole('button', { name: 'Flood the room' }).waitFor();
  });

  for (const [locale, width] of [['en-US', 390], ['zh-CN', 390], ['en-US', 360]]) {
    test(`a phone has one header, with everything else in a sheet, and no placeholder is cut: ${locale}, ${width}`, async () => {
      const [alice, bob] = await playground.openSignedIn({ lobby: true, locale, viewport: { width, height: 800 }, isMobile: true, hasTouch: true });
      const { page } = playground;
      const cut = () => page.evaluate(() => [...document.querySelectorAll('input[placeholder], textarea[placeholder]')]
        .filter((field) => field.checkVisibility())
        .filter((field) => {
          const style = getComputedStyle(field);
          const canvas = document.createElement('canvas').getContext('2d');
          canvas.font = style.font;
          return canvas.measureText(field.placeholder).width > field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
        })
        .map(({ placeholder }) => placeholder));
      await alice.here('stage').waitFor();
      await playground.picture(`phone-first-${locale}-${width}`);
      assert.deepEqual(await cut(), []);
      const headers = () => page.evaluate(() => [...document.querySelectorAll('header')].filter((header) => header.checkVisibility()).map(({ className }) => className));
      // What is open has its title below it.
      assert.deepEqual(await headers(), ['top', 'chat-head']);
      await alice.here('back').tap();
      assert.deepEqual(await headers(), ['top']);
      await alice.open('bob');
      assert.deepEqual(await cut(), []);
      await alice.here('back').tap();
      assert.deepEqual(await cut(), []);
      const sheet = page.locator('[data-part="tools"]');
      assert.equal(await sheet.isVisible(), false);
      await page.locator('[data-part="more-tools"]').tap();
      await sheet.waitFor();
      await playground.picture(`phone-sheet-${locale}-${width}`);
      await page.locator('[data-part="tool-cable"]').tap();
      assert.equal(await sheet.isVisible(), false);
      await page.locator('[data-part="switch"] [data-side="left"][data-state="3"]').waitFor();
      await playground.tool('tool-cable');
      await alice.isConnected();
      await page.locator('[data-part="switch"] [data-side="right"]').tap();
      await playground.tool('tool-signout');
      await bob.part('enter').waitFor();
    });
  }

  test('light, dark, or as the system says; the choice stays', async () => {
    await playground.openSignedIn({ colorScheme: 'light' });
    const { page } = playground;
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    const button = page.locator('[data-part="theme"]');
    await button.click();
    assert.equal(await paper(), light);
    await button.click();
    assert.notEqual(await paper(), light);
    await page.reload();
    assert.notEqual(await paper(), light);
    await page.locator('[data-part="theme"]').click();
    assert.equal(await paper(), light);
  });

  test('takes a pasted token where the broker gives none out', async () => {
    const strict = await startBroker({ TIDINGS_AUTH__SECRET: 'a secret that somebody has configured' });
    try {
      const [alice] = await playground.open({}, `${strict.server}/`);
      await alice.part('command').filter({ hasText: 'tidings token --user alice' }).waitFor();
      await playground.picture('no-demo-tokens');
      await alice.part('token').fill(await strict.token('alice'));
      await alice.part('enter').click();
      await alice.isConnected();
      await playground.page.close();
    } finally {
      await strict.stop();
    }
    // The browser reports the two answers "404" by which the page learned that.
    playground.complaints = playground.complaints.filter((line) => !line.includes('404'));
  });
});
