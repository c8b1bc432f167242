// Files through the client: sent from bytes, paths and Blobs, read, cancelled, resumed; and through a tus client of others.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as tus from 'tus-js-client';

import { startBroker } from './broker.mjs';
import { Clients, rejectsWith, within } from './clients.mjs';

const PEER = 0;
const GROUP = 2;
const [IMAGE, FILE, AUDIO, VIDEO, COMBINE] = [11, 12, 13, 14, 100];

const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

let broker;
let clients;
let alice;
let bob;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-media-'));
  broker = await startBroker();
  clients = new Clients(broker);
  alice = await clients.login('alice');
  bob = await clients.login('bob');
});

after(async () => {
  clients.destroy();
  await broker.stop();
  await rm(folder, { recursive: true });
});

const heard = (ears, fileUID) =>
  ears.until(`the file ${fileUID}`, () => ears.messages('receivePeerMessage').find((message) => message.fileUID === fileUID));

const bytesOf = async (url) => {
  const response = await fetch(url);
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()), type: response.headers.get('content-type') };
};

test('a local file of each kind arrives whole, with its fields on both sides and progress on one', async () => {
  for (const [type, name, more, filled] of [
    [IMAGE, 'picture.png', {}, { originalImageWidth: 400, thumbnailHeight: 198, largeImageHeight: 300 }],
    [FILE, 'make.sh', {}, {}],
    [AUDIO, 'cbr.mp3', { audioDuration: 2 }, { audioDuration: 2 }],
    [VIDEO, 'h265.mov', { videoDuration: 2 }, { videoDuration: 2, videoFirstFrameWidth: 320, videoFirstFrameHeight: 180 }],
  ]) {
    const content = await readFile(fixture(name));
    const progress = [];
    const attached = [];
    const notification = {
      onMessageAttached: (message) => attached.push(message),
      onMediaUploadingProgress: (message, current, total) => progress.push([message, current, total]),
    };
    // A path, as a Node program has it, for one kind; a File, as a browser's input gives it, for the others.
    const fileLocalPath = type === VIDEO ? fixture(name) : new File([content], name);
    const draft = { type, fileLocalPath, ...more };
    const { message } = await within(alice.zim.sendMediaMessage(draft, 'bob', PEER, { priority: 1 }, notification), `answer to ${name}`);
    assert.equal(message, draft, 'completed in place');
    assert.deepEqual(attached, [message]);
    assert.equal(message.fileLocalPath, fileLocalPath);
    assert.deepEqual(progress.at(-1), [message, content.length, content.length], name);
    const received = await heard(bob.ears, message.fileUID);
    for (const side of [message, received]) {
      assert.deepEqual([side.type, side.fileName, side.fileSize, side.sentStatus], [type, name, content.length, 1], name);
      for (const [field, value] of Object.entries(filled)) assert.equal(side[field], value, `${name} ${field}`);
      assert.match(side.fileUID, /^[0-9a-f]{32}$/);
      const { status, bytes } = await bytesOf(side.fileDownloadUrl);
      assert.equal(status, 200);
      assert.ok(bytes.equals(content), name);
      assert.doesNotThrow(() => JSON.stringify(side));
    }
    if (type === IMAGE) assert.equal((await bytesOf(received.thumbnailDownloadUrl)).type, 'image/jpeg');
    const { file } = await bob.zim.downloadMediaFile(received);
    assert.ok(Buffer.from(await file.arrayBuffer()).equals(content));
  }
});

test('a path of any script names its file', async () => {
  const path = join(folder, '报告 ✓.txt');
  await writeFile(path, '内容');
  const { message } = await alice.zim.sendMessage({ type: FILE, fileLocalPath: path }, 'bob', PEER);
  assert.equal(message.fileName, '报告 ✓.txt');
  const received = await heard(bob.ears, message.fileUID);
  assert.equal((await bytesOf(received.fileDownloadUrl)).bytes.toString(), '内容');
});

