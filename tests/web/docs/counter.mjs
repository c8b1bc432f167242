// Plays the examples of the server API: a backend's calls with its keys, and clients who hear what comes of them.

import { readFile } from 'node:fs/promises';
import { STATUS_CODES } from 'node:http';

import { readCurl, readEvents } from './calls.mjs';
import { fill, format, match } from './frames.mjs';
import { Stage } from './stage.mjs';

const WAIT_MS = 8_000;
const FIXTURES = new URL('../../fixtures/', import.meta.url);
/** Headers that say something; others are not shown. */
const TOLD = ['Content-Type', 'Allow', 'WWW-Authenticate', 'Retry-After', 'Idempotent-Replayed'];
/** Stands for a value, or for all further fields, that an example leaves out. */
export const LEFT_OUT = '…';

/** A call that was made: its answer, or the stream that it opened. */
class Call {
  #abort = new AbortController();
  #text = '';
  #reader = null;

  constructor(request) {
    this.request = request;
  }

  async begin() {
    const { url, method, headers, body, isInBackground } = this.request;
    const bytes = body?.startsWith('@') ? await readFile(new URL(body.slice(1), FIXTURES)) : body;
    const timer = setTimeout(() => this.#abort.abort(), WAIT_MS);
    this.answer = await fetch(url, { method, headers, body: bytes, signal: this.#abort.signal });
    if (!isInBackground) this.#text = await this.answer.text();
    clearTimeout(timer);
    if (!isInBackground) return this;
    // The first line says that it listens.
    this.#reader = this.answer.body.getReader();
    await this.#read((text) => text.includes('\n\n'));
    return this;
  }

  async #read(isEnough) {
    const timer = setTimeout(() => this.#abort.abort(new Error(`the stream said no more than ${this.#text}`)), WAIT_MS);
    const decoder = new TextDecoder();
    while (!isEnough(this.#text)) {
      const { value, done } = await this.#reader.read();
      if (done) break;
      this.#text += decoder.decode(value, { stream: true });
    }
    clearTimeout(timer);
  }

  /** `events`: how many a stream is to tell before it is closed. */
  async end(events = 0) {
    if (this.#reader) {
      await this.#read((text) => text.endsWith('\n\n') && readEvents(text).length >= events);
      this.close();
    }
    const { status, headers } = this.answer;
    const told = TOLD.filter((name) => headers.has(name)).map((name) => `${name}: ${headers.get(name)}`);
    const isJson = headers.get('content-type')?.includes('json');
    return {
      kind: 'answer', status, headers: this.request.showsHeaders ? told : [],
      body: isJson ? JSON.parse(this.#text) : undefined,
      events: isJson ? undefined : readEvents(this.#text),
    };
  }

  /** What a stream has told so far, and a little longer. */
  get told() {
    return readEvents(this.#text).length;
  }

  close() {
    this.#abort.abort();
    this.#reader?.cancel().catch(() => {});
  }
}

export class Counter {
  #stage;
  #variables;
  #streams = [];

  static async open(file) {
    const counter = new Counter();
    const lines = [...file.online.map((who) => ({ who })), ...file.scenes.flatMap((scene) => scene.lines.filter(({ who }) => who))];
    counter.#stage = await Stage.open({ settings: file.settings, scenes: [{ lines }] });
    try {
      const { broker } = counter.#stage;
      counter.#variables = { BROKER: broker.server, KEY: await broker.key('shop') };
      for (const [key, scopes] of Object.entries(file.keys)) counter.#variables[key] = await broker.key(key.toLowerCase(), scopes);
    } catch (error) {
      await counter.close();
      throw error;
    }
    return counter;
  }

  get stage() {
    return this.#stage;
  }

  async close() {
    for (const stream of this.#streams) stream.close();
    await this.#stage.close();
  }

  /** The answer to a command, or null for a stream, whose answer is `streamed`. */
  async ask(command) {
    const call = await new Call(readCurl(fill(command, this.#stage.known), this.#variables)).begin();
    if (!call.request.isInBackground) return call.end();
    this.#streams.push(call);
    return null;
  }

  async streamed(events) {
    return this.#streams.shift().end(events);
  }

  get isStreaming() {
    return this.#streams.length > 0;
  }

  /** Plays one example through. */
  async play({ lines }) {
    let answer = null;
    for (const line of lines) {
      if (line.kind === 'call') {
        if (answer !== null) throw new Error(`an answer is missing before\n${line.command}`);
        answer = await this.ask(line.command);
      } else if (line.kind === 'answer') {
        this.#compare(line, answer ?? await this.streamed(line.events.length));
        answer = null;
      } else {
        await (line.isSent ? this.#stage.say(line) : this.#stage.hear(line));
      }
    }
    await this.#stage.flush();
    const left = this.#stage.takeUnread(false);
    if (left.length > 0) throw new Error(`more came than the example shows:\n${JSON.stringify(left, null, 2)}`);
  }

  #compare(wanted, got) {
    const plain = ({ status, headers, body, events }) => ({ status, headers, body: body ?? null, events: events?.length ? events : null });
    const found = match(plain(wanted), plain({ ...got, body: leaveOut(wanted.body, got.body) }), this.#stage.known);
    if (found === null) throw new Error(`wanted\n${answerText(wanted)}\ngot\n${answerText(got)}`);
    for (const [name, value] of found) this.#stage.known.set(name, value);
  }
}

/** `got` without what `wanted` leaves out. */
export function leaveOut(wanted, got) {
  if (wanted === LEFT_OUT && got !== undefined) return LEFT_OUT;
  if (wanted === null || typeof wanted !== 'object' || got === null || typeof got !== 'object') return got;
  if (Array.isArray(got)) return got.map((entry, at) => leaveOut(wanted[at], entry));
  const isOpen = LEFT_OUT in wanted && Object.keys(got).length >= Object.keys(wanted).length;
  const kept = Object.entries(got).filter(([key]) => !isOpen || Object.hasOwn(wanted, key)).map(([key, value]) => [key, leaveOut(wanted[key], value)]);
  return Object.fromEntries(isOpen ? [...kept, [LEFT_OUT, LEFT_OUT]] : kept);
}

/** An answer as the examples show it. */
export function answerText({ status, headers, body, events }, room = 104) {
  const lines = [`${status} ${STATUS_CODES[status]}`, ...headers];
  if (body !== undefined) lines.push(format(body, room));
  for (const event of events ?? []) lines.push(`data: ${format(event, room)}`);
  return lines.join('\n');
}
