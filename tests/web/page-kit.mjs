// The demo page in a real browser, against a real broker, used as people use it.
//
// TIDINGS_SCREENSHOTS=DIR keeps a picture of each stage. TIDINGS_WEB=src/web takes the page's files from there instead of
// from the broker they were compiled into, with the same policy: to work on the page without building.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';

import { startBroker } from './broker.mjs';
import { fixture, launch, skip } from './browser.mjs';
import { Clients } from './clients.mjs';

const WAIT_MS = 15_000;
const PICTURES = process.env.TIDINGS_SCREENSHOTS;
const FROM_DISK = process.env.TIDINGS_WEB;
const PRIORITIES = ['low', 'medium', 'high'];
const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8' };

export { fixture, skip };

/** One person's pane, spoken to as a user would. */
export class Person {
  constructor(page, side) {
    this.page = page;
    this.root = page.locator(`#pane-${side}`);
  }

  part(name) {
    return this.root.locator(`[data-part="${name}"]`);
  }

  /** The conversation that is open. */
  get chat() {
    return this.root.locator('.conversation:not([hidden])');
  }

  /** A part of the conversation that is open. */
  here(name) {
    return this.chat.locator(`[data-part="${name}"]`);
  }

  item(name) {
    return this.root.locator('.list li', { has: this.page.locator('.item-name', { hasText: new RegExp(`^${name}$`) }) });
  }

  async open(name) {
    await this.item(name).locator('button').click();
  }

  /** Starts a conversation by the dialog; `fields` are its inputs. */
  async start(kind, fields) {
    await this.part('new').click();
    const dialog = this.page.locator('dialog.ask');
    await dialog.locator(`input[value="${kind}"]`).check();
    for (const [name, value] of Object.entries(fields)) await dialog.locator(`[data-part="${name}"]`).fill(value);
    await dialog.locator('[data-part="start"]').click();
    await dialog.waitFor({ state: 'detached' });
    const title = { peer: fields['peer-id'], group: fields['new-group-name'], room: fields['new-room-id'] ?? 'lobby' }[kind];
    if (title) await this.here('title').filter({ hasText: title }).waitFor();
  }

  async write(words) {
    await this.here('text').fill(words);
    await this.here('text').press('Enter');
  }

  bubble(words) {
    return this.chat.locator('.bubble', { has: this.page.locator('.words', { hasText: words }) });
  }

  /** Waits for the one bubble with these words, in this state. */
  async sees(words, state = 'sent') {
    await this.chat.locator(`.bubble[data-state="${state}"]`, { has: this.page.locator('.words', { hasText: words }) }).waitFor();
  }

  async words() {
    return this.chat.locator('.bubble .words').allTextContents();
  }

  /** Chooses from the menu of a bubble. */
  async menu(words, entry) {
    await this.bubble(words).hover();
    await this.bubble(words).locator('.more').click();
    await this.choose(entry);
  }

  /** Asks a question with options. */
  async poll(question, options) {
    await this.here('poll').click();
    const dialog = this.page.locator('dialog.ask');
    await dialog.locator('[data-part="question"]').fill(question);
    await dialog.locator('[data-part="poll-options"]').fill(options.join('\n'));
    await dialog.locator('[data-part="ask"]').click();
    await dialog.waitFor({ state: 'detached' });
    await this.chat.locator('.bubble[data-state="sent"] .poll', { hasText: question }).last().waitFor();
  }

  /** Chooses from the menu of the conversation. */
  async options(entry) {
    await this.here('options').click();
    await this.choose(entry);
  }

  async choose(entry) {
    await this.root.getByRole('menuitem', { name: entry, exact: true }).click();
  }

  async isConnected() {
    // On a phone one of the panes is out of sight.
    await this.root.locator('.pill[data-state="2"]').waitFor({ state: 'attached' });
  }

  /** The connection is lost, and the client tries to come back. */
  async isAway() {
    await this.root.locator('.pill[data-state="3"]').waitFor();
  }

  /** Scrolls to the oldest that is here; older messages come then. */
  async scrollUp() {
    const before = await this.chat.locator('.bubble').count();
    await this.here('log').evaluate((element) => { element.scrollTop = 0; });
    await this.page.waitForFunction(([log, n]) => log.querySelectorAll('.bubble').length > n, [await this.here('log').elementHandle(), before]);
  }

  /** How many barrages were accepted, delivered or dropped: of one priority, or of all of them. */
  async count(what, priorities = PRIORITIES) {
    const texts = await Promise.all(priorities.map((priority) => this.here(`${what}-${priority}`).textContent()));
    return texts.reduce((sum, text) => sum + Number(text.replace(/\D/g, '')), 0);
  }

