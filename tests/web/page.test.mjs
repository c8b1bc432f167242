// The demo page in a real browser, against a real broker.
//
// Without a browser these tests are skipped, except where CI=true, where nothing may be skipped.
// TIDINGS_SCREENSHOTS=DIR keeps a picture of each stage.

import assert from 'node:assert/strict';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { startBroker } from './broker.mjs';

const CHROMIUM = process.env.TIDINGS_CHROMIUM ?? '/usr/bin/chromium';
const CHROMIUM_ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
];
const WAIT_MS = 15_000;
const PICTURES = process.env.TIDINGS_SCREENSHOTS;

const playwright = await import('playwright-core').catch(() => null);
const missing = await whatIsMissing();
const skip = process.env.CI === 'true' ? false : missing;

async function whatIsMissing() {
  if (!playwright) return 'playwright-core is not installed: run `npm ci` in tests/web';
  return access(CHROMIUM).then(() => false, () => `there is no browser at ${CHROMIUM}: install Debian's chromium`);
}

/** One person's pane, spoken to as a user would. */
class Person {
  constructor(page, side) {
    this.page = page;
    this.root = page.locator(`#pane-${side}`);
  }

  part(name) {
    return this.root.locator(`[data-part="${name}"]`);
  }

  panel(name) {
    return this.root.locator(`[data-panel="${name}"]`);
  }

  async show(tab) {
    await this.root.locator(`[data-tab="${tab}"]`).click();
  }

  async write(tab, words) {
    const input = this.panel(tab).locator('[data-part="text"]');
    await input.fill(words);
    await input.press('Enter');
  }

  bubble(tab, words) {
    return this.panel(tab).locator('.bubble', { hasText: words });
  }

  /** Waits for the one bubble with these words, in this state. */
  async sees(tab, words, state = 'sent') {
    const matching = this.panel(tab).locator(`.bubble[data-state="${state}"]`, { hasText: words });
    await matching.waitFor();
  }

  async isConnected() {
    // On a phone one of the panes is out of sight.
    await this.root.locator('.pill[data-state="2"]').waitFor({ state: 'attached' });
  }

  async words(tab) {
    return this.panel(tab).locator('.words').allTextContents();
  }

  async count(name) {
    return Number((await this.part(`count-${name}`).textContent()).replace(/\D/g, ''));
  }

  async countsMoreThan(name, least) {
    const said = await this.part(`count-${name}`).elementHandle();
    await this.page.waitForFunction(([element, n]) => Number(element.textContent.replace(/\D/g, '')) > n, [said, least]);
  }
}

