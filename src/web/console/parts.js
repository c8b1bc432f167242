// Small parts that several views are made of.

import { make } from '../page/dom.js';
import { setText } from './text.js';

/** Makes a coloured word. */
export function mark(key, kind) {
  const element = make('span', { className: `mark ${kind}` });
  setText(element, key);
  return element;
}

/** Makes a list of facts: `[key, value]` each. */
export function factList(facts) {
  return make('dl', { className: 'facts' }, ...facts.map(([key, value]) => {
    const name = make('dt');
    setText(name, key);
    return make('div', {}, name, make('dd', { textContent: value }));
  }));
}

/** Makes a heading within a view. */
export function heading(key, vars = null) {
  const title = make('h2', { className: 'second' });
  setText(title, key, vars);
  return title;
}
