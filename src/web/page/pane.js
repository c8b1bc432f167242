// One person's half of the page: sign-in, connection, and the three tabs.

import { Chat, PEER, part, showError } from './chat.js';
import { Group } from './group.js';
import { demoToken, newCable, newClient, NoDemoTokens } from './link.js';
import { Room } from './room.js';
import { hint, say, translate } from './text.js';

const TABS = ['peer', 'room', 'group'];
const DISCONNECTED = 0;
const CONNECTED = 2;
const RECONNECTING = 3;
// Ends the client does not come back from by itself, each with its own sentence in the dictionary.
const EXPLAINED_ENDS = [2, 4, 5];

export class Pane {
  root;
  userID = null;
  #zim = null;
  #cable = null;
  #state = DISCONNECTED;
  #leaving = false;
  #peerChat;
  #room = null;
  #group;
  #shown = 'peer';
  #unseen = { peer: 0, room: 0, group: 0 };
  #watch;

  /**
   * `watch` is the page: it answers `isTaken(name)` and wants to hear `signedIn(pane)`, `renamed(pane)` and
   * `unseenChanged(pane, count)`.
   */
  constructor(side, name, watch) {
    const fragment = document.getElementById('pane-template').content.cloneNode(true);
    this.root = fragment.firstElementChild;
    this.root.dataset.side = side;
    this.root.id = `pane-${side}`;
    this.#watch = watch;
    this.#nameTabs(side);
    this.#listen();
    translate(this.root);
    part(this.root, 'user').value = name;
    this.#showName();
    this.#showState();
  }

  /** The name in the field, which is who this pane will be. */
  get name() {
    return this.userID ?? part(this.root, 'user').value.trim();
  }

  async signIn() {
    const name = this.name;
    if (!name || this.#zim) return;
    this.#showSignInError(null);
    if (this.#watch.isTaken(name)) {
      const error = part(this.root, 'signin-error');
      error.hidden = false;
      say(error, 'sameName', { name });
      return;
    }
    part(this.root, 'enter').disabled = true;
    try {
      const pasted = part(this.root, 'token').value.trim();
      await this.#logIn(name, pasted || (await demoToken(name)));
    } catch (error) {
      this.#drop();
      if (error instanceof NoDemoTokens) this.#askForToken();
      else this.#showSignInError(error);
    } finally {
      part(this.root, 'enter').disabled = false;
    }
  }

  /** Turns the pane towards the other person. */
  async meet(peer) {
    await this.#peerChat.open(this.#zim, peer);
    return this.#group.meet(peer);
  }

  makeGroup() {
    return this.#group.create();
  }

  async #logIn(userID, token) {
    this.#cable = newCable();
    this.#zim = newClient(this.#cable);
    this.#listenToClient(this.#zim);
    await this.#zim.login(userID, { userName: userID, token });
    this.userID = userID;
    this.#openConversations();
    this.#showSignedIn(true);
    await this.#room.enter(part(this.root, 'room-id').value.trim());
    this.#watch.signedIn(this);
  }

