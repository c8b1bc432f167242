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

  before(async () => {
    broker = await startBroker();
    clients = new Clients(broker);
    ben = await clients.login('ben');
    browser = await launch();
    // The samples are run as text, which the demo page's own policy forbids.
    const context = await browser.newContext({ bypassCSP: true });
    page = await context.newPage();
    // The demo page itself talks as alice and bob.
    await page.goto(broker.page);
    await page.evaluate(async (token) => {
      const { ZIM } = await import('/sdk/tidings.js');
      globalThis.zim = ZIM.createInstance({ appID: 1 });
      await globalThis.zim.login('anna', { userName: 'anna', token });
      // What a mini-program has and a browser has not.
      globalThis.wx = { chooseMedia() {}, chooseMessageFile() {} };
    }, await broker.token('anna'));
  });

  after(async () => {
    await browser?.close();
    clients?.destroy();
    await broker?.stop();
  });

  const place = (sample) => sample.replaceAll("conversationID = 'xxxx'", "conversationID = 'ben'");

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

  /** Runs the recording sample and records for a moment; gives its answer. */
  const record = (sample, mimeType) => page.evaluate(async ({ code, mime }) => {
    const Recorder = globalThis.MediaRecorder;
    let made;
    const recording = new Promise((resolve) => {
      globalThis.MediaRecorder = class extends Recorder {
        constructor(stream) {
          super(stream, mime ? { mimeType: mime } : {});
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
    await new Promise((resolve) => { setTimeout(resolve, 700); });
    made.stop();
    return answer.then(({ message }) => ({ sent: message.sentStatus, seconds: message.audioDuration }), ({ code: number, message }) => ({ number, message }));
  }, { code: sample, mime: mimeType });

  test('a recording: the sample gives milliseconds for seconds and calls what a browser records an MP3', async () => {
    const sample = place(SEND_RECORDING).replace('// 发送成功', 'sent(res)').replace('// 发送失败', 'failed(err)');
    const asItStands = await record(sample);
    assert.equal(asItStands.number, 6000213, asItStands.message);
    const inMilliseconds = await record(sample, 'audio/mp4');
    assert.equal(inMilliseconds.number, 6000215, inMilliseconds.message);
    assert.match(inMilliseconds.message, /duration/);
    const inSeconds = sample.replace('Date.now() - startTime', '(Date.now() - startTime) / 1000');
    const mended = await record(inSeconds.replace('.mp3', '.m4a'), 'audio/mp4');
    assert.equal(mended.sent, 1, JSON.stringify(mended));
    assert.ok(mended.seconds > 0.3 && mended.seconds < 20);
  });
});
