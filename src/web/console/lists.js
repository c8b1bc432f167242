// A list of the broker's, page by page, as a table; on a phone each entry is a card.

import { make, textButton } from '../page/dom.js';
import { ask } from './api.js';
import { failureText } from './ask.js';
import { count, placeholder, setLabel, setText } from './text.js';

const PAGE = 100;

/**
 * @typedef {{key: string, of: (entry: object) => string | Node, kind?: 'number' | 'code' | 'wide'}} Column `key`: the heading's words
 */

export class Listing {
  #path;
  #field;
  #columns;
  #actions;
  #query;
  #cursor;
  #entries = [];
  #body = make('tbody');
  #more = textButton('loadMore', () => this.#load(), { className: 'quiet', hidden: true });
  #error = make('p', { className: 'error', hidden: true });
  #empty = make('p', { className: 'note empty', hidden: true });
  #count = make('span', { className: 'note' });
  #filter = make('input', { type: 'search', autocomplete: 'off', spellcheck: false });
  #isOver = false;

  /** `path` of the server API, `field` of its answer that holds the list; `actions(entry)`: buttons behind an entry. */
  constructor({ path, field, columns, actions = () => [], empty = 'nothingHere', filter = true, query = {} }) {
    [this.#path, this.#field, this.#columns, this.#actions, this.#query] = [path, field, columns, actions, query];
    setText(this.#empty, empty);
    setLabel(this.#filter, 'filter');
    placeholder(this.#filter, 'filter');
    this.#filter.oninput = () => this.#show();
    const heads = columns.map(({ key, kind }) => {
      const head = make('th', { scope: 'col', className: kind ?? '' });
      setText(head, key);
      return head;
    });
    const last = make('th', { scope: 'col' });
    last.append(make('span', { className: 'unseen', textContent: '…' }));
    const table = make('table', {}, make('thead', {}, make('tr', {}, ...heads, last)), this.#body);
    const refresh = textButton('refresh', () => this.reload(), { className: 'quiet' });
    const tools = make('div', { className: 'tools' }, this.#count, make('span', { className: 'spacer' }), refresh);
    if (filter) tools.prepend(this.#filter);
    this.root = make('section', { className: 'card listing' }, tools, this.#error, table, this.#empty, this.#more);
    this.ready = this.#load();
  }

  stop() {
    this.#isOver = true;
  }

  async reload() {
    this.#cursor = undefined;
    this.ready = this.#load(true);
    await this.ready;
  }

  async #load(isAnew = false) {
    this.#more.disabled = true;
    try {
      const page = await ask('GET', this.#path, { query: { limit: PAGE, ...this.#query, cursor: this.#cursor } });
      if (this.#isOver) return;
      if (isAnew) this.#entries = [];
      this.#entries.push(...page[this.#field]);
      this.#cursor = page.nextCursor;
      this.#error.hidden = true;
    } catch (failure) {
      this.#error.hidden = false;
      this.#error.textContent = failureText(failure);
    }
    this.#more.disabled = false;
    this.#more.hidden = !this.#cursor;
    this.#show();
  }

  #show() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const matches = (entry) => !wanted || JSON.stringify(entry).toLowerCase().includes(wanted);
    const shown = this.#entries.filter(matches);
    this.#body.replaceChildren(...shown.map((entry) => this.#row(entry)));
    this.#empty.hidden = shown.length > 0 || !this.#error.hidden;
    setText(this.#count, this.#cursor ? 'entriesAndMore' : 'entries', { n: count(shown.length) });
  }

  #row(entry) {
    const cells = this.#columns.map(({ key, of, kind }) => {
      const cell = make('td', { className: kind ?? '' }, of(entry) ?? '');
      cell.dataset.name = key;
      // On a phone the heading stands beside the value.
      const name = make('span', { className: 'cell-name' });
      setText(name, key);
      cell.prepend(name);
      return cell;
    });
    const actions = make('td', { className: 'actions' }, ...this.#actions(entry, () => this.reload()));
    return make('tr', {}, ...cells, actions);
  }
}

/** Makes a button in a row; `name` says on what it acts. */
export function rowButton(key, name, act, className = 'quiet') {
  const button = textButton(key, act, { className: `${className} small` });
  setLabel(button, `${key}Of`, { name });
  return button;
}

/** Makes a view of a title and lists. */
export function page(root, titleKey, ...parts) {
  const title = make('h2');
  setText(title, titleKey);
  root.append(make('div', { className: 'head' }, title), ...parts.map((part) => part.root ?? part));
  return () => parts.forEach((part) => part.stop?.());
}
