// Dialogs. Each resolves with what was chosen, or null.

import { copyOf, make, part, showError, textButton } from './dom.js';
import { figureOf, isFile } from './files.js';
import { COMBINED, GROUP, OPTIONS_MAX, PEER, ROOM, pollOf, summaryOf } from './labels.js';
import { formatDateTime, formatText, setLabel, setText, translate } from './text.js';

const OPTIONS_MIN = 2;
const SHOWN_MS = 6000;

let asked = 0;

/** Shows a dialog until it is closed. @returns {Promise<string>} its `returnValue` */
export function ask(dialog) {
  translate(dialog);
  const title = dialog.querySelector('h3');
  title.id = `dialog-${asked += 1}`;
  dialog.setAttribute('aria-labelledby', title.id);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    for (const button of dialog.querySelectorAll('[data-part="cancel"]')) button.onclick = () => dialog.close();
  });
}

/** Asks whom to talk to. @returns {Promise<{type: number, id: string, create?: {name: string, users: string[]}} | null>} */
export async function askForConversation(suggested) {
  const dialog = copyOf('new-template');
  const form = dialog.querySelector('form');
  const show = () => {
    const kind = form.elements.kind.value;
    for (const field of form.querySelectorAll('[data-kinds]')) {
      field.hidden = !field.dataset.kinds.split(' ').includes(kind);
      for (const input of field.querySelectorAll('input')) input.disabled = field.hidden;
    }
  };
  part(form, 'members').value = suggested.join(', ');
  form.onchange = show;
  show();
  form.onsubmit = () => { dialog.returnValue = 'ok'; };
  if (await ask(dialog) !== 'ok') return null;
  const value = (name) => part(form, name).value.trim();
  const users = value('members').split(/[\s,，]+/).filter(Boolean);
  switch (form.elements.kind.value) {
    case 'peer': return { type: PEER, id: value('peer-id') };
    case 'room': return { type: ROOM, id: value('new-room-id') };
    case 'join': return { type: GROUP, id: value('group-id'), join: true };
    default: return { type: GROUP, id: '', create: { name: value('new-group-name'), users } };
  }
}

/** Asks for a poll: a question with its options. @returns {Promise<{question: string, options: string[]} | null>} */
export async function askForPoll() {
  const dialog = copyOf('poll-template');
  const form = dialog.querySelector('form');
  const field = part(form, 'poll-options');
  const options = () => [...new Set(field.value.split('\n').map((line) => line.trim()).filter(Boolean))];
  const check = () => field.setCustomValidity(options().length < OPTIONS_MIN || options().length > OPTIONS_MAX ? formatText('optionsRange', { min: OPTIONS_MIN, max: OPTIONS_MAX }) : '');
  field.oninput = check;
  check();
  form.onsubmit = () => { dialog.returnValue = 'ok'; };
  if (await ask(dialog) !== 'ok') return null;
  return { question: part(form, 'question').value.trim(), options: options() };
}

/** Asks where to forward messages, and whether as one. @returns {Promise<{conversation: object, combined: boolean} | null>} */
export async function askForTarget(conversations) {
  const dialog = copyOf('forward-template');
  const list = part(dialog, 'targets');
  conversations.forEach((conversation, n) => {
    const radio = make('input', { type: 'radio', name: 'target', value: `${n}`, required: true, checked: n === 0 });
    list.append(make('label', {}, radio, make('span', { textContent: conversation.conversationName || conversation.conversationID })));
  });
  const form = dialog.querySelector('form');
  form.onsubmit = (event) => { dialog.returnValue = event.submitter?.value ?? 'combined'; };
  const answer = await ask(dialog);
  if (answer !== 'combined' && answer !== 'each') return null;
  return { conversation: conversations[Number(form.elements.target.value)], combined: answer === 'combined' };
}

/** Shows the children of a combined message; one within another opens on top of it. */
export async function showCombined(zim, message) {
  const dialog = make('dialog', { className: 'history' });
  const [title, list, error] = [make('h3', { textContent: message.title }), make('ol', { tabIndex: 0 }), make('p', { className: 'error', hidden: true })];
  setLabel(list, 'messages');
  dialog.append(title, error, list, textButton('close', () => dialog.close(), { className: 'quiet', autofocus: true }));
  const closed = ask(dialog);
  try {
    const { message: whole } = await zim.queryCombineMessageDetail({ ...message });
    list.append(...whole.messageList.map((child) => lineOf(zim, child)));
  } catch (failure) {
    showError(error, failure);
  }
  await closed;
}

function lineOf(zim, child) {
  const at = new Date(child.timestamp);
  const head = make('p', { className: 'line-head' }, make('strong', { textContent: child.senderUserID }),
    make('time', { dateTime: at.toISOString(), textContent: formatDateTime(child.timestamp) }));
  const line = make('li', {}, head);
  if (isFile(child)) line.append(figureOf(child, (one) => zim.refreshMediaUrls(one)));
  else if (child.type === COMBINED) {
    const open = make('button', { type: 'button', className: 'combined', textContent: summaryOf(child) });
    open.onclick = () => showCombined(zim, child);
    line.append(open);
  } else {
    const poll = pollOf(child);
    line.append(make('p', { className: 'words', textContent: poll ? `${poll.question}: ${poll.options.join(' / ')}` : summaryOf(child) }));
  }
  return line;
}

/** Shows an error in a line that disappears by itself. */
export function toast(root, error) {
  const line = make('p', { className: 'toast' });
  line.setAttribute('role', 'alert');
  if (typeof error === 'string') setText(line, error);
  else showError(line, error);
  line.hidden = false;
  root.append(line);
  setTimeout(() => line.remove(), SHOWN_MS);
}

/** Shows something that happened in a line that disappears by itself. */
export function tell(root, key, vars) {
  const line = make('p', { className: 'toast told' });
  line.setAttribute('role', 'status');
  setText(line, key, vars);
  root.append(line);
  setTimeout(() => line.remove(), SHOWN_MS);
}
