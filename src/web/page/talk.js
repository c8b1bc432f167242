// What a person talks about while signed in: the list of conversations, those that were opened, and what the broker tells about them.

import { Chat } from './chat.js';
import { LOBBY, forget, remember, remembered } from './demo.js';
import { askForConversation, tell, toast } from './dialogs.js';
import { part } from './dom.js';
import { GroupDialog, createGroup } from './group.js';
import { GROUP, PEER, ROOM, conversationKey, summaryOf } from './labels.js';
import { ConversationList } from './list.js';
import { Presence } from './presence.js';
import { Room } from './room.js';
import { Search } from './search.js';
import { setText } from './text.js';

const ENTERED = 1;
const IN_GROUP_ALREADY = 6000522;

export class Talk {
  #root;
  #zim;
  #me;
  #page;
  #roomBarragesPerSecond;
  #unreadChanged;
  #list;
  #presence;
  #search;
  #chats = new Map();
  #rooms = new Map();
  #openChat = null;
  #groupDialog = null;
  #hasEnded = false;

  /**
   * @param {Element} root the pane
   * @param {{zim: object, me: string, page: object, roomBarragesPerSecond: number | null, unreadChanged: () => void}} setting `page` as in ChatPane;
   *   `roomBarragesPerSecond` is null where the broker gives out no demo tokens
   */
  constructor(root, { zim, me, page, roomBarragesPerSecond, unreadChanged }) {
    [this.#root, this.#zim, this.#me, this.#page] = [root, zim, me, page];
    [this.#roomBarragesPerSecond, this.#unreadChanged] = [roomBarragesPerSecond, unreadChanged];
    this.#presence = new Presence(zim, () => this.#showPresence());
    this.#list = new ConversationList(part(root, 'list'), (type, id) => this.open(type, id), {
      me,
      sideOf: (userID) => page.sideOf(userID),
      isOnline: (userID) => this.#presence.isOnline(userID),
    });
    this.#search = new Search(zim, part(root, 'search'), part(root, 'found'), this.#searchActs());
    this.#listenTo(zim);
  }

  /** Returns whether the broker gave out the token: this is a first look, then. */
  get isDemo() {
    return this.#roomBarragesPerSecond !== null;
  }

  get hasOpenChat() {
    return this.#openChat !== null;
  }

  /** Returns how many messages wait in conversations that are not muted. */
  get unread() {
    return this.#list.total;
  }

  /** Loads the list of conversations. */
  async begin() {
    await this.#list.load(this.#zim);
    this.#watchPeers();
  }

