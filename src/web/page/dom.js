// Helpers that make and find elements. Content is set as text, never as markup.

import { setText } from './format.js';

/** Makes an element: `make('p', {className: 'words', textContent: 'hi'}, child…)`. */
export function make(tag, fields = {}, ...children) {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...children);
  return element;
}

export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Makes a button with an entry of the dictionary. */
export function textButton(key, act, fields = {}) {
  const button = make('button', { type: 'button', ...fields });
  setText(button, key);
  button.onclick = act;
  return button;
}

export function showError(element, error) {
  element.hidden = !error;
  if (!error) return;
  if (error.code === undefined) element.textContent = error.message;
  else setText(element, 'failure', { code: error.code, message: error.message });
}

/** Returns a copy of a template's content. */
export const copyOf = (id) => document.getElementById(id).content.cloneNode(true).firstElementChild;

/** Returns the beginning of a text, at most `bytesMax` bytes of UTF-8, cut between characters. */
export function clip(text, bytesMax) {
  const encoder = new TextEncoder();
  let clipped = '';
  for (const char of text) {
    if (encoder.encode(clipped + char).length > bytesMax) break;
    clipped += char;
  }
  return clipped;
}
