// Who of a person's partners is online, and who is typing.

const ONLINE = 0;
const AT_ONCE_MAX = 100;
const SUBSCRIBED_MINUTES = 24 * 60;

export class Presence {
  #zim;
  #changed;
  #online = new Map();

  /** @param {object} zim @param {() => void} changed is told that somebody came or went */
  constructor(zim, changed) {
    [this.#zim, this.#changed] = [zim, changed];
  }

  /** Returns whether a user is online; undefined where that is not known. */
  isOnline(userID) {
    return this.#online.get(userID);
  }

  /** Asks about users once, and is told about them from then on. */
  async watch(userIDs) {
    const fresh = userIDs.filter((userID) => !this.#online.has(userID));
    for (const userID of fresh) this.#online.set(userID, undefined);
    for (let from = 0; from < fresh.length; from += AT_ONCE_MAX) await this.#ask(fresh.slice(from, from + AT_ONCE_MAX));
  }

  /** Asks about all of them again, after the connection was lost. */
  again() {
    const userIDs = [...this.#online.keys()];
    this.#online.clear();
    return this.watch(userIDs);
  }

  take(statuses) {
    for (const { userID, onlineStatus } of statuses) this.#online.set(userID, onlineStatus === ONLINE);
    if (statuses.length > 0) this.#changed();
  }

  async #ask(userIDs) {
    try {
      await this.#zim.subscribeUsersStatus(userIDs, { subscriptionDuration: SUBSCRIBED_MINUTES });
      const { userStatusList } = await this.#zim.queryUsersStatus(userIDs);
      this.take(userStatusList);
    } catch {
      // A dot beside a name: asked again after the next reconnect.
      for (const userID of userIDs) this.#online.delete(userID);
    }
  }
}

/** A person who types says so at most this often. */
const SAID_EVERY_MS = 3000;
/** And is believed for this long. */
const LASTS_MS = 6000;
const BELIEVED_MS_MAX = 10_000;

/** Who is typing in a conversation, by the convention of PROTOCOL.md: a command with the bytes of `{"typing":true,"until":ms}`. */
export class Typing {
  #send;
  #show;
  #saidAt = -Infinity;
  #timers = new Map();

  /** @param {(bytes: Uint8Array) => void} send @param {() => void} show is told that it is somebody else now who types */
  constructor(send, show) {
    [this.#send, this.#show] = [send, show];
  }

  /** Tells the others that this person is typing. */
  typed() {
    if (performance.now() - this.#saidAt < SAID_EVERY_MS) return;
    this.#saidAt = performance.now();
    this.#send(new TextEncoder().encode(JSON.stringify({ typing: true, until: Date.now() + LASTS_MS })));
  }

  /** This person has sent what was typed. */
  done() {
    this.#saidAt = -Infinity;
  }

  /** Returns who is typing now. */
  get now() {
    return [...this.#timers.keys()];
  }

  /** Takes the bytes of a command from somebody; those of other programs mean nothing here. */
  heard(userID, bytes) {
    const said = parse(bytes);
    if (typeof said?.typing !== 'boolean') return;
    const remaining = said.typing ? Math.min(Number(said.until) - Date.now() || LASTS_MS, BELIEVED_MS_MAX) : 0;
    this.stopped(userID, false);
    if (remaining > 0) this.#timers.set(userID, setTimeout(() => this.stopped(userID), remaining));
    this.#show();
  }

  /** A person has sent a message, or has been silent for long enough. */
  stopped(userID, isShown = true) {
    clearTimeout(this.#timers.get(userID));
    if (this.#timers.delete(userID) && isShown) this.#show();
  }
}

function parse(bytes) {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
