// Which object a send completes, and which id it gives: programs keep what they sent in their lists, write numbers of their own into
// drafts, and send again what failed.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { fixture } from './browser.mjs';
import { startBroker } from './broker.mjs';
import { Clients, newSieve, rejectsWith, wholeHistory, within } from './clients.mjs';

const [PEER, GROUP] = [0, 2];
const [IMAGE, FILE, AUDIO, VIDEO] = [11, 12, 13, 14];
const [SUCCESS, FAILED] = [1, 2];

let broker;
let clients;
let ann;
let ben;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  ann = await clients.login('ann');
  ben = await clients.login('ben');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const send = (draft, to = 'ben', type = PEER, zim = ann.zim) => within(zim.sendMessage(draft, to, type, { priority: 1 }), 'an answer');

/** A message that failed for good, because the group it went to was not there yet. */
async function failedIn(groupID, draft) {
  await rejectsWith(6000523, send(draft, groupID, GROUP));
  assert.equal(draft.sentStatus, FAILED);
  return draft;
}

const found = (groupID) => within(ann.zim.createGroup({ groupID, groupName: groupID, groupAvatarUrl: '' }, ['ben']), 'the group');

test('a message that failed is sent again under its own id, with its mentions, in the same object', async () => {
  const draft = await failedIn('later', { type: 1, message: 'look, ben', mentionedUserIDs: ['ben'], isMentionAll: true });
  const id = draft.localMessageID;
  await found('later');
  const { message } = await send(draft, 'later', GROUP);
  assert.equal(message, draft);
  assert.deepEqual([message.localMessageID, message.sentStatus], [id, SUCCESS]);
  assert.deepEqual([message.mentionedUserIDs, message.isMentionAll], [['ben'], true]);
});

test('copies of a failed message keep its id, too: frozen ones, and ones that went through JSON', async () => {
  const draft = await failedIn('copies', { type: 1, message: 'once', mentionedUserIDs: ['ben'] });
  await found('copies');
  const copies = [Object.freeze({ ...draft }), JSON.parse(JSON.stringify({ ...draft, messageID: 'shown-as', orderKey: 5, conversationSeq: 5 }))];
  for (const copy of copies) {
    const { message } = await send(copy, 'copies', GROUP);
    assert.deepEqual([message.localMessageID, message.mentionedUserIDs], [draft.localMessageID, ['ben']]);
  }
  const kept = await wholeHistory(ann.zim, 'copies', GROUP);
  assert.equal(kept.filter(({ message }) => message === 'once').length, 1, 'stored once');
});

test('what failed in one conversation is another message in the next', async () => {
  const draft = await failedIn('nowhere', { type: 1, message: 'for someone else' });
  const id = draft.localMessageID;
  const { message } = await send(draft, 'ben');
  assert.notEqual(message.localMessageID, id);
});

test('a message that was stored, but whose answer was lost, is stored once when it is sent again', async () => {
  const sieve = newSieve();
  const { zim } = await clients.login('unheard', { WebSocket: sieve.WebSocket });
  sieve.losesIncoming = ({ result }) => result?.message !== undefined;
  const draft = { type: 1, message: 'once and only once' };
  const answer = rejectsWith(6000121, zim.sendMessage(draft, 'ben', PEER, { priority: 1 }));
  await ben.ears.until('the message', (ears) => ears.messages('receivePeerMessage').find(({ message }) => message === draft.message));
  await within(zim.logout(), 'logout');
  await answer;
  sieve.losesIncoming = () => false;
  await within(zim.login('unheard', { userName: '', token: await broker.token('unheard') }), 'login');
  const { message } = await send(draft, 'ben', PEER, zim);
  assert.deepEqual([message === draft, message.sentStatus], [true, SUCCESS]);
  assert.equal((await wholeHistory(zim, 'ben', PEER)).length, 1);
});

test('a draft with a messageID of its own is completed in place, whatever its kind', async () => {
  const drafts = [
    { type: 1, message: 'text' },
    { type: 200, message: 'custom', subType: 1 },
    { type: IMAGE, fileLocalPath: new File([await readFile(fixture('picture.png'))], 'picture.png') },
    { type: FILE, fileLocalPath: new File(['a file'], 'a.txt') },
    { type: AUDIO, fileLocalPath: new File([await readFile(fixture('cbr.mp3'))], 'cbr.mp3'), audioDuration: 2 },
    { type: VIDEO, fileLocalPath: new File([await readFile(fixture('h264.mp4'))], 'h264.mp4'), videoDuration: 2 },
  ];
  for (const [n, draft] of drafts.entries()) {
    Object.assign(draft, { messageID: Date.now() + n, senderUserID: 'ann', timestamp: Date.now(), sentStatus: 0, direction: 0 });
    const own = draft.messageID;
    const { message } = await send(draft);
    assert.equal(message, draft, `kind ${draft.type}`);
    assert.equal(draft.sentStatus, SUCCESS);
    assert.notEqual(draft.messageID, own, 'the id is the broker\'s now');
    if (draft.fileLocalPath) assert.match(draft.fileDownloadUrl, /^http/);
  }
});

test('a number that a program writes for a localMessageID is none', async () => {
  const number = Date.now();
  const drafts = ['one', 'two'].map((message) => ({ type: 1, message, localMessageID: number }));
  for (const draft of drafts) assert.equal((await send(draft)).message, draft);
  assert.equal(new Set(drafts.map(({ localMessageID }) => localMessageID)).size, 2);
  assert.ok(drafts.every(({ localMessageID }) => typeof localMessageID === 'string'));
});

test('what has its place in a conversation is copied, and mentions nobody again', async () => {
  const { message } = await send({ type: 1, message: 'hello', mentionedUserIDs: ['ben'] });
  const before = structuredClone(message);
  const again = await send(message);
  assert.notEqual(again.message, message);
  assert.deepEqual(message, before);
  assert.deepEqual(again.message.mentionedUserIDs, []);
  const frozen = Object.freeze({ type: 1, message: 'frozen' });
  assert.notEqual((await send(frozen)).message, frozen);
});
