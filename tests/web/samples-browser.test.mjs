// The page's samples that need a browser: a chosen file, and a recording.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { fixture, launch, skip } from './browser.mjs';
import { Clients } from './clients.mjs';
import { SEND_LOCAL_FILE, SEND_RECORDING } from './samples.mjs';

describe('samples in a browser', { skip }, () => {
  let broker;
  let clients;
  let ben;
  let browser;
  let page;
  let annasToken;

  before(async () => {
    broker = await startBroker();
    clients = new Clients(broker);
    ben = await clients.login('ben');
    browser = await launch();
    // The samples are run as text, which the demo page's own policy forbids.
    const context = await browser.newContext({ bypassCSP: true });
    page = await context.newPage();
    annasToken = await broker.token('anna');
    // The demo page itself talks as alice and bob.
    await page.goto(broker.page);
    await page.evaluate(async (token) => {
      const { ZIM } = await import('/sdk/tidings.js');
      globalThis.zim = ZIM.createInstance({ appID: 1 });
      await globalThis.zim.login('anna', { userName: 'anna', token });
      // What a mini-program has and a browser has not.
      globalThis.wx = { chooseMedia() {}, chooseMessageFile() {} };
    }, annasToken);
  });

  after(async () => {
    await browser?.close();
    clients?.destroy();
    await broker?.stop();
  });

  const place = (sample) => sample.replaceAll("conversationID = 'xxxx'", "conversationID = 'ben'");

  test('no name of the module hides one of the browser, where a bundler puts both into one scope', async () => {
    const hidden = await page.evaluate(async () => {
      const source = await (await fetch('/sdk/tidings.js')).text();
      const differing = () => Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name))
        .filter((name) => !Object.is((0, eval)(`typeof ${name} === 'undefined' ? undefined : ${name}`), globalThis[name]));
      const before = differing();
      const script = document.createElement('script');
      // What a classic script declares is seen by all others, as in a bundle of one scope.
      script.textContent = `${source.replace(/^export default .*$/gm, '').replace(/^export /gm, '')};globalThis.wasRun = typeof ZIM;`;
      document.head.append(script);
      return { wasRun: globalThis.wasRun, names: differing().filter((name) => !before.includes(name)) };
    });
    assert.deepEqual(hidden, { wasRun: 'function', names: [] });
  });

  test('a file that was chosen: as it stands it is sent as the last kind it names, and so is each other kind', async () => {
    const parts = place(SEND_LOCAL_FILE).split(/^(?= {4}\/\/ 如果是)/m);
    const video = parts[4];
    const tail = video.slice(video.indexOf('    zim.sendMediaMessage('));
    const only = (n) => parts[0] + parts[n].replace(tail, '').replace(/^ {4}mediaMessageObj =/m, '    var mediaMessageObj =') + tail;
    for (const [sample, file, type] of [
      [place(SEND_LOCAL_FILE), 'h264.mp4', 14], [only(1), 'picture.png', 11], [only(2), 'make.sh', 12], [only(3), 'cbr.mp3', 13],
    ]) {
      const before = ben.ears.messages('receivePeerMessage').length;
      const input = await page.evaluateHandle((code) => {
        const made = new Function(`${code}; return input;`)();
        document.body.append(made);
        return made;
      }, sample);
      await input.asElement().setInputFiles(fixture(file));
      const message = await ben.ears.until(`${file} as ${type}`, (ears) => ears.messages('receivePeerMessage')[before]);
      assert.deepEqual([message.type, message.fileName], [type, file]);
      const answer = await fetch(message.fileDownloadUrl);
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
      await page.evaluate((made) => made.remove(), input);
    }
  });

  /**
   * Runs the recording sample, as somebody who has let the page use the microphone before, and records for a moment; gives its answer.
   * The client says which version of the SDK the program was written for.
   */
  const record = (sample, sdkVersion, mimeType) => page.evaluate(async ({ code, version, mime, token }) => {
    const { ZIM } = await import('/sdk/tidings.js');
    globalThis.zim.destroy();
    globalThis.zim = ZIM.createInstance({ appID: 1, ...(version && { sdkVersion: version }) });
    await globalThis.zim.login('anna', { userName: 'anna', token });
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    navigator.mediaDevices.getUserMedia = async () => stream;
    const Recorder = globalThis.MediaRecorder;
    let made;
    const recording = new Promise((resolve) => {
      globalThis.MediaRecorder = class extends Recorder {
        constructor(of) {
          super(of, mime ? { mimeType: mime } : {});
          made = this;
          resolve();
        }
      };
    });
    const answer = new Promise((sent, failed) => { new Function('sent', 'failed', code)(sent, failed); });
    await recording;
    globalThis.MediaRecorder = Recorder;
    // The sample sets its handlers in the same turn as it makes the recorder.
    await Promise.resolve();
    made.start();
    await new Promise((resolve) => { setTimeout(resolve, 4000); });
    made.stop();
    delete navigator.mediaDevices.getUserMedia;
    return answer.then(({ message }) => ({ sent: message.sentStatus, seconds: message.audioDuration, url: message.fileDownloadUrl }), ({ code: number, message }) => ({ number, message }));
  }, { code: sample, version: sdkVersion, mime: mimeType, token: annasToken });

  const answering = place(SEND_RECORDING).replace('// 发送成功', 'sent(res)').replace('// 发送失败', 'failed(err)');

  for (const version of [undefined, '2.14.0']) test(`a recording, as the sample is printed: what the browser records, and its length in milliseconds (${version ?? 'the newest'})`, async () => {
    const before = ben.ears.messages('receivePeerMessage').length;
    const sent = await record(answering, version);
    assert.equal(sent.sent, 1, JSON.stringify(sent));
    assert.ok(sent.seconds > 3 && sent.seconds < 10, `${sent.seconds} seconds`);
    const message = await ben.ears.until('the recording', (ears) => ears.messages('receivePeerMessage')[before]);
    assert.deepEqual([message.type, message.audioDuration, message.fileName], [13, sent.seconds, '文件名xxxx.mp3']);
    // It is WebM, whatever its name says, and plays.
    const start = Buffer.from(await (await fetch(message.fileDownloadUrl)).arrayBuffer()).subarray(0, 4);
    assert.equal(start.toString('hex'), '1a45dfa3');
    const seconds = await page.evaluate((url) => new Promise((resolve, reject) => {
      const audio = document.createElement('audio');
      audio.onerror = () => reject(new Error('it does not play'));
      audio.ontimeupdate = () => audio.currentTime > 0.5 && resolve(audio.currentTime);
      Object.assign(audio, { src: url, muted: true });
      audio.play().catch(reject);
    }), sent.url);
    assert.ok(seconds > 0.5);
  });

  test('a program that says seconds, whatever the browser records', async () => {
    const inSeconds = answering.replace('Date.now() - startTime', '(Date.now() - startTime) / 1000');
    for (const mimeType of [undefined, 'audio/mp4']) {
      const mended = await record(inSeconds, undefined, mimeType);
      assert.equal(mended.sent, 1, JSON.stringify(mended));
      assert.ok(mended.seconds > 3 && mended.seconds < 10, `${mended.seconds} seconds`);
    }
  });
});
