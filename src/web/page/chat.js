// A conversation: its history, what arrives, what is sent, and what is done to messages afterwards.

import { Composer, nameComposer } from './composer.js';
import { askForTarget, showCombined } from './dialogs.js';
import { clip, copyOf, part, showError } from './dom.js';
import { FAILED, Log, SENDING, SENT } from './log.js';
import { openMenu } from './menu.js';
import { label, phrase, say, translate } from './text.js';
import { COMBINED, GROUP, PEER, REVOKED, ROOM, TEXT, VOTE, isKept, keyOf, summaryOf } from './words.js';

const PAGE = 30;
const RECEIPTS_MAX = 10;
const REVOKE_MS = 120_000;
const EDIT_MS = 86_400_000;
const TITLE_BYTES = 20;
const SUMMARY_BYTES = 100;

export class Chat {
  root;
  #zim;
  #me;
  #id;
  #type;
  #host;
  #log;
  #composer;
  #people = null;
  #isWhole = false;
  #loading = false;
  #picked = null;
  #pins = [];

  /**
   * @param {{zim: object, me: string, id: string, type: number, host: {conversations(): object[], isShown(chat: Chat): boolean,
   *          back(): void}}} setting
   */
  constructor({ zim, me, id, type, host }) {
    Object.assign(this, { root: copyOf('chat-template') });
    [this.#zim, this.#me, this.#id, this.#type, this.#host] = [zim, me, id, type, host];
    this.root.dataset.kind = ['peer', 'room', 'group'][type];
    this.#log = new Log(part(this.root, 'log'), { me, type, act: this.#acts() });
    this.#composer = new Composer(this.root, type, {
      send: (draft, context) => this.send(draft, context),
      edit: (message, words) => this.#edit(message, words),
      fail: (error) => this.fail(error),
      people: () => this.#findPeople(),
    });
    nameComposer(this.root, `mentions-${me}-${keyOf(type, id)}`);
    part(this.root, 'poll').hidden = type === ROOM;
    part(this.root, 'back').onclick = () => host.back();
    part(this.root, 'pinned').onclick = () => this.#log.show(this.#pins.at(-1)?.messageID);
    part(this.root, 'pick-forward').onclick = () => this.#forward();
    part(this.root, 'pick-cancel').onclick = () => this.#pickMode(false);
    part(this.root, 'log').addEventListener('scroll', ({ target }) => target.scrollTop < 60 && this.#loadOlder());
    this.rename(id);
    translate(this.root);
  }

