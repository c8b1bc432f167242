// The console's page of webhooks: a backend that refuses, its dead letters sent again and discarded.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { skip } from './browser.mjs';
import { sendText } from './clients.mjs';
import { ControlRoom } from './console-kit.mjs';
import { contrastsBelow } from './page-contrast.mjs';

describe('webhooks in the console', { skip }, () => {
  let backend;
  let room;
  let status = 500;
  const heard = [];

  before(async () => {
    backend = createServer((request, response) => {
      request.resume().on('end', () => {
        heard.push(request.headers['webhook-id']);
        response.writeHead(status).end();
      });
    });
    await new Promise((resolve) => backend.listen(0, '127.0.0.1', resolve));
    room = await ControlRoom.start({
      TIDINGS_WEBHOOKS__URL: `http://127.0.0.1:${backend.address().port}/hook`,
      TIDINGS_WEBHOOKS__SECRET: 'a secret of sixteen bytes', TIDINGS_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES: 'true',
      TIDINGS_WEBHOOKS__ATTEMPTS_MAX: '1', TIDINGS_WEBHOOKS__EVENTS: 'message.sent',
    });
  });
  after(async () => {
    await room?.stop();
    backend?.closeAllConnections();
    backend?.close();
  });

  test('a dead letter is sent again, another is discarded', async () => {
    const [alice] = await Promise.all(['alice', 'bob'].map((user) => room.clients.login(user)));
    for (const text of ['one', 'two']) await sendText(alice.zim, 'bob', text);
    const page = await room.enter({}, 'webhooks');
    const fact = (name) => page.locator('.facts > div', { hasText: name }).locator('dd');
    await fact('Dead letters').getByText('2', { exact: true }).waitFor();
    assert.equal(await fact('Last failure').textContent(), 'status 500');
    await page.locator('main tbody tr').nth(1).waitFor();
    await room.picture('webhooks-dead');
    assert.deepEqual(await contrastsBelow(page, 4.5), []);

    const act = async (button, yes) => {
      await page.locator('main tbody tr').first().getByRole('button', { name: button }).click();
      await page.locator('dialog[open]').getByRole('button', { name: yes }).click();
    };
    status = 204;
    await act('Send message.sent again', 'Send again');
    // The figures are those of the moment at which the view asked, and the delivery may have ended after it.
    const isDelivered = () => fact('Delivered').getByText('1', { exact: true }).waitFor({ timeout: 1000 }).then(() => true, () => false);
    for (let tries = 0; tries < 10 && !(await isDelivered()); tries += 1) await page.reload();
    await fact('Delivered').getByText('1', { exact: true }).waitFor();
    assert.equal(heard.length, 3);
    assert.equal(heard[2], heard[0], 'the same webhook-id');
    await page.locator('main tbody tr').nth(1).waitFor({ state: 'detached' });
    await act('Discard message.sent', 'Discard');
    await page.locator('main tbody tr').first().waitFor({ state: 'detached' });
    await fact('Dead letters').getByText('0', { exact: true }).waitFor();
    await room.close();
  });
});
