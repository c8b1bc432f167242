// The composer of a conversation: texts with mentions, files, recordings, polls, replies and edits.

import { askForPoll } from './dialogs.js';
import { clip, make, part } from './dom.js';
import { canRecord, draftOf, record } from './files.js';
import { CUSTOM, GROUP, POLL, TEXT, summaryOf } from './labels.js';
import { formatText, setLabel, setText, setTooltip } from './text.js';

const SEARCHED_BYTES_MAX = 64;
const CLOCK_MS = 250;

export class Composer {
  #root;
  #type;
  #act;
  #mentions = new Map();
  #choices = [];
  #chosen = 0;
  #context = null;
  #stopRecording = null;

  /**
   * @param {Element} root the conversation
   * @param {{send(draft: object, context: object | null): void, edit(message: object, words: string): void, fail(error: Error): void,
   *          people(): Promise<string[]>, toLog(): void, typed(): void}} act `send` resolves when the message is sent, or has failed
   */
  constructor(root, type, act) {
    this.#root = root;
    this.#type = type;
    this.#act = act;
    this.#take();
  }

  focus() {
    part(this.#root, 'text').focus();
  }

  /** Makes the next text a reply to this message. */
  answer(message) {
    this.#setContext({ reply: message }, formatText('replyingTo', { name: message.senderUserID, words: summaryOf(message) }));
  }

  /** Makes the next text an edit of this message. */
  correct(message) {
    this.#write(message.message);
    this.#setContext({ edit: message }, formatText('editing'));
  }

  #write(words) {
    const field = part(this.#root, 'text');
    field.value = words;
    this.#fit(field);
  }

  /** Makes the field as high as its text, as far as its style allows. */
  #fit(field) {
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
  }

