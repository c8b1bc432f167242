// The other samples of the vendor's page, which docs/coming-from-zim tells of: files, and the ones that are defective there.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, within } from './clients.mjs';

const LOCAL_FILE = `
    // 如果是 \`图片\` 消息
    var mediaMessageObj = {
        fileLocalPath: file,
        type: 11,
    };
    // 如果是 \`文件\` 消息
    mediaMessageObj = {
        fileLocalPath: file,
        type: 12,
    };
`;

const NET_FILE = `
// 如果是 \`视频\` 消息
mediaMessageObj = {
    fileDownloadUrl: 'https://xxxx.mp4',
    videoFirstFrameDownloadUrl: 'https://xxxx-firstframe.jpeg', // 视频首帧图片
    type: 14,
    videoDuration: 100, // 请填写视频文件播放时长,单位秒(必填)
};
`;

const SEND_MEDIA = `
var conversationID = 'xxxx';
var config = { priority: 1 };
var notification = {
    onMessageAttached: function(message) {
        // todo: Loading
    },
    onMediaUploadingProgress: function(message, currentFileSize, totalFileSize) {
        // todo: upload progress
    }
};
return zim.sendMediaMessage(
    mediaMessageObj,
    conversationID,
    0,
    config,
    notification,
);
`;

const RECORDED = `
                var audioDuration = Date.now() - startTime;
                var mediaMessageObj = {
                    fileLocalPath: new File(chunks, '文件名xxxx.mp3'),
                    type: 13,
                    audioDuration: audioDuration > 0 ? audioDuration : 100, // 请填写音频文件播放时长,单位秒(必填)
                };
`;

const MENTION = `
var messageTextObj = { type: 1, message: '文本消息内容', extendedData: '消息的扩展信息(可选)' };

// 调用接口提醒列表中用户查看消息
message.mentionedUserIDs = ["userId1", "userId2"];

// 提醒会话内所有其他用户查看消息
message.isMentionAll = true;
`;

const SEND_MENTION = `return zim.sendMessage(messageTextObj, 'bob', 0, { priority: 1 });`;
const MENTIONS_BY_EVENT = `
zim.on('conversationChanged', function (zim, { info }) {
    console.log(info);
});
`;
const MENTIONS = `var mentionedInfoList = conversaion.mentionedInfoList;`;

let broker;
let clients;
let alice;
let bob;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  alice = await clients.login('alice');
  bob = await clients.login('bob');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

/** Runs samples as one, their empty places filled, with these names in scope. */
function run(code, scope = {}) {
  const names = { zim: alice.zim, ...scope };
  return within(new Function(...Object.keys(names), code.replace("'xxxx'", "'bob'"))(...Object.values(names)), 'answer');
}

const fixture = (name) => readFile(new URL(`../fixtures/${name}`, import.meta.url));

test('the sample of a local file, and of one elsewhere, arrive', async () => {
  const file = new File([await fixture('picture.png')], 'picture.png');
  const here = await run(LOCAL_FILE + SEND_MEDIA, { file });
  assert.deepEqual([here.message.type, here.message.fileName], [12, 'picture.png']);

  const elsewhere = await run(`var mediaMessageObj;${NET_FILE}${SEND_MEDIA}`);
  assert.equal(elsewhere.message.fileDownloadUrl, 'https://xxxx.mp4');
  await bob.ears.until('both', (ears) => ears.messages('receivePeerMessage').filter(({ type }) => type > 10).length === 2);
});

test('the recorder sample passes milliseconds, and what browsers record is no MP3', async () => {
  const record = (chunks, startTime) => run(RECORDED + SEND_MEDIA, { chunks, startTime });
  await assert.rejects(record([await fixture('cbr.mp3')], Date.now() - 2_000), { code: 6000215 });
  const webm = new Uint8Array([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x86, 0x81, 1]);
  await assert.rejects(record([webm], Date.now() - 200), { code: 6000213 });
});

test('the mention sample sets its mentions on a message that is not there', async () => {
  assert.throws(() => new Function(MENTION)(), { name: 'ReferenceError', message: /^message is not defined/ });
  const repaired = MENTION.replaceAll(/^message\./gm, 'messageTextObj.');
  const { message } = await run(repaired + SEND_MENTION);
  assert.deepEqual([message.mentionedUserIDs, message.isMentionAll], [['userId1', 'userId2'], true]);
});

test('the samples of mentionedInfoList read names that are not there', async () => {
  const said = [];
  new Function('zim', 'console', MENTIONS_BY_EVENT)(bob.zim, { log: (info) => said.push(info) });
  await alice.zim.sendMessage({ type: 1, message: 'look', isMentionAll: true }, 'bob', 0, { priority: 1 });
  await bob.ears.until('the event', () => said.length > 0);
  assert.equal(said[0], undefined);

  assert.throws(() => new Function(MENTIONS)(), { name: 'ReferenceError', message: /^conversaion is not defined/ });
  const { conversation } = await bob.zim.queryConversation('alice', 0);
  const list = new Function('conversaion', `${MENTIONS} return mentionedInfoList;`)(conversation);
  assert.ok(Array.isArray(list) && list.length >= 1, JSON.stringify(list));
});
