import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, rejectsWith, sendText, within } from './clients.mjs';

const PEER = 0;
const TOTAL = 25;
const WORDS = Array.from({ length: TOTAL }, (_, n) => `message ${n}`);

let broker;
let clients;
let alice;
let bob;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  alice = await clients.login('alice');
  bob = await clients.login('bob');
  for (const [n, word] of WORDS.entries()) {
    const [from, to] = n % 2 === 0 ? [alice, 'bob'] : [bob, 'alice'];
    await sendText(from.zim, to, word);
  }
  await within(alice.zim.sendMessage({ type: 2, message: Uint8Array.of(1) }, 'bob', PEER, { priority: 1 }), 'command');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const words = (messageList) => messageList.map(({ message }) => message);
const page = (config) => within(alice.zim.queryHistoryMessage('bob', PEER, config), 'page').then(({ messageList }) => messageList);

/** Walks to the end; `next` says which message of a page leads on. */
async function walk(reverse, next) {
  const pages = [];
  let nextMessage;
  for (;;) {
    const messages = await page({ count: 10, reverse, nextMessage });
    if (messages.length === 0) return pages;
    pages.push(messages);
    nextMessage = next(messages);
  }
}

test('backwards: newest page first, each page oldest first, nothing twice, no commands', async () => {
  const pages = await walk(true, (messages) => messages[0]);
  assert.deepEqual(pages.map((messages) => messages.length), [10, 10, 5]);
  assert.deepEqual(words(pages.reverse().flat()), WORDS);
});

test('forwards: oldest page first', async () => {
  const pages = await walk(false, (messages) => messages.at(-1));
  assert.deepEqual(words(pages.flat()), WORDS);
});

test('the anchor may be a clone, or no more than its place', async () => {
  const newest = await page({ count: 1, reverse: true });
  const clone = JSON.parse(JSON.stringify(newest[0]));
  const expected = WORDS.slice(-4, -1);
  assert.deepEqual(words(await page({ count: 3, reverse: true, nextMessage: clone })), expected);
  const { conversationSeq, orderKey } = newest[0];
  assert.deepEqual(words(await page({ count: 3, reverse: true, nextMessage: { conversationSeq } })), expected);
  assert.deepEqual(words(await page({ count: 3, reverse: true, nextMessage: { orderKey } })), expected);
  assert.deepEqual(words(await page({ count: '3', reverse: true, nextMessage: null })), WORDS.slice(-3));
});

test('each side sees the other user’s conversation, and who said what', async () => {
  const [mine, theirs] = await page({ count: 2, reverse: false });
  assert.deepEqual([mine.direction, mine.conversationID, mine.sentStatus], [0, 'bob', 1]);
  assert.deepEqual([theirs.direction, theirs.conversationID, theirs.sentStatus], [1, 'bob', 1]);
  const { messageList } = await within(bob.zim.queryHistoryMessage('alice', PEER, { count: 2, reverse: false }), 'page');
  assert.deepEqual(messageList.map(({ direction, conversationID }) => [direction, conversationID]), [[1, 'alice'], [0, 'alice']]);
  assert.deepEqual(messageList.map(({ orderKey }) => orderKey), [mine.orderKey, theirs.orderKey]);
});

test('a page the broker had to cut comes whole', async () => {
  // 60 messages of 30 KB are far above what one frame carries.
  const big = 'x'.repeat(30_000);
  const carol = await clients.login('carol');
  for (let n = 0; n < 60; n += 1) await sendText(carol.zim, 'bob', `${n} ${big}`);
  for (const reverse of [true, false]) {
    const asked = carol.zim.queryHistoryMessage('bob', PEER, { count: 60, reverse });
    const { messageList } = await within(asked, 'big page');
    assert.deepEqual(messageList.map(({ message }) => Number.parseInt(message, 10)), [...Array(60).keys()]);
  }
});

test('what is no count is refused', async () => {
  for (const count of [-1, undefined, 'many']) {
    await rejectsWith(6000001, alice.zim.queryHistoryMessage('bob', PEER, { count, reverse: true }));
  }
});
