// Three hundred cuts under load: nothing lost, nothing shown twice, every send ends as Success or Failed, and no
// Failed one ever appears. `TIDINGS_SEED` repeats a run, `TIDINGS_CUTS` makes it shorter.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, wholeHistory, within } from './clients.mjs';
import { dice, startLossyProxy } from './lossy-proxy.mjs';

const PEER = 0;
const GROUP = 2;
const CUTS = Number(process.env.TIDINGS_CUTS ?? 300);
const SEED = Number(process.env.TIDINGS_SEED ?? Date.now() % 1_000_000);
const BETWEEN_SENDS_MS = 8;
// What one writer may have under way: a line that is down must not be owed more than it can carry once it is up.
const UNDER_WAY_MAX = 20;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends one after another to a conversation, without waiting for answers, until told to stop. */
async function writeSteadily({ zim, userID }, conversationID, type, sends, isOver) {
  let underWay = 0;
  for (let n = 0; !isOver(); n += 1) {
    if (underWay >= UNDER_WAY_MAX) {
      await pause(BETWEEN_SENDS_MS);
      continue;
    }
    underWay += 1;
    const draft = { type: 1, message: `${userID} ${n}` };
    const send = { draft, conversationID, type, from: userID, outcome: null };
    sends.push(send);
    send.promise = zim.sendMessage(draft, conversationID, type, { priority: 1 }).then(
      () => (send.outcome = 'success'),
      () => (send.outcome = 'failed'),
    ).finally(() => (underWay -= 1));
    await pause(BETWEEN_SENDS_MS);
  }
}

test('three hundred cuts under load lose nothing and show nothing twice', { timeout: 180_000 }, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const roll = dice(SEED);
  const broker = await startBroker({ TIDINGS_SERVER__HEARTBEAT_SECONDS: '5', TIDINGS_GROUP__TIPS: 'false' });
  const proxy = await startLossyProxy(new URL(broker.server).host, roll);
  const clients = new Clients(broker);
  t.after(async () => {
    clients.destroy();
    await proxy.stop();
    await broker.stop();
  });
  const lossy = { server: proxy.server, reconnectMaxMs: 100 };
  const people = [];
  for (const userID of ['ann', 'ben', 'cat']) people.push(await clients.login(userID, lossy));
  const [ann, ben, cat] = people;
  await ann.zim.createGroup({ groupID: 'g' }, ['ben', 'cat']);

  const sends = [];
  let isOver = false;
  const writers = [
    writeSteadily(ann, 'ben', PEER, sends, () => isOver),
    writeSteadily(ben, 'g', GROUP, sends, () => isOver),
    writeSteadily(cat, 'g', GROUP, sends, () => isOver),
  ];
  for (let cuts = 0; cuts < CUTS; ) {
    if (proxy.harm()) cuts += 1;
    await pause(roll(100));
  }
  isOver = true;
  await Promise.all(writers);
  t.diagnostic(`${sends.length} sends over ${CUTS} cuts`);
  await within(Promise.all(sends.map(({ promise }) => promise)), 'the end of every send', () => sends.filter(({ outcome }) => !outcome).length);

  // Each ended once, and as its promise says.
  const statuses = people.flatMap(({ ears }) => ears.of('messageSentStatusChanged').flatMap(({ infos }) => infos));
  for (const { draft, outcome } of sends) {
    const ends = statuses.filter(({ message, status }) => message === draft && status !== 0).map(({ status }) => status);
    assert.deepEqual(ends, [outcome === 'success' ? 1 : 2], draft.message);
  }
  assert.ok(sends.length > CUTS, `${sends.length} sends`);
  for (const { ears } of people) assert.deepEqual(ears.of('resyncRequired'), []);

  for (const [conversationID, type, members] of [['ben', PEER, [ann, ben]], ['g', GROUP, [ann, ben, cat]]]) {
    const seenBy = (member) => (type === PEER && member === ben ? 'ann' : conversationID);
    const succeeded = sends.filter((send) => send.conversationID === conversationID && send.outcome === 'success');
    const plain = await clients.login('ann');
    const history = (await wholeHistory(plain.zim, conversationID, type)).map(({ message }) => message);
    plain.zim.destroy();
    assert.deepEqual([...history].sort(), succeeded.map(({ draft }) => draft.message).sort(), 'once each, and no failed one');
    for (const from of new Set(succeeded.map((send) => send.from))) {
      const sent = succeeded.filter((send) => send.from === from).map(({ draft }) => draft.message);
      assert.deepEqual(history.filter((text) => text.startsWith(`${from} `)), sent, `in the order ${from} sent them`);
    }
    for (const member of members) {
      const event = type === PEER ? 'receivePeerMessage' : 'receiveGroupMessage';
      const others = history.filter((text) => !text.startsWith(`${member.userID} `));
      const heard = (ears) => ears.messages(event).filter((message) => message.conversationID === seenBy(member)).map(({ message }) => message);
      if (member !== ann) await member.ears.until('everything', (ears) => heard(ears).length >= others.length);
      // Ann's place was taken by the client that read the history; until then she heard a part, in order.
      const wanted = member === ann ? others.slice(0, heard(member.ears).length) : others;
      assert.deepEqual(heard(member.ears), wanted, `${member.userID} in ${conversationID}`);
    }
  }
});
