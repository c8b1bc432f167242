// Mini programs: the client as they load it, in a world that has the language and a `wx`, and nothing of what browsers have beside it.
// Both of the page's samples for WeChat are run as they are printed.

import assert from 'node:assert/strict';
import { readFile, writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import vm from 'node:vm';

import { fixture } from './browser.mjs';
import { startBroker } from './broker.mjs';
import { Clients, within } from './clients.mjs';

const PEER = 0;

let broker;
let clients;
let folder;
let bob;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-mini-'));
  broker = await startBroker();
  clients = new Clients(broker);
  bob = await clients.login('bob');
});

after(async () => {
  clients.destroy();
  await broker.stop();
  await rm(folder, { recursive: true });
});

/** What `wx` has of what is used here, with the names and shapes of its documentation; temporary paths name files of a folder. */
class FakeWx {
  #storage = new Map();
  #picked;

  constructor(picked) {
    this.#picked = picked;
  }

  connectSocket({ url }) {
    const socket = new WebSocket(url);
    const on = (type, shape) => (listener) => socket.addEventListener(type, (event) => listener(shape(event)));
    return {
      onOpen: on('open', () => ({ header: {} })), onMessage: on('message', ({ data }) => ({ data })),
      onClose: on('close', ({ code, reason }) => ({ code, reason })), onError: on('error', () => ({ errMsg: 'connectSocket:fail' })),
      send: ({ data, success }) => { socket.send(data); success?.({ errMsg: 'sendSocketMessage:ok' }); },
      close: ({ code } = {}) => socket.close(code),
    };
  }

  request({ url, method = 'GET', data, header, dataType, success, fail }) {
    assert.ok(['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT'].includes(method), `wx.request has no ${method}`);
    fetch(url, { method, body: data, headers: header }).then(async (response) => {
      const text = await response.text();
      success({ statusCode: response.status, header: Object.fromEntries(response.headers), data: dataType === 'json' ? JSON.parse(text) : text });
    }, (error) => fail({ errMsg: `request:fail ${error.message}` }));
  }

  uploadFile({ url, filePath, name, header, success, fail }) {
    const listeners = [];
    const run = async () => {
      const body = new FormData();
      const content = await readFile(join(folder, basename(filePath)));
      body.append(name, new File([content], basename(filePath)));
      for (const part of [0.5, 1]) for (const listener of listeners) listener({ progress: part * 100, totalBytesSent: content.length * part, totalBytesExpectedToSend: content.length });
      const response = await fetch(url, { method: 'POST', body, headers: header });
      success({ statusCode: response.status, data: await response.text() });
    };
    run().catch((error) => fail({ errMsg: `uploadFile:fail ${error.message}` }));
    return { abort() {}, onProgressUpdate: (listener) => listeners.push(listener) };
  }

  downloadFile({ url, success, fail }) {
    const run = async () => {
      const response = await fetch(url);
      await writeFile(join(folder, 'downloaded'), Buffer.from(await response.arrayBuffer()));
      success({ tempFilePath: 'wxfile://tmp/downloaded', statusCode: response.status });
    };
    run().catch((error) => fail({ errMsg: `downloadFile:fail ${error.message}` }));
    return { abort() {}, onProgressUpdate() {} };
  }

  getStorageSync(key) {
    return this.#storage.get(key) ?? '';
  }

  setStorageSync(key, data) {
    this.#storage.set(key, data);
  }

  chooseMedia({ success }) {
    success({ tempFiles: [{ tempFilePath: `wxfile://tmp/${this.#picked}`, size: 1, fileType: 'image' }], type: 'image' });
  }

