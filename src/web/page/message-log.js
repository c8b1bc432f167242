// The messages of a conversation as a list of bubbles: one per message, however often and in whatever order it comes, sorted by
// `orderKey`.

import { make } from './dom.js';
import { formatDay } from './format.js';
import { showProgress } from './files.js';
import { FAILED, SENT } from './labels.js';
import { renderBubble } from './message-bubble.js';

const BUBBLES_MAX = 600;
const AT_END_PX = 40;

/** Returns a new copy of a message with what the older copy knows better: reactions, receipts and pins do not come with every copy. */
function mergeKnown(message, known) {
  return {
    ...message,
    reactions: message.reactions?.length ? message.reactions : known.reactions ?? [],
    receiptStatus: Math.max(message.receiptStatus ?? 0, known.receiptStatus ?? 0),
    rootRepliedCount: message.rootRepliedCount ?? known.rootRepliedCount,
    pinnedTime: message.pinnedTime ?? known.pinnedTime,
    repliedInfo: message.repliedInfo ?? known.repliedInfo,
  };
}

export class MessageLog {
  #list;
  #view;
  #atEnd = true;
  #entries = [];
  #byMessageID = new Map();
  #byLocalID = new Map();
  #visible = new Set();
  #observer;

  /** `view` is what bubbles need to know and may do: `{me, type, act}`. */
  constructor(list, view) {
    this.#list = list;
    this.#view = view;
    // Pictures and players grow when they have loaded, and the log shrinks when something opens below it.
    list.addEventListener('scroll', () => { this.#atEnd = this.#isScrolledToEnd(); });
    for (const grown of ['load', 'loadedmetadata']) list.addEventListener(grown, () => this.#atEnd && this.scrollToEnd(), true);
    new ResizeObserver(() => this.#atEnd && this.scrollToEnd()).observe(list);
    list.addEventListener('keydown', (event) => this.#keyPressed(event));
    this.#observer = new IntersectionObserver((changes) => this.#visibilityChanged(changes), { root: list });
  }

  get oldest() {
    return this.#entries.find(({ state }) => state === SENT)?.message;
  }

  /** Returns the messages that can be seen where the log is scrolled to. */
  get visibleMessages() {
    return this.#entries.filter(({ bubble, state }) => state === SENT && this.#visible.has(bubble)).map(({ message }) => message);
  }

  /** Returns whether there is nothing to scroll. */
  get isShort() {
    return this.#list.clientHeight > 0 && this.#list.scrollHeight <= this.#list.clientHeight;
  }

  /** Returns the entry of a message, of a message's id, or of a message that is being sent. */
  find(message) {
    const id = typeof message === 'string' ? message : message.messageID;
    return this.#byMessageID.get(id) ?? this.#byLocalID.get(this.#localKey(message));
  }

  /** Adds a message, or replaces the copy that is here. Returns whether it was new. */
  put(message, state = SENT) {
    const known = this.find(message);
    const entry = known ?? this.#newEntry();
    entry.message = known && known.message !== message ? mergeKnown(message, known.message) : message;
    entry.state = state;
    // A send that failed here may have reached the broker, whose copy counts.
    entry.orderKey = state === SENT ? message.orderKey : Infinity;
    entry.day = new Date(entry.message.timestamp || Date.now()).toDateString();
    this.#index(entry);
    this.#stickingToEnd(() => {
      this.#insert(entry);
      renderBubble(entry, this.#view);
    });
    return !known;
  }

  /** Changes a message that is here, and draws it anew. Returns its entry, or null where there is none. */
  update(messageID, change) {
    const entry = this.#byMessageID.get(messageID);
    if (!entry) return null;
    change(entry.message, entry);
    this.#stickingToEnd(() => renderBubble(entry, this.#view));
    return entry;
  }

  remove(messageID) {
    const entry = this.#byMessageID.get(messageID);
    if (!entry) return;
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#byMessageID.delete(messageID);
    this.#byLocalID.delete(this.#localKey(entry.message));
    this.#observer.unobserve(entry.bubble);
    this.#visible.delete(entry.bubble);
    entry.bubble.remove();
    entry.dayLine?.remove();
    this.#drawDays();
  }

  /** Removes the messages that the broker has. Those that are being sent, or failed, are only here and stay. */
  clear() {
    for (const { message, state } of [...this.#entries]) if (state === SENT) this.remove(message.messageID);
  }

  /** Draws all bubbles anew, in another language or for picking. */
  redraw() {
    this.#stickingToEnd(() => {
      for (const entry of this.#entries) {
        renderBubble(entry, this.#view);
        if (entry.dayLine) entry.dayLine.textContent = formatDay(entry.message.timestamp || Date.now());
      }
    });
  }

  /** Sets whether a message is being sent, was sent, or failed, also long after its promise settled. */
  setSendState(message, state) {
    const entry = this.find(message);
    if (!entry || entry.state === SENT) return;
    if (state === SENT && message.orderKey) {
      this.put(message, SENT);
      return;
    }
    entry.state = state;
    // It keeps the place it failed at, or it would hang below everything said later.
    if (state === FAILED) entry.orderKey = Math.max(0, ...this.#entries.map(({ orderKey }) => orderKey).filter(Number.isFinite));
    this.#stickingToEnd(() => {
      this.#insert(entry);
      renderBubble(entry, this.#view);
    });
  }

  showProgress(message, sent, total) {
    const entry = this.find(message);
    if (entry) showProgress(entry.bubble, sent, total);
  }

  /** Scrolls to a message and highlights it. Returns whether it is here. */
  reveal(messageID) {
    const entry = this.#byMessageID.get(messageID);
    if (!entry) return false;
    entry.bubble.scrollIntoView({ block: 'center' });
    entry.bubble.focus({ preventScroll: true });
    entry.bubble.classList.add('found');
    entry.bubble.addEventListener('animationend', () => entry.bubble.classList.remove('found'), { once: true });
    return true;
  }

  /** Focuses the newest message. */
  focusLast() {
    this.#entries.at(-1)?.bubble.focus();
  }

  scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#atEnd = true;
  }

  /** Runs work that adds older messages, and keeps the scroll position. */
  keepingScroll(work) {
    const below = this.#list.scrollHeight - this.#list.scrollTop;
    work();
    this.#list.scrollTop = this.#list.scrollHeight - below;
  }

  #newEntry() {
    const bubble = make('div', { tabIndex: -1 });
    bubble.setAttribute('role', 'article');
    this.#observer.observe(bubble);
    return { bubble };
  }

  #visibilityChanged(changes) {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) this.#visible.add(target);
      else this.#visible.delete(target);
    }
    this.#view.act.visibilityChanged();
  }

  /** Moves the focus from message to message by the arrow keys; Enter opens the menu of one. */
  #keyPressed(event) {
    const bubbles = this.#entries.map(({ bubble }) => bubble);
    const at = bubbles.indexOf(event.target);
    // Players and buttons in a bubble handle keys themselves.
    if (event.target !== this.#list && at < 0) return;
    const targets = { ArrowUp: at < 0 ? bubbles.length - 1 : at - 1, ArrowDown: at + 1, Home: 0, End: bubbles.length - 1 };
    if (event.key in targets) bubbles[Math.max(0, targets[event.key])]?.focus();
    else if (event.key === 'Enter') bubbles[at]?.querySelector('[data-part="more"], [data-part="pick"]')?.click();
    else if (event.key === 'Escape') this.#view.act.focusComposer();
    else return;
    event.preventDefault();
  }

  #localKey(message) {
    return message.localMessageID && `${message.senderUserID || this.#view.me}/${message.localMessageID}`;
  }

