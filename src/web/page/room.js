// A live room: who is there, the barrage over its player area with its counters, and the room's own text chat.

import { Chat } from './chat.js';
import { copyOf, part } from './dom.js';
import { BARRAGE, ROOM } from './labels.js';
import { BarrageLayout } from './layout.js';
import { currentLanguage, setText, setTooltip, translate } from './text.js';

const HIGH = 3;
const CONNECTED = 2;
const DISCONNECTED = 0;
const KICKED_BY_OTHER_DEVICE = 10;

const TICK_MS = 50;
// At most so many barrages are sent per tick after the browser has slowed the timers of a hidden page.
const PER_TICK_MAX = 40;
// At most so many sends are pending. With the cable pulled they would pile up in the client otherwise.
const OPEN_SENDS_MAX = 400;

const CHEERS = {
  en: ['hello from {who}', 'what a night', 'louder!', '+1', 'again, again', 'who is new here?', 'so good', 'haha'],
  zh: ['{who} 来了', '前排围观', '哈哈哈哈', '+1', '再来一次', '太好听了', '打卡', '666'],
};

export class Room {
  chat;
  #live = copyOf('live-template');
  #zim;
  #me;
  #roomID;
  #barrages;
  #inside = false;
  #entering = false;
  #connected = true;
  #counts = { sent: 0, received: 0, dropped: 0 };
  #droppedByClass = { low: 0, medium: 0, high: 0, command: 0 };
  #openSends = 0;
  #due = 0;
  #cheers = 0;
  #timer;

  constructor({ zim, me, roomID, host }) {
    [this.#zim, this.#me, this.#roomID] = [zim, me, roomID];
    this.chat = new Chat({ zim, me, id: roomID, type: ROOM, host });
    const { root } = this.chat;
    const [members, leave] = part(this.#live, 'head-more').children;
    part(root, 'subtitle').after(members);
    part(root, 'head').append(leave);
    part(this.#live, 'head-more').remove();
    part(root, 'head').after(this.#live);
    this.#barrages = new BarrageLayout(part(this.chat.root, 'stage'));
    for (const kind of Object.keys(this.#counts)) this.#showCount(kind);
    this.#listen(host);
    translate(root);
    this.#timer = setInterval(() => this.#flood(), TICK_MS);
  }

  get roomID() {
    return this.#roomID;
  }

  close() {
    clearInterval(this.#timer);
  }

  async enter() {
    if (this.#entering || this.#inside) return;
    this.#entering = true;
    try {
      await this.#zim.enterRoom({ roomID: this.#roomID, roomName: this.#roomID });
      this.#inside = true;
    } catch (error) {
      this.#showAway(error);
    } finally {
      this.#entering = false;
    }
    if (this.#inside) await Promise.all([this.chat.reload(), this.#countMembers()]);
  }

  async leave() {
    // Set before leaving, or the event of having left would look like a lost membership and lead back in.
    this.#inside = false;
    this.close();
    await this.#zim.leaveRoom(this.#roomID).catch(() => {});
  }

  /** Takes messages of this room. Returns how many were new. */
  receive(messageList) {
    for (const message of messageList) if (message.type === BARRAGE) this.#receiveBarrage(message);
    return this.chat.receive(messageList);
  }

  stateChanged({ state, event }) {
    if (state === DISCONNECTED && this.#inside) {
      this.#inside = false;
      this.#showAway(null);
      // Another device of the same user is in the room now: entering again would start a tug of war.
      if (event !== KICKED_BY_OTHER_DEVICE && this.#connected) this.enter();
    } else if (state === CONNECTED && this.#inside) {
      // Back in time: still a member, and the messages of meanwhile are in the history.
      this.chat.reload();
      this.#countMembers();
    }
  }

  connectionChanged(connected) {
    this.#connected = connected;
    if (connected && !this.#inside) this.enter();
  }

  membersChanged() {
    if (this.#inside) this.#countMembers();
  }

  barrageDropped(drops) {
    for (const kind of Object.keys(this.#droppedByClass)) this.#droppedByClass[kind] += drops[kind] ?? 0;
    const { low, medium, high } = this.#droppedByClass;
    this.#counts.dropped = low + medium + high;
    this.#showCount('dropped');
    setTooltip(part(this.chat.root, 'count-dropped'), 'droppedDetail', this.#droppedByClass);
  }

  #listen(host) {
    part(this.chat.root, 'leave').onclick = () => host.close(this.chat);
    part(this.chat.root, 'barrage-form').onsubmit = (event) => {
      event.preventDefault();
      const input = part(this.chat.root, 'barrage-text');
      // Not inside yet, or not any more: the text stays in the field.
      if (!input.value.trim() || !this.#inside) return;
      this.#sendBarrage(input.value.trim(), true);
      input.value = '';
    };
    part(this.chat.root, 'rate').oninput = () => {
      part(this.chat.root, 'rate-out').textContent = part(this.chat.root, 'rate').value;
    };
  }

  async #countMembers() {
    try {
      const { count } = await this.#zim.queryRoomOnlineMemberCount(this.#roomID);
      if (this.#inside) setText(part(this.chat.root, 'members'), 'members', { n: count });
    } catch {
      // The number is decoration; whatever went wrong shows itself in the conversation.
    }
  }

  #showAway(error) {
    setText(part(this.chat.root, 'members'), 'roomAway');
    this.chat.fail(error);
  }

  #receiveBarrage({ message, priority, senderUserID }) {
    // The user's own were shown when they were sent.
    if (senderUserID === this.#me) return;
    this.#counts.received += 1;
    this.#showCount('received');
    this.#barrages.show(message, { priority, mayWait: priority === HIGH });
  }

  async #sendBarrage(words, typed) {
    if (!this.#inside || this.#openSends >= OPEN_SENDS_MAX) return;
    const priority = Number(part(this.chat.root, 'priority').value);
    this.#barrages.show(words, { priority, mine: true, mayWait: typed });
    this.#openSends += 1;
    try {
      await this.#zim.sendMessage({ type: BARRAGE, message: words }, this.#roomID, ROOM, { priority });
      this.#counts.sent += 1;
      this.#showCount('sent');
    } catch (error) {
      // Generated barrages may fail by the hundred; only for a typed one an error is shown.
      if (typed) this.chat.fail(error);
    } finally {
      this.#openSends -= 1;
    }
  }

  #flood() {
    const perSecond = Number(part(this.chat.root, 'rate').value);
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
    const text = cheers[Math.floor(Math.random() * cheers.length)].replace('{who}', this.#me);
    return `${text} #${this.#cheers}`;
  }

  #showCount(kind) {
    part(this.chat.root, `count-${kind}`).textContent = this.#counts[kind].toLocaleString(currentLanguage());
  }
}
