// What a recorded answer says by a name, because it is another value in every run.

import { Hole } from './frames.mjs';

/** What is another value in every run, by the name of its field. */
const DIFFERS = {
  messageID: 'message', combineID: 'combine', fileUID: 'file', sessionID: 'session', mediaToken: 'mediaToken',
  token: 'token', orderKey: 'orderKey',
};
/** What differs even where it is nothing. */
const ALWAYS = { silentMs: 'milliseconds', outboxBytes: 'bytes' };
const isTime = (key, value) => typeof value === 'number' && value > 1.5e12 && value < 2e13 && /time/i.test(key);

/** Gives names to the values that differ, in the order in which they first appear. */
export class Names {
  #counts = new Map();
  #names = new Map();

  constructor(known) {
    for (const [name, value] of known) this.#names.set(value, name);
  }

  /** Ids are named before what holds them within a longer text. */
  collect(value, known) {
    if (value === null || typeof value !== 'object') return;
    for (const [key, entry] of Object.entries(value)) {
      if (key === 'messageID' || key === 'fileUID') this.generalise(entry, known, '', key);
      else this.collect(entry, known);
    }
  }

  /** The frame with holes where values differ, named in the order in which they first appear. */
  generalise(value, known, who, key = '') {
    if (Array.isArray(value)) return value.map((entry) => this.generalise(entry, known, who, key === 'errorMessageIDs' ? 'messageID' : key));
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, this.generalise(entry, known, who, name)]));
    }
    // Two that are alike by chance need not be alike next time.
    if (key === 'cursor' || key === 'nextCursor') {
      const name = this.#next(key === 'cursor' ? `${who.split('.')[0]}Cursor` : 'cursor');
      known.set(name, value);
      return `<${name}>`;
    }
    if (key in ALWAYS) return new Hole(this.#next(ALWAYS[key]));
    if (key === 'detail') return value.replace(/(?<=retry after )\d+/, () => `<${this.#next('milliseconds')}>`);
    if (typeof value === 'string') {
      const whole = [...this.#names].find(([had]) => had === value);
      if (whole) return `<${whole[1]}>`;
      const inside = [...this.#names].find(([had]) => typeof had === 'string' && had.length > 15 && value.includes(had));
      if (inside) return value.replaceAll(inside[0], `<${inside[1]}>`);
    }
    const kind = isTime(key, value) ? 'time' : DIFFERS[key];
    if (kind === undefined || value === '' || value === 0) return value;
    if (!this.#names.has(value)) {
      this.#names.set(value, this.#next(kind));
      known.set(this.#names.get(value), value);
    }
    const name = this.#names.get(value);
    return typeof value === 'number' ? new Hole(name) : `<${name}>`;
  }

  /** A header's line: how long one must wait differs, unless it is a second. */
  generaliseHeader(line) {
    return line.replace(/^(Retry-After: )\d\d+$/, (_, name) => `${name}<${this.#next('seconds')}>`);
  }

  #next(kind) {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `${kind}${count}`;
  }
}
