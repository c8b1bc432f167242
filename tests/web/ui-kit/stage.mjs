// Serves the chat of chat.jsx from an origin of its own, as a developer's machine does, and opens it for people of one broker.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { startBroker } from '../broker.mjs';
import { launch } from '../browser.mjs';
import { Clients } from '../clients.mjs';

const WAIT_MS = 20_000;
const PAGE = '<!doctype html><meta charset="utf-8"><title>A chat</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/chat.js"></script>';

async function program() {
  const { outputFiles: [{ text }] } = await build({
    entryPoints: [fileURLToPath(new URL('chat.jsx', import.meta.url))], bundle: true, write: false, format: 'esm', jsx: 'automatic',
    // The development build of React is the one that starts parts twice.
    define: { 'process.env.NODE_ENV': '"development"' }, logLevel: 'error',
  });
  return text;
}

async function serve(script) {
  const server = createServer(({ url }, response) => {
    const isScript = url === '/chat.js';
    response.writeHead(200, { 'content-type': `text/${isScript ? 'javascript' : 'html'}; charset=utf-8` });
    response.end(isScript ? script : PAGE);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return server;
}

/** The chat of one person, used as a person uses it. */
export class Chat {
  constructor(page, userID) {
    this.page = page;
    this.userID = userID;
  }

  /** The bubbles with these words, or with any. */
  bubbles(kind, words = undefined) {
    const all = this.page.locator(`.bubble${kind === undefined ? '' : `[data-kind="${kind}"]`}`);
    return words === undefined ? all : all.filter({ has: this.page.locator('.words', { hasText: new RegExp(`^${words}$`) }) });
  }

  async isOpen() {
    await this.page.locator('main[data-open="true"][data-state="2"]').waitFor();
    return this;
  }

  async hasState(state) {
    await this.page.locator(`main[data-state="${state}"]`).waitFor();
  }

  /** Writes words, and sends them as this kind. */
  async write(kind, words) {
    await this.page.locator('.text').fill(words);
    await this.page.locator(`[data-send="${kind}"]`).click();
  }

  async press(name) {
    await this.page.locator(`[data-send="${name}"]`).click();
  }

  /** Chooses a file, and sends it as this kind. */
  async choose(kind, file) {
    await this.page.locator(`[data-file="${kind}"]`).setInputFiles(file);
  }

  /** Resolves once a bubble has settled with this status: it does not spin, and what it carries can be seen. */
  async settles(bubble, status) {
    await bubble.and(this.page.locator(`[data-status="${status}"]`)).waitFor();
    assert.equal(await bubble.locator('.spinner').count(), 0, 'a bubble that has settled spins');
    return bubble;
  }

  /** What is in the list: kind, status, words of each. */
  async list() {
    return this.page.locator('.bubble').evaluateAll((bubbles) => bubbles.map(({ dataset, children: [words] }) => [Number(dataset.kind), Number(dataset.status), words.textContent]));
  }

  async errors() {
    return this.page.locator('.errors li').allTextContents();
  }

  /** The history of the conversation, as the program would be told it now: kind, status, words, id of each. */
  history(to, type) {
    return this.page.evaluate(async ([conversationID, conversationType]) => {
      const { ZIM } = globalThis;
      const { messageList } = await ZIM.getInstance().queryHistoryMessage(conversationID, conversationType, { count: 250, reverse: true });
      return messageList.map((message) => ({ kind: message.type, status: message.sentStatus, words: message.message, id: message.messageID, localID: message.localMessageID }));
    }, [to, type]);
  }
}

/** A broker, a browser and a place that serves the chat, for one file of tests. */
export class Stage {
  broker;
  clients;
  #browser;
  #server;
  #key;
  #contexts = [];

  static async start(env = {}) {
    const stage = new Stage();
    stage.broker = await startBroker(env);
    stage.clients = new Clients(stage.broker);
    stage.#browser = await launch();
    stage.#server = await serve(await program());
    return stage;
  }

  async stop() {
    this.clients?.destroy();
    await this.#browser?.close();
    this.#server?.close();
    await this.broker?.stop();
  }

  /** Closes every chat. */
  async clear() {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
  }

  /**
   * Opens the chat of a user with `to`. `config` goes to the client; `strict` runs it in React's StrictMode; `cleanup` names the methods
   * that are called at the end of the part that logs in; `server` stands for the broker's own address.
   */
  async open(userID, to, type, { config = {}, strict = false, cleanup = '', server = this.broker.server } = {}) {
    const context = await this.#browser.newContext({ permissions: ['microphone'] });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const words = { user: userID, to, type, server, token: await this.broker.token(userID), config: JSON.stringify(config), cleanup, ...(strict ? { strict: '' } : {}) };
    await page.goto(`http://localhost:${this.#server.address().port}/?${new URLSearchParams(words)}`);
    return new Chat(page, userID);
  }

  /** Makes users known to the broker, as a login would. */
  async know(userIDs) {
    this.#key ??= await this.broker.key('stage');
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${this.#key}` };
    for (let start = 0; start < userIDs.length; start += 100) {
      const body = JSON.stringify({ users: userIDs.slice(start, start + 100).map((userID) => ({ userID, userName: userID })) });
      const response = await fetch(`${this.broker.server}/api/v1/users`, { method: 'POST', headers, body });
      assert.equal(response.status, 200, await response.text());
    }
  }
}
