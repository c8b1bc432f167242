// The search above the list: conversations and groups by their names, messages by their words.

import { make, showError } from './dom.js';
import { GROUP, PEER, summaryOf } from './labels.js';
import { newItem } from './list.js';
import { drawAvatar } from './avatar.js';
import { formatTime, setText } from './text.js';

const PAUSE_MS = 250;
const MESSAGES_MAX = 30;
const GROUPS_MAX = 10;
const WORDS_MAX = 5;

export class Search {
  #zim;
  #field;
  #results;
  #act;
  #timer;
  #asked = 0;

  /**
   * @param {object} zim @param {HTMLInputElement} field @param {HTMLElement} results
   * @param {{named(words: string): object[], nameOf(message: object): string, sideOf(userID: string): string, open(type: number, id: string, messageID?: string): void, shown(is: boolean): void}} act
   */
  constructor(zim, field, results, act) {
    [this.#zim, this.#field, this.#results, this.#act] = [zim, field, results, act];
    field.value = '';
    field.oninput = () => this.#later();
    field.onkeydown = (event) => {
      if (event.key === 'Escape') this.clear();
      else if (event.key === 'ArrowDown') results.querySelector('button')?.focus();
      else return;
      event.preventDefault();
    };
    results.onkeydown = (event) => this.#key(event);
    this.clear();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#field.value = '';
    this.#results.replaceChildren();
    this.#act.shown(false);
  }

  #later() {
    clearTimeout(this.#timer);
    if (this.#field.value.trim() === '') this.clear();
    else this.#timer = setTimeout(() => this.#search(this.#field.value.trim()), PAUSE_MS);
  }

  async #search(words) {
    this.#asked += 1;
    const asked = this.#asked;
    const keywords = words.split(/\s+/).slice(0, WORDS_MAX);
    try {
      const [{ groupSearchInfoList }, { messageList }] = await Promise.all([
        this.#zim.searchLocalGroups({ keywords, count: GROUPS_MAX, isAlsoMatchGroupMemberUserName: false, isAlsoMatchGroupMemberNickname: false }),
        this.#zim.searchGlobalLocalMessages({ keywords, senderUserIDs: [], messageTypes: [], subMessageTypes: [], startTime: 0, endTime: 0, order: 0, count: MESSAGES_MAX }),
      ]);
      if (asked !== this.#asked) return;
      const named = this.#act.named(words);
      const isKnown = (groupID) => named.some(({ type, id }) => type === GROUP && id === groupID);
      const groups = groupSearchInfoList.map(({ groupInfo: { groupID, groupName } }) => ({ type: GROUP, id: groupID, name: groupName })).filter(({ id }) => !isKnown(id));
      this.#show([...named, ...groups], messageList);
    } catch (error) {
      if (asked !== this.#asked) return;
      const line = make('p', { className: 'error' });
      showError(line, error);
      this.#results.replaceChildren(make('li', {}, line));
      this.#act.shown(true);
    }
  }

  #show(named, messages) {
    const items = [
      ...named.map(({ type, id, name }) => this.#item({ type, id, name, words: type === GROUP ? id : '' })),
      ...messages.map((message) => this.#item({
        type: message.conversationType, id: message.conversationID, name: this.#act.nameOf(message), messageID: message.messageID,
        words: `${message.senderUserID}: ${summaryOf(message)}`, time: formatTime(message.timestamp),
      })),
    ];
    if (items.length === 0) {
      const nothing = make('p', { className: 'nothing-found' });
      setText(nothing, 'nothingFound');
      items.push(make('li', {}, nothing));
    }
    this.#results.replaceChildren(...items);
    this.#act.shown(true);
  }

  #item({ type, id, name, words, time = '', messageID }) {
    const made = newItem(type, () => {
      this.clear();
      this.#act.open(type, id, messageID);
    });
    drawAvatar(made.avatar, id, name, type === PEER ? this.#act.sideOf(id) : '');
    [made.name.textContent, made.time.textContent, made.words.textContent] = [name, time, words];
    return made.item;
  }

  #key(event) {
    const buttons = [...this.#results.querySelectorAll('button')];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === 'ArrowDown') buttons[at + 1]?.focus();
    else if (event.key === 'ArrowUp') (buttons[at - 1] ?? this.#field).focus();
    else if (event.key === 'Escape') {
      this.clear();
      this.#field.focus();
    } else return;
    event.preventDefault();
  }
}
