// What the page does for a first look, where the broker gives out demo tokens: each tab takes users that no other tab or device is,
// and the lobby is alive before anybody has written. What is made up here is drawn and nothing else: no broker hears of it.

import { demoToken } from './connection.js';
import { currentLanguage } from './format.js';

/** The demo users, in the order in which they are taken. */
export const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy', 'kim', 'leo', 'mona', 'nils', 'olga', 'pete'];
export const LOBBY = 'lobby';

const FIRST = { left: 'alice', right: 'bob', third: 'carol' };
/** How long a tab that was loaded anew waits for the names of what it was before. */
const OWN_NAME_MS = 500;

/** The names that this tab has taken, each with what gives it up again. */
const held = new Map();

/** Takes a name among the tabs of this browser. Their locks end with them, whatever way they end. */
async function hold(name, waitMs = 0) {
  if (held.has(name)) return false;
  held.set(name, () => {});
  // Only pages of https and of this machine have locks.
  if (!navigator.locks) return true;
  const options = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true };
  const taken = await new Promise((resolve) => {
    navigator.locks.request(`tidings.page.user.${name}`, options, (lock) => {
      resolve(lock !== null);
      return lock && held.has(name) ? new Promise((release) => { held.set(name, release); }) : undefined;
    }).catch(() => resolve(false));
  });
  if (!taken) held.delete(name);
  return taken;
}

/** Gives a name up, so that another tab may take it. */
export function letGo(name) {
  held.get(name)?.();
  held.delete(name);
}

/**
 * Takes a demo user for a side of the page: the one it was before it was loaded anew, else the first that nobody is.
 * @returns {Promise<{name: string, token: string, roomBarragesPerSecond: number} | null>} null where all are taken
 */
export async function takeAnyDemoUser(side, isTaken) {
  const before = remembered(side, 'user');
  for (const name of new Set([before, FIRST[side], ...PEOPLE].filter((one) => one && !isTaken(one)))) {
    const given = await takeDemoUser(side, name, name === before);
    if (given) return given;
  }
  return null;
}

/** Takes this demo user; null where somebody is it already, unless one insists. */
export async function takeDemoUser(side, name, insists = false) {
  if (!(await hold(name, insists ? OWN_NAME_MS : 0)) && !insists) return null;
  try {
    const given = await demoToken(name);
    if (!given.isOnline || insists) {
      remember(side, 'user', name);
      return { name, ...given };
    }
  } catch (error) {
    letGo(name);
    throw error;
  }
  letGo(name);
  return null;
}

/** Returns a name to offer instead of one that is taken. */
export async function spareName(isTaken) {
  for (const name of PEOPLE.filter((one) => !isTaken(one) && !held.has(one))) {
    if (!(await hold(name))) continue;
    letGo(name);
    if (!(await demoToken(name)).isOnline) return name;
  }
  return '';
}

// Of each side of this tab, for as long as it is open: whom it was, and whether the lobby was left.
const placeOf = (side, what) => `tidings.page.${what}.${side}`;
export const remember = (side, what, value) => sessionStorage.setItem(placeOf(side, what), value);
export const remembered = (side, what) => sessionStorage.getItem(placeOf(side, what)) ?? '';
export const forget = (side, what) => sessionStorage.removeItem(placeOf(side, what));

const MADE_UP = {
  en: ['what a voice!', 'greetings from Oslo', 'first time here', 'turn it up!', '❤️❤️❤️', 'this one again, please', 'goosebumps', 'who plays the bass?', 'good evening everyone', 'encore!'],
  zh: ['前方高能', '来自成都的问候', '第一次来', '再大声一点！', '❤️❤️❤️', '这首好听', '鸡皮疙瘩起来了', '贝斯手是谁？', '大家晚上好', '安可！'],
};
const EVERY_MS = 850;

/** Barrages that fly over a stage until somebody writes. */
export class MadeUpBarrages {
  #layout;
  #hint;
  #timer = null;
  #n = 0;

  /** @param {{show(words: string, how: object): void}} layout @param {HTMLElement} hint says that they are made up */
  constructor(layout, hint) {
    [this.#layout, this.#hint] = [layout, hint];
  }

  start() {
    this.#hint.hidden = false;
    this.#timer = setInterval(() => this.#next(), EVERY_MS);
    this.#next();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#hint.hidden = true;
  }

  #next() {
    const lines = MADE_UP[currentLanguage()];
    this.#layout.show(lines[this.#n % lines.length], { priority: 1 + (this.#n % 3) });
    this.#n += 1;
  }
}