describe('the demo page', { skip }, () => {
  let browser;
  let broker;
  let page;
  let alice;
  let bob;
  let complaints;

  before(async () => {
    if (missing) assert.fail(missing);
    if (PICTURES) await mkdir(PICTURES, { recursive: true });
    broker = await startBroker();
    // It makes a profile directory of its own and takes it away again.
    browser = await playwright.chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
  });

  after(async () => {
    await browser?.close();
    await broker?.stop();
  });

  beforeEach(() => {
    complaints = [];
  });

  afterEach(async () => {
    await page?.context().close();
    assert.deepEqual(complaints, [], 'the browser complained');
  });

  /** Opens the page in a browser of its own; `look` are settings of the browser context. */
  async function open(address, look = {}) {
    const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...look });
    page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    page.on('pageerror', (error) => complaints.push(error.stack));
    page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()));
    await page.goto(address);
    alice = new Person(page, 'left');
    bob = new Person(page, 'right');
  }

  async function openSignedIn(look) {
    await open(`${broker.server}/`, look);
    await Promise.all([alice.isConnected(), bob.isConnected()]);
  }

  async function picture(name) {
    if (PICTURES) await page.screenshot({ path: join(PICTURES, `page-${name}.png`) });
  }

  test('carries a peer chat both ways and finds it again after a reload', async () => {
    await openSignedIn();
    await alice.write('peer', 'Good morning, Bob');
    await bob.sees('peer', 'Good morning, Bob');
    await alice.sees('peer', 'Good morning, Bob');
    await bob.write('peer', 'Good morning, Alice');
    await alice.sees('peer', 'Good morning, Alice');
    await picture('peer');

    await page.reload();
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    await bob.sees('peer', 'Good morning, Alice');
    assert.deepEqual(await bob.words('peer'), ['Good morning, Bob', 'Good morning, Alice']);
  });

  test('shows text as text, whatever it looks like', async () => {
    await openSignedIn();
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
    await alice.write('peer', markup);
    await bob.sees('peer', markup);
    assert.equal(await bob.panel('peer').locator('img, b').count(), 0);
    assert.equal(await page.title(), 'Tidings');
  });

  test('flies barrages across the stage and counts them', async () => {
    await openSignedIn({ colorScheme: 'dark' });
    await alice.show('room');
    await bob.show('room');
    await bob.part('members').filter({ hasText: '2 online' }).waitFor();

    await alice.part('rate').fill('60');
    await bob.part('rate').fill('15');
    await bob.part('priority').selectOption('3');
    await bob.countsMoreThan('received', 100);
    const shot = await bob.part('stage').locator('.shot').last().elementHandle();
    const start = await shot.evaluate((element) => element.getBoundingClientRect().x);
    await page.waitForFunction(([element, x]) => element.getBoundingClientRect().x < x - 20, [shot, start]);
    assert.ok((await bob.part('stage').locator('.shot').count()) <= 90);
    await picture('room-dark');

    await alice.part('rate').fill('0');
    await bob.part('rate').fill('0');
    // Of high priority: what is low and finds every lane taken is not drawn.
    await alice.part('priority').selectOption('3');
    await alice.part('barrage-text').fill('typed by hand');
    await alice.part('barrage-text').press('Enter');
    await bob.part('stage').locator('.shot', { hasText: 'typed by hand' }).waitFor();
    assert.ok((await bob.count('received')) <= (await alice.count('sent')));

    await alice.write('room', 'and this one is kept');
    await bob.sees('room', 'and this one is kept');
  });

  test('follows a person into another room', async () => {
    await openSignedIn();
    await bob.show('room');
    await bob.part('room-id').fill('backstage');
    await bob.part('room-id').press('Enter');
    await bob.part('members').filter({ hasText: '1 online' }).waitFor();
    await alice.show('room');
    await alice.part('members').filter({ hasText: '1 online' }).waitFor();
  });

  test('makes one group for both and uses it again', async () => {
    await openSignedIn();
    await alice.show('group');
    await bob.show('group');
    await alice.write('group', 'hello, group');
    await bob.sees('group', 'hello, group');
    await bob.write('group', 'hello, alice');
    await alice.sees('group', 'hello, alice');
    const made = await alice.part('group-name').textContent();
    assert.match(made, /^Friends · #/);
    assert.equal(await bob.part('group-name').textContent(), made);
    await picture('group');

    await page.reload();
    await bob.show('group');
    await bob.sees('group', 'hello, group');
    assert.equal(await bob.part('group-name').textContent(), made);
  });

  test('catches up after the cable was out, in both directions, each message once', async () => {
    await openSignedIn();
    await alice.write('peer', 'before the cut');
    await bob.sees('peer', 'before the cut');

    await bob.part('cable').click();
    await bob.root.locator('.pill[data-state="3"]').waitFor();
    await alice.write('peer', 'sent while bob was away');
    await alice.sees('peer', 'sent while bob was away');
    await bob.write('peer', 'written without a cable');
    await bob.sees('peer', 'written without a cable', 'sending');
    assert.equal(await bob.bubble('peer', 'sent while bob was away').count(), 0);
    assert.equal(await alice.bubble('peer', 'written without a cable').count(), 0);
    await picture('unplugged');

    await bob.part('cable').click();
    await bob.isConnected();
    await bob.sees('peer', 'sent while bob was away');
    await bob.sees('peer', 'written without a cable');
    await alice.sees('peer', 'written without a cable');
    await picture('plugged-in');
    const [left, right] = [await alice.words('peer'), await bob.words('peer')];
    assert.deepEqual(right, left, 'both see the same order');
    assert.deepEqual(left.slice(-3), ['before the cut', 'sent while bob was away', 'written without a cable']);
  });

  test('signs out and back in under another name', async () => {
    await openSignedIn();
    await bob.part('signout').click();
    await bob.part('user').fill('alice');
    await bob.part('enter').click();
    await bob.part('signin-error').filter({ hasText: 'alice already' }).waitFor();
    await bob.part('user').fill('carol');
    await bob.part('enter').click();
    await bob.isConnected();
    // Alice's pane has turned to carol, with whom there is no history yet.
    await alice.panel('peer').locator('.blank').waitFor();
    await alice.write('peer', 'hello, carol');
    await bob.sees('peer', 'hello, carol');
  });

  test('speaks Chinese and fits a phone, one person at a time', async () => {
    await openSignedIn({ locale: 'zh-CN', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-Hans');
    assert.equal(await bob.root.isVisible(), false);
    await alice.write('peer', '你好');
    await alice.sees('peer', '你好');
    const toBob = page.locator('[data-part="switch"] [data-side="right"]');
    await toBob.locator('.badge').filter({ hasText: '1' }).waitFor();
    await toBob.click();
    await bob.sees('peer', '你好');
    assert.equal(await alice.root.isVisible(), false);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, 'nothing sticks out');
    await picture('phone-peer');
    await bob.show('room');
    await picture('phone-room');
    await page.locator('[data-part="language"]').click();
    await bob.root.getByText('Barrages per second').waitFor();
  });

  test('takes a pasted token where the broker gives none out', async () => {
    const strict = await startBroker({ TIDINGS_AUTH__SECRET: 'a secret that somebody has configured' });
    try {
      await open(`${strict.server}/`);
      await alice.part('command').filter({ hasText: 'tidings token --user alice' }).waitFor();
      await picture('no-demo-tokens');
      await alice.part('token').fill(await strict.token('alice'));
      await alice.part('enter').click();
      await alice.isConnected();
      await page.close();
    } finally {
      await strict.stop();
    }
    // The browser reports the two answers "404" by which the page learned that.
    complaints = complaints.filter((line) => !line.includes('404'));
  });

  test('pictures, sounds, films and files are chosen, dropped, shown, opened and taken by the other side', async () => {
    await open(`${broker.server}/`);
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
    const input = alice.panel('peer').locator('[data-part="file"]');
    await input.setInputFiles([fixture('turned.jpg'), fixture('cbr.mp3'), fixture('make.sh')]);
    const shown = (person, selector) => person.panel('peer').locator(`.bubble[data-state="sent"] ${selector}`);
    for (const person of [alice, bob]) {
      await shown(person, '.picture img').first().waitFor();
      await shown(person, 'audio').first().waitFor();
      await shown(person, '.chip').first().waitFor();
    }
    const thumbnail = await shown(bob, '.picture img').first().elementHandle();
    await page.waitForFunction((image) => image.complete && image.naturalWidth === 198 && image.naturalHeight === 264, thumbnail);
    assert.match(await shown(bob, '.chip').first().textContent(), /^make\.sh\d\.\d KB$/);
    await picture('files');
    await shown(bob, '.picture').first().click();
    const large = await page.locator('dialog.viewer img').elementHandle();
    await page.waitForFunction((image) => image.complete && image.naturalWidth === 300, large);
    await picture('files-large');
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
      const chat = document.querySelector('#pane-left [data-chat="peer"]');
      const dropped = new DataTransfer();
      dropped.items.add(new File([new Uint8Array(12_000_000)], 'large.bin'));
      window.progressSeen = [];
      new MutationObserver(() => {
        const bar = chat.querySelector('.bubble:last-child progress');
        if (bar && !bar.hidden) window.progressSeen.push(bar.value / bar.max);
      }).observe(chat, { subtree: true, attributes: true, childList: true });
      chat.dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true }));
    });
    await bob.panel('peer').locator('.chip', { hasText: 'large.bin' }).waitFor();
    const seen = await page.evaluate(() => window.progressSeen);
    assert.ok(seen.some((part) => part > 0 && part < 1) && seen.every((part, n) => n === 0 || part >= seen[n - 1]), `${seen}`);
    await picture('files-all');
  });

  test('what is recorded is sent as audio', async () => {
    await open(`${broker.server}/`, { permissions: ['microphone'] });
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    const button = alice.panel('peer').locator('[data-part="record"]');
    if (!(await button.isVisible())) return assert.fail('this browser records nothing that others can play');
    await button.click();
    await alice.panel('peer').locator('[data-part="record"][aria-pressed="true"]').waitFor();
    await page.waitForTimeout(1500);
    await button.click();
    await bob.panel('peer').locator('.bubble[data-state="sent"] audio[aria-label="recording.m4a"]').waitFor();
  });
});