test('a file may be empty', async () => {
  const sizes = [];
  const draft = { type: FILE, fileLocalPath: new File([], 'empty.txt') };
  const notification = { onMessageAttached() {}, onMediaUploadingProgress: (_, now, total) => sizes.push([now, total]) };
  const { message } = await within(alice.zim.sendMessage(draft, 'bob', PEER, { priority: 1 }, notification), 'an answer');
  assert.deepEqual([message.fileSize, message.fileName], [0, 'empty.txt']);
  assert.deepEqual(sizes, [], 'nothing of nothing is no progress');
  const { fileDownloadUrl } = await heard(bob.ears, message.fileUID);
  assert.equal((await bytesOf(fileDownloadUrl)).bytes.length, 0);
  assert.equal((await within(bob.zim.downloadMediaFile(message), 'the download')).file.size, 0);
});

test('recorded chunks in a File are audio; what is no audio is refused with the vendor\'s number', async () => {
  const content = await readFile(fixture('cbr.mp3'));
  const chunks = [content.subarray(0, 3000), content.subarray(3000)];
  const { message } = await alice.zim.sendMessage({ type: AUDIO, fileLocalPath: new File(chunks, 'rec.mp3'), audioDuration: 2 }, 'bob', PEER);
  assert.equal(message.fileSize, content.length);
  const send = (draft) => alice.zim.sendMessage(draft, 'bob', PEER);
  await rejectsWith(6000213, send({ type: AUDIO, fileLocalPath: new File(['text'], 'x.mp3'), audioDuration: 2 }));
  await rejectsWith(6000213, send({ type: IMAGE, fileLocalPath: new File(chunks, 'x.png') }));
  for (const type of [IMAGE, AUDIO, VIDEO]) await rejectsWith(6000214, send({ type, fileLocalPath: new File([], 'empty'), audioDuration: 1, videoDuration: 1 }));
  await rejectsWith(6000214, send({ type: IMAGE, fileLocalPath: new File([new Uint8Array(10 * 1024 * 1024 + 1)], 'x.png') }));
  await rejectsWith(6000211, send({ type: FILE, fileLocalPath: join(folder, 'nothing') }));
  await rejectsWith(6000211, send({ type: IMAGE }));
  await rejectsWith(6000215, send({ type: AUDIO, fileLocalPath: new File(chunks, 'x.mp3'), audioDuration: 2500 }));
  const failed = { type: VIDEO, fileLocalPath: fixture('h264.mp4') };
  await rejectsWith(6000001, send(failed));
});

test('a file elsewhere goes as it is, wins over a path and shows no progress', async () => {
  const draft = { type: VIDEO, fileDownloadUrl: 'https://a.example/v.mp4?a=1', videoFirstFrameDownloadUrl: 'https://a.example/f.jpeg', videoDuration: 100, fileLocalPath: '/nowhere' };
  const notification = { onMessageAttached() {}, onMediaUploadingProgress: () => assert.fail('nothing is uploaded') };
  const { message } = await alice.zim.sendMessage(draft, 'bob', PEER, {}, notification);
  assert.deepEqual([message.fileDownloadUrl, message.videoFirstFrameDownloadUrl, message.fileUID], ['https://a.example/v.mp4?a=1', 'https://a.example/f.jpeg', '']);
  await bob.ears.until('the URL', (ears) => ears.messages('receivePeerMessage').find((one) => one.fileDownloadUrl === draft.fileDownloadUrl));
});

test('a received file is passed on without its bytes, also inside a combined message', async () => {
  const { message } = await alice.zim.sendMessage({ type: IMAGE, fileLocalPath: await readFile(fixture('picture.gif')), fileName: 'p.gif' }, 'bob', PEER);
  const received = await heard(bob.ears, message.fileUID);
  const { groupInfo } = await bob.zim.createGroup({ groupName: 'g' }, ['alice']);
  const group = groupInfo.baseInfo.groupID;
  const passed = await bob.zim.sendMessage(received, group, GROUP, {}, { onMessageAttached() {}, onMediaUploadingProgress: () => assert.fail() });
  assert.equal(passed.message.fileUID, message.fileUID);
  assert.equal((await bytesOf(passed.message.fileDownloadUrl)).status, 200);
  const combined = await bob.zim.sendMessage({ type: COMBINE, title: 't', summary: 's', messageList: [received] }, group, GROUP);
  const detail = await alice.zim.queryCombineMessageDetail(combined.message);
  assert.equal((await bytesOf(detail.message.messageList[0].fileDownloadUrl)).status, 200);
});

