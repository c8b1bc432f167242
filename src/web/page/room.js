// The room tab: who is there, the barrage stage with its counters, and the room's own text chat.

import { Chat, ROOM, part, showError } from './chat.js';
import { Stage } from './stage.js';
import { currentLanguage, hint, say } from './text.js';

const BARRAGE = 20;
const HIGH = 3;
const CONNECTED = 2;
const DISCONNECTED = 0;
const KICKED_BY_OTHER_DEVICE = 10;

const TICK_MS = 50;
// What one tick may catch up with after the browser has slowed the timers of a hidden page.
const PER_TICK_MAX = 40;
// Sends without an answer yet. A cut cable would otherwise let them pile up in the client.
const OPEN_SENDS_MAX = 400;

const CHEERS = {
  en: ['hello from {who}', 'what a night', 'louder!', '+1', 'again, again', 'who is new here?', 'so good', 'haha'],
  zh: ['{who} 来了', '前排围观', '哈哈哈哈', '+1', '再来一次', '太好听了', '打卡', '666'],
};

export class Room {
  #root;
  #zim;
  #me;
  #chat;
  #stage;
  #roomID = null;
  #inside = false;
  #entering = false;
  #connected = true;
  #counts = { sent: 0, received: 0, dropped: 0 };
  #droppedByClass = { low: 0, medium: 0, high: 0, command: 0 };
  #openSends = 0;
  #due = 0;
  #cheers = 0;
  #timer;

  constructor(root, zim, me) {
    this.#root = root;
    this.#zim = zim;
    this.#me = me;
    this.#chat = new Chat(root.querySelector('[data-chat="room"]'), ROOM, me);
    this.#stage = new Stage(part(root, 'stage'));
    for (const kind of Object.keys(this.#counts)) this.#showCount(kind);
    this.#listen();
    this.#timer = setInterval(() => this.#flood(), TICK_MS);
  }

  close() {
    clearInterval(this.#timer);
  }

  async enter(roomID) {
    if (this.#entering || (this.#inside && this.#roomID === roomID)) return;
    this.#entering = true;
    // Said before leaving, or the news of having left would look like a lost place and lead back in.
    const left = this.#inside ? this.#roomID : null;
    this.#inside = false;
    this.#roomID = roomID;
    try {
      if (left !== null) await this.#zim.leaveRoom(left);
      await this.#zim.enterRoom({ roomID, roomName: roomID });
      this.#inside = true;
    } catch (error) {
      this.#showAway(error);
    } finally {
      this.#entering = false;
    }
    if (this.#inside) await Promise.all([this.#chat.open(this.#zim, roomID), this.#countMembers()]);
  }

  receive(data) {
    for (const message of data.messageList) {
      const from = message.conversationID || data.fromConversationID;
      if (message.type === BARRAGE && from === this.#roomID) this.#receiveBarrage(message);
    }
    return this.#chat.receive(data);
  }

  sentStatusChanged(infos) {
    this.#chat.sentStatusChanged(infos);
  }

  stateChanged({ roomID, state, event }) {
    if (roomID !== this.#roomID) return;
    if (state === DISCONNECTED && this.#inside) {
      this.#inside = false;
      this.#showAway(null);
      // The place went to another device of the same user: taking it back would start a tug of war.
      if (event !== KICKED_BY_OTHER_DEVICE && this.#connected) this.enter(roomID);
    } else if (state === CONNECTED && this.#inside) {
      // Back in time: the place is kept, and what was said meanwhile is in the history.
      this.#chat.reload();
      this.#countMembers();
    }
  }

  connectionChanged(connected) {
    this.#connected = connected;
    if (connected && !this.#inside && this.#roomID !== null) this.enter(this.#roomID);
  }

  membersChanged({ roomID }) {
    if (roomID === this.#roomID && this.#inside) this.#countMembers();
  }

  barrageDropped(drops) {
    for (const kind of Object.keys(this.#droppedByClass)) this.#droppedByClass[kind] += drops[kind] ?? 0;
    const { low, medium, high } = this.#droppedByClass;
    this.#counts.dropped = low + medium + high;
    this.#showCount('dropped');
    hint(part(this.#root, 'count-dropped'), 'droppedDetail', this.#droppedByClass);
  }

  #listen() {
    part(this.#root, 'room-form').onsubmit = (event) => {
      event.preventDefault();
      const roomID = part(this.#root, 'room-id').value.trim();
      if (roomID) this.enter(roomID);
    };
    part(this.#root, 'barrage-form').onsubmit = (event) => {
      event.preventDefault();
      const input = part(this.#root, 'barrage-text');
      if (input.value.trim()) this.#sendBarrage(input.value.trim(), true);
      input.value = '';
    };
    part(this.#root, 'rate').oninput = () => {
      part(this.#root, 'rate-out').textContent = part(this.#root, 'rate').value;
    };
  }

  async #countMembers() {
    try {
      const { count } = await this.#zim.queryRoomOnlineMemberCount(this.#roomID);
      if (this.#inside) say(part(this.#root, 'members'), 'members', { n: count });
    } catch {
      // The number is decoration; whatever went wrong shows itself in the conversation.
    }
  }

  #showAway(error) {
    say(part(this.#root, 'members'), 'roomAway');
    showError(part(this.#root, 'error'), error);
  }

  #receiveBarrage({ message, priority, senderUserID }) {
    // One's own were drawn when they left.
    if (senderUserID === this.#me) return;
    this.#counts.received += 1;
    this.#showCount('received');
    this.#stage.show(message, { priority, mayWait: priority === HIGH });
  }

  async #sendBarrage(words, typed) {
    if (!this.#inside || this.#openSends >= OPEN_SENDS_MAX) return;
    const priority = Number(part(this.#root, 'priority').value);
    this.#stage.show(words, { priority, mine: true, mayWait: typed });
    this.#openSends += 1;
    try {
      await this.#zim.sendMessage({ type: BARRAGE, message: words }, this.#roomID, ROOM, { priority });
      this.#counts.sent += 1;
      this.#showCount('sent');
    } catch (error) {
      // A flood may fail by the hundred; only what somebody typed is worth a line.
      if (typed) showError(part(this.#root, 'error'), error);
    } finally {
      this.#openSends -= 1;
    }
  }

  #flood() {
    const perSecond = Number(part(this.#root, 'rate').value);
    if (perSecond === 0 || !this.#connected || !this.#inside) {
      this.#due = 0;
      return;
    }
    this.#due = Math.min(this.#due + (perSecond * TICK_MS) / 1000, PER_TICK_MAX);
    for (; this.#due >= 1; this.#due -= 1) this.#sendBarrage(this.#nextCheer(), false);
  }

  #nextCheer() {
    const cheers = CHEERS[currentLanguage()];
    this.#cheers += 1;
    const words = cheers[Math.floor(Math.random() * cheers.length)].replace('{who}', this.#me);
    return `${words} #${this.#cheers}`;
  }

  #showCount(kind) {
    part(this.#root, `count-${kind}`).textContent = this.#counts[kind].toLocaleString(currentLanguage());
  }
}
