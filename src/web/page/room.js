// A live room: who is there, the barrage over its player area with its counters, and the room's own text chat.

import { Chat } from './chat.js';
import { LOBBY, MadeUpBarrages } from './demo.js';
import { copyOf, part } from './dom.js';
import { BARRAGE, ROOM } from './labels.js';
import { BarrageLayout } from './layout.js';
import { currentLanguage, setText, translate } from './text.js';

const HIGH = 3;
const CONNECTED = 2;
const DISCONNECTED = 0;
const KICKED_BY_OTHER_DEVICE = 10;

const TICK_MS = 50;
// After the browser has slowed the timers of a hidden page, at most as many are sent at once as in so many ticks.
const TICKS_AT_ONCE_MAX = 2;
// At most so many sends are pending. With the cable pulled they would pile up in the client otherwise.
const OPEN_SENDS_MAX = 400;

/** What a room passes on by default, where the broker does not tell. */
const BUDGET_DEFAULT = 1000;
/** How far the slider goes, in budgets of the room, and what the button for the flood sets: two panes that flood exceed it well. */
const SLIDER_BUDGETS = 2;
const FLOOD_BUDGETS = 0.75;
const SLIDER_MIN = 200;
const FLOOD_MIN = 60;
const PRIORITIES = ['low', 'medium', 'high'];
/** Of ten that are generated, so many are low, medium, high. */
const MIX = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3];

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
  #counts = { accepted: { low: 0, medium: 0, high: 0 }, delivered: { low: 0, medium: 0, high: 0 }, dropped: { low: 0, medium: 0, high: 0 } };
  #madeUp;
  #budget;
  #openSends = 0;
  #due = 0;
  #cheers = 0;
  #timer;

  /** `roomBarragesPerSecond` is what the broker passes on in a room; null where it gives out no demo tokens, and so did not tell. */
  constructor({ zim, me, roomID, host, roomBarragesPerSecond }) {
    [this.#zim, this.#me, this.#roomID] = [zim, me, roomID];
    this.#budget = roomBarragesPerSecond ?? BUDGET_DEFAULT;
    this.chat = new Chat({ zim, me, id: roomID, type: ROOM, host });
    const { root } = this.chat;
    const [members, leave] = part(this.#live, 'head-more').children;
    part(root, 'subtitle').after(members);
    part(root, 'head').append(leave);
    part(this.#live, 'head-more').remove();
    part(root, 'head').after(this.#live);
    this.#barrages = new BarrageLayout(part(this.chat.root, 'stage'));
    this.#madeUp = new MadeUpBarrages(this.#barrages, part(root, 'made-up'));
    part(root, 'rate').max = Math.max(SLIDER_MIN, SLIDER_BUDGETS * this.#budget);
    part(root, 'rate').step = Math.max(1, Math.round(this.#budget / 200));
    this.#listen(host);
    translate(root);
    this.#showCounts();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    if (roomID === LOBBY && roomBarragesPerSecond !== null) this.#madeUp.start();
  }

  get roomID() {
    return this.#roomID;
  }

  close() {
    clearInterval(this.#timer);
    this.#madeUp.stop();
  }

  /** Sets how many barrages are generated per second: by the slider, or by the button of any pane that is in this room. */
  setFlood(isOn) {
    this.#setRate(isOn ? Math.max(FLOOD_MIN, FLOOD_BUDGETS * this.#budget) : 0);
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
    if (messageList.length > 0) this.#madeUp.stop();
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
    for (const priority of PRIORITIES) this.#counts.dropped[priority] += drops[priority] ?? 0;
  }

  #listen(host) {
    part(this.chat.root, 'leave').onclick = () => host.close(this.chat);
    part(this.chat.root, 'barrage-form').onsubmit = (event) => {
      event.preventDefault();
      const input = part(this.chat.root, 'barrage-text');
      // Not inside yet, or not any more: the text stays in the field.
      if (!input.value.trim() || !this.#inside) return;
      this.#sendBarrage(input.value.trim(), Number(part(this.chat.root, 'priority').value), true);
      input.value = '';
    };
    part(this.chat.root, 'rate').oninput = () => this.#setRate(Number(part(this.chat.root, 'rate').value));
    part(this.chat.root, 'flood').onclick = () => host.flood(this.#roomID, Number(part(this.chat.root, 'rate').value) === 0);
  }

  #setRate(perSecond) {
    const slider = part(this.chat.root, 'rate');
    slider.value = perSecond;
    part(this.chat.root, 'rate-out').textContent = slider.value;
    const isOn = slider.value !== '0';
    part(this.chat.root, 'flood').setAttribute('aria-pressed', isOn);
    setText(part(this.chat.root, 'flood'), isOn ? 'stopFlood' : 'startFlood');
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
    // The user's own were shown when they were sent, and come only from other devices.
    if (senderUserID === this.#me) return;
    this.#counts.delivered[PRIORITIES[priority - 1]] += 1;
    this.#barrages.show(message, { priority, mayWait: priority === HIGH });
  }

  async #sendBarrage(words, priority, typed) {
    if (!this.#inside || this.#openSends >= OPEN_SENDS_MAX) return;
    this.#madeUp.stop();
    this.#barrages.show(words, { priority, mine: true, mayWait: typed });
    this.#openSends += 1;
    try {
      await this.#zim.sendMessage({ type: BARRAGE, message: words }, this.#roomID, ROOM, { priority });
      this.#counts.accepted[PRIORITIES[priority - 1]] += 1;
    } catch (error) {
      // Generated barrages may fail by the hundred; only for a typed one an error is shown.
      if (typed) this.chat.fail(error);
    } finally {
      this.#openSends -= 1;
    }
  }

  #tick() {
    this.#generate();
    this.#showCounts();
  }

  #generate() {
    const perSecond = Number(part(this.chat.root, 'rate').value);
    if (perSecond === 0 || !this.#connected || !this.#inside) {
      this.#due = 0;
      return;
    }
    const perTick = (perSecond * TICK_MS) / 1000;
    this.#due = Math.min(this.#due + perTick, Math.max(1, TICKS_AT_ONCE_MAX * perTick));
    for (; this.#due >= 1; this.#due -= 1) this.#sendBarrage(this.#nextCheer(), MIX[Math.floor(Math.random() * MIX.length)], false);
  }

  #nextCheer() {
    const cheers = CHEERS[currentLanguage()];
    this.#cheers += 1;
    const text = cheers[Math.floor(Math.random() * cheers.length)].replace('{who}', this.#me);
    return `${text} #${this.#cheers}`;
  }

  #showCounts() {
    if (this.chat.root.offsetParent === null) return;
    for (const [what, counts] of Object.entries(this.#counts)) {
      for (const priority of PRIORITIES) {
        const cell = part(this.chat.root, `${what}-${priority}`);
        const text = counts[priority].toLocaleString(currentLanguage());
        if (cell.textContent !== text) cell.textContent = text;
      }
    }
  }
}
