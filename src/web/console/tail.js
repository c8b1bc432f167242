// Messages as they are accepted. What they say is shown as text and nothing else.

import { make, textButton } from '../page/dom.js';
import { whoIsThere } from './api.js';
import { bytesText, count, formatText, placeholder, setLabel, setText } from './text.js';

/** Lines kept on the page. */
const LINES_MAX = 300;
/** Characters of a message that a line shows. */
const CHARS_MAX = 400;
const KINDS = [1, 2, 11, 12, 13, 14, 20, 100, 200];
/** Kinds that nobody sends, but that stand in a history. */
const UNSENT = [10, 30, 31, 32];
/** The kinds of messages that carry a file. */
const FILES = new Set([11, 12, 13, 14]);

export function tail(root, { linked, signedOut }) {
  const title = make('h2');
  setText(title, 'tail');
  const state = make('span', { className: 'pill' });
  state.setAttribute('role', 'status');
  const form = make('form', { className: 'tools' });
  const user = text('userID');
  const conversation = text('conversationID');
  const where = choice('where', [['', 'anywhere'], ['0', 'peers'], ['1', 'rooms'], ['2', 'groups']]);
  const kind = choice('kind', [['', 'anyKind'], ...KINDS.map((number) => [`${number}`, `kind${number}`])]);
  const pause = textButton('pause', () => setPaused(!isPaused), { className: 'quiet' });
  const clear = textButton('clear', () => { list.replaceChildren(); seen = 0; showCount(); }, { className: 'quiet' });
  const counted = make('span', { className: 'note' });
  form.append(user, conversation, where, kind, textButton('filterNow', null, { type: 'submit', className: 'quiet' }), make('span', { className: 'spacer' }), counted, pause, clear);
  const list = make('ol', { className: 'tail', tabIndex: 0 });
  setLabel(list, 'tail');
  const empty = make('p', { className: 'note empty' });
  setText(empty, 'noMessagesYet');
  root.append(make('div', { className: 'head' }, title, state), make('section', { className: 'card' }, form, list, empty));

  let source = null;
  let isPaused = false;
  let seen = 0;
  let held = [];
  const showCount = () => setText(counted, 'heardSoFar', { n: count(seen) });

  function open() {
    source?.close();
    const query = new URLSearchParams();
    for (const [name, value] of [['userID', user.value.trim()], ['conversationID', conversation.value.trim()], ['conversationType', where.value], ['type', kind.value]]) if (value) query.set(name, value);
    setText(state, 'connecting');
    state.dataset.state = '1';
    source = new EventSource(`api/v1/events?${query}`);
    source.onopen = () => {
      setText(state, 'listening');
      state.dataset.state = '2';
      linked(true);
    };
    source.onmessage = (event) => {
      if (isPaused) {
        held.push(event.data);
        if (held.length > LINES_MAX) held.shift();
        seen += 1;
        showCount();
      } else {
        seen += 1;
        show([event.data]);
      }
    };
    source.onerror = async () => {
      setText(state, 'connecting');
      state.dataset.state = '3';
      // The browser does not reconnect a stream that was refused.
      const { isSignedIn } = await whoIsThere().catch(() => ({ isSignedIn: true }));
      if (!isSignedIn) signedOut();
    };
  }

  function show(events) {
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
    list.append(...events.map((data) => lineOf(JSON.parse(data))));
    while (list.childElementCount > LINES_MAX) list.firstElementChild.remove();
    empty.hidden = true;
    showCount();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }

  function setPaused(paused) {
    isPaused = paused;
    setText(pause, paused ? 'resume' : 'pause');
    pause.setAttribute('aria-pressed', paused);
    if (paused) return;
    show(held);
    held = [];
  }

  form.onsubmit = (event) => {
    event.preventDefault();
    open();
  };
  where.onchange = open;
  kind.onchange = open;
  open();
  showCount();
  return () => source.close();
}

/** Makes a field to look for something with. */
export function text(key) {
  const input = make('input', { type: 'search', autocomplete: 'off', spellcheck: false });
  setLabel(input, key);
  placeholder(input, key);
  return input;
}

/** Makes a field with entries to choose from: `[value, words]`. */
export function choice(key, entries) {
  const select = make('select', {}, ...entries.map(([value, said]) => {
    const option = make('option', { value });
    setText(option, said);
    return option;
  }));
  setLabel(select, key);
  return select;
}

function lineOf(event) {
  const time = make('time', { textContent: new Date(event.message?.timestamp ?? Date.now()).toLocaleTimeString() });
  if (!event.message) {
    const words = make('span', { className: 'words' });
    const where = event.roomID ?? event.groupID ?? '';
    setText(words, `event_${event.event}`, { name: event.userID ?? event.userIDs?.join(', ') ?? (where || count(event.count ?? 0)), where, by: event.operatorUserID ?? '' });
    return make('li', { className: 'news' }, time, words);
  }
  const { message } = event;
  const kind = kindMark(message.type);
  const to = message.toUserID ?? message.conversationID ?? '';
  const way = make('span', { className: 'way' }, make('b', { textContent: message.senderUserID }), ' → ', make('span', { textContent: to }));
  const words = make('span', { className: 'words', textContent: wordsOf(message) });
  if (event.event !== 'message') {
    const what = make('span', { className: event.event === 'messageRefused' ? 'mark bad' : 'mark plain' });
    setText(what, `event_${event.event}`, { reason: event.reason ?? '' });
    words.prepend(what, ' ');
  }
  return make('li', {}, time, kind, way, words);
}

/** Makes the name of a kind of messages. */
export function kindMark(number) {
  const kind = make('span', { className: 'mark plain' });
  setText(kind, KINDS.includes(number) || UNSENT.includes(number) ? `kind${number}` : 'otherKind', { n: number });
  return kind;
}

/** Returns what a message says, cut where it is longer than `charsMax`. */
export function wordsOf(message, charsMax = CHARS_MAX) {
  if (message.type === 2) return formatText('commandOf', { size: bytesText(Math.floor((message.message ?? '').length * 0.75)) });
  if (FILES.has(message.type)) return `${message.fileName ?? ''} ${message.fileSize ? bytesText(message.fileSize) : ''}`.trim();
  const words = message.type === 100 ? message.title : message.message;
  if (typeof words !== 'string') return '';
  const chars = [...words];
  return chars.length > charsMax ? `${chars.slice(0, charsMax).join('')}…` : words;
}
