// Goal: what programs with the vendor's UI kits do, done in a browser: send each kind, join what one is in, show avatars, ask for large
// counts, load the page again.
// Method: a small chat of our own that is written as those kits are (ui-kit/chat.jsx), pressed and read like a page.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { fixture, skip } from './browser.mjs';
import { within } from './clients.mjs';
import { Stage } from './ui-kit/stage.mjs';

const [PEER, ROOM, GROUP] = [0, 1, 2];
const [TEXT, COMMAND, IMAGE, FILE, AUDIO, VIDEO, BARRAGE, COMBINE, CUSTOM] = [1, 2, 11, 12, 13, 14, 20, 100, 200];
const SUCCESS = 1;
const ALREADY_IN_GROUP = 6000522;

/** How each stored kind is sent, in this order: name, kind, what a person does. */
const STORED = [
  ['a text', TEXT, (chat) => chat.write(TEXT, 'hello')],
  ['another text', TEXT, (chat) => chat.write(TEXT, 'hello again')],
  ['a custom message', CUSTOM, (chat) => chat.write(CUSTOM, 'tea or coffee')],
  ['an image', IMAGE, (chat) => chat.choose(IMAGE, fixture('picture.png'))],
  ['a photo', IMAGE, (chat) => chat.choose(IMAGE, fixture('turned.jpg'))],
  ['a file', FILE, (chat) => chat.choose(FILE, fixture('make.sh'))],
  ['an empty file', FILE, (chat) => chat.choose(FILE, { name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) })],
  ['a large file', FILE, (chat) => chat.choose(FILE, { name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(1_500_000, 7) })],
  ['audio', AUDIO, (chat) => chat.choose(AUDIO, fixture('cbr.mp3'))],
  ['a recording', AUDIO, (chat) => chat.press('record')],
  ['a video', VIDEO, (chat) => chat.choose(VIDEO, fixture('h264.mp4'))],
  ['a combined message', COMBINE, (chat) => chat.press(COMBINE)],
];
const LIVE = [
  ['a command', COMMAND, (chat) => chat.write(COMMAND, 'seat 3')],
  ['a barrage', BARRAGE, (chat) => chat.write(BARRAGE, 'wow')],
];

const isMedia = (kind) => [IMAGE, FILE, AUDIO, VIDEO].includes(kind);