  #setContext(context, words) {
    this.#context = context;
    part(this.#root, 'context').hidden = context === null;
    part(this.#root, 'context-words').textContent = words;
    this.focus();
  }

  #dropContext() {
    if (this.#context?.edit) this.#write('');
    this.#setContext(null, '');
  }

  #take() {
    const root = this.#root;
    const [text, input, recorder] = ['text', 'file', 'record'].map((name) => part(root, name));
    part(root, 'composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#sendWritten();
    });
    part(root, 'context-cancel').onclick = () => this.#dropContext();
    part(root, 'poll').onclick = () => this.#sendPoll();
    part(root, 'attach').onclick = () => input.click();
    input.onchange = () => {
      this.#sendFiles([...input.files]);
      input.value = '';
    };
    text.addEventListener('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.#sendFiles(files);
    });
    text.addEventListener('input', () => {
      this.#fit(text);
      this.#suggest();
      if (text.value.trim() && !this.#context?.edit) this.#act.typed();
    });
    text.addEventListener('blur', () => this.#showChoices([]));
    text.addEventListener('keydown', (event) => this.#key(event));
    const hovers = (is) => (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      root.classList.toggle('dropping', is);
    };
    root.addEventListener('dragover', hovers(true));
    root.addEventListener('dragleave', hovers(false));
    root.addEventListener('drop', (event) => {
      hovers(false)(event);
      this.#sendFiles([...event.dataTransfer.files]);
    });
    recorder.hidden = !canRecord();
    recorder.onclick = () => this.#toggleRecording(recorder);
  }

  #sendWritten() {
    const input = part(this.#root, 'text');
    const words = input.value.trim();
    if (!words) return;
    const context = this.#context;
    this.#write('');
    this.#showChoices([]);
    if (context) this.#setContext(null, '');
    if (context?.edit) {
      this.#act.edit(context.edit, words);
      return;
    }
    const mentioned = [...this.#mentions].filter(([name]) => words.includes(`@${name}`)).map(([, user]) => user);
    this.#mentions.clear();
    const draft = { type: TEXT, message: words };
    if (mentioned.includes(null)) draft.isMentionAll = true;
    const users = mentioned.filter((user) => user !== null);
    if (users.length > 0) draft.mentionedUserIDs = users;
    this.#act.send(draft, context);
  }

  async #sendPoll() {
    const poll = await askForPoll();
    if (!poll) return;
    const searchedContent = clip(poll.question, SEARCHED_BYTES_MAX);
    this.#act.send({ type: CUSTOM, subType: POLL, message: JSON.stringify(poll), searchedContent }, null);
  }

  /** Sends files one after the other, so that they come in the order in which they were chosen; the first one is the reply. */
  async #sendFiles(files) {
    const drafts = await Promise.all(files.map(draftOf));
    for (const draft of drafts) await this.#act.send(draft, this.#takeReply());
  }

  #takeReply() {
    if (!this.#context?.reply) return null;
    const context = this.#context;
    this.#setContext(null, '');
    return context;
  }

  async #toggleRecording(button) {
    try {
      if (this.#stopRecording) {
        const stop = this.#stopRecording;
        this.#stopRecording = null;
        this.#act.send(await stop(), this.#takeReply());
      } else {
        this.#stopRecording = await record();
        this.#runClock();
      }
    } catch (error) {
      this.#act.fail(error);
    }
    button.setAttribute('aria-pressed', this.#stopRecording !== null);
    setTooltip(button, this.#stopRecording ? 'stopRecording' : 'record');
    setLabel(button, this.#stopRecording ? 'stopRecording' : 'record');
  }

  /** Shows how long the recording is so far. */
  #runClock() {
    const [clock, begun, stop] = [part(this.#root, 'clock'), performance.now(), this.#stopRecording];
    const tick = () => {
      clock.hidden = this.#stopRecording !== stop;
      const seconds = Math.floor((performance.now() - begun) / 1000);
      clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
      if (clock.hidden) clearInterval(timer);
    };
    const timer = setInterval(tick, CLOCK_MS);
    tick();
  }

  /** Suggests the users that an @ at the caret could mention. */
  async #suggest() {
    const input = part(this.#root, 'text');
    const [, begun] = /(?:^|\s)@([^\s@]*)$/.exec(input.value.slice(0, input.selectionStart)) ?? [];
    if (begun === undefined) {
      this.#showChoices([]);
      return;
    }
    const people = (await this.#act.people()).map((user) => [user, user]);
    const all = this.#type === GROUP ? [[formatText('everyone'), null]] : [];
    this.#showChoices([...all, ...people].filter(([name]) => name.toLowerCase().startsWith(begun.toLowerCase())).slice(0, 6));
  }

  #showChoices(choices) {
    this.#choices = choices;
    this.#chosen = 0;
    const [box, input] = [part(this.#root, 'mentions'), part(this.#root, 'text')];
    box.hidden = choices.length === 0;
    box.replaceChildren(...choices.map(([name], n) => {
      const option = make('li', { id: `${box.id}-${n}`, textContent: `@${name}` });
      option.setAttribute('role', 'option');
      // Before the field loses its focus, and with it the list.
      option.onpointerdown = (event) => {
        event.preventDefault();
        this.#choose(n);
      };
      return option;
    }));
    this.#mark();
  }

  #mark() {
    const [box, input] = [part(this.#root, 'mentions'), part(this.#root, 'text')];
    [...box.children].forEach((option, n) => option.setAttribute('aria-selected', n === this.#chosen));
    if (this.#choices.length > 0) input.setAttribute('aria-activedescendant', `${box.id}-${this.#chosen}`);
    else input.removeAttribute('aria-activedescendant');
  }

  #key(event) {
    if (event.key === 'Escape' && this.#choices.length === 0 && this.#context) {
      event.preventDefault();
      this.#dropContext();
    }
    if (event.key === 'ArrowUp' && this.#choices.length === 0 && event.target.value === '') {
      event.preventDefault();
      this.#act.toLog();
    }
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey && this.#choices.length === 0) {
      event.preventDefault();
      part(this.#root, 'composer').requestSubmit();
    }
    if (this.#choices.length === 0) return;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) this.#chosen = (this.#chosen + steps[event.key] + this.#choices.length) % this.#choices.length;
    else if (event.key === 'Enter' || event.key === 'Tab') this.#choose(this.#chosen);
    else if (event.key === 'Escape') this.#showChoices([]);
    else return;
    event.preventDefault();
    this.#mark();
  }

  #choose(n) {
    const input = part(this.#root, 'text');
    const [name, user] = this.#choices[n];
    const before = input.value.slice(0, input.selectionStart).replace(/@[^\s@]*$/, `@${name} `);
    this.#write(before + input.value.slice(input.selectionStart));
    input.setSelectionRange(before.length, before.length);
    this.#mentions.set(name, user);
    this.#showChoices([]);
  }
}

/** Gives the list of suggestions an id, and the field a reference to it. */
export function nameComposer(root, id) {
  part(root, 'mentions').id = id;
  part(root, 'text').setAttribute('aria-controls', id);
  setText(part(root, 'send'), 'send');
}
