// The page's samples about mentions and broadcast, in Node: as they stand, and where the page itself is wrong, mended.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBroker } from './broker.mjs';
import { Clients, within } from './clients.mjs';
import { BROADCAST, CONVERSATION_CHANGED, IS_MENTION_ALL, MENTIONED_INFO_LIST, MENTIONED_USERS, SEND_MENTION, SEND_NETWORK_FILE } from './samples.mjs';

const PEER = 0;

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

/** Runs a sample that listens; what it logs is collected. */
function listen(sample, zim) {
  const said = [];
  new Function('zim', 'console', sample)(zim, { log: (...values) => said.push(values) });
  return said;
}

function sendMention(sample) {
  const code = sample.replace("toConversationID = ''", "toConversationID = 'bob'").replace('// 发送成功', 'sent(message)').replace('// 发送失败', 'failed(err)');
  return within(new Promise((sent, failed) => { new Function('zim', 'sent', 'failed', code)(alice.zim, sent, failed); }), 'answer');
}

test('the mention sample uses a name it does not declare; with the one it means, it arrives', async () => {
  assert.throws(() => new Function('zim', SEND_MENTION)(alice.zim), { name: 'ReferenceError', message: /message is not defined/ });

  const said = listen(CONVERSATION_CHANGED, bob.zim);
  const message = await sendMention(SEND_MENTION.replaceAll(/^message\./gm, 'messageTextObj.'));
  assert.deepEqual([message.mentionedUserIDs, message.isMentionAll], [['userId1', 'userId2'], true]);
  const isIt = ({ messageID }) => messageID === message.messageID;
  const arrived = await bob.ears.until('the mention', (ears) => ears.messages('receivePeerMessage').find(isIt));

  const read = (sample, name, value) => new Function(name, `${sample}; return ${sample.match(/var (\w+)/)[1]};`)(value);
  assert.deepEqual(read(MENTIONED_USERS, 'message', arrived), ['userId1', 'userId2']);
  assert.equal(read(IS_MENTION_ALL, 'message', arrived), true);

  const mention = { type: 2, fromUserID: 'alice', messageID: message.messageID, messageSeq: message.messageSeq };
  const entry = () => said.map(([info]) => info).flat().find(({ conversation }) => conversation.mentionedInfoList.length > 0);
  // The sample's listener stands in the place of the ears' own: other events wake the wait.
  await bob.ears.until('what the sample logged', entry);
  assert.deepEqual(entry().conversation.mentionedInfoList, [mention]);

  const { conversation } = await within(bob.zim.queryConversation('alice', PEER), 'conversation');
  assert.throws(() => read(MENTIONED_INFO_LIST, 'conversation', conversation), { name: 'ReferenceError', message: /conversaion is not defined/ });
  assert.deepEqual(read(MENTIONED_INFO_LIST, 'conversaion', conversation), [mention]);
  await within(bob.zim.clearConversationUnreadMessageCount('alice', PEER), 'clearing');
  const cleared = await within(bob.zim.queryConversation('alice', PEER), 'conversation');
  assert.deepEqual(read(MENTIONED_INFO_LIST, 'conversaion', cleared.conversation), []);
});

test('the network file sample: every kind passes through as it was given', async () => {
  const placed = SEND_NETWORK_FILE.replace("conversationID = 'xxxx'", "conversationID = 'bob'");
  // The page assigns four kinds one after the other, as examples: the last stands as it is, the others by leaving out what follows.
  const assignments = placed.split(/^(?=\/\/ 如果是)/m);
  const tail = placed.slice(placed.indexOf('zim.sendMediaMessage('));
  assert.equal(assignments.length, 5);
  const head = assignments[0];
  const kinds = assignments.slice(1).map((part) => part.replace(tail, '').replace(/^mediaMessageObj =/m, 'var mediaMessageObj ='));
  for (const [n, code] of [...kinds.map((kind) => head + kind + tail), placed].entries()) {
    const before = bob.ears.messages('receivePeerMessage').length;
    new Function('zim', code)(alice.zim);
    const arrived = await bob.ears.until('the file', (ears) => ears.messages('receivePeerMessage')[before]);
    assert.equal(arrived.type, [11, 12, 13, 14, 14][n]);
    for (const [, field, url] of (kinds[n] ?? kinds[3]).matchAll(/(\w+Url): '([^']+)'/g)) assert.equal(arrived[field], url);
  }
});

test('the broadcast sample gets one message, whole', async () => {
  // A broadcast is the host's to send: here the frame comes as the broker writes it (tests/it/broadcast.rs holds its shape).
  let socket;
  class Heard extends WebSocket {
    constructor(url) {
      super(url);
      socket = this;
    }
  }
  const carol = await clients.login('carol', { WebSocket: Heard });
  const said = listen(BROADCAST, carol.zim);
  const wire = {
    type: 1, message: 'maintenance 22:00', messageID: '17', senderUserID: 'ops', timestamp: 1711720000123, conversationType: -1,
    orderKey: 41, isBroadcastMessage: true,
  };
  socket.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ event: 'broadcastMessageReceived', data: { message: wire } }) }));
  const [[message]] = said;
  const { type, isBroadcastMessage, conversationID, conversationType, senderUserID } = message;
  assert.deepEqual([type, message.message, isBroadcastMessage, conversationID, conversationType, senderUserID], [1, 'maintenance 22:00', true, '', -1, 'ops']);
});
