// Keys of the server API, and what is shown once: a new key, a token of a user.

import { copyText, make, textButton } from '../page/dom.js';
import { ask, id } from './api.js';
import { confirm, doAfterAsking, failureText, labelled, openDialog, optionOf, tell } from './ask.js';
import { Listing, page, rowButton } from './lists.js';
import { formatDateTime, setLabel, setText } from './text.js';

const DAY = 86_400;
/** What a key may be used for, as the server API names it; the words are those of `scope_…`. */
export const SCOPES = [
  '*', 'broadcast', 'messages:read', 'messages:write', 'users:read', 'users:write', 'tokens:write', 'keys:read', 'keys:write', 'rooms:read', 'rooms:write',
  'groups:read', 'groups:write', 'ops:read', 'ops:write',
];
const LASTING = [[`${DAY}`, 'days', 1], [`${30 * DAY}`, 'days', 30], [`${365 * DAY}`, 'days', 365], ['0', 'untilRevoked']];

export function keys(root) {
  const list = new Listing({
    path: 'keys', field: 'keyList', empty: 'noKeys', query: { limit: undefined },
    columns: [
      { key: 'keyName', of: (one) => one.name, kind: 'code' },
      { key: 'scopes', of: (one) => one.scopes.join(', '), kind: 'code wide' },
      { key: 'since', of: (one) => formatDateTime(one.createTime) },
      { key: 'until', of: untilText },
    ],
    actions: (one, reload) => [rowButton('revoke', one.name, () => revoke(one.name).then((done) => done && reload()), 'quiet warn')],
  });
  const note = make('p', { className: 'note' });
  setText(note, 'keysNote');
  const begin = textButton('newKey', async () => { if (await newKey()) list.reload(); }, { className: 'main-action' });
  return page(root, 'keys', make('section', { className: 'card tools lead' }, note, make('span', { className: 'spacer' }), begin), list);
}

const untilText = ({ expireTime }) => {
  const words = make('span');
  if (expireTime === 0) setText(words, 'untilRevoked');
  else if (expireTime <= Date.now()) setText(words, 'hasEnded');
  else words.textContent = formatDateTime(expireTime);
  return words;
};

const revoke = (name) => doAfterAsking({ title: 'revokeTitle', text: 'revokeText', vars: { name }, act: 'revoke' }, () => ask('DELETE', `keys/${id(name)}`), 'revoked');

/** Asks for a name and scopes until a key is made or it is given up. @returns {Promise<boolean>} whether one was made */
async function newKey() {
  let made = null;
  await openDialog('newKey', null, (dialog) => {
    const form = make('form', { method: 'dialog' });
    const name = labelled(form, 'keyName', make('input', { name: 'keyName', required: true, maxLength: 64, pattern: '[A-Za-z0-9_.\\-]+', autocomplete: 'off', spellcheck: false }));
    const lasting = labelled(form, 'worksFor', make('select', { name: 'lasting' }, ...LASTING.map(optionOf)));
    const boxes = SCOPES.map(scopeBox);
    const legend = make('legend');
    setText(legend, 'mayBeUsedFor');
    form.append(make('fieldset', { className: 'scopes' }, legend, ...boxes.map(({ root }) => root)));
    const all = boxes[0].input;
    all.onchange = () => boxes.slice(1).forEach(({ input }) => { input.disabled = all.checked; });
    const error = make('p', { className: 'error', hidden: true });
    error.setAttribute('role', 'alert');
    const no = textButton('cancel', () => dialog.close(), { className: 'quiet' });
    form.append(error, make('div', { className: 'choices' }, no, textButton('makeKey', null, { type: 'submit', className: 'main-action' })));
    form.onchange = () => { error.hidden = true; };
    form.onsubmit = async (event) => {
      event.preventDefault();
      const scopes = boxes.filter(({ input }) => input.checked && !input.disabled).map(({ scope }) => scope);
      error.hidden = scopes.length > 0;
      if (scopes.length === 0) return setText(error, 'noScope');
      try {
        const { key } = await ask('POST', 'keys', { body: { name: name.value, scopes, ttlSeconds: Number(lasting.value) || undefined } });
        made = { key, name: name.value };
        dialog.close();
      } catch (failure) {
        error.hidden = false;
        error.textContent = failureText(failure);
      }
    };
    dialog.append(form);
    name.focus();
  }, 'ask wide');
  if (made) await showOnce('keyMade', 'keyOnce', made.key, { name: made.name });
  return made !== null;
}

function scopeBox(scope) {
  const input = make('input', { type: 'checkbox', value: scope });
  const words = make('span', { className: 'note' });
  setText(words, `scope_${scope}`);
  return { scope, input, root: make('label', {}, input, make('span', { className: 'code', textContent: scope }), words) };
}

/** Asks for how long, makes a token for a user, and shows it. */
export async function newToken(user) {
  const values = await confirm({
    title: 'tokenTitle', text: 'tokenText', vars: { name: user }, act: 'makeToken',
    fields: [{ name: 'ttlSeconds', label: 'worksFor', options: [['3600', 'hours', 1], [`${DAY}`, 'days', 1], [`${7 * DAY}`, 'days', 7]] }],
  });
  if (!values) return;
  try {
    const { token } = await ask('POST', `users/${id(user)}/tokens`, { body: { ttlSeconds: Number(values.ttlSeconds) } });
    await showOnce('tokenMade', 'tokenOnce', token, { name: user });
  } catch (failure) {
    tell(failure, null, true);
  }
}

/** Shows what can be seen this once, until it is closed by its button or Escape. */
function showOnce(titleKey, noteKey, secret, vars = null) {
  return openDialog(titleKey, vars, (dialog) => {
    dialog.dataset.stays = 'yes';
    const note = make('p');
    setText(note, noteKey);
    const shown = make('output', { className: 'secret code', textContent: secret, tabIndex: 0 });
    setLabel(shown, titleKey, vars);
    const copy = textButton('copy', () => copyText(shown, copy), { className: 'main-action', autofocus: true });
    dialog.append(note, shown, make('div', { className: 'choices' }, textButton('close', () => dialog.close(), { className: 'quiet' }), copy));
  });
}