  async countsMoreThan(what, least, priorities = PRIORITIES) {
    const cells = await Promise.all(priorities.map((priority) => this.here(`${what}-${priority}`).elementHandle()));
    await this.page.waitForFunction(([n, ...elements]) => elements.reduce((sum, { textContent }) => sum + Number(textContent.replace(/\D/g, '')), 0) > n, [least, ...cells]);
  }
}

/** A browser and a broker for one file of tests. */
export class Playground {
  broker;
  complaints = [];
  #clients = null;
  #browser;
  #page;

  static async start() {
    const playground = new Playground();
    await playground.#begin();
    return playground;
  }

  /** Makes one for the suite in which this is called: it begins before its tests and ends after them, and each leaves its page closed. */
  static ofSuite() {
    const playground = new Playground();
    before(() => playground.#begin());
    after(() => playground.stop());
    afterEach(() => playground.close());
    return playground;
  }

  async #begin() {
    if (PICTURES) await mkdir(PICTURES, { recursive: true });
    this.broker = await startBroker();
    // Pages from disk are nobody's neighbours to the browser, and the broker is on its own machine.
    this.#browser = await launch(FROM_DISK ? ['--disable-features=LocalNetworkAccessChecks'] : []);
  }

  async stop() {
    this.#clients?.destroy();
    await this.#browser?.close();
    await this.broker?.stop();
  }

  get page() {
    return this.#page;
  }

  /** People who are not on the page. */
  get clients() {
    this.#clients ??= new Clients(this.broker);
    return this.#clients;
  }

  /**
   * Opens the page in a browser of its own, where the lobby was left before unless `lobby` is true; other settings of `look` are those of
   * the browser context.
   */
  async open({ lobby = false, ...look } = {}, address = this.broker.page) {
    const context = await this.#browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 860 }, ...look });
    if (!lobby) await context.addInitScript(() => ['left', 'right', 'third'].forEach((side) => sessionStorage.setItem(`tidings.page.lobby-left.${side}`, 'yes')));
    return this.openIn(context, address);
  }

  /** Opens the page in another tab of a browser. */
  async openIn(context, address = this.broker.page) {
    this.#page = await context.newPage();
    this.#page.setDefaultTimeout(WAIT_MS);
    this.#page.on('pageerror', (error) => this.complaints.push(error.stack));
    this.#page.on('console', (line) => line.type() === 'error' && this.complaints.push(line.text()));
    if (FROM_DISK) await takeFromDisk(context);
    await this.#page.goto(address);
    return [new Person(this.#page, 'left'), new Person(this.#page, 'right')];
  }

  async openSignedIn(look) {
    const people = await this.open(look);
    await Promise.all(people.map((person) => person.isConnected()));
    return people;
  }

  /** Waits until the broker knows that the people of this page have gone, so that the next one can be them. */
  async #everybodyHasGone() {
    const { origin, hash } = new URL(this.broker.page);
    const context = await this.#browser.newContext();
    const isOnline = async (userID) => {
      const answer = await context.request.post(`${origin}/demo/token`, { headers: { origin }, data: { userID, demoKey: hash.slice('#demo='.length) } });
      return (await answer.json()).isOnline;
    };
    const until = Date.now() + WAIT_MS;
    for (const userID of ['alice', 'bob', 'carol', 'dave']) while (await isOnline(userID)) assert.ok(Date.now() < until, `${userID} does not go`);
    await context.close();
  }

  /** Presses a tool of the page, which on a phone is in a sheet. */
  async tool(name) {
    const more = this.#page.locator('[data-part="more-tools"]');
    if (await more.isVisible()) await more.click();
    await this.#page.locator(`[data-part="${name}"]`).click();
  }

  /** A third one comes in. */
  async addThird() {
    await this.tool('add');
    const third = new Person(this.#page, 'third');
    await third.isConnected();
    return third;
  }

  /** Closes the page; nothing may have gone wrong in it that the browser noticed. */
  async close() {
    this.#clients?.destroy();
    this.#clients = null;
    await this.#page?.context().close();
    await this.#everybodyHasGone();
    const complaints = this.complaints;
    this.complaints = [];
    assert.deepEqual(complaints, [], 'the browser complained');
  }

  async picture(name) {
    if (PICTURES) await this.#page.screenshot({ path: join(PICTURES, `page-${name}.png`) });
  }
}

async function takeFromDisk(context) {
  await context.route(/\/(page\/.*|sdk\/.*)?$/, async (route) => {
    const { pathname } = new URL(route.request().url());
    const file = { '/': 'index.html', '/page/page.js': 'page.js', '/page/page.css': 'page.css' }[pathname] ?? pathname.replace('/sdk/', '').slice(pathname.startsWith('/sdk/') ? 0 : 1);
    const answer = await route.fetch({ url: new URL('/', route.request().url()).href });
    const headers = { 'content-type': TYPES[file.split('.').pop()], 'content-security-policy': answer.headers()['content-security-policy'] };
    await route.fulfill({ body: await readFile(join(FROM_DISK, file)), headers });
  });
}
