// Helpers that make and find elements. Content is set as text, never as markup.

import { hasText, setText, setTooltip } from './format.js';

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

/** Shows an error in words of the page's language, which its dictionary has by its number; what the broker said of it is the tooltip. */
export function showError(element, error) {
  element.hidden = !error;
  if (!error) return;
  const { code, message } = error;
  if (hasText(`error${code}`)) setText(element, `error${code}`, { message });
  else setText(element, 'failure', { message });
  if (code !== undefined) setTooltip(element, 'failureDetail', { code, message });
}

/** Copies what an element shows, and says so on the button; where a page may not, as one without TLS, it marks it for a person to copy. */
export async function copyText(element, button) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    setText(button, 'copied');
  } catch {
    getSelection().selectAllChildren(element);
  }
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
