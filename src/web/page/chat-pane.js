// The pane of one person: sign-in, connection, the list of conversations, and the conversation that is open.

import { Chat } from './chat.js';
import { demoToken, newCable, newClient } from './connection.js';
import { askForConversation, toast } from './dialogs.js';
import { copyOf, part } from './dom.js';
import { GROUP, PEER, ROOM, conversationKey, summaryOf } from './labels.js';
import { ConversationList } from './list.js';
import { Room } from './room.js';
import { SignIn } from './signin.js';
import { setLabel, setText, setTooltip, translate } from './text.js';

const DISCONNECTED = 0;
const CONNECTED = 2;
const RECONNECTING = 3;
// Ends the client does not come back from by itself, each with its own sentence in the dictionary.
const EXPLAINED_EVENTS = [2, 4, 5];
const ENTERED = 1;

export class ChatPane {
  root;
  userID = null;
  #zim = null;
  #cable = null;
  #state = DISCONNECTED;
  #isLeaving = false;
  #signIn;
  #list;
  #chats = new Map();
  #rooms = new Map();
  #openChat = null;
  #page;

  /**
   * @param {{isTaken(name: string): boolean, others(pane: ChatPane): string[], sideOf(userID: string): string, signedIn(pane: ChatPane): void,
   *          renamed(pane: ChatPane): void, unreadChanged(pane: ChatPane, count: number): void}} page answers questions, and is told changes
   */
  constructor(side, name, page) {
    this.root = copyOf('pane-template');
    this.root.dataset.side = side;
    this.root.id = `pane-${side}`;
    this.#page = page;
    part(this.root, 'name').id = `name-${side}`;
    this.root.setAttribute('aria-labelledby', `name-${side}`);
    this.#list = new ConversationList(part(this.root, 'list'), (type, id) => this.open(type, id));
    this.#signIn = new SignIn(this.root, name, {
      isTaken: (wanted) => page.isTaken(wanted),
      enter: (userID, token) => this.#logIn(userID, token),
      giveUp: () => this.#reset(),
      renamed: () => this.#showName(),
    });
    this.#listen();
    translate(this.root);
    this.#showName();
    this.#showState();
  }

  /** Returns the user's ID, or before sign-in the name in the field. */
  get name() {
    return this.userID ?? this.#signIn.name;
  }

  signIn() {
    return this.#signIn.submit();
  }

  async #logIn(userID, token) {
    this.#cable = newCable();
    this.#zim = newClient(this.#cable);
    this.#listenToClient(this.#zim);
    await this.#zim.login(userID, { userName: userID, token });
    this.userID = userID;
    this.#showSignedIn(true);
    await this.#list.load(this.#zim);
    this.#page.signedIn(this);
  }

  async signOut() {
    this.#isLeaving = true;
    try {
      await this.#zim?.logout();
    } catch {
      // Without a connection there is nobody to say goodbye to.
    }
    this.#reset();
  }

  /** Ends with the client, whether it logged out or its session ended, and shows the sign-in form. */
  #reset() {
    for (const room of this.#rooms.values()) room.close();
    for (const chat of this.#chats.values()) chat.root.remove();
    this.#rooms.clear();
    this.#chats.clear();
    this.#list.clear();
    this.#openChat = null;
    this.#zim?.destroy();
    this.#zim = null;
    this.userID = null;
    this.#isLeaving = false;
    this.#state = DISCONNECTED;
    this.#showSignedIn(false);
    this.#updateUnread();
  }

  /** Opens a conversation; with `show` false it stays hidden. @returns {Chat} */
  open(type, id, show = true) {
    const key = conversationKey(type, id);
    let chat = this.#chats.get(key);
    if (!chat) {
      chat = this.#newChat(type, id);
      chat.root.hidden = true;
      this.#chats.set(key, chat);
      part(this.root, 'main').append(chat.root);
      this.#updateTitle(chat, key);
      if (type !== ROOM) chat.reload().then(() => this.markShownRead());
      if (type === GROUP && !this.#list.entry(key)) this.#loadGroupName(id);
    }
    if (show) this.#show(chat);
    return chat;
  }

  #newChat(type, id) {
    const setting = { zim: this.#zim, me: this.userID, host: this.#host() };
    if (type !== ROOM) return new Chat({ ...setting, id, type });
    const room = new Room({ ...setting, roomID: id });
    this.#rooms.set(id, room);
    this.#list.putRoom(id);
    room.enter();
    return room.chat;
  }

  /** Returns what conversations need of the pane. */
  #host() {
    return {
      conversations: () => this.#list.conversations,
      entry: (key) => this.#list.entry(key),
      isShown: (chat) => this.#isShown(chat),
      sideOf: (userID) => this.#page.sideOf(userID),
      announce: (message) => setText(part(this.root, 'heard'), 'heard', { me: this.userID, name: message.senderUserID, words: summaryOf(message) }),
      back: () => this.#back(),
      open: (type, id, show) => this.open(type, id, show),
      close: (chat) => this.#close(chat),
    };
  }

  #show(chat) {
    if (this.#openChat) this.#openChat.root.hidden = true;
    this.#openChat = chat;
    chat.root.hidden = false;
    this.root.dataset.view = 'chat';
    part(this.root, 'nothing').hidden = true;
    this.#list.select(chat.key);
    chat.scrollToEnd();
    this.markShownRead();
    if (matchMedia('(pointer: fine)').matches && this.root.contains(document.activeElement)) chat.focus();
  }

  /** Goes back from a conversation to the list, where the screen has room for one of them only. */
  #back() {
    const key = this.#openChat?.key;
    this.root.dataset.view = 'list';
    part(this.root, 'list').querySelector(`[data-key="${CSS.escape(key ?? '')}"] button`)?.focus();
  }

  /** Removes a conversation; a room is left with it. */
  #close(chat) {
    const room = [...this.#rooms.values()].find((one) => one.chat === chat);
    room?.leave();
    this.#rooms.delete(room?.roomID);
    this.#chats.delete(chat.key);
    this.#list.drop(chat.key);
    chat.root.remove();
    if (this.#openChat !== chat) return;
    this.#openChat = null;
    this.root.dataset.view = 'list';
    part(this.root, 'nothing').hidden = false;
    part(this.root, 'new').focus();
  }

  /** Marks the conversation on screen as read; the page calls this, too, when it shows the pane. */
  markShownRead() {
    const chat = this.#openChat;
    if (!chat || !this.#isShown(chat)) return;
    chat.confirmRead();
    if (!this.#list.markRead(chat.key)) return;
    this.#clearUnread(chat.key);
    this.#updateUnread();
  }

  /** Clears the unread count. Without a connection it fails; the list that is loaded after the reconnect leads here again. */
  #clearUnread(key) {
    const { conversationID, type } = this.#list.entry(key);
    if (type !== ROOM) this.#zim.clearConversationUnreadMessageCount(conversationID, type).catch(() => {});
  }

  #isShown(chat) {
    const isOnScreen = this.root.offsetParent !== null && document.visibilityState === 'visible';
    return this.#openChat === chat && isOnScreen && chat.root.offsetParent !== null;
  }

  async #startConversation() {
    const others = this.#page.others(this);
    const wanted = await askForConversation(others);
    if (!wanted) return;
    try {
      if (wanted.create) wanted.id = await this.#createGroup(wanted.create);
      if (wanted.join) await this.#zim.joinGroup(wanted.id);
      if (wanted.id) this.open(wanted.type, wanted.id);
    } catch (error) {
      toast(this.root, error);
    }
  }

  async #createGroup({ name, users }) {
    const { groupInfo, errorUserList } = await this.#zim.createGroup({ groupID: '', groupName: name, groupAvatarUrl: '' }, users);
    if (errorUserList.length > 0) toast(this.root, new Error(errorUserList.map(({ userID, reason }) => `${userID} (${reason})`).join(', ')));
    return groupInfo.baseInfo.groupID;
  }

  #listenToClient(zim) {
    // A client that was dropped may still say something.
    const on = (event, act) => zim.on(event, (_, data) => this.#zim === zim && act(data));
    const each = (list, act) => list.forEach((one) => this.#chatOf(one)?.[act]([one]));
    on('connectionStateChanged', (data) => this.#connectionChanged(data));
    on('tokenWillExpire', () => this.#renewToken());
    on('conversationChanged', ({ infoList }) => this.#listChanged(infoList));
    on('receivePeerMessage', (data) => this.#receive(PEER, data));
    on('receiveGroupMessage', (data) => this.#receive(GROUP, data));
    on('receiveRoomMessage', (data) => this.#receive(ROOM, data));
    on('messageSentStatusChanged', ({ infos }) => infos.forEach((info) => this.#chatOf(info.message)?.sentStatusChanged(info)));
    on('messageRevokeReceived', ({ messageList }) => each(messageList, 'changed'));
    on('messageEdited', ({ messageList }) => each(messageList, 'changed'));
    on('messageRepliedInfoChanged', ({ messageList }) => each(messageList, 'changed'));
    on('messageDeleted', ({ messageList }) => each(messageList, 'deleted'));
    on('resyncRequired', () => this.#chats.forEach((chat) => chat.begin()));
    on('messageReactionsChanged', ({ reactions }) => each(reactions, 'reactionsChanged'));
    on('messageReceiptChanged', ({ infos }) => each(infos, 'receiptsChanged'));
    on('messageRepliedCountChanged', ({ infos }) => each(infos, 'repliesCounted'));
    on('messagePinStatusChanged', ({ infos }) => infos.forEach((info) => this.#chatOf(info.message)?.pinsChanged([info])));
    on('roomStateChanged', (data) => this.#rooms.get(data.roomID)?.stateChanged(data));
    for (const event of ['roomMemberJoined', 'roomMemberLeft', 'roomMembersCounted']) on(event, ({ roomID }) => this.#rooms.get(roomID)?.membersChanged());
    on('groupStateChanged', ({ state, groupInfo }) => state === ENTERED && this.#nameGroup(groupInfo.baseInfo));
    on('groupMemberStateChanged', ({ groupID }) => this.#chats.get(conversationKey(GROUP, groupID))?.forgetPeople());
    on('barrageDropped', (data) => this.#rooms.forEach((room) => (data.roomID ?? room.roomID) === room.roomID && room.barrageDropped(data)));
  }

  #chatOf({ conversationID, conversationType }) {
    return this.#chats.get(conversationKey(conversationType, conversationID));
  }

  #receive(type, { messageList, fromConversationID }) {
    const place = type === ROOM ? this.#rooms.get(fromConversationID) : this.#chats.get(conversationKey(type, fromConversationID));
    const newCount = place?.receive(messageList) ?? 0;
    if (type !== ROOM || newCount === 0 || this.#isShown(place.chat)) return;
    const { unreadMessageCount } = this.#list.entry(conversationKey(ROOM, fromConversationID));
    this.#list.putRoom(fromConversationID, { unreadMessageCount: unreadMessageCount + newCount });
    this.#updateUnread();
  }

  #listChanged(infoList) {
    this.#list.changed(infoList);
    for (const { conversation } of infoList) {
      const key = conversationKey(conversation.type, conversation.conversationID);
      const chat = this.#chats.get(key);
      if (chat) this.#updateTitle(chat, key);
    }
    // Before anything is painted: what is read as it comes has no badge, not even for a moment.
    this.markShownRead();
    this.#updateUnread();
  }

  #updateTitle(chat, key) {
    const entry = this.#list.entry(key);
    const name = entry?.conversationName || entry?.conversationID;
    if (name) chat.rename(name, entry.type === GROUP ? entry.conversationID : '');
    chat.setDisabled(entry?.isDisabled === true);
  }

  /** Asks for the name of a group that is not in the list, because nobody has written in it yet. */
  async #loadGroupName(groupID) {
    try {
      const { groupInfo } = await this.#zim.queryGroupInfo(groupID);
      this.#nameGroup(groupInfo.baseInfo);
    } catch {
      // Its id is its name then.
    }
  }

  #nameGroup({ groupID, groupName }) {
    this.#chats.get(conversationKey(GROUP, groupID))?.rename(groupName || groupID, groupID);
  }

  #connectionChanged({ state, event }) {
    const isBack = this.#state === RECONNECTING && state === CONNECTED;
    this.#state = state;
    this.#showState();
    for (const room of this.#rooms.values()) room.connectionChanged(state === CONNECTED);
    // Whatever else the broker brings to a client that is back, history has all of it; bubbles come once anyway.
    if (isBack) this.#catchUp();
    if (state === DISCONNECTED && this.userID !== null && !this.#isLeaving) this.#sessionEnded(event);
  }

  async #catchUp() {
    const zim = this.#zim;
    for (const chat of this.#chats.values()) chat.reload();
    try {
      await this.#list.load(zim);
    } catch {
      // Lost again: the next time will do it.
    }
    if (this.#zim !== zim) return;
    this.markShownRead();
    this.#updateUnread();
  }

  #sessionEnded(event) {
    this.#reset();
    this.#signIn.tell(EXPLAINED_EVENTS.includes(event) ? `ended${event}` : 'endedOther');
  }

  async #renewToken() {
    try {
      await this.#zim.renewToken(await demoToken(this.userID));
    } catch {
      // Where tokens are pasted by hand there is no new one; the broker will end the session and say so.
    }
  }

  #toggleCable() {
    if (this.#cable.out) this.#cable.plug();
    else this.#cable.pull();
    this.#showState();
  }

  #listen() {
    part(this.root, 'signout').onclick = () => this.signOut();
    part(this.root, 'cable').onclick = () => this.#toggleCable();
    part(this.root, 'new').onclick = () => this.#startConversation();
    document.addEventListener('visibilitychange', () => this.markShownRead());
    addEventListener('focus', () => this.markShownRead());
  }

  /** Draws anew the texts that `translate` does not find. */
  redraw() {
    this.#list.draw();
    for (const chat of this.#chats.values()) chat.redraw();
  }

  #updateUnread() {
    const count = this.#list.total;
    showBadge(part(this.root, 'total'), count);
    this.#page.unreadChanged(this, count);
  }

  #showName() {
    part(this.root, 'name').textContent = this.name || '…';
    setLabel(part(this.root, 'side'), 'conversationsOf', { name: this.name });
    part(this.root, 'avatar').textContent = [...this.name][0]?.toUpperCase() ?? '?';
    this.#signIn.show(this.userID === null);
    this.#page.renamed(this);
  }

  #showState() {
    const out = this.#cable?.out ?? false;
    const pill = part(this.root, 'pill');
    pill.dataset.state = this.#state;
    setText(pill, out && this.#state !== CONNECTED ? 'unplugged' : `state${this.#state}`);
    this.root.classList.toggle('unplugged', out);
    part(this.root, 'cable').setAttribute('aria-pressed', out);
    setText(part(this.root, 'cable-text'), out ? 'plug' : 'unplug');
  }

  #showSignedIn(signedIn) {
    for (const name of ['talk', 'cable', 'signout']) part(this.root, name).hidden = !signedIn;
    this.root.dataset.view = 'list';
    part(this.root, 'nothing').hidden = false;
    if (!signedIn) this.#cable = null;
    this.#showName();
    this.#showState();
  }
}

export function showBadge(badge, count) {
  badge.hidden = count === 0;
  badge.textContent = count > 99 ? '99+' : count;
  setTooltip(badge, 'unseen', { n: count });
  setLabel(badge, 'unseen', { n: count });
}
