// The vendor's page, run as it stands: its own sample code, with nothing but the placeholders filled in.
// https://doc-zh.zego.im/article/14618 of 2024-03-29, sections 收发普通消息, 收发信令消息, 收发自定义消息, 监听消息状态

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, Ears, within } from './clients.mjs';

const SEND_TEXT = `
// 发送单聊 \`Text\` 信息

var toConversationID = ''; // 对方 userID
var conversationType = 0; // 会话类型,取值为 单聊:0,房间:1,群组:2
var config = { 
    priority: 1, // 设置消息优先级,取值为 低:1(默认),中:2,高:3
};

var messageTextObj = { type: 1, message: '文本消息内容', extendedData: '消息的扩展信息(可选)' };
var notification = {
    onMessageAttached: function(message) {
        // todo: Loading
    }
}

zim.sendMessage(messageTextObj, toConversationID, conversationType, config, notification)
    .then(function ({ message }) {
        // 发送成功
    })
    .catch(function (err) {
        // 发送失败
    });
`;

const RECEIVE = `
// 收到单聊通信的消息回调
zim.on('receivePeerMessage', function (zim, { messageList, fromConversationID }) {
    console.log(messageList, fromConversationID);
});

// 收到群组消息的回调
zim.on('receiveGroupMessage', function (zim, { messageList, fromConversationID }) {
    console.log(messageList, fromConversationID);
});

// 收到房间消息的回调
zim.on('receiveRoomMessage', function (zim, { messageList, fromConversationID }) {
    console.log(messageList, fromConversationID);
});
`;

const SEND_COMMAND = `
// 发送单聊 \`Command\` 信息

var toConversationID = ''; // 对方 userID
var conversationType = 0; // 会话类型,取值为 单聊:0,房间:1,群组:2
var config = { 
    priority: 1, // 设置消息优先级,取值为 低:1(默认),中:2,高:3
};

// 这里以 JSON 字符串 为例,需要将字符串转换为 Uint8Array
// receivePeerMessage 收到 type 为 2 的 Command 消息时,需要将 Uint8Array 转换为 JSON 字符串
var jsonText = JSON.stringify({ id: '111', name: '张三' });
var uint8Array = new Uint8Array(Array.from(unescape(encodeURIComponent(jsonText))).map((val) => val.charCodeAt(0)));

var messageCommandObj = { type: 2, message: uint8Array };
var notification = {
    onMessageAttached: function(message) {
        // todo: Loading
    }
}
zim.sendMessage(messageCommandObj, toConversationID, conversationType, config, notification)
    .then(function ({ message }) {
        // 发送成功
    })
    .catch(function (err) {
        // 发送失败
    });
`;

const RECEIVE_COMMAND = `
// 用户接收信令消息
zim.on('receivePeerMessage', function (zim, { messageList, fromConversationID }) {
    console.log(messageList, fromConversationID);
    messageList.forEach(function (msg) {
        // 收到 \`Command\` 消息时,这里以 JSON 字符串 为例,将 Uint8Array 消息内容转为 JSON 字符串
        if (msg.type == 2) {
            var uint8Array = msg.message;
            var jsonText = decodeURIComponent(escape(String.fromCharCode(...Array.from(uint8Array))));
            var jsonObj = JSON.parse(jsonText);
            console.log('receivePeerMessage', jsonObj);
        }
    })
});
`;

const SEND_CUSTOM = `
// 发送自定义信息
// 指定用户的 ID
var toConversationID = "xxxx";
var message = "";  // 自定义消息的文本内容
var subType = 100;  // 具体的自定义类型
var searchedContent = "";// 自定义消息的检索字段。

var zimCustomMessage = {
    type: 200,
    message: message,
    subType: subType,
    searchedContent: searchedContent
};

// 发送消息的高级属性配置
var conversationType = 0; // 会话类型,取值为 单聊:0,房间:1,群组:2
var config = { 
    priority: 1, // 设置消息优先级,取值为 低:1(默认),中:2,高:3
};

zim.sendMessage(zimCustomMessage, toConversationID, conversationType, config).then(function ({ message }) {
        // 发送成功
    })
    .catch(function (err) {
        // 发送失败
    });
`;

const RECEIVE_CUSTOM = `
// 用户在单聊会话中接收自定义消息
zim.on('receivePeerMessage', function (zim, { messageList, fromConversationID }) {
    console.log(messageList, fromConversationID);
    messageList.forEach(function (msg) {
        // 收到 \`Custom\` 消息时
        if (msg.type == 200) {
        }
    })
});
`;

const WATCH_STATUS = `
// 监听消息状态
zim.on('messageSentStatusChanged', function (zim, result) {
    result.infos.forEach( function (info) {
        console.warn(info.message, info.status);
    });  
});
`;

