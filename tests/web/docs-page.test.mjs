// The documentation in a real browser, as the broker serves it: nothing its policy forbids, every link leads somewhere.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { launch, skip } from './browser.mjs';
import { CHAPTERS } from './docs/html.mjs';

const PAGES = ['', ...CHAPTERS.flatMap(({ pages }) => pages.map(({ file }) => file))];

let broker;
let browser;

/** Opens a page and collects what the browser complains of. */
async function open(path, options = {}) {
  const page = await browser.newPage(options);
  const complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('response', (response) => response.status() >= 400 && complaints.push(`${response.status()} ${response.url()}`));
  const response = await page.goto(`${broker.server}/docs/${path}`);
  assert.equal(response.status(), 200, path);
  assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
  return { page, complaints };
}

describe('the documentation', { skip }, () => {
  before(async () => {
    broker = await startBroker();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await broker?.stop();
  });

  test('without its slash the address leads to the documentation', async () => {
    const page = await browser.newPage();
    await page.goto(`${broker.server}/docs`);
    assert.equal(page.url(), `${broker.server}/docs/`);
    await page.close();
  });

  test('every page opens without a complaint, and every link within the broker leads somewhere', async () => {
    const ids = new Map();
    const links = [];
    for (const path of PAGES) {
      const { page, complaints } = await open(path);
      const found = await page.evaluate(() => ({
        ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
        links: [...document.querySelectorAll('a[href]')].map(({ href }) => href),
      }));
      assert.deepEqual(complaints, [], path);
      assert.equal(new Set(found.ids).size, found.ids.length, `an id is there twice: ${found.ids.filter((id, at) => found.ids.indexOf(id) !== at)}`);
      ids.set(`${broker.server}/docs/${path}`, new Set(found.ids));
      links.push(...found.links);
      await page.close();
    }

    const own = [...new Set(links)].filter((link) => link.startsWith(broker.server)).map((link) => link.split('#'));
    assert.ok(own.length > 300, `${own.length} links`);
    for (const address of new Set(own.map(([at]) => at))) assert.equal((await fetch(address)).status, 200, address);
    const lost = own.filter(([address, id]) => id && ids.has(address) && !ids.get(address).has(id));
    assert.deepEqual(lost, []);
  });

  for (const [name, options] of [
    ['a wide screen', { viewport: { width: 1280, height: 800 } }],
    ['a phone in the dark', { viewport: { width: 390, height: 844 }, colorScheme: 'dark' }],
    ['no JavaScript', { viewport: { width: 390, height: 844 }, javaScriptEnabled: false }],
  ]) {
    test(`no page is wider than its window: ${name}`, async () => {
      for (const path of PAGES) {
        const { page } = await open(path, options);
        const { width } = await page.locator('main').boundingBox();
        assert.ok(width <= options.viewport.width, `${path}: ${width}`);
        if (options.javaScriptEnabled !== false) {
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path);
        }
        await page.close();
      }
    });
  }

  test('the contents are narrowed by a word, with the keyboard alone', async () => {
    const { page } = await open('api', { viewport: { width: 1280, height: 800 } });
    await page.keyboard.press('/');
    await page.keyboard.type('querygrouplist');
    const shown = await page.locator('.contents li li:visible').allTextContents();
    assert.deepEqual(shown.map((text) => text.trim()), ['queryGroupList']);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.match(page.url(), /#queryGroupList$/);
    await page.close();
  });
});
