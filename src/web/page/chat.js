// A conversation: its history, the messages that arrive and are sent, and their changes.

import { Actions } from './actions.js';
import { Composer, nameComposer } from './composer.js';
import { showCombined } from './dialogs.js';
import { copyOf, part, showError } from './dom.js';
import { COMMAND, FAILED, GROUP, PEER, ROOM, SENDING, SENT, conversationKey, isStored, summaryOf } from './labels.js';
import { openMenu } from './menu.js';
import { MessageLog } from './message-log.js';
import { Typing } from './presence.js';
import { setLabel, setText, translate } from './text.js';

const PAGE = 30;
const RECEIPTS_MAX = 10;
/** How far back a quote is looked for. */
const SEARCHED_PAGES_MAX = 20;
const NEAR_TOP_PX = 60;

export class Chat {
  root;
  log;
  composer;
  #zim;
  #me;
  #id;
  #type;
  #host;
  #actions;
  #people = null;
  #isWhole = false;
  #loading = null;
  #reloading = null;
  #pins = [];
  #typing;
  #detail = '';

  /**
   * @param {{zim: object, me: string, id: string, type: number, host: {conversations(): object[], entry(key: string): object,
   *          isOnline(userID: string): boolean | undefined, isShown(chat: Chat): boolean, openGroup(chat: Chat): void, sideOf(userID: string): string, announce(message: object): void, back(): void,
   *          open(type: number, id: string, show: boolean): Chat, close(chat: Chat): void}}} setting
   */
  constructor({ zim, me, id, type, host }) {
    [this.#zim, this.#me, this.#id, this.#type, this.#host] = [zim, me, id, type, host];
    this.root = copyOf('chat-template');
    this.root.dataset.kind = ['peer', 'room', 'group'][type];
    this.log = new MessageLog(part(this.root, 'log'), { me, type, act: this.#acts() });
    this.composer = new Composer(this.root, type, {
      send: (draft, context) => this.send(draft, context),
      edit: (message, words) => this.#actions.edit(message, words),
      fail: (error) => this.fail(error),
      people: () => this.#findPeople(),
      toLog: () => this.log.focusLast(),
      typed: () => type !== ROOM && this.#typing.typed(),
    });
    this.#typing = new Typing((bytes) => this.#sayTyping(bytes), () => this.showDetail());
    this.#actions = new Actions(this.root, { zim, me, host, chat: this });
    nameComposer(this.root, `mentions-${me}-${conversationKey(type, id)}`);
    for (const name of ['poll', 'options']) part(this.root, name).hidden = type === ROOM;
    part(this.root, 'members-button').hidden = type !== GROUP;
    part(this.root, 'members-button').onclick = () => host.openGroup(this);
    part(this.root, 'back').onclick = () => host.back();
    part(this.root, 'options').onclick = () => this.#openOptions();
    part(this.root, 'pinned').onclick = () => this.reveal(this.#pins[0].messageID);
    part(this.root, 'log').addEventListener('scroll', ({ target }) => target.scrollTop < NEAR_TOP_PX && this.#loadOlder());
    this.rename(id);
    translate(this.root);
  }

  get id() {
    return this.#id;
  }

  get key() {
    return conversationKey(this.#type, this.#id);
  }

  rename(name, detail = '') {
    part(this.root, 'title').textContent = name;
    this.#detail = detail;
    this.showDetail();
    setLabel(this.root, 'conversationWith', { name });
  }

  /** Shows below the title who is typing, else a group's ID, or whether the other one is online. */
  showDetail() {
    const line = part(this.root, 'subtitle');
    const typing = this.#typing?.now ?? [];
    line.classList.toggle('typing', typing.length > 0);
    if (typing.length > 0) setText(line, 'typing', { names: typing.join(', ') });
    else if (this.#type === PEER && this.#host.isOnline(this.#id) !== undefined) setText(line, this.#host.isOnline(this.#id) ? 'online' : 'offline');
    else {
      delete line.dataset.text;
      line.textContent = this.#detail;
    }
  }

  #sayTyping(bytes) {
    this.#zim.sendMessage({ type: COMMAND, message: bytes }, this.#id, this.#type, { priority: 1 }).catch(() => {});
  }

  /** Hides the composer of a group that the user has left; its messages stay readable. */
  setDisabled(is) {
    part(this.root, 'composer').hidden = is;
    part(this.root, 'outside').hidden = !is;
  }

  focus() {
    this.composer.focus();
  }

  /** Loads the newest history. It removes nothing, so it also fills a gap. */
  reload() {
    this.#reloading = this.#loadNewest();
    return this.#reloading;
  }

  async #loadNewest() {
    try {
      const { messageList } = await this.#zim.queryHistoryMessage(this.#id, this.#type, { count: PAGE, reverse: true });
      for (const message of messageList) this.log.put(message);
      this.#isWhole ||= messageList.length < PAGE;
      await this.loadPins();
      await this.#loadReceipts(messageList);
      this.fail(null);
      if (this.log.isShort) await this.#loadOlder();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Clears the log and loads it anew: too much was missed, so that its messages and the newest may not be contiguous. */
  begin() {
    this.log.clear();
    this.#isWhole = false;
    return this.reload();
  }

  #loadOlder() {
    this.#loading ??= this.#loadPage().finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #loadPage() {
    const { oldest } = this.log;
    if (this.#isWhole || !oldest) return;
    try {
      const { messageList } = await this.#zim.queryHistoryMessage(this.#id, this.#type, { count: PAGE, reverse: true, nextMessage: oldest });
      this.#isWhole = messageList.length === 0;
      this.log.keepingScroll(() => messageList.forEach((message) => this.log.put(message)));
      await this.#loadReceipts(messageList);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Scrolls to a message, after loading older pages until it is there. */
  async reveal(messageID) {
    await this.#reloading;
    for (let pages = 0; !this.log.find(messageID) && pages < SEARCHED_PAGES_MAX; pages += 1) {
      const { oldest } = this.log;
      await this.#loadOlder();
      if (this.log.oldest === oldest) break;
    }
    if (this.log.reveal(messageID)) {
      this.fail(null);
      return;
    }
    const line = part(this.root, 'error');
    line.hidden = false;
    setText(line, 'notHere');
  }

  /** Takes messages of this conversation. Returns how many were new. */
  receive(messageList) {
    for (const { type, senderUserID, message } of messageList) {
      if (type === COMMAND && senderUserID !== this.#me && this.#type !== ROOM) this.#typing.heard(senderUserID, message);
      else this.#typing.stopped(senderUserID);
    }
    const fresh = messageList.filter((message) => isStored(message) && this.log.put(message));
    if (this.#host.isShown(this)) for (const message of fresh) if (message.senderUserID !== this.#me) this.#host.announce(message);
    return fresh.length;
  }

  /** Sends read receipts for the messages that can be seen. */
  confirmRead() {
    if (this.#type === ROOM || !this.#host.isShown(this)) return;
    const unconfirmed = this.log.visibleMessages.filter(({ direction, receiptStatus }) => direction === 1 && receiptStatus === 1);
    for (let from = 0; from < unconfirmed.length; from += RECEIPTS_MAX) {
      const some = unconfirmed.slice(from, from + RECEIPTS_MAX);
      for (const message of some) message.receiptStatus = 2;
      this.#zim.sendMessageReceiptsRead(some, this.#id, this.#type).catch(() => some.forEach((message) => { message.receiptStatus = 1; }));
    }
  }

  scrollToEnd() {
    this.log.scrollToEnd();
  }

  redraw() {
    this.log.redraw();
    this.#showPins();
  }

  sentStatusChanged({ message, status }) {
    this.log.setSendState(message, status);
  }

  /** Replaces messages that were edited or revoked, or whose quote was. */
  changed(messageList) {
    for (const message of messageList) if (this.log.find(message)) this.log.put(message);
    if (this.#pins.length > 0) this.loadPins().catch(() => {});
  }

  /** Removes messages that the user deleted on another device. */
  deleted(messageList) {
    for (const { messageID } of messageList) this.log.remove(messageID);
  }

  reactionsChanged(reactions) {
    for (const reaction of reactions) this.log.update(reaction.messageID, (message) => mergeReaction(message, reaction));
  }

  receiptsChanged(infos) {
    for (const info of infos) {
      this.log.update(info.messageID, (message, entry) => {
        if (info.isSelfOperated) return;
        message.receiptStatus = info.status;
        entry.receipt = info;
      });
    }
  }

  repliesCounted(infos) {
    for (const { messageID, count } of infos) this.log.update(messageID, (message) => { message.rootRepliedCount = count; });
  }

  pinsChanged(infos) {
    for (const { message } of infos) this.log.update(message.messageID, (known) => { known.pinnedTime = message.pinnedTime ?? 0; });
    this.loadPins().catch(() => {});
  }

  fail(error) {
    showError(part(this.root, 'error'), error);
  }

  /** Runs something that the user asked for, and shows its error below the log. */
  async try(work) {
    try {
      await work();
      this.fail(null);
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Sends a draft, or sends a failed message again. That one keeps its id, so that it is stored
   * once even if the broker did get it the first time.
   */
  async send(draft, context = null) {
    this.#typing.done();
    let attached = null;
    const notification = {
      onMessageAttached: (message) => {
        attached = message;
        this.log.put(message, SENDING);
        this.log.scrollToEnd();
      },
      onMediaUploadingProgress: (message, current, total) => this.log.showProgress(message, current, total),
    };
    const config = { priority: 1, hasReceipt: this.#type !== ROOM };
    try {
      const { message } = context?.reply
        ? await this.#zim.replyMessage(draft, context.reply, config, notification)
        : await this.#zim.sendMessage(draft, this.#id, this.#type, config, notification);
      this.log.put(message, SENT);
      this.fail(null);
    } catch (error) {
      if (attached) this.log.setSendState(attached, FAILED);
      this.fail(error);
    }
  }

  /** Returns the actions of bubbles. */
  #acts() {
    const chat = this;
    return {
      get picking() { return chat.#actions.picking; },
      isPicked: (message) => chat.#actions.isPicked(message),
      pick: (message, is) => chat.#actions.pick(message, is),
      menu: (entry, button) => chat.#actions.openMenu(entry, button),
      react: (message, reaction) => chat.#actions.react(message, reaction),
      vote: (message, n) => chat.#actions.vote(message, n),
      refresh: (message) => chat.#zim.refreshMediaUrls(message),
      retry: (message) => chat.send(message),
      jump: (messageID) => chat.reveal(messageID),
      openCombined: (message) => showCombined(chat.#zim, message),
      sideOf: (userID) => chat.#host.sideOf(userID),
      focusComposer: () => chat.focus(),
      visibilityChanged: () => chat.confirmRead(),
      // The oldest bubbles were removed; history has their messages.
      oldestRemoved: () => { chat.#isWhole = false; },
    };
  }

  /** Opens the menu of the conversation itself. */
  #openOptions() {
    const { isPinned = false, notificationStatus = 1 } = this.#host.entry(this.key) ?? {};
    const [zim, id, type] = [this.#zim, this.#id, this.#type];
    const act = (work) => () => this.try(work);
    const items = [
      [isPinned ? 'letDown' : 'putFirst', act(() => zim.updateConversationPinnedState(!isPinned, id, type))],
      [notificationStatus === 2 ? 'speak' : 'silence', act(() => zim.setConversationNotificationStatus(notificationStatus === 2 ? 1 : 2, id, type))],
    ];
    if (type === GROUP) items.unshift(['groupMembers', () => this.#host.openGroup(this)]);
    if (type === GROUP) items.push(['leaveGroup', act(() => zim.leaveGroup(id))]);
    items.push(['takeOff', act(async () => {
      await zim.deleteConversation(id, type);
      this.#host.close(this);
    })]);
    const button = part(this.root, 'options');
    openMenu(button, { name: 'conversationMenu', items, back: () => button.focus() });
  }

  async loadPins() {
    if (this.#type === ROOM) return;
    // The last pinned comes first.
    const { messageList } = await this.#zim.queryPinnedMessageList(this.#id, this.#type);
    this.#pins = messageList;
    this.#showPins();
  }

  #showPins() {
    const bar = part(this.root, 'pinned');
    bar.hidden = this.#pins.length === 0;
    if (!bar.hidden) setText(bar, 'pinnedBar', { n: this.#pins.length, words: summaryOf(this.#pins[0], this.#me) });
  }

  /** Loads how many members have read this user's messages in a group. */
  async #loadReceipts(messageList) {
    if (this.#type !== GROUP) return;
    const mine = messageList.filter(({ senderUserID, receiptStatus }) => senderUserID === this.#me && receiptStatus > 0);
    for (let from = 0; from < mine.length; from += RECEIPTS_MAX) {
      const { infos } = await this.#zim.queryMessageReceiptsInfo(mine.slice(from, from + RECEIPTS_MAX), this.#id, this.#type);
      this.receiptsChanged(infos);
    }
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

  /** Forgets the members of the group, because they may have changed. */
  forgetPeople() {
    this.#people = null;
  }
}

function mergeReaction(message, reaction) {
  const others = (message.reactions ?? []).filter(({ reactionType }) => reactionType !== reaction.reactionType);
  message.reactions = reaction.totalCount > 0 ? [...others, reaction] : others;
}