  chooseMessageFile({ success }) {
    success({ tempFiles: [{ path: `wxfile://tmp/${this.#picked}`, name: this.#picked, size: 1, type: 'file' }] });
  }
}

/** The client in such a world, with the program's own names beside it. */
async function world(wx, names = {}) {
  const module = { exports: {} };
  const context = vm.createContext({ wx, module, exports: module.exports, console, setTimeout, clearTimeout, setInterval, clearInterval, ...names });
  const source = await readFile(new URL('../../src/web/tidings.cjs', import.meta.url), 'utf8');
  vm.runInContext(source, context);
  for (const name of ['WebSocket', 'fetch', 'crypto', 'TextEncoder', 'Blob', 'btoa', 'localStorage', 'AbortController', 'performance', 'URL', 'structuredClone', 'process']) {
    assert.equal(vm.runInContext(`typeof ${name}`, context), 'undefined', name);
  }
  return { context, ZIM: module.exports.ZIM };
}

const SAMPLES = [
  ['chooseMedia', 11, `wx.chooseMedia({
    count: 1,
    success(res) {
        sendMediaMessage(res.tempFiles[0].tempFilePath);
    }
})`],
  ['chooseMessageFile', 12, `wx.chooseMessageFile({
    count: 1,
    success(res) {
        sendMediaMessage(res.tempFiles[0].path);
    }
})`],
];

for (const [name, type, sample] of SAMPLES) {
  test(`the sample with wx.${name} runs as it is printed`, async () => {
    const content = await readFile(fixture('picture.png'));
    await writeFile(join(folder, `${name}.png`), content);
    const wx = new FakeWx(`${name}.png`);
    const progress = [];
    let send;
    const { context, ZIM } = await world(wx, { sendMediaMessage: (path) => send(path) });
    const zim = ZIM.create({ appID: 1, server: broker.server });
    try {
      await within(zim.login('mini', { userName: 'Mini', token: await broker.token('mini') }), 'login');
      const sent = new Promise((resolve, reject) => {
        send = (path) => {
          const notification = { onMessageAttached() {}, onMediaUploadingProgress: (message, now, total) => progress.push([message.fileName, now, total]) };
          zim.sendMediaMessage({ fileLocalPath: path, type }, 'bob', PEER, { priority: 1 }, notification).then(resolve, reject);
        };
      });
      vm.runInContext(sample, context);
      const { message } = await within(sent, 'the answer');
      assert.deepEqual(progress.at(-1), [`${name}.png`, content.length, content.length]);
      assert.ok(progress.length >= 2, 'progress');
      const received = await bob.ears.until('the file', (ears) => ears.messages('receivePeerMessage').find(({ fileUID }) => fileUID === message.fileUID));
      assert.deepEqual([received.fileName, received.fileSize, received.type], [`${name}.png`, content.length, type]);
      const { file } = await within(zim.downloadMediaFile(message), 'the download');
      assert.equal(file, 'wxfile://tmp/downloaded');
      assert.ok(content.equals(await readFile(join(folder, 'downloaded'))));
    } finally {
      zim.destroy();
    }
  });
}

test('texts, commands, bytes, long combined messages and drafts, without anything of a browser', async () => {
  const wx = new FakeWx('');
  const { ZIM } = await world(wx);
  const first = ZIM.create({ appID: 1, server: broker.server });
  const token = await broker.token('wei');
  await within(first.login('wei', { userName: '微信', token }), 'login');
  const send = async (draft) => (await within(first.sendMessage(draft, 'bob', PEER, { priority: 1 }), 'an answer')).message;
  const text = await send({ type: 1, message: '你好 🌊' });
  await send({ type: 2, message: Uint8Array.of(0, 255, 1, 254, 7) });
  await send({ type: 12, fileLocalPath: new Uint8Array(700_000).fill(1), fileName: 'bytes.bin' });
  await send({ type: 100, title: 't', summary: 's', messageList: Array.from({ length: 12 }, () => ({ ...text, message: '长'.repeat(8_000) })) });
  const heard = (test) => bob.ears.until('it', (ears) => ears.messages('receivePeerMessage').filter(({ senderUserID }) => senderUserID === 'wei').find(test));
  assert.equal((await heard(({ type }) => type === 1)).message, '你好 🌊');
  assert.deepEqual([...(await heard(({ type }) => type === 2)).message], [0, 255, 1, 254, 7]);
  assert.equal((await heard(({ type }) => type === 12)).fileSize, 700_000);
  await heard(({ type }) => type === 100);
  await within(first.setConversationDraft('草稿', 'bob', PEER), 'the draft');
  first.destroy();

  // The next start of the program finds the draft, and is the same device.
  const again = (await world(wx)).ZIM.create({ appID: 1, server: broker.server });
  const isUp = new Promise((resolve) => { again.on('connectionStateChanged', (_, { state }) => state === 2 && resolve()); });
  await within(again.login('wei', { userName: '', token, isOfflineLogin: true }), 'login');
  await within(isUp, 'the connection');
  assert.equal((await within(again.queryConversation('bob', PEER), 'the conversation')).conversation.draft, '草稿');
  again.destroy();
});

test('a broker that is not there is unreachable here, too', async () => {
  const { ZIM } = await world(new FakeWx(''));
  const zim = ZIM.create({ appID: 1, server: 'http://127.0.0.1:9' });
  const error = await within(zim.login('far', { userName: '', token: 't' }).catch((why) => why), 'the error');
  assert.match(error.message, /unreachable/);
  zim.destroy();
});

test('a platform may be given: an object like wx, or parts of one', async () => {
  const { ZIM } = await import('../../src/web/tidings.js');
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  for (const platform of [new FakeWx(''), { storage, randomBytes: (count) => new Uint8Array(count).fill(9) }]) {
    const zim = ZIM.createInstance({ appID: 1, server: broker.server, platform });
    await within(zim.login('given', { userName: '', token: await broker.token('given') }), 'login');
    const { message } = await within(zim.sendMessage({ type: 1, message: 'hi' }, 'bob', PEER, { priority: 1 }), 'an answer');
    if (platform.storage) assert.match(message.localMessageID, /^l-CQkJ/);
    await within(zim.logout(), 'logout');
  }
  assert.equal(stored.get('tidings.known.given'), '1');
});

test('React Native: a file goes up by its path, as a whole', async (t) => {
  const { ZIM } = await import('../../src/web/tidings.js');
  const content = Buffer.alloc(700_000, 5);
  const { fetch } = globalThis;
  const known = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  t.mock.method(globalThis, 'fetch', async (url, options) => {
    assert.notEqual(options?.method, 'PATCH');
    return `${url}`.startsWith('file:') ? new Response(new Blob([content])) : fetch(url, options);
  });
  Object.defineProperty(globalThis, 'navigator', { value: { product: 'ReactNative' }, configurable: true });
  try {
    const zim = ZIM.createInstance({ appID: 1, server: broker.server });
    await within(zim.login('native', { userName: '', token: await broker.token('native') }), 'login');
    const { message } = await within(zim.sendMessage({ type: 12, fileLocalPath: 'file:///data/cache/large.bin' }, 'bob', PEER, { priority: 1 }), 'an answer');
    assert.deepEqual([message.fileName, message.fileSize], ['large.bin', content.length]);
    zim.destroy();
  } finally {
    if (known) Object.defineProperty(globalThis, 'navigator', known);
    else delete globalThis.navigator;
  }
});
