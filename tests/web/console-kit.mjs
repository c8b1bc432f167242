// The console in a real browser, against a real broker, used as an operator does.
//
// TIDINGS_SCREENSHOTS=DIR keeps a picture of each stage. TIDINGS_WEB=src/web takes the page's files from there instead of
// from the broker they were compiled into, with the same policy: to work on the page without building.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { startBroker } from './broker.mjs';
import { launch } from './browser.mjs';
import { Clients } from './clients.mjs';

const WAIT_MS = 15_000;
const PICTURES = process.env.TIDINGS_SCREENSHOTS;
const FROM_DISK = process.env.TIDINGS_WEB;
const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' };

export const PASSWORD = 'correct horse battery';

/** A browser and a broker for one file of tests. */
export class ControlRoom {
  broker;
  page;
  /** What the browser wrote to its console that a test did not expect. */
  complaints = [];
  #browser;
  #clients = null;

  static async start(env = {}) {
    if (PICTURES) await mkdir(PICTURES, { recursive: true });
    const room = new ControlRoom();
    room.broker = await startBroker({ TIDINGS_CONSOLE__ATTEMPTS_PER_MINUTE: '100', ...env });
    room.#browser = await launch();
    return room;
  }

  async stop() {
    this.#clients?.destroy();
    await this.#browser?.close();
    await this.broker?.stop();
  }

  /** People who talk while the operator looks on. */
  get clients() {
    this.#clients ??= new Clients(this.broker);
    return this.#clients;
  }

  /** Opens the console in a browser of its own; `look` are settings of the browser context. */
  async open(look = {}, hash = '') {
    const context = await this.#browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 900 }, ...look });
    this.page = await context.newPage();
    this.page.setDefaultTimeout(WAIT_MS);
    this.page.on('pageerror', (error) => this.complaints.push(error.stack));
    this.page.on('console', (line) => line.type() === 'error' && this.complaints.push(line.text()));
    if (FROM_DISK) await takeFromDisk(context);
    await this.page.goto(`${this.broker.server}/console${hash}`);
    return this.page;
  }

  /** Whether the broker's console has a password. */
  hasPassword = false;

  /** The token of a new link to set one. */
  async setupToken() {
    return /#setup=([\w-]+)$/.exec(await this.broker.resetConsole())[1];
  }

  /** Opens it and signs in; the first time by a link. */
  async enter(look, view = '') {
    if (!this.hasPassword) {
      const page = await this.open(look, `#setup=${await this.setupToken()}`);
      await page.locator('[name="password"]').fill(PASSWORD);
      await page.locator('[name="passwordAgain"]').fill(PASSWORD);
      this.hasPassword = true;
      await page.getByRole('button', { name: 'Set and sign in' }).click();
    } else {
      const page = await this.open(look);
      await page.locator('[name="password"]').fill(PASSWORD);
      await page.locator('form.door [type="submit"]').click();
    }
    await this.page.locator('[data-view="overview"].view').waitFor();
    if (view) await this.go(view);
    return this.page;
  }

  async go(view) {
    await this.page.locator(`.nav [data-view="${view}"]`).click();
    await this.page.locator(`main[data-view="${view}"]`).waitFor();
  }

  row(words) {
    return this.page.locator('main tbody tr', { hasText: words });
  }

  /** Answers the question on the screen. */
  async say(name) {
    const dialog = this.page.locator('dialog[open]').last();
    await dialog.locator('form').getByRole('button', { name, exact: true }).click();
  }

  async told(words) {
    await this.page.locator('.toast', { hasText: words }).first().waitFor();
  }

  /** Closes the page; nothing may have gone wrong in it that the browser noticed, but for what is expected. */
  async close(expected = []) {
    this.#clients?.destroy();
    this.#clients = null;
    await this.page?.context().close();
    const complaints = this.complaints.filter((line) => !expected.some((pattern) => pattern.test(line)));
    this.complaints = [];
    assert.deepEqual(complaints, [], 'the browser complained');
  }

  async picture(name) {
    if (PICTURES) await this.page.screenshot({ path: join(PICTURES, `console-${name}.png`) });
  }
}

async function takeFromDisk(context) {
  await context.route(/\/(console|console\/[\w-]+\.(js|css)|page\/.*)$/, async (route) => {
    const { pathname } = new URL(route.request().url());
    const file = { '/console': 'console/index.html', '/page/page.js': 'page.js', '/page/page.css': 'page.css' }[pathname] ?? pathname.slice(1);
    const answer = await route.fetch({ url: new URL('/console', route.request().url()).href });
    const headers = { 'content-type': TYPES[file.split('.').pop()], 'content-security-policy': answer.headers()['content-security-policy'] };
    await route.fulfill({ body: await readFile(join(FROM_DISK, file)), headers });
  });
}
