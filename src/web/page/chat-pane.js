// The pane of one person: sign-in, the connection with its cable, and while there is a session what is talked about in it.

import { drawAvatar } from './avatar.js';
import { demoToken, newCable, newClient } from './connection.js';
import { forget, letGo } from './demo.js';
import { copyOf, part } from './dom.js';
import { SignIn } from './signin.js';
import { Talk } from './talk.js';
import { setLabel, setText, setTooltip, translate } from './text.js';

const DISCONNECTED = 0;
const CONNECTED = 2;
const RECONNECTING = 3;
// Ends the client does not come back from by itself, each with its own sentence in the dictionary.
const EXPLAINED_EVENTS = [2, 4, 5];
const KICKED_EVENT = 4;

export class ChatPane {
  root;
  userID = null;
  #zim = null;
  #cable = null;
  #state = DISCONNECTED;
  #isLeaving = false;
  #signIn;
  #talk = null;
  #page;

  /**
   * @param {{isTaken(name: string): boolean, sideOf(userID: string): string, signedIn(pane: ChatPane): void, flood(roomID: string, isOn: boolean): void,
   *          others(userID: string): string[], renamed(pane: ChatPane): void, stateChanged(pane: ChatPane): void,
   *          unreadChanged(pane: ChatPane, count: number): void}} page answers questions, and is told changes
   */
  constructor(side, name, page) {
    this.root = copyOf('pane-template');
    this.root.dataset.side = side;
    this.root.id = `pane-${side}`;
    this.#page = page;
    part(this.root, 'name').id = `name-${side}`;
    this.root.setAttribute('aria-labelledby', `name-${side}`);
    this.#signIn = new SignIn(this.root, side, name, {
      isTaken: (wanted) => page.isTaken(wanted),
      enter: (given) => this.#logIn(given),
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

  get side() {
    return this.root.dataset.side;
  }

  /** Returns the state of the connection, and whether its cable is out. */
  get connection() {
    return { state: this.#state, isOut: this.#cable?.out ?? false };
  }

  /** Returns the session's conversations; null while nobody is signed in. */
  get talk() {
    return this.#talk;
  }

  signIn() {
    return this.#signIn.begin();
  }

  async #logIn({ name: userID, token, roomBarragesPerSecond = null }) {
    this.#cable = newCable();
    const zim = newClient(this.#cable);
    this.#zim = zim;
    zim.on('connectionStateChanged', (_, data) => this.#zim === zim && this.#connectionChanged(data));
    zim.on('tokenWillExpire', () => this.#zim === zim && this.#renewToken());
    const talk = new Talk(this.root, { zim, me: userID, page: this.#page, roomBarragesPerSecond, unreadChanged: () => this.#updateUnread() });
    this.#talk = talk;
    await zim.login(userID, { userName: userID, token });
    this.userID = userID;
    this.#showSignedIn(true);
    await talk.begin();
    this.#page.signedIn(this);
  }

  async signOut() {
    this.#isLeaving = true;
    try {
      await this.#zim?.logout();
    } catch {
      // Without a connection there is nobody to say goodbye to.
    }
    forget(this.side, 'user');
    this.#reset();
  }

  /** Ends with the client, whether it logged out or its session ended, and shows the sign-in form. */
  #reset() {
    this.#talk?.end();
    this.#talk = null;
    this.#zim?.destroy();
    this.#zim = null;
    letGo(this.name);
    this.userID = null;
    this.#isLeaving = false;
    this.#state = DISCONNECTED;
    this.#showSignedIn(false);
    this.#updateUnread();
  }

  #connectionChanged({ state, event }) {
    const isBack = this.#state === RECONNECTING && state === CONNECTED;
    this.#state = state;
    this.#showState();
    this.#talk.connectionChanged(state === CONNECTED, isBack);
    if (state === DISCONNECTED && this.userID !== null && !this.#isLeaving) this.#sessionEnded(event);
  }

  #sessionEnded(event) {
    const { userID, talk } = this;
    this.#reset();
    this.#signIn.tell(EXPLAINED_EVENTS.includes(event) ? `ended${event}` : 'endedOther');
    if (event !== KICKED_EVENT) return;
    forget(this.side, 'user');
    if (talk.isDemo) this.#signIn.offerAnother('endedTaken', userID);
  }

  async #renewToken() {
    try {
      await this.#zim.renewToken((await demoToken(this.userID)).token);
    } catch {
      // Where tokens are pasted by hand there is no new one; the broker will end the session and say so.
    }
  }

  toggleCable() {
    if (this.#cable.out) this.#cable.plug();
    else this.#cable.pull();
    this.#showState();
  }

  #listen() {
    part(this.root, 'signout').onclick = () => this.signOut();
    part(this.root, 'cable').onclick = () => this.toggleCable();
    part(this.root, 'new').onclick = () => this.#talk.startConversation();
    document.addEventListener('visibilitychange', () => this.#talk?.markShownRead());
    addEventListener('focus', () => this.#talk?.markShownRead());
  }

  /** Draws anew the texts that `translate` does not find. */
  redraw() {
    this.#talk?.redraw();
  }

  #updateUnread() {
    const count = this.#talk?.unread ?? 0;
    showBadge(part(this.root, 'total'), count);
    this.#page.unreadChanged(this, count);
  }

  #showName() {
    part(this.root, 'name').textContent = this.name || '…';
    setLabel(part(this.root, 'side'), 'conversationsOf', { name: this.name });
    drawAvatar(part(this.root, 'avatar'), this.name, this.name, this.side);
    this.#signIn.show(this.userID === null);
    this.#page.renamed(this);
  }

  #showState() {
    const { state, isOut } = this.connection;
    const pill = part(this.root, 'pill');
    pill.dataset.state = state;
    setText(pill, isOut && state !== CONNECTED ? 'unplugged' : `state${state}`);
    this.root.classList.toggle('unplugged', isOut);
    part(this.root, 'cable').setAttribute('aria-pressed', isOut);
    setText(part(this.root, 'cable-text'), isOut ? 'plug' : 'unplug');
    this.#page.stateChanged(this);
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
