// The list of conversations: live rooms first, then what is pinned, then the newest; with badges for what is unread.

import { drawAvatar, newAvatar } from './avatar.js';
import { make } from './dom.js';
import { GROUP, PEER, REVOKED, ROOM, TIPS, conversationKey, summaryOf } from './labels.js';
import { formatTime, setLabel, setText } from './text.js';

const PAGE = 50;
const DELETED = 3;

/** Makes an item of a list of conversations, empty. @returns {{item: HTMLElement, avatar: Element, name: Element, time: Element, words: Element}} */
export function newItem(type, open) {
  const line = (...children) => make('span', { className: 'item-line' }, ...children);
  const [avatar, name, time, words] = [newAvatar(), make('span', { className: 'item-name' }), make('time'), make('span', { className: 'item-words' })];
  const button = make('button', { type: 'button', className: 'item' }, avatar, line(name, time), line(words, make('span', { className: 'badges' })));
  button.onclick = open;
  const item = make('li', {}, button);
  item.dataset.kind = ['peer', 'room', 'group'][type];
  return { item, avatar, name, time, words };
}

export class ConversationList {
  #list;
  #open;
  #entries = new Map();
  #items = new Map();
  #current = null;
  #suggested = [];
  #about;

  /**
   * @param {Element} list @param {(type: number, id: string) => void} open
   * @param {{me: string, sideOf(userID: string): string, isOnline(userID: string): boolean | undefined}} about answers what an entry does not know
   */
  constructor(list, open, about) {
    this.#list = list;
    this.#open = open;
    this.#about = about;
    list.onkeydown = (event) => this.#key(event);
  }

  /** Returns the unread messages of all conversations that are not muted. */
  get total() {
    let total = 0;
    for (const { unreadMessageCount, notificationStatus } of this.#entries.values()) if (notificationStatus !== 2) total += unreadMessageCount;
    return total;
  }

  /** Returns the peers and groups, newest first. */
  get conversations() {
    return this.#sorted().filter(({ type }) => type !== ROOM);
  }

  /** Returns all that is shown. */
  get all() {
    return this.#sorted();
  }

  entry(key) {
    return this.#entries.get(key);
  }

  async load(zim) {
    let last;
    for (;;) {
      const { conversationList } = await zim.queryConversationList({ count: PAGE, nextConversation: last });
      this.put(conversationList);
      last = conversationList.at(-1);
      if (conversationList.length < PAGE) return;
    }
  }

  put(conversations) {
    for (const conversation of conversations) this.#entries.set(conversationKey(conversation.type, conversation.conversationID), conversation);
    this.draw();
  }

  changed(infoList) {
    for (const { event, conversation } of infoList) {
      const key = conversationKey(conversation.type, conversation.conversationID);
      if (event === DELETED) this.#entries.delete(key);
      else this.#entries.set(key, conversation);
    }
    this.draw();
  }

  /** Removes the badges of a conversation. Returns whether it had any. */
  markRead(key) {
    const entry = this.#entries.get(key);
    if (!entry || (entry.unreadMessageCount === 0 && !entry.mentionedInfoList?.length)) return false;
    this.#entries.set(key, { ...entry, unreadMessageCount: 0, mentionedInfoList: [] });
    this.draw();
    return true;
  }

  /** Adds a room, or changes it. The broker lists no rooms: one stands here while the user is inside. */
  putRoom(roomID, fields = {}) {
    const known = this.#entries.get(conversationKey(ROOM, roomID)) ?? { conversationID: roomID, type: ROOM, unreadMessageCount: 0, orderKey: Infinity, isPinned: true, mentionedInfoList: [] };
    this.put([{ ...known, ...fields }]);
  }

  drop(key) {
    this.#entries.delete(key);
    this.draw();
  }

  select(key) {
    this.#current = key;
    this.draw();
  }

  /** Shows users with whom there is no conversation yet. */
  suggest(userIDs) {
    this.#suggested = userIDs.map((userID) => ({ conversationID: userID, type: PEER, unreadMessageCount: 0, orderKey: 0, isPinned: false, mentionedInfoList: [] }));
    this.draw();
  }

  clear() {
    this.#entries.clear();
    this.#suggested = [];
    this.#current = null;
    this.draw();
  }

  #sorted() {
    const rank = ({ type, isPinned }) => (type === ROOM ? 2 : Number(isPinned));
    const suggested = this.#suggested.filter(({ type, conversationID }) => !this.#entries.has(conversationKey(type, conversationID)));
    return [...this.#entries.values(), ...suggested].sort((one, other) => rank(other) - rank(one) || other.orderKey - one.orderKey);
  }

  draw() {
    const sorted = this.#sorted();
    const keys = sorted.map(({ type, conversationID }) => conversationKey(type, conversationID));
    for (const [key, item] of this.#items) {
      if (keys.includes(key)) continue;
      item.remove();
      this.#items.delete(key);
    }
    sorted.forEach((conversation, n) => {
      const item = this.#items.get(keys[n]) ?? this.#newItem(keys[n], conversation);
      this.#fill(item, conversation, keys[n]);
      // Moved only where it must be: what is moved loses its focus.
      if (this.#list.children[n] !== item) this.#list.insertBefore(item, this.#list.children[n] ?? null);
    });
  }

  #newItem(key, { type, conversationID }) {
    const { item } = newItem(type, () => this.#open(type, conversationID));
    item.dataset.key = key;
    this.#items.set(key, item);
    return item;
  }

  #fill(item, conversation, key) {
    const { type, conversationID, conversationName, lastMessage, unreadMessageCount, mentionedInfoList, isPinned, notificationStatus, isDisabled } = conversation;
    const button = item.firstElementChild;
    const [avatar, { children: [name, time] }, { children: [words, badges] }] = button.children;
    item.classList.toggle('disabled', isDisabled === true);
    name.textContent = conversationName || conversationID;
    drawAvatar(avatar, conversationID, name.textContent, type === PEER ? this.#about.sideOf(conversationID) : '');
    avatar.classList.toggle('online', type === PEER && this.#about.isOnline(conversationID) === true);
    if (type === ROOM) setText(words, 'liveRoom');
    else words.textContent = lastMessage ? `${type === GROUP && lastMessage.senderUserID && ![REVOKED, TIPS].includes(lastMessage.type) ? `${lastMessage.senderUserID}: ` : ''}${summaryOf(lastMessage, this.#about.me)}` : '';
    time.textContent = lastMessage ? formatTime(lastMessage.timestamp) : '';
    badges.replaceChildren();
    if (isPinned && type !== ROOM) badges.append(mark('📌', 'pinnedMark'));
    if (notificationStatus === 2) badges.append(mark('🔕', 'silent'));
    if (mentionedInfoList?.length > 0) badges.append(mark('@', 'mentioned', 'at'));
    if (unreadMessageCount > 0) badges.append(mark(unreadMessageCount > 99 ? '99+' : `${unreadMessageCount}`, 'unseen', 'badge', { n: unreadMessageCount }));
    if (key === this.#current) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (!(event.key in steps)) return;
    const buttons = [...this.#list.querySelectorAll('button')];
    buttons[buttons.indexOf(document.activeElement) + steps[event.key]]?.focus();
    event.preventDefault();
  }
}

function mark(text, key, className = 'mark', vars = {}) {
  const element = make('span', { className, textContent: text });
  element.setAttribute('role', 'img');
  setLabel(element, key, vars);
  return element;
}
