// The bubbles of a conversation: one per message however often and in whatever order it comes, sorted by `orderKey`.

import { drawBubble } from './message-bubble.js';
import { make } from './dom.js';
import { showProgress } from './files.js';

export const SENDING = 0;
export const SENT = 1;
export const FAILED = 2;

const BUBBLES_MAX = 600;
const AT_END_PX = 40;

/** What others made of a message, and who read it, does not come with every copy of it. */
function withWhatIsKnown(message, known) {
  return {
    ...message,
    reactions: message.reactions?.length ? message.reactions : known.reactions ?? [],
    receiptStatus: Math.max(message.receiptStatus ?? 0, known.receiptStatus ?? 0),
    rootRepliedCount: message.rootRepliedCount ?? known.rootRepliedCount,
    pinnedTime: message.pinnedTime ?? known.pinnedTime,
    repliedInfo: message.repliedInfo ?? known.repliedInfo,
  };
}

export class Log {
  #list;
  #view;
  #atEnd = true;
  #entries = [];
  #byMessageID = new Map();
  #byLocalID = new Map();
  #inSight = new Set();
  #sight;

  /** `view` is what bubbles need to know and may do: `{me, type, act}`. */
  constructor(list, view) {
    this.#list = list;
    this.#view = view;
    // Pictures and players grow when they have loaded, and the log shrinks when something opens below it.
    list.addEventListener('scroll', () => { this.#atEnd = this.#isScrolledToEnd(); });
    for (const grown of ['load', 'loadedmetadata']) list.addEventListener(grown, () => this.#atEnd && this.scrollToEnd(), true);
    new ResizeObserver(() => this.#atEnd && this.scrollToEnd()).observe(list);
    list.addEventListener('keydown', (event) => this.#key(event));
    this.#sight = new IntersectionObserver((changes) => this.#sighted(changes), { root: list });
  }

  get oldest() {
    return this.#entries.find(({ state }) => state === SENT)?.message;
  }

  /** The messages that can be seen where the log is scrolled to. */
  get inSight() {
    return this.#entries.filter(({ bubble, state }) => state === SENT && this.#inSight.has(bubble)).map(({ message }) => message);
  }

  /** Whether there is nothing to scroll. */
  get isShort() {
    return this.#list.clientHeight > 0 && this.#list.scrollHeight <= this.#list.clientHeight;
  }

  /** The entry of a message, its id, or a message that is on its way. */
  find(message) {
    const id = typeof message === 'string' ? message : message.messageID;
    return this.#byMessageID.get(id) ?? this.#byLocalID.get(this.#localKey(message));
  }

  /** Adds a message or renews what is known of it; answers whether it was new. */
  put(message, state = SENT) {
    const known = this.find(message);
    const entry = known ?? this.#newEntry();
    entry.message = known && known.message !== message ? withWhatIsKnown(message, known.message) : message;
    entry.state = state;
    // A send that failed for us may have reached the broker; what the broker says comes last.
    entry.orderKey = state === SENT ? message.orderKey : Infinity;
    this.#remember(entry);
    this.#stayingAtEnd(() => {
      this.#place(entry);
      drawBubble(entry, this.#view);
    });
    return !known;
  }

  /** Changes what is known of a message that is here. */
  amend(messageID, change) {
    const entry = this.#byMessageID.get(messageID);
    if (!entry) return null;
    change(entry.message, entry);
    this.#stayingAtEnd(() => drawBubble(entry, this.#view));
    return entry;
  }

  remove(messageID) {
    const entry = this.#byMessageID.get(messageID);
    if (!entry) return;
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#byMessageID.delete(messageID);
    this.#byLocalID.delete(this.#localKey(entry.message));
    this.#sight.unobserve(entry.bubble);
    this.#inSight.delete(entry.bubble);
    entry.bubble.remove();
  }

  /** Forgets what can be asked for again. What is on its way, or failed, is only here. */
  clear() {
    for (const { message, state } of [...this.#entries]) if (state === SENT) this.remove(message.messageID);
  }

  /** Draws all bubbles anew, in another language or for picking. */
  redraw() {
    this.#stayingAtEnd(() => this.#entries.forEach((entry) => drawBubble(entry, this.#view)));
  }

  /** Follows a send whose promise may have been settled long ago. */
  mark(message, state) {
    const entry = this.find(message);
    if (!entry || entry.state === SENT) return;
    if (state === SENT && message.orderKey) {
      this.put(message, SENT);
      return;
    }
    entry.state = state;
    // It keeps the place it failed at, or it would hang below everything said later.
    if (state === FAILED) entry.orderKey = Math.max(0, ...this.#entries.map(({ orderKey }) => orderKey).filter(Number.isFinite));
    this.#stayingAtEnd(() => {
      this.#place(entry);
      drawBubble(entry, this.#view);
    });
  }

  progress(message, sent, total) {
    const entry = this.find(message);
    if (entry) showProgress(entry.bubble, sent, total);
  }

  /** Brings a message into sight, if it is here. */
  show(messageID) {
    const entry = this.#byMessageID.get(messageID);
    if (!entry) return false;
    entry.bubble.scrollIntoView({ block: 'center' });
    entry.bubble.focus({ preventScroll: true });
    entry.bubble.classList.add('found');
    entry.bubble.addEventListener('animationend', () => entry.bubble.classList.remove('found'), { once: true });
    return true;
  }

  /** The newest one, for those who come with the keys. */
  focusLast() {
    this.#entries.at(-1)?.bubble.focus();
  }

  scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#atEnd = true;
  }

  /** Runs what adds older messages, and leaves in sight what was. */
  keepingPlace(work) {
    const below = this.#list.scrollHeight - this.#list.scrollTop;
    work();
    this.#list.scrollTop = this.#list.scrollHeight - below;
  }

  #newEntry() {
    const bubble = make('div', { tabIndex: -1 });
    bubble.setAttribute('role', 'article');
    this.#sight.observe(bubble);
    return { bubble };
  }

  #sighted(changes) {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) this.#inSight.add(target);
      else this.#inSight.delete(target);
    }
    this.#view.act.sighted();
  }

  /** The arrows go from message to message, Enter opens what can be done to one. */
  #key(event) {
    const bubbles = this.#entries.map(({ bubble }) => bubble);
    const at = bubbles.indexOf(event.target);
    // In a bubble there may be players and buttons, which have their own ideas about keys.
    if (event.target !== this.#list && at < 0) return;
    const targets = { ArrowUp: at < 0 ? bubbles.length - 1 : at - 1, ArrowDown: at + 1, Home: 0, End: bubbles.length - 1 };
    if (event.key in targets) bubbles[Math.max(0, targets[event.key])]?.focus();
    else if (event.key === 'Enter') bubbles[at]?.querySelector('[data-part="more"], [data-part="pick"]')?.click();
    else if (event.key === 'Escape') this.#view.act.write();
    else return;
    event.preventDefault();
  }

  #localKey(message) {
    return message.localMessageID && `${message.senderUserID || this.#view.me}/${message.localMessageID}`;
  }

  #remember(entry) {
    const { messageID } = entry.message;
    if (messageID) this.#byMessageID.set(messageID, entry);
    const localKey = this.#localKey(entry.message);
    if (localKey) this.#byLocalID.set(localKey, entry);
  }

  #place(entry) {
    const before = this.#entries.indexOf(entry);
    if (before >= 0) this.#entries.splice(before, 1);
    // Nearly everything belongs at the end, so the search starts there. What is not sent yet stays last.
    let at = this.#entries.length;
    while (at > 0 && this.#entries[at - 1].orderKey > entry.orderKey) at -= 1;
    this.#entries.splice(at, 0, entry);
    if (before === at) return;
    this.#list.insertBefore(entry.bubble, this.#entries[at + 1]?.bubble ?? null);
  }

  /** Who is at the end stays there, whatever grows; and who is there does not need the oldest. */
  #stayingAtEnd(work) {
    const atEnd = this.#isScrolledToEnd();
    work();
    if (!atEnd) return;
    if (this.#entries.length > BUBBLES_MAX) {
      this.remove(this.#entries[0].message.messageID);
      this.#view.act.forgotten();
    }
    this.scrollToEnd();
  }

  #isScrolledToEnd() {
    return this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - AT_END_PX;
  }
}
