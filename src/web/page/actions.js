// The actions on a message that was sent: react, vote, edit, pin, revoke, delete, forward.

import { askForTarget } from './dialogs.js';
import { clip, part } from './dom.js';
import { COMBINED, TEXT, VOTE_PREFIX, summaryOf } from './labels.js';
import { openMenu } from './menu.js';
import { formatText, setText } from './text.js';

const REVOKE_MS = 120_000;
const EDIT_MS = 86_400_000;
const TITLE_BYTES = 20;
const SUMMARY_BYTES = 100;

export class Actions {
  #root;
  #zim;
  #me;
  #chat;
  #host;
  #picked = null;

  /**
   * @param {Element} root the conversation
   * @param {{zim: object, me: string, host: object, chat: {log: object, composer: object, try(work: () => Promise<void>): void,
   *          reactionsChanged(reactions: object[]): void, changed(messageList: object[]): void, loadPins(): Promise<void>}}} setting
   */
  constructor(root, { zim, me, host, chat }) {
    [this.#root, this.#zim, this.#me, this.#host, this.#chat] = [root, zim, me, host, chat];
    part(root, 'pick-forward').onclick = () => this.#forward();
    part(root, 'pick-cancel').onclick = () => this.#stopPicking();
    part(root, 'picking').onkeydown = ({ key }) => key === 'Escape' && this.#stopPicking();
  }

  get picking() {
    return this.#picked !== null;
  }

  isPicked(message) {
    return this.#picked?.has(message.messageID) ?? false;
  }

  pick(message, is) {
    if (is) this.#picked.set(message.messageID, message);
    else this.#picked.delete(message.messageID);
    this.#showPicked();
  }

  openMenu({ message, bubble }, button) {
    const age = Date.now() - message.timestamp;
    const isMine = message.senderUserID === this.#me;
    const items = [['reply', () => this.#chat.composer.answer(message)], ['select', () => this.#startPicking(message)]];
    if (isMine && message.type === TEXT && age < EDIT_MS) items.push(['edit', () => this.#chat.composer.correct(message)]);
    items.push([message.pinnedTime > 0 ? 'unpin' : 'pin', () => this.#pin(message)]);
    if (isMine && age < REVOKE_MS) items.push(['revoke', () => this.#revoke(message)]);
    items.push(['deleteForMe', () => this.#delete(message)]);
    openMenu(button, { name: 'messageMenu', react: (reaction) => this.react(message, reaction), items, back: () => bubble.focus() });
  }

  react(message, reactionType) {
    return this.#chat.try(async () => {
      const isThere = message.reactions?.some((one) => one.reactionType === reactionType && one.isSelfIncluded);
      const { reaction } = await this.#zim[isThere ? 'deleteMessageReaction' : 'addMessageReaction'](reactionType, message);
      this.#chat.reactionsChanged([reaction]);
    });
  }

  /** Adds this user's vote. Each user has one: another option replaces it, and the same option removes it. */
  async vote(message, n) {
    const mine = (message.reactions ?? []).filter(({ reactionType, isSelfIncluded }) => isSelfIncluded && reactionType.startsWith(VOTE_PREFIX));
    for (const { reactionType } of mine) if (reactionType !== `${VOTE_PREFIX}${n}`) await this.react(message, reactionType);
    await this.react(message, `${VOTE_PREFIX}${n}`);
  }

  edit(message, words) {
    return this.#chat.try(async () => {
      const { message: edited } = await this.#zim.editMessage({ ...message, message: words }, {});
      this.#chat.log.put(edited);
    });
  }

  #revoke(message) {
    return this.#chat.try(async () => {
      const { message: revoked } = await this.#zim.revokeMessage({ ...message });
      this.#chat.changed([revoked]);
    });
  }

  #delete(message) {
    const { messageID, conversationID, conversationType } = message;
    return this.#chat.try(async () => {
      await this.#zim.deleteMessages([message], conversationID, conversationType, { isAlsoDeleteServerMessage: true });
      this.#chat.log.remove(messageID);
      this.#chat.composer.focus();
      await this.#chat.loadPins();
    });
  }

  #pin(message) {
    const isPinned = message.pinnedTime > 0;
    return this.#chat.try(async () => {
      await this.#zim.pinMessage(message, !isPinned);
      this.#chat.log.update(message.messageID, (known) => { known.pinnedTime = isPinned ? 0 : Date.now(); });
      await this.#chat.loadPins();
    });
  }

  #startPicking(first) {
    this.#picked = new Map([[first.messageID, first]]);
    this.#showPicking();
    part(this.#root, 'pick-forward').focus();
  }

  #stopPicking() {
    this.#picked = null;
    this.#showPicking();
    this.#chat.composer.focus();
  }

  #showPicking() {
    part(this.#root, 'picking').hidden = !this.picking;
    part(this.#root, 'composer').hidden = this.picking;
    this.#showPicked();
    this.#chat.log.redraw();
  }

  #showPicked() {
    const count = this.#picked?.size ?? 0;
    setText(part(this.#root, 'picked'), 'picked', { n: count });
    part(this.#root, 'pick-forward').disabled = count === 0;
  }

  async #forward() {
    const messages = [...this.#picked.values()].sort((one, other) => one.orderKey - other.orderKey);
    const target = await askForTarget(this.#host.conversations());
    if (!target) return;
    this.#stopPicking();
    const chat = this.#host.open(target.conversation.type, target.conversation.conversationID, false);
    if (target.combined) chat.send(combinedOf(messages));
    else for (const message of messages) chat.send(message);
  }
}

function combinedOf(messages) {
  const summary = messages.map((message) => `${message.senderUserID}: ${summaryOf(message)}`).join('\n');
  const title = clip(formatText('historyTitle', { n: messages.length }), TITLE_BYTES);
  return { type: COMBINED, title, summary: clip(summary, SUMMARY_BYTES), messageList: messages };
}
