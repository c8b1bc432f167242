// The connection of a pane to the broker: its token, its client, and a simulated cable that can be pulled.

import { ZIM } from '../sdk/tidings.js';

// A host may mount the broker below a prefix such as /im, so every address is taken from where this module
// itself was served: <prefix>/page/connection.js.
const BASE = new URL('..', import.meta.url);

// The broker reads the app id only to tell apps apart; the page is one app.
const APP_ID = 1;

/** The broker gives out no demo tokens. */
export class DemoTokensUnavailable extends Error {}

/** The broker gives out demo tokens, but not for the key of this page, or for none. */
export class DemoKeyMissing extends Error {}

/** The broker gave no demo token, and it is not known why. */
export class DemoFailed extends Error {}

const DEMO_KEY = 'tidings-demo-key';

/** Takes the demo key from the link that the broker printed, `#demo=KEY`, and out of the address, where others could read it. */
function demoKey() {
  const key = /^#demo=([\w-]+)$/.exec(location.hash)?.[1];
  if (key) {
    sessionStorage.setItem(DEMO_KEY, key);
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(DEMO_KEY) ?? '';
}

/**
 * Asks the broker for a token, which it gives out only on loopback, with a secret that it made itself and for its demo key.
 * @returns {Promise<{token: string, isOnline: boolean, roomBarragesPerSecond: number}>} with it whether a session of this user is there
 *   already, and how many barrages a room passes on
 */
export async function demoToken(userID) {
  const response = await fetch(new URL('demo/token', BASE), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userID, demoKey: demoKey() }),
  });
  if (response.status === 403) throw new DemoKeyMissing();
  if (response.status === 404) throw new DemoTokensUnavailable();
  if (!response.ok) throw new DemoFailed();
  return response.json();
}

/** Makes a client whose traffic runs through a cable. */
export function newClient(cable) {
  return ZIM.createInstance({ appID: APP_ID, server: BASE.href.replace(/\/$/, ''), WebSocket: cable.WebSocket });
}

/**
 * A network cable for one client. The client has no way to lose its connection on purpose, so it is handed a
 * WebSocket class whose traffic runs through this cable. While the cable is out nothing gets through: what was
 * connected is cut, and what tries to connect waits until the client gives up or the cable is back.
 */
export function newCable() {
  const sockets = new Set();
  let out = false;

  class CableSocket extends EventTarget {
    #address;
    #real = null;
    #closed = false;

    constructor(...address) {
      super();
      this.#address = address;
      sockets.add(this);
      if (!out) this.connect();
    }

    get readyState() {
      return this.#closed ? WebSocket.CLOSED : (this.#real?.readyState ?? WebSocket.CONNECTING);
    }

    connect() {
      if (this.#real) return;
      this.#real = new WebSocket(...this.#address);
      const pass = (type, copy) => this.#real.addEventListener(type, (event) => this.#closed || copy(event));
      pass('open', () => this.dispatchEvent(new Event('open')));
      pass('message', ({ data }) => this.dispatchEvent(new MessageEvent('message', { data })));
      pass('error', () => this.dispatchEvent(new Event('error')));
      pass('close', ({ code, reason, wasClean }) => this.#end(new CloseEvent('close', { code, reason, wasClean })));
    }

    send(data) {
      this.#real.send(data);
    }

    close(code, reason) {
      if (this.#real) this.#real.close(code, reason);
      else this.cut();
    }

    /** Ends the socket as a pulled cable would: without a close frame, and with nothing after it. */
    cut() {
      this.#end(new CloseEvent('close', { code: 1006 }));
      this.#real?.close();
    }

    #end(close) {
      if (this.#closed) return;
      this.#closed = true;
      sockets.delete(this);
      this.dispatchEvent(close);
    }
  }

  return {
    WebSocket: CableSocket,
    get out() {
      return out;
    },
    pull() {
      out = true;
      for (const socket of [...sockets]) socket.cut();
    },
    plug() {
      out = false;
      for (const socket of sockets) socket.connect();
    },
  };
}
