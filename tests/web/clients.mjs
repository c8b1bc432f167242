// Clients for the tests: made, logged in, listened to, and gone at the end. Every wait is bounded and says what it saw.

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import { ZIM } from '../../src/web/tidings.js';

const WAIT_MS = 12_000;
const PEER = 0;

const EVENTS = [
  'error', 'connectionStateChanged', 'tokenWillExpire', 'messageSentStatusChanged', 'receivePeerMessage',
  'receiveRoomMessage', 'receiveGroupMessage', 'peerMessageReceived', 'roomMessageReceived', 'groupMessageReceived',
  'roomStateChanged', 'roomMemberJoined', 'roomMemberLeft', 'roomMembersCounted', 'groupStateChanged', 'groupMemberStateChanged',
  'conversationChanged', 'conversationTotalUnreadMessageCountUpdated', 'conversationsAllDeleted', 'messageDeleted',
  'messageRevokeReceived', 'messageEdited', 'messageReactionsChanged', 'messageReceiptChanged', 'messageRepliedCountChanged',
  'messagePinStatusChanged', 'userStatusUpdated', 'userInfoUpdated', 'roomAttributesUpdated', 'roomAttributesBatchUpdated',
  'roomMemberAttributesUpdated', 'groupNameUpdated', 'groupNoticeUpdated', 'groupAvatarUrlUpdated', 'groupAttributesUpdated',
  'groupMutedInfoUpdated', 'groupVerifyInfoUpdated', 'groupMemberInfoUpdated', 'conversationSyncStateChanged',
];

const show = (value) => inspect(value, { depth: 8, breakLength: 140 });

/** Settles as the promise does, or fails with what `state()` shows. */
export async function within(promise, what, state = () => 'nothing') {
  let timer;
  const late = new Promise((_, reject) => {
    const fail = () => reject(new Error(`no ${what} within ${WAIT_MS} ms; there was: ${show(state())}`));
    timer = setTimeout(fail, WAIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Everything a client tells, in order. */
export class Ears {
  heard = [];
  #waiting = [];

  constructor(zim, events = EVENTS) {
    for (const type of events) zim.on(type, (_, data) => this.#hear(type, data));
  }

  /** The data of every event of a type so far. */
  of(type) {
    return this.heard.filter((event) => event.type === type).map((event) => event.data);
  }

  /** The messages of every event of a type so far. */
  messages(type) {
    return this.of(type).flatMap((data) => data.messageList);
  }

  /** Resolves once `test(this)` holds, with what it returned. */
  until(what, test) {
    const now = test(this);
    if (now) return Promise.resolve(now);
    const found = new Promise((resolve) => this.#waiting.push({ test, resolve }));
    return within(found, what, () => this.heard);
  }

  /** Resolves with the data of the first event of this type that has these fields. */
  event(type, fields = {}) {
    const matches = (data) => Object.entries(fields).every(([name, value]) => data[name] === value);
    return this.until(`${type} ${show(fields)}`, () => this.of(type).find(matches));
  }

  #hear(type, data) {
    this.heard.push({ type, data });
    for (const waiting of [...this.#waiting]) {
      const found = waiting.test(this);
      if (!found) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve(found);
    }
  }
}

/** A WebSocket class whose connections can be cut, as by pulling a cable, and that fails to connect meanwhile. */
export function newCable() {
  const live = new Set();
  let isOut = false;
  class CableSocket extends WebSocket {
    constructor(url) {
      super(isOut ? 'ws://127.0.0.1:9' : url);
      live.add(this);
      this.addEventListener('close', (event) => this.#ended(event));
    }

    #isCut = false;

    /** Ends once the broker knows of it, too. */
    cut() {
      this.#isCut = true;
      this.close();
    }

    /** A line that is gone sends no close frame, whatever this socket did to end. */
    #ended(event) {
      if (!this.#isCut || event.code === 1006) return;
      event.stopImmediatePropagation();
      this.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '' }));
    }
  }
  return {
    WebSocket: CableSocket,
    pull() {
      isOut = true;
      for (const socket of live) socket.cut();
      live.clear();
    },
    plug() {
      isOut = false;
    },
  };
}

/**
 * A WebSocket class that loses what it should: `losesIncoming(frame)` and `losesOutgoing(frame)` say which frames never arrive, as on
 * a line that drops them. Both may be set at any time.
 */
export function newSieve() {
  const sieve = { losesIncoming: () => false, losesOutgoing: () => false };
  sieve.WebSocket = class extends WebSocket {
    constructor(url) {
      super(url);
      this.addEventListener('message', (event) => sieve.losesIncoming(JSON.parse(event.data)) && event.stopImmediatePropagation());
    }

    send(text) {
      if (!sieve.losesOutgoing(JSON.parse(text))) super.send(text);
    }
  };
  return sieve;
}

/** Makes clients of one broker and destroys them all at the end. */
export class Clients {
  #broker;
  #made = [];

  constructor(broker) {
    this.#broker = broker;
  }

  /** A client that is not logged in. */
  make(config = {}) {
    const zim = ZIM.createInstance({ appID: 1, server: this.#broker.server, ...config });
    this.#made.push(zim);
    return zim;
  }

  /** A client that is logged in. */
  async login(userID, config) {
    const zim = this.make(config);
    const ears = new Ears(zim);
    const token = await this.#broker.token(userID);
    await within(zim.login(userID, { userName: userID, token }), `login of ${userID}`, () => ears.heard);
    return { zim, ears, userID };
  }

  destroy() {
    for (const zim of this.#made) zim.destroy();
  }
}

/** Checks that a promise rejects with a code, in the vendor's shape. */
export async function rejectsWith(code, promise) {
  let result;
  try {
    result = await within(promise, `rejection with ${code}`);
  } catch (error) {
    assert.equal(error.code, code, `code of: ${error.stack}`);
    const logged = JSON.parse(JSON.stringify(error));
    assert.equal(logged.code, code);
    assert.equal(typeof logged.message, 'string');
    return error;
  }
  assert.fail(`it should reject with ${code}, but resolved with ${show(result)}`);
}

/** Sends a text to a user and waits for the answer. */
export function sendText(zim, toUserID, message) {
  return within(zim.sendMessage({ type: 1, message }, toUserID, PEER, { priority: 1 }), `answer to ${message}`);
}

/** The whole history of a conversation, oldest first, in pages. */
export async function wholeHistory(zim, conversationID, conversationType) {
  const all = [];
  for (;;) {
    const config = { count: 100, reverse: false, nextMessage: all.at(-1) };
    const asked = zim.queryHistoryMessage(conversationID, conversationType, config);
    const { messageList } = await within(asked, `history of ${conversationID}`);
    if (messageList.length === 0) return all;
    all.push(...messageList);
  }
}