  #index(entry) {
    const { messageID } = entry.message;
    if (messageID) this.#byMessageID.set(messageID, entry);
    const localKey = this.#localKey(entry.message);
    if (localKey) this.#byLocalID.set(localKey, entry);
  }

  #insert(entry) {
    const before = this.#entries.indexOf(entry);
    if (before >= 0) this.#entries.splice(before, 1);
    // Nearly everything belongs at the end, so the search starts there. What is not sent yet stays last.
    let at = this.#entries.length;
    while (at > 0 && this.#entries[at - 1].orderKey > entry.orderKey) at -= 1;
    this.#entries.splice(at, 0, entry);
    if (before !== at) this.#list.insertBefore(entry.bubble, this.#entries[at + 1]?.bubble ?? null);
    this.#drawDays();
  }

  /** Draws a line with the date above the first message of each day. */
  #drawDays() {
    let dayBefore = '';
    for (const entry of this.#entries) {
      if (entry.day === dayBefore) {
        entry.dayLine?.remove();
        entry.dayLine = null;
        continue;
      }
      dayBefore = entry.day;
      entry.dayLine ??= make('div', { className: 'day', textContent: formatDay(entry.message.timestamp || Date.now()) });
      if (entry.dayLine.nextSibling !== entry.bubble) entry.bubble.before(entry.dayLine);
    }
  }

  /** Runs work that changes heights. A log that was scrolled to its end stays there, and drops its oldest messages. */
  #stickingToEnd(work) {
    const atEnd = this.#isScrolledToEnd();
    work();
    if (!atEnd) return;
    if (this.#entries.length > BUBBLES_MAX) {
      this.remove(this.#entries[0].message.messageID);
      this.#view.act.oldestRemoved();
    }
    this.scrollToEnd();
  }

  #isScrolledToEnd() {
    return this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - AT_END_PX;
  }
}