test('a combined message beyond a frame goes up as a file', async () => {
  const texts = Array.from({ length: 60 }, (_, n) => ({ type: 1, message: `${n} ${'x'.repeat(20_000)}`, senderUserID: 'alice', sentStatus: 1 }));
  const { message } = await alice.zim.sendMessage({ type: COMBINE, title: 't', summary: 's', messageList: texts }, 'bob', PEER);
  const detail = await alice.zim.queryCombineMessageDetail(message);
  assert.deepEqual(detail.message.messageList.map((child) => child.message), texts.map((child) => child.message));
});

/** A proxy for HTTP that can be cut: every connection at once, and each after so many bytes. */
async function cuttingProxy(port) {
  const live = new Set();
  let cuts = 0;
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    live.add(client);
    let left = cuts > 0 ? 300_000 + Math.floor(Math.random() * 700_000) : Infinity;
    client.on('data', (chunk) => {
      left -= chunk.length;
      if (left < 0 && cuts > 0) {
        cuts -= 1;
        client.destroy();
        upstream.destroy();
      } else if (!upstream.destroyed) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      one.on('close', () => { live.delete(client); other.destroy(); });
      one.on('error', () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server: `http://127.0.0.1:${server.address().port}`,
    cutNext(count) { cuts = count; },
    get cutsLeft() { return cuts; },
    close() { live.forEach((socket) => socket.destroy()); server.close(); },
  };
}

test('a picture leaves its place behind unless its sender keeps it', async () => {
  const place = Buffer.from('51.50735,-0.12776');
  const plain = await readFile(fixture('picture.jpg'));
  const xmp = Buffer.concat([Buffer.from('http://ns.adobe.com/xap/1.0/\0'), place]);
  const told = Buffer.concat([plain.subarray(0, 2), Buffer.from([0xff, 0xe1, 0, xmp.length + 2]), xmp, plain.subarray(2)]);
  // In one request, and in parts, of which only the first is kept.
  for (const content of [told, Buffer.concat([told, Buffer.alloc(1_500_000), place])]) {
    for (const [config, keeps] of [[undefined, false], [{ priority: 1, mediaConfig: { keepOriginal: true } }, true]]) {
      const draft = { type: IMAGE, fileLocalPath: new File([content], 'picture.jpg') };
      const { message } = await within(alice.zim.sendMessage(draft, 'bob', PEER, config), `answer to ${content.length} bytes`);
      const received = await heard(bob.ears, message.fileUID);
      const { status, bytes } = await bytesOf(received.fileDownloadUrl);
      assert.deepEqual([status, bytes.includes(place), bytes.equals(content)], [200, keeps, keeps]);
      assert.deepEqual([received.fileSize, message.fileSize], [bytes.length, bytes.length]);
      assert.ok(!(await bytesOf(received.largeImageDownloadUrl)).bytes.includes(place));
    }
  }
});

test('an upload goes on by itself when its connections are lost, and its progress never falls back', async () => {
  const proxy = await cuttingProxy(Number(new URL(broker.server).port));
  try {
    const carol = await clients.login('carol', { server: proxy.server, reconnectMaxMs: 200 });
    const content = new Uint8Array(6_000_000).map((_, n) => n * 31 % 251);
    const path = join(folder, 'large.bin');
    await writeFile(path, content);
    proxy.cutNext(5);
    const progress = [];
    const notification = { onMessageAttached() {}, onMediaUploadingProgress: (_, current, total) => progress.push([current, total]) };
    const { message } = await carol.zim.sendMessage({ type: FILE, fileLocalPath: path }, 'bob', PEER, {}, notification);
    assert.equal(proxy.cutsLeft, 0);
    assert.deepEqual(progress.at(-1), [6_000_000, 6_000_000]);
    assert.ok(progress.length > 3);
    assert.ok(progress.every(([current], n) => n === 0 || current > progress[n - 1][0]), JSON.stringify(progress));
    const received = await heard(bob.ears, message.fileUID);
    assert.ok((await bytesOf(received.fileDownloadUrl)).bytes.equals(Buffer.from(content)));
  } finally {
    proxy.close();
  }
});

test('an upload can be given up, and ends with its session', async () => {
  const slow = new Blob([new Uint8Array(20_000_000)]);
  const cancelled = { type: FILE, fileLocalPath: slow };
  const sending = alice.zim.sendMessage(cancelled, 'bob', PEER, {}, {
    onMessageAttached() {},
    onMediaUploadingProgress: (message) => { alice.zim.cancelSendingMessage(message).catch(() => {}); },
  });
  await rejectsWith(6000206, sending);
  assert.equal(cancelled.sentStatus, 2);
  await rejectsWith(6000001, alice.zim.cancelSendingMessage(cancelled));
  const dora = await clients.login('dora');
  const leaving = dora.zim.sendMessage({ type: FILE, fileLocalPath: slow }, 'bob', PEER, {}, {
    onMessageAttached() {},
    onMediaUploadingProgress: () => { dora.zim.logout().catch(() => {}); },
  });
  await rejectsWith(6000121, leaving);
});

test('who may not have a file is told so, and what was taken back is gone', async () => {
  const { message } = await alice.zim.sendMessage({ type: FILE, fileLocalPath: Buffer.from('secret'), fileName: 's.txt' }, 'bob', PEER);
  const eve = await clients.login('eve');
  const stolen = eve.zim.refreshMediaUrls({ ...message });
  assert.notEqual(stolen.fileDownloadUrl, message.fileDownloadUrl);
  assert.equal((await bytesOf(stolen.fileDownloadUrl)).status, 404);
  await rejectsWith(6000211, eve.zim.downloadMediaFile(message));
  await rejectsWith(6000219, eve.zim.downloadMediaFile(message, 4));
  await alice.zim.revokeMessage({ ...message });
  assert.equal((await bytesOf(message.fileDownloadUrl)).status, 404);
});

test('a tus client of others uploads in parts, resumes what it left, and its file is sent', async () => {
  const token = await broker.token('alice');
  const path = join(folder, 'tus.bin');
  await writeFile(path, Buffer.alloc(3_500_000, 7));
  const { size } = await stat(path);
  const options = (more) => ({
    endpoint: `${broker.server}/media/tus`, uploadSize: size, chunkSize: 1_000_000, retryDelays: [0, 100, 200],
    headers: { Authorization: `Bearer ${token}` }, metadata: { filename: '名.bin', kind: 'file' }, ...more,
  });
  // Left in its midst, then resumed by its URL.
  const url = await new Promise((resolve, reject) => {
    const upload = new tus.Upload(createReadStream(path), options({
      onError: reject,
      onChunkComplete: () => { upload.abort().then(() => resolve(upload.url)); },
      onSuccess: () => reject(new Error('it should have been left')),
    }));
    upload.start();
  });
  const progress = [];
  await new Promise((resolve, reject) => {
    const upload = new tus.Upload(createReadStream(path), options({
      uploadUrl: url, onError: reject, onSuccess: resolve, onProgress: (sent) => progress.push(sent),
    }));
    upload.start();
  });
  assert.ok(progress[0] >= 1_000_000, 'it went on where it was left');
  const fileUID = url.split('/').pop();
  const { message } = await alice.zim.sendMessage({ type: FILE, fileUID }, 'bob', PEER);
  assert.deepEqual([message.fileName, message.fileSize], ['名.bin', size]);
  // Ended by its client.
  const upload = new tus.Upload(Buffer.alloc(100), options({ uploadSize: 100 }));
  await new Promise((resolve, reject) => {
    Object.assign(upload.options, { onError: reject, onSuccess: resolve });
    upload.start();
  });
  const other = await new Promise((resolve) => {
    const request = http.request(`${broker.server}/media/tus`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0', 'Upload-Length': '10' } }, resolve);
    request.end();
  });
  await tus.Upload.terminate(new URL(other.headers.location, broker.server).href, { headers: { Authorization: `Bearer ${token}` } });
  const gone = await fetch(new URL(other.headers.location, broker.server), { method: 'HEAD', headers: { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' } });
  assert.equal(gone.status, 404);
});
