// Webhooks: the figures of their delivery, and the dead letters.

import { make } from '../page/dom.js';
import { ask, id } from './api.js';
import { doAfterAsking, failureText } from './ask.js';
import { Listing, page, rowButton } from './lists.js';
import { heading } from './parts.js';
import { bytesText, count, formatDateTime, setText } from './text.js';

export function webhooks(root) {
  const state = make('section', { className: 'card' });
  const dead = make('div');
  const stop = page(root, 'webhooks', state, dead);
  let list = null;
  look();
  return () => {
    stop();
    list?.stop();
  };

  async function look() {
    try {
      showState(state, await ask('GET', 'webhooks'));
      if (list) return;
      list = letters(look);
      dead.append(heading('deadLetters'), list.root);
    } catch (failure) {
      const words = make('p', { className: failure.status === 404 ? 'note' : 'error' });
      if (failure.status === 404) setText(words, 'noWebhooks');
      else words.textContent = failureText(failure);
      state.replaceChildren(words);
    }
  }
}

/** The formats of the figures; those without one are counts. */
const FIGURES = {
  url: (value) => value || '–', beforeSendUrl: (value) => value || '–', lastError: (value) => value || '–', queueBytes: bytesText,
  oldestTime: (time) => (time > 0 ? formatDateTime(time) : '–'), lastErrorTime: (time) => (time > 0 ? formatDateTime(time) : '–'),
};

/** Shows the current figures. */
function showState(card, told) {
  const facts = Object.entries(told).map(([key, value]) => {
    const name = make('dt');
    setText(name, `hook_${key}`);
    return make('div', {}, name, make('dd', { textContent: (FIGURES[key] ?? count)(value) }));
  });
  card.replaceChildren(make('dl', { className: 'facts' }, ...facts));
}

function letters(changed) {
  const act = (key, doneKey, method, path) => (one, reload) => doAfterAsking(
    { title: `${key}Title`, text: `${key}Text`, vars: { name: one.event ?? one.id }, act: key },
    () => ask(method, path(one)),
    doneKey,
  ).then((done) => { if (done) { reload(); changed(); } });
  const resend = act('resend', 'resent', 'POST', (one) => `webhooks/dead-letters/${id(one.id)}/resend`);
  const discard = act('discard', 'discarded', 'DELETE', (one) => `webhooks/dead-letters/${id(one.id)}`);
  return new Listing({
    path: 'webhooks/dead-letters', field: 'deadLetterList', empty: 'noDeadLetters',
    columns: [
      { key: 'event', of: (one) => one.event ?? '', kind: 'code' },
      { key: 'since', of: (one) => formatDateTime(one.createTime) },
      { key: 'attempts', of: (one) => count(one.attempts ?? 0), kind: 'number' },
      { key: 'lastError', of: (one) => one.lastError ?? '', kind: 'wide' },
    ],
    actions: (one, reload) => [rowButton('resend', one.event ?? one.id, () => resend(one, reload)), rowButton('discard', one.event ?? one.id, () => discard(one, reload), 'quiet warn')],
  });
}
