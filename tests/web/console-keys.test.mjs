// The console: keys and tokens that are shown once, what was written, settings, and figures of what there is.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { skip } from './browser.mjs';
import { sendText, within } from './clients.mjs';
import { ControlRoom } from './console-kit.mjs';
import { contrastsBelow } from './page-contrast.mjs';

const GROUP = 2;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
/** What the browser notes of an answer that is an error; the page says it in words. */
const REFUSED = [/status of (400|401|403|404|409)/];
const HOSTILE = '<img src=x onerror="window.broken = true"><b>bold</b>';
/** A number of the wire protocol, alone or in brackets. */
const BARE_CODE = /\b6\d{6}\b/;

describe('keys, history and settings in the console', { skip }, () => {
  let room;

  before(async () => { room = await ControlRoom.start({ TIDINGS_USERS__MUST_EXIST: 'false' }); });
  after(() => room?.stop());

  const asked = (key, path) => fetch(`${room.broker.server}/api/v1/${path}`, { headers: { authorization: `Bearer ${key}` } }).then(({ status }) => status);
  const isAsWideAsTheScreen = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

  test('a key is made, shown once, listed without itself, and revoked', async () => {
    const page = await room.enter({}, 'keys');
    await page.locator('.empty', { hasText: 'There are no keys' }).waitFor();
    const begin = async (name, ...scopes) => {
      await page.getByRole('button', { name: 'New key' }).click();
      await page.locator('dialog [name="keyName"]').fill(name);
      for (const scope of scopes) await page.locator(`dialog [value="${scope}"]`).check();
    };
    const make = () => page.locator('dialog').getByRole('button', { name: 'Make it' }).click();
    await begin('shop');
    await make();
    await page.locator('dialog .error', { hasText: 'at least one' }).waitFor();
    await page.locator('dialog [value="users:read"]').check();
    await page.locator('dialog [name="lasting"]').selectOption(`${30 * 86_400}`);
    await room.picture('keys-new');
    assert.deepEqual(await contrastsBelow(page, 4.5), []);
    await make();
    await page.getByRole('heading', { name: 'The key shop' }).waitFor();
    const key = await page.locator('dialog .secret').textContent();
    assert.match(key, /^tdk_[\w-]{43}$/);
    await room.picture('keys-once');
    // A click beside it must not take it away.
    await page.mouse.click(5, 5);
    await page.locator('dialog .secret').waitFor();
    assert.deepEqual([await asked(key, 'users'), await asked(key, 'rooms'), await asked(key, 'keys')], [200, 403, 403]);
    await page.locator('dialog').getByRole('button', { name: 'Close' }).click();
    await room.row('shop').filter({ hasText: 'users:read' }).waitFor();
    assert.equal((await page.content()).includes(key), false);

    await begin('shop', 'users:read');
    await make();
    const refused = page.locator('dialog .error:visible');
    await refused.filter({ hasText: 'does not fit: there is a key named "shop" already' }).waitFor();
    assert.doesNotMatch(await refused.textContent(), BARE_CODE);
    await page.keyboard.press('Escape');
    await begin('everything', '*');
    assert.equal(await page.locator('dialog [value="ops:write"]').isDisabled(), true);
    await make();
    assert.equal(await asked(await page.locator('dialog .secret').textContent(), 'keys'), 200);
    await page.locator('dialog').getByRole('button', { name: 'Close' }).click();

    await room.row('shop').getByRole('button', { name: 'Revoke shop' }).click();
    await room.say('Revoke');
    await room.told('revoked');
    await room.row('shop').waitFor({ state: 'detached' });
    assert.equal(await asked(key, 'users'), 401);
    await room.picture('keys');
    await room.go('audit');
    for (const [action, target] of [['POST /keys', 'shop users:read'], ['DELETE /keys/{name}', 'shop'], ['GET /keys', '–']]) {
      const line = room.row(action).filter({ hasText: 'console@127.0.0.1' }).filter({ hasText: target }).filter({ hasText: 'done · 200' });
      assert.ok(await line.count() > 0, `${action} ${target}`);
    }
    await room.row('POST /keys').filter({ hasText: 'does not fit · 409' }).waitFor();
    await room.close(REFUSED);
  });

  test('a key may be given every scope there is', async () => {
    const page = await room.enter({}, 'keys');
    const [offered, known] = await page.evaluate(async () => {
      const { SCOPES } = await import('./console/keys.js');
      const { components } = await (await fetch('api/v1/openapi.json')).json();
      return [SCOPES, components.schemas.NewKey.properties.scopes.items.enum];
    });
    assert.deepEqual(offered, known);
    await room.close();
  });

  test('a token for a user is made after a question, and logs in', async () => {
    await room.clients.login('alice');
    const page = await room.enter({}, 'users');
    await page.locator('main input[type="search"]').first().fill('alice');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.locator('.portrait').getByRole('button', { name: 'Make a token for alice' }).click();
    await page.locator('dialog select').selectOption('3600');
    await room.say('Make a token');
    const token = await page.locator('dialog .secret').textContent();
    await room.picture('token');
    await page.locator('dialog').getByRole('button', { name: 'Close' }).click();
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    assert.ok(Math.abs(claims.exp - Date.now() / 1000 - 3600) < 60, JSON.stringify(claims));
    const upload = await fetch(`${room.broker.server}/media/tus`, {
      method: 'POST', headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', 'upload-length': '4', 'upload-metadata': `filename ${btoa('a.txt')},type ${btoa('12')}` },
    });
    assert.equal(upload.status, 201, 'the broker takes it for alice');
    await room.go('audit');
    await room.row('POST /users/{userID}/tokens').filter({ hasText: 'alice' }).waitFor();
    await room.close();
  });

  test('what was written is read page by page, as text, and it is noted who read it', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => room.clients.login(name)));
    for (let n = 0; n < 102; n += 1) await sendText(alice.zim, 'bob', `line ${n}`);
    await sendText(bob.zim, 'alice', HOSTILE);
    const made = await within(alice.zim.createGroup({ groupID: 'garden', groupName: 'Gardeners' }, ['bob']), 'group');
    await within(bob.zim.sendMessage({ type: 1, message: 'in the garden' }, made.groupInfo.baseInfo.groupID, GROUP, { priority: 1 }), 'group message');
    const page = await room.enter({}, 'history');
    await page.locator('main').getByLabel('As this user').fill('alice');
    await page.getByRole('button', { name: 'Conversations' }).click();
    await room.row('garden').filter({ hasText: 'Gardeners' }).waitFor();
    await room.row('bob').getByRole('button', { name: 'Read bob' }).click();
    await room.row(HOSTILE).filter({ hasText: 'bob' }).waitFor();
    assert.equal(await page.locator('main tbody img, main tbody b').count(), 0);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.equal(await page.locator('main tbody tr').count(), 100);
    await room.picture('history');
    assert.deepEqual(await contrastsBelow(page, 4.5), []);
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.locator('main tbody tr', { hasText: /line 0$/ }).waitFor();
    assert.equal(await page.locator('main tbody tr').count(), 103);

    // From the list of groups, as the server sees it.
    await room.go('groups');
    await room.row('Gardeners').getByRole('button', { name: 'Read garden' }).click();
    await room.row('in the garden').waitFor();
    // A conversation of two has no side that is the server's.
    await page.locator('main select').selectOption('0');
    await page.getByRole('button', { name: 'Read', exact: true }).click();
    const refused = page.locator('main .error:visible');
    await refused.filter({ hasText: 'not as it must be' }).waitFor();
    assert.doesNotMatch(await refused.textContent(), BARE_CODE);
    await room.go('audit');
    await room.row('GET /messages').filter({ hasText: 'peer bob as alice' }).filter({ hasText: 'console@127.0.0.1' }).first().waitFor();
    await room.row('GET /messages').filter({ hasText: 'group garden' }).first().waitFor();
    await room.row('GET /users/{userID}/conversations').filter({ hasText: 'alice' }).first().waitFor();
    await room.close(REFUSED);
  });

  test('what comes and goes, and what is refused, is told in words', async () => {
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => room.clients.login(name)));
    const page = await room.enter({}, 'tail');
    await page.locator('.pill', { hasText: 'Listening' }).waitFor();
    for (const { zim } of [alice, bob]) await within(zim.enterRoom({ roomID: 'porch', roomName: 'The porch' }), 'enter');
    await within(bob.zim.leaveRoom('porch'), 'leave');
    await within(alice.zim.createGroup({ groupID: 'quiet', groupName: 'Quiet' }, ['bob']), 'group');
    await within(alice.zim.muteGroup(true, 'quiet', { mode: 1, duration: -1, roles: [] }), 'mute');
    await assert.rejects(within(bob.zim.sendMessage({ type: 1, message: 'hush' }, 'quiet', GROUP, { priority: 1 }), 'refusal'));
    await within(alice.zim.dismissGroup('quiet'), 'dismissal');
    await page.locator('.tail li', { hasText: 'alice dismissed the group quiet' }).waitFor();
    for (const words of ['bob entered the room porch', 'bob left the room porch', 'alice made the group quiet', 'refused: muted in group quiet']) await page.locator('.tail li', { hasText: words }).first().waitFor();
    assert.doesNotMatch(await page.locator('.tail').textContent(), /event_|\b6\d{6}\b/);
    await room.picture('tail-words');
    await room.close();
  });

  test('groups and rooms are counted as there are, also when none of them is at work', async () => {
    await room.broker.stopGently();
    await room.broker.start();
    const page = await room.enter();
    const fact = (name) => page.locator('.facts div', { hasText: new RegExp(`^${name}`) }).locator('dd');
    await fact('Groups').filter({ hasText: /^1$/ }).waitFor();
    assert.equal(await fact('At work now').textContent(), 'pairs 0 · rooms 0 · groups 0');
    const bob = await room.clients.login('bob');
    await within(bob.zim.createGroup({ groupID: 'second', groupName: 'Second' }, []), 'group');
    await within(bob.zim.enterRoom({ roomID: 'hall', roomName: 'The hall' }), 'enter');
    await fact('Groups').filter({ hasText: /^2$/ }).waitFor();
    await fact('Rooms').filter({ hasText: /^1$/ }).waitFor();
    await room.close();
  });

  test('a setting says where it comes from and when a change takes effect', async () => {
    const page = await room.enter({}, 'config');
    const setting = (name) => page.locator('.settings dl > div', { has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) }).first();
    await setting('attempts_per_minute').filter({ hasText: 'from TIDINGS_CONSOLE__ATTEMPTS_PER_MINUTE' }).filter({ hasText: 'changes with a reload' }).waitFor();
    await setting('listen').filter({ hasText: 'from command line' }).filter({ hasText: 'changes with a restart' }).waitFor();
    await setting('heartbeat_seconds').filter({ hasText: 'for what begins after it' }).waitFor();
    assert.equal(await setting('heartbeat_seconds').locator('.origin').count(), 0, 'a default comes from nowhere');
    await page.locator('main input[type="search"]').fill('restart');
    assert.equal(await setting('heartbeat_seconds').isVisible(), false);
    assert.equal(await setting('listen').isVisible(), true);
    await room.close();
  });

  for (const [name, look] of Object.entries({
    wide: {}, narrow: { viewport: { width: 900, height: 900 } }, 'four in a row': { viewport: { width: 1290, height: 800 } }, chinese: { locale: 'zh-CN' }, phone: PHONE, 'dark phone': { ...PHONE, colorScheme: 'dark' },
  })) {
    test(`no label lies over another: ${name}`, async () => {
      const page = await room.enter(look);
      await page.locator('.facts dd').first().waitFor();
      await page.locator('.chart-top', { hasText: /\d/ }).first().waitFor();
      // Figures as long as they get.
      await page.evaluate(() => {
        for (const value of document.querySelectorAll('.legend b')) value.textContent = '123,456/s';
        for (const top of document.querySelectorAll('.chart-top')) top.textContent = '200,000/s';
        for (const when of document.querySelectorAll('.chart-when')) when.textContent = '12:34:56 PM';
      });
      const overlaps = await page.evaluate(() => [...document.querySelectorAll('.chart')].flatMap((chart) => {
        const boxes = [...chart.querySelectorAll('h3, .legend li, .chart-top, .chart-when')].map((element) => ({ words: element.textContent, box: element.getBoundingClientRect() }));
        return boxes.flatMap((one, n) => boxes.slice(n + 1).filter(({ box }) => one.box.left < box.right && box.left < one.box.right && one.box.top < box.bottom && box.top < one.box.bottom).map((other) => `${one.words} / ${other.words}`));
      }));
      assert.deepEqual(overlaps, []);
      assert.equal(await isAsWideAsTheScreen(page), true);
      await room.picture(`labels-${name.replaceAll(' ', '-')}`);
      for (const view of ['keys', 'history', 'config']) {
        await room.go(view);
        await page.locator('main h2').first().waitFor();
        if (view === 'keys') await room.row('everything').waitFor();
        if (view === 'config') await page.locator('.settings').first().waitFor();
        await room.picture(`${view}-${name.replaceAll(' ', '-')}`);
        assert.deepEqual(await contrastsBelow(page, 4.5), [], view);
        assert.equal(await isAsWideAsTheScreen(page), true, `${view} is not wider than the screen`);
      }
      await room.close();
    });
  }
});
