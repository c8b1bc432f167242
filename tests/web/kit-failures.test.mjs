// Goal: a program with one of the vendor's UI kits where things go wrong: its parts are started twice, the network is cut, the broker
// stops. What was not sent shows so in its place, is sent again by the same object, and is stored once.
// Method: the chat of kit-flows.test.mjs, through a cable that can be pulled, and a broker that can be stopped.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { fixture, skip } from './browser.mjs';
import { wholeHistory } from './clients.mjs';
import { layCable } from './ui-kit/cable.mjs';
import { Stage } from './ui-kit/stage.mjs';

const [PEER, ROOM] = [0, 1];
const [TEXT, COMMAND, IMAGE, FILE, AUDIO, VIDEO, BARRAGE, COMBINE, CUSTOM] = [1, 2, 11, 12, 13, 14, 20, 100, 200];
const [SENDING, SUCCESS, FAILED] = [0, 1, 2];
const RECONNECTING = 3;
/** How long uploads are tried again, and a little more. */
const UPLOADS_END_MS = 70_000;

const KINDS = [
  [TEXT, (chat) => chat.write(TEXT, 'in vain')],
  [CUSTOM, (chat) => chat.write(CUSTOM, 'in vain, too')],
  [COMBINE, (chat) => chat.press(COMBINE)],
];
const FILES = [
  [IMAGE, (chat) => chat.choose(IMAGE, fixture('picture.png'))],
  [FILE, (chat) => chat.choose(FILE, fixture('make.sh'))],
  [AUDIO, (chat) => chat.choose(AUDIO, fixture('cbr.mp3'))],
  [VIDEO, (chat) => chat.choose(VIDEO, fixture('h264.mp4'))],
];

