// The console: coming in, figures, what an operator may do, and how it looks on every screen.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { skip } from './browser.mjs';
import { sendText, within } from './clients.mjs';
import { ControlRoom, PASSWORD } from './console-kit.mjs';
import { contrastsBelow } from './page-contrast.mjs';

const GROUP = 2;
const ROOM = 1;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const VIEWS = ['overview', 'tail', 'history', 'sessions', 'users', 'rooms', 'groups', 'uploads', 'webhooks', 'cluster', 'storage', 'config', 'keys', 'audit'];
/** What the browser notes of an answer that is an error; the page says it in words. */
const REFUSED = [/status of (400|401|404|429)/];
const HOSTILE = '<img src=x onerror="window.broken = true"><b>bold</b>';

describe('the console', { skip }, () => {
  let room;

  before(async () => { room = await ControlRoom.start(); });
  after(() => room?.stop());

  // The first test sets the password; those after it know it.
  test('the link lets one choose the password, once, and leaves no trace in the address', async () => {
    const token = await room.setupToken();
    assert.match(token, /^[\w-]{43}$/);
    const page = await room.open({}, `#setup=${token}`);
    await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
    assert.equal(new URL(page.url()).hash, '');
    await room.picture('set-up');
    const set = async (one, again) => {
      await page.locator('[name="password"]').fill(one);
      await page.locator('[name="passwordAgain"]').fill(again);
      await page.locator('[name="passwordAgain"]').press('Enter');
    };
    await set('too short', 'too short');
    await page.locator('.error', { hasText: 'At least 12' }).waitFor();
    await set(PASSWORD, `${PASSWORD}!`);
    await page.locator('.error', { hasText: 'not the same' }).waitFor();
    await set(PASSWORD, PASSWORD);
    await page.locator('main[data-view="overview"]').waitFor();
    room.hasPassword = true;
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ['tidings-console', true, 'Strict', '/']);
    assert.equal(await page.evaluate(() => document.cookie), '', 'no script reads the session');
    await page.reload();
    await page.locator('main[data-view="overview"]').waitFor();
    await room.close();

    const other = await room.open({}, `#setup=${token}`);
    await other.locator('.note', { hasText: 'set already' }).waitFor();
    await room.close();
  });

  test('a wrong password is told, the right one opens, and signing out closes', async () => {
    const page = await room.open();
    await page.locator('[name="password"]').fill('not the password');
    await page.keyboard.press('Enter');
    await page.locator('.error', { hasText: 'not the password' }).waitFor();
    await room.picture('sign-in');
    await page.locator('[name="password"]').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('main[data-view="overview"]').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.locator('.nav').isHidden(), true);
    assert.equal(await page.evaluate(() => fetch('api/v1/stats').then((answer) => answer.status)), 401);
    await room.close(REFUSED);
  });

  test('the overview shows what happens: rates, latency, connections', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => room.clients.login(name)));
    await Promise.all([alice, bob].map(({ zim }) => within(zim.enterRoom({ roomID: 'hall', roomName: 'The hall' }), 'enter')));
    const page = await room.enter();
    const value = (title, entry) => page.locator('.chart', { hasText: title }).locator('.legend li', { hasText: entry }).locator('b');
    await value('Connections', 'signed in').filter({ hasText: /^2$/ }).waitFor();
    let isBusy = true;
    const busy = (async () => {
      while (isBusy) {
        await sendText(alice.zim, 'bob', 'busy');
        for (let n = 0; n < 10; n += 1) await within(bob.zim.sendMessage({ type: 20, message: '!' }, 'hall', ROOM, { priority: 1 }), 'barrage');
      }
    })();
    await value('Messages in', 'stored').filter({ hasText: /^[\d.,]*[1-9][\d.,]*\/s$/ }).waitFor();
    await value('Messages in', 'barrages').filter({ hasText: /^[\d.,]*[1-9][\d.,]*\/s$/ }).waitFor();
    await value('Messages out', 'delivered').filter({ hasText: /[1-9]/ }).waitFor();
    await value('Time until on disk', '99 %').filter({ hasText: /\d ms$/ }).waitFor();
    await page.locator('.facts div', { hasText: 'Users online' }).locator('dd').filter({ hasText: /^2$/ }).waitFor();
    await page.waitForFunction(() => (document.querySelector('.stroke').getAttribute('d').match(/L/g) ?? []).length >= 3);
    // Where one points, the past is told.
    await page.locator('.plot').first().hover({ position: { x: 225, y: 30 } });
    await room.picture('overview');
    isBusy = false;
    await busy;
    await room.close();
  });

  test('a session is kicked after a question, and its client hears of it', async () => {
    const carol = await room.clients.login('carol');
    await room.clients.login('dave');
    const page = await room.enter({}, 'sessions');
    await room.row('dave').waitFor();
    await page.locator('main input[type="search"]').fill('carol');
    await room.row('dave').waitFor({ state: 'detached' });
    await room.row('carol').getByRole('button', { name: 'Kick carol' }).click();
    await room.picture('sessions-question');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    assert.equal(carol.ears.of('connectionStateChanged').filter(({ state }) => state === 0).length, 0, 'Escape does nothing');
    await room.row('carol').getByRole('button', { name: 'Kick carol' }).click();
    await room.say('Kick');
    await room.told('ending');
    await carol.ears.event('connectionStateChanged', { state: 0 });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await room.row('carol').waitFor({ state: 'detached' });
    await room.close();
  });

  test('a user is found, banned, seen among the banned, and let in again', async () => {
    const eve = await room.clients.login('eve');
    const page = await room.enter({}, 'users');
    const find = async (name) => {
      await page.locator('main input[type="search"]').first().fill(name);
      await page.getByRole('button', { name: 'Find' }).click();
    };
    await find('nobody-at-all');
    await page.locator('.found .error').waitFor();
    await find('eve');
    await page.locator('.portrait .mark', { hasText: 'online' }).waitFor();
    await page.locator('.portrait').getByRole('button', { name: 'Ban eve' }).click();
    await page.locator('dialog select').selectOption('0');
    await page.locator('dialog [name="reason"]').fill('spam <b>everywhere</b>');
    await room.picture('ban');
    await room.say('Ban');
    await room.told('holds');
    await eve.ears.event('connectionStateChanged', { state: 0 });
    const banned = page.locator('main .listing').last().locator('tbody tr', { hasText: 'eve' });
    await banned.filter({ hasText: 'spam <b>everywhere</b>' }).filter({ hasText: 'for good' }).waitFor();
    await page.locator('.portrait .mark', { hasText: 'banned' }).waitFor();
    await room.picture('users');
    await assert.rejects(room.clients.login('eve'), (error) => error.code === 6000124);
    await banned.getByRole('button', { name: 'Lift the ban of eve' }).click();
    await room.say('Lift the ban');
    await banned.waitFor({ state: 'detached' });
    await room.clients.login('eve');
    await room.close(REFUSED);
  });

  test('rooms and groups show who is in them, and end', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => room.clients.login(name)));
    for (const { zim } of [alice, bob]) await within(zim.enterRoom({ roomID: 'kitchen', roomName: 'The kitchen' }), 'enter');
    const made = await within(alice.zim.createGroup({ groupID: '', groupName: 'Gardeners' }, ['bob']), 'group');
    const { groupID } = made.groupInfo.baseInfo;
    const page = await room.enter({}, 'rooms');
    await room.row('The kitchen').getByRole('button', { name: 'Members of kitchen' }).click();
    const dialog = page.locator('dialog[open]').first();
    await dialog.getByRole('button', { name: 'Put bob out' }).click();
    await room.say('Put out');
    await bob.ears.event('roomStateChanged', { roomID: 'kitchen', state: 0 });
    await dialog.locator('tbody tr', { hasText: 'bob' }).waitFor({ state: 'detached' });
    await room.picture('members');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await room.row('The kitchen').getByRole('button', { name: 'Destroy kitchen' }).click();
    await room.say('Destroy');
    await room.row('The kitchen').waitFor({ state: 'detached' });
    await alice.ears.event('roomStateChanged', { roomID: 'kitchen', state: 0 });

    await room.go('groups');
    await room.row('Gardeners').getByRole('button', { name: 'Members' }).click();
    assert.equal(await page.locator('dialog').getByRole('button', { name: 'Put alice out' }).count(), 0, 'its owner stays');
    await page.locator('dialog').getByRole('button', { name: 'Put bob out' }).click();
    await room.say('Put out');
    await bob.ears.until('the end of a membership', (ears) => ears.of('groupStateChanged').find((data) => data.state === 0 && data.groupInfo.baseInfo.groupID === groupID));
    await page.locator('dialog').getByRole('button', { name: 'Close' }).click();
    await room.row('Gardeners').getByRole('button', { name: 'Dismiss' }).click();
    await room.say('Dismiss');
    await room.row('Gardeners').waitFor({ state: 'detached' });
    await room.close();
  });

  test('the tail shows messages as text, filters them, and waits when it is told to', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => room.clients.login(name)));
    const made = await within(alice.zim.createGroup({ groupID: '', groupName: 'Talkers' }, ['bob']), 'group');
    const page = await room.enter({}, 'tail');
    await page.locator('.pill', { hasText: 'Listening' }).waitFor();
    await sendText(alice.zim, 'bob', HOSTILE);
    await page.locator('.tail li', { hasText: HOSTILE }).waitFor();
    await within(bob.zim.sendMessage({ type: 1, message: 'to all of us' }, made.groupInfo.baseInfo.groupID, GROUP, { priority: 1 }), 'group message');
    await page.locator('.tail li', { hasText: 'to all of us' }).waitFor();
    await within(bob.zim.sendMessage({ type: 2, message: new Uint8Array([1, 2, 3]) }, 'alice', 0, { priority: 1 }), 'command');
    await page.locator('.tail li', { hasText: 'application’s own' }).waitFor();
    assert.deepEqual(await page.evaluate(() => [window.broken, document.querySelectorAll('main img, .tail .words *').length]), [undefined, 0]);
    await room.picture('tail');

    await page.getByRole('button', { name: 'Pause' }).click();
    await sendText(alice.zim, 'bob', 'while it pauses');
    await page.locator('.note', { hasText: '4 heard' }).waitFor();
    assert.equal(await page.locator('.tail li', { hasText: 'while it pauses' }).count(), 0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.locator('.tail li', { hasText: 'while it pauses' }).waitFor();

    await page.getByRole('button', { name: 'Clear' }).click();
    await page.locator('select[aria-label="Where"]').selectOption('2');
    await page.locator('.pill', { hasText: 'Listening' }).waitFor();
    await sendText(alice.zim, 'bob', 'not of a group');
    await within(bob.zim.sendMessage({ type: 1, message: 'of a group' }, made.groupInfo.baseInfo.groupID, GROUP, { priority: 1 }), 'group message');
    await page.locator('.tail li', { hasText: /of a group$/ }).waitFor();
    assert.equal(await page.locator('.tail li').count(), 1);
    await room.close();
  });

  test('storage, settings and the audit log tell how things are; secrets are masked', async () => {
    const page = await room.enter({}, 'storage');
    await page.locator('.facts div', { hasText: 'Folder' }).locator('dd', { hasText: 'tidings-web-' }).waitFor();
    await page.locator('.bars meter').first().waitFor();
    await room.picture('storage');
    await room.go('cluster');
    await page.locator('.empty', { hasText: 'This broker has its store to itself.' }).waitFor();
    await room.go('config');
    const setting = (name) => page.locator('.settings dl > div', { has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) }).first();
    await setting('session_idle_seconds').locator('dd', { hasText: '1800' }).waitFor();
    assert.match(await setting('secret').locator('dd').textContent(), /^(\*\*\*|"")$/);
    await page.locator('main input[type="search"]').fill('console');
    assert.equal(await page.locator('.settings:visible').count(), 1);
    await room.picture('config');
    await room.go('audit');
    await room.row('console.setup').waitFor();
    await room.row('PUT /users/{userID}/ban').filter({ hasText: 'eve' }).waitFor();
    assert.ok(await room.row('console.login').filter({ hasText: '401' }).count() >= 1);
    await room.picture('audit');
    await room.close();
  });

  test('what goes up now is shown with how far it is', async () => {
    const page = await room.enter({}, 'uploads');
    await page.locator('.empty', { hasText: 'Nothing goes up' }).waitFor();
    const token = await room.broker.token('alice');
    const name = Buffer.from('holiday.mp4').toString('base64');
    const made = await fetch(`${room.broker.server}/media/tus`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', 'upload-length': '4000', 'upload-metadata': `filename ${name},type ${Buffer.from('12').toString('base64')}`, 'content-type': 'application/offset+octet-stream' },
    });
    assert.equal(made.status, 201, await made.text());
    const part = await fetch(new URL(made.headers.get('location'), room.broker.server), {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
      body: new Uint8Array(1000),
    });
    assert.equal(part.status, 204, await part.text());
    await room.row('holiday.mp4').filter({ hasText: '1,000 B / 3.9 KB' }).waitFor();
    await room.picture('uploads');
    await room.close();
  });

  test('a session that ends elsewhere leads back to the door; a reset link sets a new password', async () => {
    const page = await room.enter();
    await room.broker.resetConsole();
    await page.getByText('No password is set yet').waitFor();
    await room.close(REFUSED);
    room.hasPassword = false;
    await room.enter();
    await room.close();
  });

  test('keys alone lead everywhere', async () => {
    const page = await room.enter();
    const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label'));
    const skipping = page.getByRole('link', { name: 'Skip to the content' });
    await skipping.focus();
    const passed = [];
    for (let n = 0; n < 20 && !passed.includes('Audit log'); n += 1) {
      await page.keyboard.press('Tab');
      passed.push(await focused());
    }
    assert.deepEqual(passed.slice(-VIEWS.length), await page.locator('.nav a').allTextContents());
    assert.ok(passed.includes('Sign out'));
    await page.keyboard.press('Enter');
    await page.locator('main[data-view="audit"]').waitFor();
    await skipping.focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    await room.close();
  });

  test('both languages say everything', async () => {
    const page = await room.enter({ locale: 'zh-CN' });
    await page.getByRole('heading', { name: '概览' }).waitFor();
    const entries = await page.evaluate(async () => {
      const { DICTIONARY } = await import('./console/text.js');
      const holes = (words) => Object.entries(words).map(([key, said]) => [key, (said.match(/\{\w+\}/g) ?? []).sort().join()]).sort();
      return [holes(DICTIONARY.en), holes(DICTIONARY.zh)];
    });
    assert.deepEqual(entries[0].map(([key]) => key), entries[1].map(([key]) => key));
    const unsaid = () => page.evaluate(async () => {
      const { DICTIONARY } = await import('./console/text.js');
      const named = [...document.querySelectorAll('[data-text], [data-label], [data-hint]')].flatMap(({ dataset }) => [dataset.text, dataset.label, dataset.hint]);
      return [...new Set(named.filter((key) => key && !(key in DICTIONARY.en)))];
    });
    for (const view of VIEWS) {
      await room.go(view);
      assert.deepEqual(await unsaid(), [], view);
      if (['overview', 'users', 'audit'].includes(view)) await room.picture(`chinese-${view}`);
    }
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Audit log' }).waitFor();
    assert.equal(await page.locator('.nav [data-view="tail"]').textContent(), 'Messages');
    await room.close(REFUSED);
  });

  for (const [name, look] of Object.entries({ light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' }, phone: { ...PHONE, colorScheme: 'light' }, 'phone-dark': { ...PHONE, colorScheme: 'dark' } })) {
    test(`texts stand out and nothing is cut off: ${name}`, async () => {
      const [alice] = await Promise.all(['alice', 'bob'].map((user) => room.clients.login(user)));
      await within(alice.zim.enterRoom({ roomID: 'hall', roomName: 'The hall' }), 'enter');
      const page = await room.enter(look);
      for (const view of VIEWS) {
        await room.go(view);
        if (view === 'tail') {
          await page.locator('.pill', { hasText: 'Listening' }).waitFor();
          await sendText(alice.zim, 'bob', `a longer text that has to find its place ${'and room '.repeat(12)}`);
          await page.locator('.tail li').first().waitFor();
        }
        if (view === 'overview') await page.locator('.facts dd').first().waitFor();
        if (['sessions', 'rooms', 'users', 'audit'].includes(view)) await page.locator('main tbody tr').first().waitFor();
        if (view === 'config') await page.locator('.settings').first().waitFor();
        await room.picture(`${name}-${view}`);
        assert.deepEqual(await contrastsBelow(page, 4.5), [], view);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${view} is not wider than the screen`);
      }
      await room.go('rooms');
      await room.row('hall').getByRole('button', { name: 'Destroy hall' }).click();
      await room.picture(`${name}-question`);
      assert.deepEqual(await contrastsBelow(page, 4.5), [], 'a question');
      await room.close(REFUSED);
    });
  }

  afterEach(() => room.page?.context().close());
});
