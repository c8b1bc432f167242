// Plays an example: its users at sockets of a real broker, who send what it says and hear what it says, nothing else.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { startBroker } from '../broker.mjs';
import { fill, format, match } from './frames.mjs';

const WAIT_MS = 8_000;
const QUIET_MS = 200;
// A login wants 30 s at least; the broker speaks up when they begin.
const SHORT_TOKEN_SECONDS = 32;
const FIXTURES = new URL('../../fixtures/', import.meta.url);

/** Nearly every message brings these; only an example `with lists` shows them. */
const LIST_EVENTS = ['conversationChanged', 'conversationTotalUnreadMessageCountUpdated'];
const isOfLists = ({ frame }) => LIST_EVENTS.includes(frame?.event);

/** One connection: what came and was not asked for yet. */
class Seat {
  unread = [];
  #wake = () => {};

  constructor(server) {
    this.socket = new WebSocket(`${server.replace('http', 'ws')}/ws`);
    this.socket.onmessage = ({ data }) => this.#hear({ kind: 'frame', frame: JSON.parse(data) });
    this.socket.onclose = ({ code }) => this.#hear({ kind: 'close', code });
    this.open = new Promise((resolve, reject) => Object.assign(this.socket, { onopen: resolve, onerror: reject }));
  }

  #hear(said) {
    this.unread.push(said);
    this.#wake();
  }

  /** Takes what `test` accepts, or waits for it; null after `WAIT_MS`. */
  async take(test, until = Date.now() + WAIT_MS) {
    for (;;) {
      const at = this.unread.findIndex(test);
      if (at >= 0) return this.unread.splice(at, 1)[0];
      const left = until - Date.now();
      if (left <= 0) return null;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => { clearTimeout(timer); resolve(); };
      });
    }
  }
}

export class Stage {
  #broker;
  #seats = new Map();
  #known = new Map();

  static async open(file) {
    const stage = new Stage();
    stage.#broker = await startBroker(file.settings);
    const lines = file.scenes.flatMap((scene) => scene.lines);
    try {
      const users = new Set(lines.map(({ who }) => who.split('.')[0]));
      for (const user of users) stage.#known.set(`${user}Token`, await stage.#broker.token(user));
      for (const who of new Set(lines.map((line) => line.who))) {
        if (!comesByItself(lines.find((line) => line.who === who))) await stage.#login(who);
      }
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  get known() {
    return this.#known;
  }

  get broker() {
    return this.#broker;
  }

  async close() {
    for (const { socket } of this.#seats.values()) socket.close();
    await this.#broker.stop();
  }

  async #login(who) {
    const [user, device = 'computer'] = who.split('.');
    const name = user[0].toUpperCase() + user.slice(1);
    const args = { userID: user, userName: name, token: this.#known.get(`${user}Token`), deviceID: `${user}-${device}` };
    const seat = await this.#seat(who);
    seat.socket.send(JSON.stringify({ id: 0, op: 'login', args }));
    const reply = await seat.take(({ frame }) => frame?.id === 0);
    if (!reply?.frame.result) throw new Error(`${who} could not log in: ${JSON.stringify(reply)}`);
  }

  async #seat(who) {
    const had = this.#seats.get(who);
    if (had && had.socket.readyState <= WebSocket.OPEN) return had;
    const seat = new Seat(this.#broker.server);
    if (had) seat.unread.push(...had.unread);
    this.#seats.set(who, seat);
    await seat.open;
    return seat;
  }

  /** Sends what a line says. */
  async say(line) {
    if (line.kind === 'short') throw new Error(`${line.who} → ${line.op} is short for a frame: let docs/record.mjs write it out`);
    if (line.kind === 'http') return this.#request(line);
    const seat = await this.#seat(line.who);
    const short = /^<(([a-z]+)ShortToken)>$/.exec(line.frame?.args?.token);
    if (short) this.#known.set(short[1], await this.#broker.token(short[2], SHORT_TOKEN_SECONDS));
    if (line.kind === 'close') {
      seat.socket.onclose = null;
      seat.socket.close();
    } else {
      seat.socket.send(line.kind === 'raw' ? line.text : JSON.stringify(fill(line.frame, this.#known)));
    }
  }

  async #request({ who, method, path, body }) {
    const seat = this.#seats.get(who);
    const bytes = body?.startsWith('@') ? await readFile(new URL(body.slice(1), FIXTURES)) : body && JSON.parse(body);
    const headers = { authorization: `Bearer ${this.#known.get(`${who.split('.')[0]}Token`)}` };
    const answer = await fetch(this.#broker.server + fill(path, this.#known), { method, headers, body: bytes });
    const isJson = answer.headers.get('content-type')?.includes('json');
    const content = await answer.arrayBuffer();
    seat.unread.push({ kind: 'http', status: answer.status, frame: isJson ? JSON.parse(Buffer.from(content)) : undefined });
  }

  /** Waits for what a line says; what came instead is told in the error. */
  async hear(line) {
    const seat = this.#seats.get(line.who);
    let found = null;
    const isIt = (said) => (found = this.#matches(line, said)) !== null;
    const said = await seat.take(isIt);
    if (said === null) throw new Error(`${line.who} did not hear\n${show(line)}\nbut\n${seat.unread.map(show).join('\n') || 'nothing'}`);
    for (const [name, value] of found) this.#known.set(name, value);
  }

  #matches(line, said) {
    if (line.kind !== said.kind || line.code !== said.code || line.status !== said.status) return null;
    return line.frame === undefined && said.frame === undefined ? new Map() : match(line.frame ?? null, said.frame ?? null, this.#known);
  }

  /** Plays one example through. */
  async play({ lines, withLists }) {
    if (withLists) await this.settle();
    for (const line of lines) await (line.isSent ? this.say(line) : this.hear(line));
    await this.flush();
    const left = this.takeUnread(withLists);
    if (left.length > 0) throw new Error(`more came than the example shows:\n${left.map(({ who, ...said }) => `${who} ← ${show(said)}`).join('\n')}`);
  }

  /** Waits until nothing has come for a while, and forgets what an earlier example left of list events. */
  async settle() {
    await sleep(QUIET_MS);
    for (const seat of this.#seats.values()) seat.unread = seat.unread.filter((said) => !isOfLists(said));
  }

  /** What the broker has said so far has arrived once it answers once more. */
  async flush() {
    for (const seat of this.#seats.values()) {
      if (seat.socket.readyState !== WebSocket.OPEN) continue;
      seat.socket.send('{"id":9007199254740991,"op":"ping"}');
      await seat.take(({ frame }) => frame?.id === Number.MAX_SAFE_INTEGER);
    }
  }

  /** Everything nobody asked for, with who heard it. */
  takeUnread(withLists) {
    const left = [];
    for (const [who, seat] of this.#seats) {
      left.push(...seat.unread.filter((said) => withLists || !isOfLists(said)).map((said) => ({ who, ...said })));
      seat.unread = [];
    }
    return left;
  }
}

/** A user whose first line is a login, or no JSON at all, is not logged in beforehand. */
function comesByItself(line) {
  return line.kind === 'raw' || line.frame?.op === 'login' || line.op === 'login';
}

function show({ kind, code, status, frame }) {
  if (kind === 'close') return `close ${code}`;
  return `${status ?? ''} ${frame === undefined ? '' : format(frame, 160)}`.trim();
}