  #openConversations() {
    this.#peerChat = new Chat(this.root.querySelector('[data-chat="peer"]'), PEER, this.userID);
    this.#room = new Room(this.#panel('room'), this.#zim, this.userID);
    this.#group = new Group(this.#panel('group'), this.#zim, this.userID);
    translate(this.root);
    this.#show(this.#shown);
  }

  async #signOut() {
    this.#leaving = true;
    try {
      await this.#zim.logout();
    } catch {
      // Without a connection there is nobody to say goodbye to.
    }
    this.#drop();
  }

  /** Forgets the client, whether it left or was thrown out. */
  #drop() {
    this.#room?.close();
    this.#room = null;
    this.#zim?.destroy?.();
    this.#zim = null;
    this.userID = null;
    this.#leaving = false;
    this.#state = DISCONNECTED;
    for (const tab of TABS) this.#setUnseen(tab, 0);
    this.#showSignedIn(false);
  }

  #listenToClient(zim) {
    // A client that was dropped may still say something.
    const on = (event, act) => zim.on(event, (_, data) => this.#zim === zim && act(data));
    on('connectionStateChanged', (data) => this.#connectionChanged(data));
    on('tokenWillExpire', () => this.#renewToken());
    on('receivePeerMessage', (data) => this.#receive('peer', this.#peerChat, data));
    on('receiveRoomMessage', (data) => this.#receive('room', this.#room, data));
    on('receiveGroupMessage', (data) => this.#receive('group', this.#group, data));
    on('messageSentStatusChanged', ({ infos }) => {
      for (const place of [this.#peerChat, this.#room, this.#group]) place?.sentStatusChanged(infos);
    });
    on('roomStateChanged', (data) => this.#room?.stateChanged(data));
    on('roomMemberJoined', (data) => this.#room?.membersChanged(data));
    on('roomMemberLeft', (data) => this.#room?.membersChanged(data));
    on('groupStateChanged', (data) => this.#group?.stateChanged(data));
    on('barrageDropped', (data) => this.#room?.barrageDropped(data));
  }

  #receive(tab, place, data) {
    const fresh = place?.receive(data) ?? 0;
    if (fresh > 0 && !this.#isVisible(tab)) this.#setUnseen(tab, this.#unseen[tab] + fresh);
  }

  #connectionChanged({ state, event }) {
    const isBack = this.#state === RECONNECTING && state === CONNECTED;
    this.#state = state;
    this.#showState();
    this.#room?.connectionChanged(state === CONNECTED);
    // Whatever else the broker brings to a client that is back, history has all of it; bubbles come once anyway.
    if (isBack) for (const place of [this.#peerChat, this.#group]) place?.reload();
    if (state === DISCONNECTED && this.userID !== null && !this.#leaving) this.#end(event);
  }

  #end(event) {
    this.#drop();
    const error = part(this.root, 'signin-error');
    error.hidden = false;
    say(error, EXPLAINED_ENDS.includes(event) ? `ended${event}` : 'endedOther');
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
    part(this.root, 'signin').onsubmit = (event) => {
      event.preventDefault();
      this.signIn();
    };
    part(this.root, 'user').oninput = () => this.#showName();
    part(this.root, 'signout').onclick = () => this.#signOut();
    part(this.root, 'cable').onclick = () => this.#toggleCable();
    for (const tab of this.#tabs()) tab.onclick = () => this.#show(tab.dataset.tab);
    part(this.root, 'tabs').onkeydown = (event) => this.#moveTab(event);
  }

  #tabs() {
    return [...this.root.querySelectorAll('[role="tab"]')];
  }

  #panel(name) {
    return this.root.querySelector(`[data-panel="${name}"]`);
  }

  /** Tabs, panels and headings need ids to refer to each other, and there are two panes of each. */
  #nameTabs(side) {
    part(this.root, 'name').id = `name-${side}`;
    this.root.setAttribute('aria-labelledby', `name-${side}`);
    for (const tab of this.#tabs()) {
      const panel = this.#panel(tab.dataset.tab);
      tab.id = `tab-${side}-${tab.dataset.tab}`;
      panel.id = `panel-${side}-${tab.dataset.tab}`;
      tab.setAttribute('aria-controls', panel.id);
      panel.setAttribute('aria-labelledby', tab.id);
    }
  }

  #moveTab(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(this.#shown) + step + TABS.length) % TABS.length];
    this.#show(next);
    this.root.querySelector(`[data-tab="${next}"]`).focus();
  }

  #show(name) {
    this.#shown = name;
    for (const tab of this.#tabs()) {
      const chosen = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', chosen);
      tab.tabIndex = chosen ? 0 : -1;
      this.#panel(tab.dataset.tab).hidden = !chosen;
    }
    this.seen();
  }

  /** What is on screen now counts as read; the page calls this too, when it shows the pane. */
  seen() {
    if (this.#isVisible(this.#shown)) this.#setUnseen(this.#shown, 0);
    const log = part(this.#panel(this.#shown), 'log');
    if (log) log.scrollTop = log.scrollHeight;
  }

  #isVisible(tab) {
    return this.#shown === tab && this.root.offsetParent !== null;
  }

  #setUnseen(tab, count) {
    this.#unseen[tab] = count;
    showBadge(part(this.root.querySelector(`[data-tab="${tab}"]`), 'badge'), count);
    this.#watch.unseenChanged(this, TABS.reduce((sum, name) => sum + this.#unseen[name], 0));
  }

  #showName() {
    part(this.root, 'name').textContent = this.name || '…';
    part(this.root, 'avatar').textContent = [...this.name][0]?.toUpperCase() ?? '?';
    part(this.root, 'command').textContent = `tidings token --user ${this.name}`;
    this.#watch.renamed(this);
  }

  #showState() {
    const out = this.#cable?.out ?? false;
    const pill = part(this.root, 'pill');
    pill.dataset.state = this.#state;
    say(pill, out && this.#state !== CONNECTED ? 'unplugged' : `state${this.#state}`);
    this.root.classList.toggle('unplugged', out);
    part(this.root, 'cable').setAttribute('aria-pressed', out);
    say(part(this.root, 'cable-text'), out ? 'plug' : 'unplug');
  }

  #showSignedIn(signedIn) {
    part(this.root, 'signin').hidden = signedIn;
    for (const name of ['talk', 'cable', 'signout']) part(this.root, name).hidden = !signedIn;
    if (!signedIn) this.#cable = null;
    this.#showName();
    this.#showState();
  }

  #askForToken() {
    part(this.root, 'token-field').hidden = false;
    part(this.root, 'token').required = true;
  }

  #showSignInError(error) {
    showError(part(this.root, 'signin-error'), error);
  }
}

export function showBadge(badge, count) {
  badge.hidden = count === 0;
  badge.textContent = count > 99 ? '99+' : count;
  hint(badge, 'unseen', { n: count });
}
