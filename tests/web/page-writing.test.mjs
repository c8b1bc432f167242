// What is written on the demo page and how it looks: links, lines, days, mentions; who types, who is there; searching; files in order; errors.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';

import { DICTIONARY_FILE, wordsOfErrors } from './page-errors.mjs';
import { Playground, fixture, skip } from './page-kit.mjs';

const DAY_MS = 86_400_000;
const COMMAND = 2;

describe('writing on the demo page', { skip }, () => {
  const playground = Playground.ofSuite();
  let alice;
  let bob;

  const begin = async (look) => { [alice, bob] = await playground.openSignedIn(look); };

  test('links can be followed, and nothing else becomes markup', async () => {
    await begin();
    await alice.write('See https://example.org/a_(b)?c=1&d=2, or (http://127.0.0.1/x). Not javascript:alert(1) <a href="https://evil.example">this</a>');
    const links = bob.bubble('See https').locator('a');
    await links.first().waitFor();
    assert.deepEqual(await links.evaluateAll((all) => all.map((link) => link.getAttribute('href'))), ['https://example.org/a_(b)?c=1&d=2', 'http://127.0.0.1/x', 'https://evil.example']);
    assert.deepEqual(await links.evaluateAll((all) => all.map(({ target, rel }) => `${target} ${rel}`)), Array(3).fill('_blank noopener noreferrer nofollow'));
    assert.match(await bob.bubble('See https').locator('.words').textContent(), /Not javascript:alert\(1\) <a href="https:\/\/evil\.example">this<\/a>$/);
  });

  test('Shift and Enter begin a line, Enter sends', async () => {
    await begin();
    const field = alice.here('text');
    const height = () => field.evaluate(({ offsetHeight }) => offsetHeight);
    const before = await height();
    await field.pressSequentially('one');
    await field.press('Shift+Enter');
    await field.pressSequentially('two');
    assert.ok((await height()) > before, 'the field grows');
    await field.press('Enter');
    await bob.sees('one\ntwo');
    assert.equal(await bob.bubble('two').locator('.words').evaluate((words) => words.innerText), 'one\ntwo');
    assert.equal(await height(), before);
  });

  test('a line with its date stands above the messages of each day', async () => {
    await begin();
    await alice.write('said today');
    await bob.sees('said today');
    const days = (person) => person.chat.locator('.day').allTextContents();
    assert.deepEqual(await days(bob), ['Today']);
    await playground.page.context().addInitScript((shift) => {
      const { now } = Date;
      const Real = Date;
      globalThis.Date = class extends Real {
        constructor(...given) { super(...(given.length === 0 ? [now() + shift] : given)); }
        static now() { return now() + shift; }
      };
    }, DAY_MS);
    await playground.page.reload();
    await bob.sees('said today');
    assert.deepEqual(await days(bob), ['Yesterday']);
    assert.doesNotMatch(await bob.bubble('said today').locator('time').textContent(), /,/);
  });

  test('mentions stand out in the words, one’s own most', async () => {
    await begin();
    await alice.start('group', { 'new-group-name': 'Marked', members: 'bob' });
    await alice.here('text').pressSequentially('@bo');
    await alice.here('text').press('Enter');
    await alice.here('text').pressSequentially('not @bobby');
    await alice.here('text').press('Enter');
    await bob.open('Marked');
    const marks = (person) => person.bubble('not @bobby').locator('mark');
    await marks(bob).first().waitFor();
    assert.deepEqual(await marks(bob).allTextContents(), ['@bob']);
    assert.match(await marks(bob).getAttribute('class'), /of-me/);
    assert.doesNotMatch(await marks(alice).getAttribute('class'), /of-me/);
  });

  test('who is mentioned in a conversation that one is not in is told of that message', async () => {
    await begin();
    const { zim } = await playground.clients.login('hugo');
    await zim.createGroup({ groupID: 'elsewhere', groupName: 'Elsewhere', groupAvatarUrl: '' }, ['alice']);
    await zim.sendMessage({ type: 1, message: 'ask @bob', mentionedUserIDs: ['bob'] }, 'elsewhere', 2, { priority: 1 });
    await bob.root.locator('.told').filter({ hasText: 'hugo mentions you in elsewhere: ask @bob' }).waitFor();
    assert.equal(await bob.item('Elsewhere').count(), 0);
  });

  test('the other side sees who types, at most one command in three seconds, and who is there', async () => {
    const { zim, ears } = await playground.clients.login('gina');
    await begin();
    await alice.start('peer', { 'peer-id': 'gina' });
    await alice.here('subtitle').filter({ hasText: 'Online' }).waitFor();
    await alice.here('text').pressSequentially('typing on and on', { delay: 20 });
    const commands = () => ears.messages('receivePeerMessage').filter(({ type }) => type === COMMAND);
    await ears.until('a command', () => commands().length > 0);
    await alice.here('text').press('Enter');
    await ears.until('the text', () => ears.messages('receivePeerMessage').some(({ type }) => type === 1));
    assert.equal(commands().length, 1);
    const { typing, until } = JSON.parse(new TextDecoder().decode(commands()[0].message));
    assert.equal(typing, true);
    assert.ok(until > Date.now() - 15_000 && until < Date.now() + 15_000);
    // And the other way: shown until a message comes, or the time is over; nonsense is ignored.
    const say = (text) => zim.sendMessage({ type: COMMAND, message: new TextEncoder().encode(text) }, 'alice', 0, { priority: 1 });
    await say('not JSON');
    await say(JSON.stringify({ typing: true, until: Date.now() + 8000 }));
    await alice.here('subtitle').filter({ hasText: 'gina is typing…' }).waitFor();
    await playground.picture('typing');
    await zim.sendMessage({ type: 1, message: 'here it is' }, 'alice', 0, { priority: 1 });
    await alice.sees('here it is');
    await alice.here('subtitle').filter({ hasText: 'Online' }).waitFor();
    await say(JSON.stringify({ typing: true, until: Date.now() + 300 }));
    await alice.here('subtitle').filter({ hasText: 'gina is typing…' }).waitFor();
    await alice.here('subtitle').filter({ hasText: 'Online' }).waitFor();
    await zim.logout();
    await alice.here('subtitle').filter({ hasText: 'Offline' }).waitFor();
    await alice.item('gina').locator('.avatar:not(.online)').waitFor();
  });

  test('the search finds conversations and messages, and leads to them', async () => {
    await begin();
    for (const words of ['the needle is here', 'hay', 'more hay']) await alice.write(words);
    await bob.sees('more hay');
    await bob.part('search').fill('NEEDLE');
    await bob.part('found').locator('button', { hasText: 'alice: the needle is here' }).click();
    await bob.chat.locator('.bubble.found', { hasText: 'needle' }).waitFor();
    assert.equal(await bob.part('search').inputValue(), '');
    await bob.item('alice').waitFor();
    await bob.part('search').fill('ali');
    await bob.part('found').locator('.item-name', { hasText: /^alice$/ }).first().waitFor();
    await playground.picture('search');
    await bob.part('search').fill('there is nothing like that');
    await bob.part('found').getByText('Nothing found.').waitFor();
    await bob.part('search').press('Escape');
    await bob.item('alice').waitFor();
  });

  test('files that are chosen together come in the order in which they were chosen', async () => {
    await begin();
    // The first one takes longest.
    await alice.here('file').setInputFiles([
      { name: 'first.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(6_000_000) },
      { name: 'second.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4 small') },
      { name: 'third.txt', mimeType: 'text/plain', buffer: Buffer.from('smallest') },
    ]);
    await bob.chat.locator('.chip', { hasText: 'third.txt' }).waitFor();
    assert.deepEqual((await bob.chat.locator('.chip-name').allTextContents()).slice(-3), ['first.bin', 'second.pdf', 'third.txt']);
    assert.deepEqual((await bob.chat.locator('.chip-icon').allTextContents()).slice(-3), ['BIN', 'PDF', 'TXT']);
    const download = playground.page.waitForEvent('download');
    await bob.chat.locator('.chip', { hasText: 'third.txt' }).click();
    assert.equal((await download).suggestedFilename(), 'third.txt');
    await playground.picture('file-icons');
  });

  test('what one took back oneself is said so', async () => {
    await begin();
    await alice.write('a slip');
    await bob.sees('a slip');
    await alice.menu('a slip', 'Take back');
    await alice.chat.locator('.bubble.gone', { hasText: 'You took a message back' }).waitFor();
    await alice.item('bob').locator('.item-words').filter({ hasText: 'You took a message back' }).waitFor();
    await bob.chat.locator('.bubble.gone', { hasText: 'alice took a message back' }).waitFor();
  });

  test('an error is told in words of the page’s language, whichever number it has', async () => {
    const { missing } = await wordsOfErrors();
    assert.deepEqual(missing, [], `words for them are missing in ${DICTIONARY_FILE}`);
    await begin({ locale: 'zh-CN' });
    await alice.start('peer', { 'peer-id': 'nobody-here-yet' });
    await alice.write('喂？');
    await alice.here('error').filter({ hasText: /^没有这个用户。$/ }).waitFor();
    await playground.tool('language');
    await alice.here('error').filter({ hasText: /^Nobody of that name has been here yet\.$/ }).waitFor();
  });

  test('the picture of a file that is no picture is refused in words', async () => {
    await begin();
    await alice.here('file').setInputFiles([{ name: 'fake.jpg', mimeType: 'image/jpeg', buffer: await readFile(fixture('make.sh')) }]);
    await alice.here('error').filter({ hasText: 'not accepted here' }).waitFor();
    // The browser itself notes the answer of 415.
    assert.ok(playground.complaints.splice(0).every((line) => line.includes('415')));
  });
});