describe('what programs with a UI kit do', { skip }, () => {
  let stage;

  before(async () => { stage = await Stage.start(); });
  after(() => stage?.stop());
  afterEach(() => stage.clear());

  /** Sends one after the other; each settles at the sender and is at the receiver the same message, with what it carries. */
  async function exchange(sender, receiver, steps) {
    for (const [name, kind, act] of steps) {
      const nth = await sender.bubbles(kind).count();
      await act(sender);
      const own = sender.bubbles(kind).nth(nth);
      const other = receiver.bubbles(kind).nth(nth);
      try {
        await sender.settles(own, SUCCESS);
        await receiver.settles(other, SUCCESS);
        if (isMedia(kind)) for (const bubble of [own, other]) await bubble.locator('[data-loaded]').waitFor({ state: 'attached' });
      } catch (error) {
        assert.fail(`${name}: ${error.message}; the sender has ${JSON.stringify(await sender.list())}, errors ${await sender.errors()}`);
      }
      const [ids, said] = [await Promise.all([own, other].map((bubble) => bubble.getAttribute('data-id'))), await own.locator('.words').textContent()];
      assert.equal(ids[0], ids[1], name);
      assert.equal(await other.locator('.words').textContent(), said, name);
      if (kind === FILE) await isDownloaded(receiver, other);
    }
    assert.deepEqual([await sender.errors(), await receiver.errors()], [[], []]);
  }

  async function isDownloaded(chat, bubble) {
    const { url, size } = await bubble.locator('a').evaluate((link) => ({ url: link.href, size: Number(link.dataset.size) }));
    assert.equal(await chat.page.evaluate(async (address) => (await (await fetch(address)).blob()).size, url), size);
  }

  test('each kind to a user settles at the sender and arrives', async () => {
    await stage.know(['ann', 'ben']);
    const [ann, ben] = await Promise.all([stage.open('ann', 'ben', PEER), stage.open('ben', 'ann', PEER)]);
    await Promise.all([ann.isOpen(), ben.isOpen()]);
    await exchange(ann, ben, STORED);
    await exchange(ann, ben, LIVE.slice(0, 1));
    const last = ann.page.locator('.conversations li', { hasText: /^ben$/ });
    assert.equal(await last.getAttribute('data-last'), `${SUCCESS}`);

    const before = await ann.history('ben', PEER);
    assert.equal(before.length, STORED.length);
    // All of it is there when the page is loaded again, and what it carries can be seen again.
    for (const chat of [ann, ben]) {
      await chat.page.reload();
      await chat.isOpen();
      assert.deepEqual((await chat.list()).map(([kind, status]) => [kind, status]), STORED.map(([, kind]) => [kind, SUCCESS]));
      for (const kind of [IMAGE, FILE, AUDIO, VIDEO]) {
        for (const bubble of await chat.bubbles(kind).all()) await bubble.locator('[data-loaded]').waitFor({ state: 'attached' });
      }
    }
    assert.deepEqual(await ann.history('ben', PEER), before);
    // What the page before the reload had sent is not told again as news.
    await exchange(ann, ben, [['a text after it', TEXT, (chat) => chat.write(TEXT, 'still here')]]);
    assert.equal((await ben.list()).length, STORED.length + 1);
  });

  test('each kind to a group, which is joined twice; members have avatars', async () => {
    const owner = await stage.clients.login('owner');
    const portrait = (userID) => `${stage.broker.server}/docs/?of=${userID}`;
    await stage.know(['cho', 'dan']);
    await within(owner.zim.createGroup({ groupID: 'crew', groupName: 'Crew', groupAvatarUrl: '' }, ['cho']), 'the group');
    await within(owner.zim.updateUserAvatarUrl(portrait('owner')), 'the avatar');
    const [cho, dan] = await Promise.all([stage.open('cho', 'crew', GROUP), stage.open('dan', 'crew', GROUP)]);
    await Promise.all([cho.isOpen(), dan.isOpen()]);
    // Both are in by now: cho was from the beginning, dan since his page opened. The chat takes that for joined.
    for (const chat of [cho, dan]) {
      await chat.page.locator('.join').click();
      assert.equal(await chat.page.evaluate(() => ZIM.getInstance().joinGroup('crew').catch(({ code }) => code)), ALREADY_IN_GROUP);
      assert.equal(await chat.page.locator('.members img[alt="owner"]').getAttribute('src'), portrait('owner'));
    }
    await exchange(cho, dan, STORED);
    await exchange(cho, dan, LIVE.slice(0, 1));
    await cho.page.reload();
    await cho.isOpen();
    const tips = 32;
    assert.deepEqual((await cho.list()).filter(([kind]) => kind !== tips).map(([kind, status]) => [kind, status]), STORED.map(([, kind]) => [kind, SUCCESS]));
    assert.deepEqual([await cho.errors(), await dan.errors()], [[], []]);
  });

  test('texts, commands and barrage in a room, which both enter', async () => {
    const [eva, fay] = [await stage.open('eva', 'hall', ROOM), await stage.open('fay', 'hall', ROOM)];
    await Promise.all([eva.isOpen(), fay.isOpen()]);
    await exchange(eva, fay, [...STORED.slice(0, 4), ...LIVE]);
    await exchange(fay, eva, LIVE);
    // A page that is loaded again keeps its place in the room, and enters it once more.
    await fay.page.reload();
    await fay.isOpen();
    await exchange(eva, fay, [['a text', TEXT, (chat) => chat.write(TEXT, 'welcome back')]]);
  });

  test('a list of more than a hundred conversations, a history of more than two hundred messages', async () => {
    const { zim } = await stage.clients.login('gus');
    const friends = Array.from({ length: 130 }, (_, n) => `friend${n}`);
    await stage.know([...friends, 'hal']);
    const send = (to, message) => within(zim.sendMessage({ type: TEXT, message }, to, PEER, { priority: 1 }), 'an answer');
    await Promise.all(friends.map((to) => send(to, 'hello')));
    for (let n = 0; n < 220; n += 1) await send('hal', `message ${n}`);
    await within(zim.logout(), 'the logout');
    const gus = await (await stage.open('gus', 'hal', PEER)).isOpen();
    assert.equal(await gus.page.locator('.conversations li').count(), 120);
    assert.equal(await gus.page.locator('.conversations li').first().textContent(), 'hal');
    assert.deepEqual((await gus.list()).map(([, , said]) => said), Array.from({ length: 220 }, (_, n) => `message ${n}`));
  });

  test('a group of more than a hundred members', async () => {
    const { zim } = await stage.clients.login('ida');
    const fans = Array.from({ length: 130 }, (_, n) => `fan${n}`);
    await stage.know(fans);
    await within(zim.createGroup({ groupID: 'fans', groupName: 'Fans', groupAvatarUrl: '' }, fans.slice(0, 90)), 'the group');
    await within(zim.inviteUsersIntoGroup(fans.slice(90), 'fans'), 'the rest');
    const fan = await (await stage.open('fan7', 'fans', GROUP)).isOpen();
    assert.equal(await fan.page.locator('.members li').count(), 131);
    assert.equal(new Set(await fan.page.locator('.members img').evaluateAll((images) => images.map(({ alt }) => alt))).size, 131);
  });
});