describe('a program with a UI kit where things go wrong', { skip }, () => {
  let stage;
  let bob;
  let cable;

  before(async () => {
    stage = await Stage.start();
    bob = await stage.clients.login('bob', { reconnectMaxMs: 100 });
  });
  after(() => stage?.stop());
  afterEach(async () => {
    await stage.clear();
    await cable?.takeAway();
    cable = null;
  });

  const stored = async (userID) => (await wholeHistory(bob.zim, userID, PEER)).map(({ type, message }) => [type, message]);
  const received = (userID) => bob.ears.messages('receivePeerMessage').filter(({ senderUserID }) => senderUserID === userID);

  /** The chat of a user with bob, at the far end of a cable. */
  async function onCable(userID, config = {}, to = 'bob', type = PEER) {
    cable = await layCable(stage.broker.server);
    const options = { config: { sendTimeoutMs: 500, reconnectMaxMs: 100, ...config }, server: cable.server };
    return (await stage.open(userID, to, type, options)).isOpen();
  }

  for (const cleanup of ['', 'logout', 'destroy', 'logout,destroy']) {
    test(`parts that are started twice at once, and end by ${cleanup || 'nothing'}`, async () => {
      const userID = `twice-${cleanup.replace(',', '-')}`;
      await stage.know([userID]);
      const chat = await (await stage.open(userID, 'bob', PEER, { strict: true, cleanup })).isOpen();
      await chat.write(TEXT, 'once');
      await chat.settles(chat.bubbles(TEXT, 'once'), SUCCESS);
      await bob.zim.sendMessage({ type: TEXT, message: 'welcome' }, userID, PEER, { priority: 1 });
      await chat.settles(chat.bubbles(TEXT, 'welcome'), SUCCESS);
      assert.deepEqual((await chat.list()).map(([, , words]) => words), ['once', 'welcome']);
      assert.deepEqual(await stored(userID), [[TEXT, 'once'], [TEXT, 'welcome']]);
      assert.deepEqual(await chat.errors(), []);
      // The page does the same when it is loaded again.
      await chat.page.reload();
      await chat.isOpen();
      assert.deepEqual((await chat.list()).map(([, , words]) => words), ['once', 'welcome']);
      assert.deepEqual(await chat.errors(), []);
    });
  }

  test('without a network each kind fails in its place, and the same object is sent once it is back', async () => {
    const chat = await onCable('cut');
    for (const words of ['one', 'two']) {
      await chat.write(TEXT, words);
      await chat.settles(chat.bubbles(TEXT, words), SUCCESS);
    }
    cable.pull();
    await chat.hasState(RECONNECTING);
    for (const [, act] of KINDS) await act(chat);
    for (const [kind] of KINDS) await chat.settles(chat.bubbles(kind).last(), FAILED);
    cable.plug();
    await chat.isOpen();
    await chat.write(TEXT, 'after it');
    await chat.settles(chat.bubbles(TEXT, 'after it'), SUCCESS);
    const places = [[TEXT, SUCCESS], [TEXT, SUCCESS], ...KINDS.map(([kind]) => [kind, FAILED]), [TEXT, SUCCESS]];
    assert.deepEqual((await chat.list()).map(([kind, status]) => [kind, status]), places);
    assert.deepEqual((await chat.history('bob', PEER)).map(({ kind, status }) => [kind, status]), places, 'in their places');
    assert.equal((await stored('cut')).length, 3, 'what failed was not sent by itself');

    await again(chat, KINDS);
    assert.deepEqual((await chat.list()).map(([kind, status]) => [kind, status]), places.map(([kind]) => [kind, SUCCESS]), 'no other bubbles');
    const history = await chat.history('bob', PEER);
    assert.deepEqual(history.map(({ kind }) => kind), [TEXT, TEXT, TEXT, ...KINDS.map(([kind]) => kind)], 'the newest now, and there once');
    assert.equal(new Set(history.map(({ localID }) => localID)).size, history.length);
    assert.equal(received('cut').length, history.length, 'each came to the receiver once');
  });

  /** Presses the button of each bubble that failed, and waits for them. */
  async function again(chat, kinds) {
    for (const [kind] of kinds) {
      const bubble = await chat.bubbles(kind).and(chat.page.locator(`[data-status="${FAILED}"]`)).elementHandle();
      await (await bubble.$('.retry')).click();
      await chat.page.waitForFunction(([element, status]) => element.dataset.status === `${status}` && !element.querySelector('.spinner'), [bubble, SUCCESS]);
    }
  }

  test('without a network files fail when their uploads end, and go up when they are sent again', { timeout: 180_000 }, async () => {
    const chat = await onCable('filer');
    await chat.write(TEXT, 'one');
    await chat.settles(chat.bubbles(TEXT, 'one'), SUCCESS);
    cable.pull();
    await chat.hasState(RECONNECTING);
    for (const [, act] of FILES) await act(chat);
    for (const [kind] of FILES) await chat.bubbles(kind).and(chat.page.locator(`[data-status="${FAILED}"]`)).waitFor({ timeout: UPLOADS_END_MS });
    assert.equal(await chat.page.locator('.spinner').count(), 0);
    cable.plug();
    await chat.isOpen();
    await again(chat, FILES);
    for (const [kind] of FILES) await chat.bubbles(kind).locator('[data-loaded]').waitFor({ state: 'attached' });
    assert.deepEqual((await stored('filer')).map(([kind]) => kind), [TEXT, ...FILES.map(([kind]) => kind)]);
    assert.equal(received('filer').length, 1 + FILES.length);
  });

  test('a cut during the upload of a large file is not noticed in the chat', async () => {
    const chat = await onCable('lasting', { sendTimeoutMs: 30_000 });
    const bubble = chat.bubbles(FILE).first();
    cable.slowDown(20);
    await chat.choose(FILE, { name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(8_000_000, 3) });
    await bubble.waitFor();
    cable.pull();
    await chat.hasState(RECONNECTING);
    assert.equal(await bubble.getAttribute('data-status'), `${SENDING}`);
    cable.slowDown(0);
    cable.plug();
    await chat.settles(bubble, SUCCESS);
    assert.equal(await bubble.locator('a').getAttribute('data-size'), '8000000');
    assert.deepEqual((await stored('lasting')).map(([kind]) => kind), [FILE]);
  });

  test('commands and barrage fail at once without a network, and go when they are sent again', async () => {
    const chat = await onCable('player', {}, 'stadium', ROOM);
    cable.pull();
    await chat.hasState(RECONNECTING);
    const live = [[COMMAND, 'seat 4'], [BARRAGE, 'goal']];
    for (const [kind, words] of live) {
      await chat.write(kind, words);
      await chat.settles(chat.bubbles(kind), FAILED);
    }
    cable.plug();
    await chat.isOpen();
    await again(chat, live);
    assert.equal((await chat.list()).length, live.length);
  });

  test('while the broker is stopped texts fail, and are stored once when it is back and they are sent again', async () => {
    const chat = await (await stage.open('stopped', 'bob', PEER, { config: { sendTimeoutMs: 500, reconnectMaxMs: 100 } })).isOpen();
    await chat.write(TEXT, 'before');
    await chat.settles(chat.bubbles(TEXT, 'before'), SUCCESS);
    await stage.broker.stopGently();
    await chat.hasState(RECONNECTING);
    await chat.write(TEXT, 'meanwhile');
    await chat.settles(chat.bubbles(TEXT, 'meanwhile'), FAILED);
    // Again in vain, and once more when it is back.
    await chat.bubbles(TEXT, 'meanwhile').locator('.retry').click();
    await chat.settles(chat.bubbles(TEXT, 'meanwhile'), FAILED);
    assert.deepEqual((await chat.list()).map(([, status, words]) => [status, words]), [[SUCCESS, 'before'], [FAILED, 'meanwhile']]);
    await stage.broker.start();
    await chat.isOpen();
    await again(chat, [[TEXT]]);
    assert.deepEqual((await chat.list()).map(([, status, words]) => [status, words]), [[SUCCESS, 'before'], [SUCCESS, 'meanwhile']]);
    await bob.ears.until('both', () => received('stopped').length >= 2);
    assert.deepEqual(await stored('stopped'), [[TEXT, 'before'], [TEXT, 'meanwhile']]);
    assert.equal(received('stopped').length, 2);
  });

  test('a broker that does not answer in time: the bubble fails, succeeds when the answer comes, and what was sent twice is there once', async () => {
    const chat = await (await stage.open('patient', 'bob', PEER, { config: { sendTimeoutMs: 500, reconnectMaxMs: 100 } })).isOpen();
    stage.broker.freeze();
    try {
      for (const words of ['left alone', 'sent again']) {
        await chat.write(TEXT, words);
        await chat.settles(chat.bubbles(TEXT, words), FAILED);
      }
      await chat.bubbles(TEXT, 'sent again').locator('.retry').click();
      await chat.settles(chat.bubbles(TEXT, 'sent again'), FAILED);
    } finally {
      stage.broker.thaw();
    }
    for (const words of ['left alone', 'sent again']) await chat.settles(chat.bubbles(TEXT, words), SUCCESS);
    assert.deepEqual(await stored('patient'), [[TEXT, 'left alone'], [TEXT, 'sent again']]);
    assert.deepEqual((await chat.history('bob', PEER)).map(({ status, words }) => [status, words]), [[SUCCESS, 'left alone'], [SUCCESS, 'sent again']]);
  });
});
