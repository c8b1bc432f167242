// Confirmations, dialogs with a list, and lines that show the result.

import { make, textButton } from '../page/dom.js';
import { formatText, setText } from './text.js';

let shown = 0;

/** The statuses that have words of their own; the others have those of their hundred. */
const STATUSES = new Set([400, 401, 403, 404, 409, 413, 422, 429, 503]);

/** Returns what a status of HTTP means to a person. */
export const statusText = (status) => formatText(STATUSES.has(status) ? `status_${status}` : `status_${Math.floor(status / 100)}xx`);

/** Returns the text that describes a failure, without its numbers: what kind it is, and what the broker says of it. */
export function failureText(failure) {
  if (failure.status === 0) return formatText('unreachable');
  const words = statusText(failure.status);
  return failure.message ? formatText('failure', { words, message: failure.message }) : words;
}

/** Shows a dialog with a title; `fill(dialog, body)` adds the rest. Resolves with its `returnValue` when it closes. */
export function openDialog(titleKey, vars, fill, className = 'ask') {
  const title = make('h3', { id: `dialog-${shown += 1}` });
  setText(title, titleKey, vars);
  const dialog = make('dialog', { className }, title);
  dialog.setAttribute('aria-labelledby', title.id);
  fill(dialog);
  document.body.append(dialog);
  dialog.addEventListener('click', (event) => event.target === dialog && !dialog.dataset.stays && dialog.close());
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/** Adds a field with a caption to a form. @returns {HTMLElement} the field */
export function labelled(form, key, input) {
  const caption = make('span');
  setText(caption, key);
  form.append(make('label', {}, caption, input));
  return input;
}

/** Makes an option of its value, its words, and the number in them if there is one. */
export function optionOf([value, words, n]) {
  const option = make('option', { value });
  setText(option, words, n === undefined ? null : { n });
  return option;
}

/**
 * Asks whether to do something that others notice.
 * @param {{title: string, text: string, vars?: object, act: string, fields?: {name: string, label: string, options?: [string, string][], maxLength?: number}[]}} question
 * @returns {Promise<object | null>} the fields' values; null: no
 */
export async function confirm({ title, text, vars = {}, act, fields = [] }) {
  const inputs = new Map();
  const answer = await openDialog(title, vars, (dialog) => {
    const words = make('p');
    setText(words, text, vars);
    const form = make('form', { method: 'dialog' }, words);
    for (const { name, label: key, options, maxLength } of fields) {
      const input = options ? make('select', { name }, ...options.map(optionOf)) : make('input', { name, maxLength: maxLength ?? 256, autocomplete: 'off' });
      inputs.set(name, labelled(form, key, input));
    }
    const no = textButton('cancel', () => dialog.close(), { className: 'quiet', autofocus: true });
    const yes = textButton(act, null, { type: 'submit', className: 'danger', value: 'yes' });
    form.append(make('div', { className: 'choices' }, no, yes));
    dialog.append(form);
  });
  return answer === 'yes' ? Object.fromEntries([...inputs].map(([name, input]) => [name, input.value])) : null;
}

/** Shows a line that disappears by itself. */
export function tell(key, vars, isError = false) {
  const line = make('p', { className: isError ? 'toast bad' : 'toast' });
  line.setAttribute('role', isError ? 'alert' : 'status');
  if (isError && typeof key !== 'string') line.textContent = failureText(key);
  else setText(line, key, vars);
  // A dialog is above everything else on the page.
  ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(line);
  setTimeout(() => line.remove(), 5000);
}

/** Asks for confirmation, runs the action, and shows its result. @returns {Promise<boolean>} whether it was done */
export async function doAfterAsking(question, work, doneKey) {
  const values = await confirm(question);
  if (!values) return false;
  try {
    await work(values);
    tell(doneKey, question.vars);
    return true;
  } catch (failure) {
    tell(failure, null, true);
    return false;
  }
}