  end() {
    this.#hasEnded = true;
    for (const room of this.#rooms.values()) room.close();
    for (const chat of this.#chats.values()) chat.root.remove();
    this.#search.clear();
    this.#list.clear();
  }

  /** Shows the people on the other sides of the page in the list, and in a demo enters the lobby, unless it was left in this tab. */
  meet(others, isLobbyShown) {
    this.#list.suggest(others);
    this.#watchPeers();
    if (!this.isDemo || this.#rooms.has(LOBBY) || remembered(this.#side, 'lobby-left')) return;
    this.open(ROOM, LOBBY, isLobbyShown && !this.hasOpenChat);
  }

  get #side() {
    return this.#root.dataset.side;
  }

  /** Opens a conversation; with `show` false it stays hidden. @returns {Chat} */
  open(type, id, show = true) {
    const key = conversationKey(type, id);
    let chat = this.#chats.get(key);
    if (!chat) {
      chat = this.#newChat(type, id);
      chat.root.hidden = true;
      this.#chats.set(key, chat);
      part(this.#root, 'main').append(chat.root);
      this.#updateTitle(chat, key);
      if (type !== ROOM) chat.reload().then(() => this.markShownRead());
      if (type === PEER) this.#presence.watch([id]);
      if (type === GROUP && !this.#list.entry(key)) this.#loadGroupName(id);
    }
    if (show) this.#show(chat);
    return chat;
  }

  #newChat(type, id) {
    const setting = { zim: this.#zim, me: this.#me, host: this.#host() };
    if (type !== ROOM) return new Chat({ ...setting, id, type });
    const room = new Room({ ...setting, roomID: id, roomBarragesPerSecond: this.#roomBarragesPerSecond });
    this.#rooms.set(id, room);
    this.#list.putRoom(id);
    room.enter();
    return room.chat;
  }

  /** Returns what conversations need of the others. */
  #host() {
    return {
      conversations: () => this.#list.conversations,
      entry: (key) => this.#list.entry(key),
      isShown: (chat) => this.#isShown(chat),
      isOnline: (userID) => this.#presence.isOnline(userID),
      sideOf: (userID) => this.#page.sideOf(userID),
      announce: (message) => setText(part(this.#root, 'heard'), 'heard', { me: this.#me, name: message.senderUserID, words: summaryOf(message, this.#me) }),
      back: () => this.#back(),
      open: (type, id, show) => this.open(type, id, show),
      openGroup: (chat) => this.#openGroup(chat),
      flood: (roomID, isOn) => this.#page.flood(roomID, isOn),
      close: (chat) => this.#close(chat),
    };
  }

  #show(chat) {
    if (this.#openChat) this.#openChat.root.hidden = true;
    this.#openChat = chat;
    chat.root.hidden = false;
    this.#root.dataset.view = 'chat';
    part(this.#root, 'nothing').hidden = true;
    this.#list.select(chat.key);
    chat.scrollToEnd();
    this.markShownRead();
    if (matchMedia('(pointer: fine)').matches && this.#root.contains(document.activeElement)) chat.focus();
  }

  /** Goes back from a conversation to the list, where the screen has room for one of them only. */
  #back() {
    const key = this.#openChat?.key;
    this.#root.dataset.view = 'list';
    part(this.#root, 'list').querySelector(`[data-key="${CSS.escape(key ?? '')}"] button`)?.focus();
  }

  /** Removes a conversation; a room is left with it. */
  #close(chat) {
    const room = [...this.#rooms.values()].find((one) => one.chat === chat);
    room?.leave();
    if (room?.roomID === LOBBY) remember(this.#side, 'lobby-left', 'yes');
    this.#rooms.delete(room?.roomID);
    this.#chats.delete(chat.key);
    this.#list.drop(chat.key);
    chat.root.remove();
    if (this.#openChat !== chat) return;
    this.#openChat = null;
    this.#root.dataset.view = 'list';
    part(this.#root, 'nothing').hidden = false;
    part(this.#root, 'new').focus();
  }

  /** Marks the conversation on screen as read; the page calls this, too, when it shows the pane. */
  markShownRead() {
    const chat = this.#openChat;
    if (!chat || !this.#isShown(chat)) return;
    chat.confirmRead();
    if (!this.#list.markRead(chat.key)) return;
    this.#clearUnread(chat.key);
    this.#unreadChanged();
  }

  /** Clears the unread count. Without a connection it fails; the list that is loaded after the reconnect leads here again. */
  #clearUnread(key) {
    const { conversationID, type } = this.#list.entry(key);
    if (type !== ROOM) this.#zim.clearConversationUnreadMessageCount(conversationID, type).catch(() => {});
  }

  #isShown(chat) {
    const isOnScreen = this.#root.offsetParent !== null && document.visibilityState === 'visible';
    return this.#openChat === chat && isOnScreen && chat.root.offsetParent !== null;
  }

  async startConversation() {
    const wanted = await askForConversation(this.#page.others(this.#me));
    if (!wanted) return;
    try {
      if (wanted.create) wanted.id = await createGroup(this.#zim, wanted.create, this.#root);
      if (wanted.join) await this.#join(wanted.id);
      if (wanted.type === ROOM && wanted.id === LOBBY) forget(this.#side, 'lobby-left');
      if (wanted.id) this.open(wanted.type, wanted.id);
    } catch (error) {
      toast(this.#root, error);
    }
  }

  /** Joins a group; one that the user is in already is just opened. */
  async #join(groupID) {
    try {
      await this.#zim.joinGroup(groupID);
    } catch (error) {
      if (error.code !== IN_GROUP_ALREADY) throw error;
    }
  }

  async #openGroup(chat) {
    this.#groupDialog = new GroupDialog({ zim: this.#zim, me: this.#me, groupID: chat.id, sideOf: (userID) => this.#page.sideOf(userID) });
    await this.#groupDialog.open();
    this.#groupDialog = null;
    chat.focus();
  }

  #searchActs() {
    const nameOf = ({ conversationName, conversationID }) => conversationName || conversationID;
    return {
      named: (words) => this.#list.all.filter((entry) => nameOf(entry).toLowerCase().includes(words.toLowerCase()))
        .map((entry) => ({ type: entry.type, id: entry.conversationID, name: nameOf(entry) })),
      nameOf: ({ conversationType, conversationID }) => nameOf(this.#list.entry(conversationKey(conversationType, conversationID)) ?? { conversationID }),
      sideOf: (userID) => this.#page.sideOf(userID),
      open: (type, id, messageID) => {
        const chat = this.open(type, id);
        if (messageID) chat.reveal(messageID);
      },
      shown: (is) => {
        part(this.#root, 'list').hidden = is;
        part(this.#root, 'found').hidden = !is;
      },
    };
  }

  #watchPeers() {
    this.#presence.watch(this.#list.conversations.filter(({ type }) => type === PEER).map(({ conversationID }) => conversationID));
  }

  #showPresence() {
    if (this.#hasEnded) return;
    this.#list.draw();
    for (const chat of this.#chats.values()) chat.showDetail();
  }

  /** Starts or stops the flood in a room, if this person is in it. */
  flood(roomID, isOn) {
    this.#rooms.get(roomID)?.setFlood(isOn);
  }

  #listenTo(zim) {
    // A client that was dropped may still say something.
    const on = (event, act) => zim.on(event, (_, data) => !this.#hasEnded && act(data));
    const each = (list, act) => list.forEach((one) => this.#chatOf(one)?.[act]([one]));
    on('conversationChanged', ({ infoList }) => this.#listChanged(infoList));
    on('receivePeerMessage', (data) => this.#receive(PEER, data));
    on('receiveGroupMessage', (data) => this.#receive(GROUP, data));
    on('receiveRoomMessage', (data) => this.#receive(ROOM, data));
    on('mentionReceived', ({ message }) => tell(this.#root, 'mentionedOutside', { name: message.senderUserID, where: message.conversationID, words: summaryOf(message) }));
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
    on('groupNameUpdated', (info) => this.#nameGroup(info));
    on('groupMemberStateChanged', ({ groupID }) => this.#chats.get(conversationKey(GROUP, groupID))?.forgetPeople());
    for (const event of ['groupMemberStateChanged', 'groupNameUpdated', 'groupMemberInfoUpdated']) {
      on(event, ({ groupID }) => this.#groupDialog?.groupID === groupID && this.#groupDialog.changed());
    }
    on('userStatusUpdated', ({ userStatusList }) => this.#presence.take(userStatusList));
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
    this.#unreadChanged();
  }

  #listChanged(infoList) {
    this.#list.changed(infoList);
    for (const { conversation } of infoList) {
      const key = conversationKey(conversation.type, conversation.conversationID);
      const chat = this.#chats.get(key);
      if (chat) this.#updateTitle(chat, key);
    }
    this.#watchPeers();
    // Before anything is painted: what is read as it comes has no badge, not even for a moment.
    this.markShownRead();
    this.#unreadChanged();
  }

  #updateTitle(chat, key) {
    const entry = this.#list.entry(key);
    const name = entry?.conversationName || entry?.conversationID;
    if (name) chat.rename(name, entry.type === GROUP ? entry.conversationID : '');
    chat.setDisabled(entry?.isDisabled === true);
  }

  /** Asks for the name of a group that is not in the list. */
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

  /** The connection was lost, or is there; `isBack` after it was lost. */
  connectionChanged(isConnected, isBack) {
    for (const room of this.#rooms.values()) room.connectionChanged(isConnected);
    // Whatever else the broker brings to a client that is back, history has all of it; bubbles come once anyway.
    if (isBack) this.#catchUp();
  }

  async #catchUp() {
    this.#presence.again();
    for (const chat of this.#chats.values()) chat.reload();
    try {
      await this.#list.load(this.#zim);
    } catch {
      // Lost again: the next time will do it.
    }
    if (this.#hasEnded) return;
    this.markShownRead();
    this.#unreadChanged();
  }

  /** Draws anew the texts that `translate` does not find. */
  redraw() {
    this.#list.draw();
    for (const chat of this.#chats.values()) chat.redraw();
  }
}
