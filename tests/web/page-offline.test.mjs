// The demo page without a network: a cable that is out, a browser that is offline, sends that fail, too much missed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { sendText, within } from './clients.mjs';
import { Playground, skip } from './page-kit.mjs';

describe('the demo page without a network', { skip }, () => {
  const playground = Playground.ofSuite();
  let alice;
  let bob;

  const begin = async (look) => { [alice, bob] = await playground.openSignedIn(look); };

  test('catches up after the cable was out, in both directions, each message once', async () => {
    await begin();
    await alice.write('before the cut');
    await bob.sees('before the cut');

    await bob.part('cable').click();
    await bob.isAway();
    await alice.write('sent while bob was away');
    await alice.sees('sent while bob was away');
    await bob.write('written without a cable');
    await bob.sees('written without a cable', 'sending');
    assert.equal(await bob.bubble('sent while bob was away').count(), 0);
    assert.equal(await alice.bubble('written without a cable').count(), 0);
    await playground.picture('unplugged');

    await bob.part('cable').click();
    await bob.isConnected();
    await bob.sees('sent while bob was away');
    await bob.sees('written without a cable');
    await alice.sees('written without a cable');
    await playground.picture('plugged-in');
    const [left, right] = [await alice.words(), await bob.words()];
    assert.deepEqual(right, left, 'both see the same order');
    assert.deepEqual(left.slice(-3), ['before the cut', 'sent while bob was away', 'written without a cable']);
  });

  test('what was done to messages meanwhile is there when the cable is back', async () => {
    await begin();
    for (const words of ['to be corrected', 'to be taken back', 'to be liked']) {
      await alice.write(words);
      await bob.sees(words);
    }
    await bob.part('cable').click();
    await bob.isAway();
    await alice.menu('to be corrected', 'Edit');
    await alice.write('now correct');
    await alice.sees('now correct');
    await alice.menu('to be taken back', 'Take back');
    await alice.menu('to be liked', '👍');
    await alice.bubble('to be liked').locator('.reaction').waitFor();
    await bob.part('cable').click();
    await bob.sees('now correct');
    await bob.chat.locator('.bubble.gone').waitFor();
    await bob.bubble('to be liked').locator('.reaction').filter({ hasText: '👍 1' }).waitFor();
  });

  test('a conversation read without a connection is read for good when it is back', async () => {
    await begin();
    const zoe = await playground.clients.login('zoe');
    await sendText(zoe.zim, 'bob', 'read me offline');
    await bob.item('zoe').locator('.badge').filter({ hasText: '1' }).waitFor();
    await bob.part('cable').click();
    await bob.isAway();
    await bob.open('zoe');
    await bob.item('zoe').locator('.badge').waitFor({ state: 'detached' });
    // Heard from the socket's first moment on: it may be sent before anyone could ask for the next frame.
    const cleared = new Promise((resolve) => {
      playground.page.once('websocket', (socket) => socket.on('framesent', ({ payload }) => {
        if (payload.includes('clearConversationUnreadMessageCount')) resolve();
      }));
    });
    await bob.part('cable').click();
    await within(cleared, 'the conversation to be cleared');
    await bob.sees('read me offline');
    await playground.page.reload();
    await bob.isConnected();
    await bob.item('zoe').waitFor();
    assert.equal(await bob.item('zoe').locator('.badge').count(), 0);
  });

  test('a browser that is offline says so, and goes on by itself when it is online', async () => {
    await begin();
    await alice.start('room', { 'new-room-id': 'offline' });
    const context = playground.page.context();
    await context.setOffline(true);
    await Promise.all([alice.isAway(), bob.isAway()]);
    await bob.write('written offline');
    await bob.sees('written offline', 'sending');
    await playground.picture('offline');
    await context.setOffline(false);
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    await bob.sees('written offline');
    await alice.here('members').filter({ hasText: '1 online' }).waitFor();
    await alice.open('bob');
    await alice.sees('written offline');
    // What the browser says of each try without a network.
    playground.complaints = playground.complaints.filter((line) => !/ERR_INTERNET_DISCONNECTED/.test(line));
  });

  test('a send that failed stays where it was, says why, and is sent again as one message', async () => {
    await begin();
    await alice.start('peer', { 'peer-id': 'nobody-yet' });
    await alice.write('is anybody there?');
    await alice.sees('is anybody there?', 'failed');
    await alice.here('error').filter({ hasText: 'Nobody of that name' }).waitFor();
    await playground.picture('failed');
    const newcomer = await playground.clients.login('nobody-yet');
    await alice.bubble('is anybody there?').locator('.retry').click();
    await alice.sees('is anybody there?');
    await alice.here('error').waitFor({ state: 'hidden' });
    const arrived = await newcomer.ears.until('the message', (ears) => ears.messages('receivePeerMessage'));
    assert.deepEqual(arrived.map(({ message }) => message), ['is anybody there?']);
    assert.equal(await alice.bubble('is anybody there?').count(), 1);
  });

  test('when too much was missed the newest is shown, and the rest is there to be scrolled to', async () => {
    const forgetful = await startBroker({ TIDINGS_HISTORY__RESUME_MESSAGES_MAX: '5' });
    try {
      [alice, bob] = await playground.open({}, forgetful.page);
      await Promise.all([alice.isConnected(), bob.isConnected()]);
      await alice.write('line 0');
      await bob.sees('line 0');
      await bob.part('cable').click();
      await bob.isAway();
      for (let n = 1; n <= 40; n += 1) await alice.write(`line ${n}`);
      await alice.sees('line 40');
      await bob.part('cable').click();
      await bob.sees('line 40');
      const isWhole = () => bob.words().then((words) => words.length === 41);
      for (let rounds = 0; rounds < 10 && !(await isWhole()); rounds += 1) await bob.scrollUp();
      assert.deepEqual(await bob.words(), Array.from({ length: 41 }, (_, n) => `line ${n}`));
      await playground.page.close();
    } finally {
      await forgetful.stop();
    }
  });
});