/** Runs a listening sample; `said` collects what it logs. */
function listen(sample, zim) {
  const said = [];
  const log = (...values) => said.push(values);
  new Function('zim', 'console', sample)(zim, { log, warn: log });
  return said;
}

/** Runs a sending sample: its empty places become the receiver and a way to hear of the answer. */
function send(sample, zim, toUserID, fill = (text) => text) {
  const code = fill(sample)
    .replace(/toConversationID = (''|"xxxx")/, `toConversationID = ${JSON.stringify(toUserID)}`)
    .replace('// todo: Loading', 'attached(message)')
    .replace('// 发送成功', 'sent(message)')
    .replace('// 发送失败', 'failed(err)');
  const attached = [];
  const answer = new Promise((sent, failed) => {
    new Function('zim', 'attached', 'sent', 'failed', code)(zim, (message) => attached.push({ ...message }), sent, failed);
  });
  return within(answer, 'answer').then((message) => ({ message, attached }));
}

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

/** What the listening sample logged about one message. */
async function logged(ears, said, localMessageID) {
  const find = () => said.find(([list]) => Array.isArray(list) && list.some((m) => m.localMessageID === localMessageID));
  // Another event of the same batch wakes the wait; the sample's own listener has taken the old name.
  await ears.until('the message in what the sample logged', find);
  return find();
}

test('the text sample reaches the receive sample', async () => {
  const said = listen(RECEIVE, bob.zim);
  const { message, attached } = await send(SEND_TEXT, alice.zim, 'bob');

  assert.equal(attached.length, 1);
  assert.equal(attached[0].sentStatus, 0);
  assert.equal(attached[0].messageID, '');
  assert.equal(attached[0].localMessageID, message.localMessageID);
  assert.equal(message.sentStatus, 1);
  assert.equal(message.direction, 0);
  assert.equal(message.conversationID, 'bob');
  assert.notEqual(message.messageID, '');

  const [messageList, fromConversationID] = await logged(bob.ears, said, message.localMessageID);
  assert.equal(fromConversationID, 'alice');
  const { timestamp, orderKey, messageSeq, ...rest } = messageList.at(-1);
  assert.ok(Math.abs(timestamp - Date.now()) < 60_000, `timestamp ${timestamp}`);
  assert.ok(Number.isSafeInteger(orderKey) && orderKey > 0, `orderKey ${orderKey}`);
  assert.equal(messageSeq, rest.conversationSeq);
  assert.deepEqual(rest, {
    type: 1,
    message: '文本消息内容',
    extendedData: '消息的扩展信息(可选)',
    localMessageID: message.localMessageID,
    messageID: message.messageID,
    senderUserID: 'alice',
    conversationID: 'alice',
    conversationType: 0,
    conversationSeq: message.conversationSeq,
    direction: 1,
    sentStatus: 1,
    priority: 1,
    isUserInserted: false,
    isBroadcastMessage: false,
    isServerMessage: false,
    receiptStatus: 0,
    reactions: [],
    localExtendedData: '',
    mentionedUserIDs: [],
    isMentionAll: false,
    rootRepliedCount: 0,
  });
});

test('the command sample reaches its receive sample as the object it was', async () => {
  const said = listen(RECEIVE_COMMAND, bob.zim);
  const { message } = await send(SEND_COMMAND, alice.zim, 'bob');
  assert.ok(message.message instanceof Uint8Array);
  const find = () => said.find(([label]) => label === 'receivePeerMessage');
  await bob.ears.until('the command', find);
  assert.deepEqual(find()[1], { id: '111', name: '张三' });
});

test('the custom sample arrives, with its empty content and with content', async () => {
  const said = listen(RECEIVE_CUSTOM, bob.zim);
  const empty = await send(SEND_CUSTOM, alice.zim, 'bob');
  const [emptyList] = await logged(bob.ears, said, empty.message.localMessageID);
  assert.equal(emptyList.at(-1).message, '');
  assert.equal(emptyList.at(-1).subType, 100);

  const filled = await send(SEND_CUSTOM, alice.zim, 'bob', (text) =>
    text.replace('message = ""', 'message = \'{"vote":1}\'').replace('searchedContent = ""', 'searchedContent = "lunch"'),
  );
  const [list] = await logged(bob.ears, said, filled.message.localMessageID);
  const { type, message, subType, searchedContent } = list.at(-1);
  assert.deepEqual({ type, message, subType, searchedContent }, {
    type: 200, message: '{"vote":1}', subType: 100, searchedContent: 'lunch',
  });
});

test('the status sample hears Sending, then Success, of the one message object', async () => {
  const said = listen(WATCH_STATUS, alice.zim);
  const { message } = await send(SEND_TEXT, alice.zim, 'bob');
  const mine = said.filter(([of]) => of === message);
  assert.deepEqual(mine.map(([, status]) => status), [0, 1]);
  new Ears(alice.zim, ['messageSentStatusChanged']);
});