  get key() {
    return keyOf(this.#type, this.#id);
  }

  rename(name, detail = '') {
    part(this.root, 'title').textContent = name;
    part(this.root, 'subtitle').textContent = detail;
    label(this.root, 'conversationWith', { name });
  }

  focus() {
    this.#composer.focus();
  }

  /** The newest history. Nothing is taken away, so it also fills a gap. */
  async reload() {
    try {
      const { messageList } = await this.#zim.queryHistoryMessage(this.#id, this.#type, { count: PAGE, reverse: true });
      for (const message of messageList) this.#log.put(message);
      await this.#loadPins();
      await this.#loadReceipts(messageList);
      this.fail(null);
      this.seen();
    } catch (error) {
      this.fail(error);
    }
  }

  async #loadOlder() {
    const { oldest } = this.#log;
    if (this.#loading || this.#isWhole || !oldest) return;
    this.#loading = true;
    try {
      const { messageList } = await this.#zim.queryHistoryMessage(this.#id, this.#type, { count: PAGE, reverse: true, nextMessage: oldest });
      this.#isWhole = messageList.length === 0;
      await this.#log.keepingPlace(() => messageList.forEach((message) => this.#log.put(message)));
    } catch (error) {
      this.fail(error);
    } finally {
      this.#loading = false;
    }
  }

  /** Takes messages of this conversation; answers how many were new. */
  receive(messageList) {
    const fresh = messageList.filter((message) => isKept(message) && this.#log.put(message)).length;
    if (fresh > 0) this.seen();
    return fresh;
  }

  /** What can be seen is confirmed to its senders. */
  seen() {
    if (this.#type === ROOM || !this.#host.isShown(this)) return;
    const unconfirmed = this.#log.messages.filter(({ direction, receiptStatus }) => direction === 1 && receiptStatus === 1);
    for (let from = 0; from < unconfirmed.length; from += RECEIPTS_MAX) {
      const some = unconfirmed.slice(from, from + RECEIPTS_MAX);
      for (const message of some) message.receiptStatus = 2;
      this.#zim.sendMessageReceiptsRead(some, this.#id, this.#type).catch(() => some.forEach((message) => { message.receiptStatus = 1; }));
    }
  }

  scrollToEnd() {
    this.#log.scrollToEnd();
  }

  redraw() {
    this.#log.redraw();
    this.#showPins();
  }

  sentStatusChanged({ message, status }) {
    this.#log.mark(message, status);
  }

  /** Edited, taken back: as they are now. */
  changed(messageList) {
    for (const message of messageList) if (this.#log.find(message)) this.#log.put(message);
    if (messageList.some(({ type }) => type === REVOKED)) this.#loadPins();
  }

  reactionsChanged(reactions) {
    for (const reaction of reactions) this.#log.amend(reaction.messageID, (message) => mergeReaction(message, reaction));
  }

  receiptsChanged(infos) {
    for (const info of infos) {
      this.#log.amend(info.messageID, (message, entry) => {
        if (info.isSelfOperated) return;
        message.receiptStatus = info.status;
        entry.receipt = info;
      });
    }
  }

  repliesCounted(infos) {
    for (const { messageID, count } of infos) this.#log.amend(messageID, (message) => { message.rootRepliedCount = count; });
  }

  pinsChanged(infos) {
    for (const { message } of infos) this.#log.amend(message.messageID, (known) => { known.pinnedTime = message.pinnedTime ?? 0; });
    this.#loadPins();
  }

  fail(error) {
    showError(part(this.root, 'error'), error);
  }

  /**
   * Sends a draft, or once more a message that failed. That one goes under the id it had, so that it is stored
   * once even if the broker did get it the first time.
   */
  async send(draft, context = null) {
    let attached = null;
    const notification = {
      onMessageAttached: (message) => {
        attached = message;
        this.#log.put(message, SENDING);
        this.#log.scrollToEnd();
      },
      onMediaUploadingProgress: (message, current, total) => this.#log.progress(message, current, total),
    };
    const config = { priority: 1, hasReceipt: this.#type !== ROOM };
    try {
      const { message } = context?.reply
        ? await this.#zim.replyMessage(draft, context.reply, config, notification)
        : await this.#zim.sendMessage(draft, this.#id, this.#type, config, notification);
      this.#log.put(message, SENT);
      this.fail(null);
    } catch (error) {
      if (attached) this.#log.mark(attached, FAILED);
      this.fail(error);
    }
  }

  /** What bubbles may ask for. */
  #acts() {
    const chat = this;
    return {
      get picking() { return chat.#picked !== null; },
      isPicked: (message) => chat.#picked?.has(message.messageID) ?? false,
      pick: (message, is) => chat.#pick(message, is),
      refresh: (message) => chat.#zim.refreshMediaUrls(message),
      retry: (message) => chat.send(message),
      jump: (messageID) => chat.#log.show(messageID),
      menu: (entry, button) => chat.#openMenu(entry, button),
      react: (message, reaction) => chat.#react(message, reaction),
      vote: (message, n) => chat.#vote(message, n),
      openCombined: (message) => showCombined(chat.#zim, message),
    };
  }

  #openMenu({ message }, button) {
    const age = Date.now() - message.timestamp;
    const isMine = message.senderUserID === this.#me;
    const items = [['reply', () => this.#composer.answer(message)], ['select', () => this.#pickMode(true, message)]];
    if (isMine && message.type === TEXT && age < EDIT_MS) items.push(['edit', () => this.#composer.correct(message)]);
    items.push([message.pinnedTime > 0 ? 'unpin' : 'pin', () => this.#pin(message)]);
    if (isMine && age < REVOKE_MS) items.push(['revoke', () => this.#revoke(message)]);
    items.push(['deleteForMe', () => this.#delete(message)]);
    openMenu(button, { react: (reaction) => this.#react(message, reaction), items });
  }

  /** Runs something the user asked for; what goes wrong is said below the log. */
  async #try(work) {
    try {
      await work();
      this.fail(null);
    } catch (error) {
      this.fail(error);
    }
  }

  #react(message, reactionType) {
    return this.#try(async () => {
      const isThere = message.reactions?.some((one) => one.reactionType === reactionType && one.isSelfIncluded);
      const { reaction } = await this.#zim[isThere ? 'deleteMessageReaction' : 'addMessageReaction'](reactionType, message);
      this.reactionsChanged([reaction]);
    });
  }

  /** One vote each: another option takes the place of the first. */
  async #vote(message, n) {
    const mine = (message.reactions ?? []).filter(({ reactionType, isSelfIncluded }) => isSelfIncluded && reactionType.startsWith(VOTE));
    for (const { reactionType } of mine) if (reactionType !== `${VOTE}${n}`) await this.#react(message, reactionType);
    await this.#react(message, `${VOTE}${n}`);
  }

  #edit(message, words) {
    return this.#try(async () => {
      const { message: edited } = await this.#zim.editMessage({ ...message, message: words }, {});
      this.#log.put(edited);
    });
  }

  #revoke(message) {
    return this.#try(async () => {
      const { message: revoked } = await this.#zim.revokeMessage(message);
      this.changed([revoked]);
    });
  }

  #delete(message) {
    return this.#try(async () => {
      await this.#zim.deleteMessages([message], this.#id, this.#type, { isAlsoDeleteServerMessage: true });
      this.#log.remove(message.messageID);
    });
  }

  #pin(message) {
    const isPinned = message.pinnedTime > 0;
    return this.#try(async () => {
      await this.#zim.pinMessage(message, !isPinned);
      this.#log.amend(message.messageID, (known) => { known.pinnedTime = isPinned ? 0 : Date.now(); });
      await this.#loadPins();
    });
  }

  async #loadPins() {
    if (this.#type === ROOM) return;
    const { messageList } = await this.#zim.queryPinnedMessageList(this.#id, this.#type);
    this.#pins = messageList;
    this.#showPins();
  }

  #showPins() {
    const bar = part(this.root, 'pinned');
    bar.hidden = this.#pins.length === 0;
    if (!bar.hidden) say(bar, 'pinnedBar', { n: this.#pins.length, words: summaryOf(this.#pins.at(-1)) });
  }

  /** How many have read what one sent to a group. */
  async #loadReceipts(messageList) {
    if (this.#type !== GROUP) return;
    const mine = messageList.filter(({ senderUserID, receiptStatus }) => senderUserID === this.#me && receiptStatus > 0).slice(-RECEIPTS_MAX);
    if (mine.length === 0) return;
    const { infos } = await this.#zim.queryMessageReceiptsInfo(mine, this.#id, this.#type);
    this.receiptsChanged(infos);
  }

  async #findPeople() {
    if (this.#type === PEER) return [this.#id];
    if (this.#type === ROOM) return [];
    if (!this.#people) {
      const { userList } = await this.#zim.queryGroupMemberList(this.#id, { count: 100, nextFlag: 0 });
      this.#people = userList.map(({ userID }) => userID).filter((userID) => userID !== this.#me);
    }
    return this.#people;
  }

  /** Who is in the group may have changed. */
  forgetPeople() {
    this.#people = null;
  }

  #pickMode(is, first = null) {
    this.#picked = is ? new Map(first ? [[first.messageID, first]] : []) : null;
    part(this.root, 'picking').hidden = !is;
    part(this.root, 'composer').hidden = is;
    this.#showPicked();
    this.#log.redraw();
    if (is) part(this.root, 'pick-forward').focus();
  }

  #pick(message, is) {
    if (is) this.#picked.set(message.messageID, message);
    else this.#picked.delete(message.messageID);
    this.#showPicked();
  }

  #showPicked() {
    const count = this.#picked?.size ?? 0;
    say(part(this.root, 'picked'), 'picked', { n: count });
    part(this.root, 'pick-forward').disabled = count === 0;
  }

  async #forward() {
    const messages = [...this.#picked.values()].sort((one, other) => one.orderKey - other.orderKey);
    const target = await askForTarget(this.#host.conversations());
    if (!target) return;
    this.#pickMode(false);
    const chat = this.#host.open(target.conversation.type, target.conversation.conversationID, false);
    if (target.combined) {
      const summary = messages.map((message) => `${message.senderUserID}: ${summaryOf(message)}`).join('\n');
      const title = clip(phrase('historyTitle', { n: messages.length }), TITLE_BYTES);
      chat.send({ type: COMBINED, title, summary: clip(summary, SUMMARY_BYTES), messageList: messages });
    } else {
      for (const message of messages) chat.send(message);
    }
  }
}

function mergeReaction(message, reaction) {
  const others = (message.reactions ?? []).filter(({ reactionType }) => reactionType !== reaction.reactionType);
  message.reactions = reaction.totalCount > 0 ? [...others, reaction] : others;
}
