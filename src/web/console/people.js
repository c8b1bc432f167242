// Open sessions, registered users, banned users.

import { make, textButton } from '../page/dom.js';
import { ask, id } from './api.js';
import { doAfterAsking, failureText } from './ask.js';
import { openHistory } from './history.js';
import { newToken } from './keys.js';
import { Listing, page, rowButton } from './lists.js';
import { factList, heading, mark } from './parts.js';
import { bytesText, count, formatDateTime, formatText, lastingText, placeholder, setLabel } from './text.js';

const DAY = 86_400;

export function sessions(root) {
  const kick = (session, reload) => doAfterAsking(
    { title: 'kickTitle', text: 'kickText', vars: { name: session.userID }, act: 'kick' },
    () => ask('POST', `sessions/${id(session.sessionID)}/kick`),
    'kicked',
  ).then((done) => done && reload());
  const list = new Listing({
    path: 'sessions', field: 'sessionList', empty: 'noSessions',
    columns: [
      { key: 'user', of: (one) => one.userID, kind: 'code' },
      { key: 'device', of: (one) => one.deviceID, kind: 'code' },
      { key: 'since', of: (one) => formatDateTime(one.connectTime) },
      { key: 'silent', of: (one) => lastingText(Math.round(one.silentMs / 1000)), kind: 'number' },
      { key: 'waiting', of: (one) => bytesText(one.outboxBytes), kind: 'number' },
      { key: 'dropped', of: (one) => count(one.dropped), kind: 'number' },
    ],
    actions: (one, reload) => [rowButton('kick', one.userID, () => kick(one, reload), 'quiet warn')],
  });
  return page(root, 'sessions', list);
}

const banQuestion = (name) => ({
  title: 'banTitle', text: 'banText', vars: { name }, act: 'ban',
  fields: [
    { name: 'durationSeconds', label: 'howLong', options: [[`${3600}`, 'hours', 1], [`${DAY}`, 'days', 1], [`${7 * DAY}`, 'days', 7], [`${30 * DAY}`, 'days', 30], ['0', 'forGood']] },
    { name: 'reason', label: 'reasonForOperators', maxLength: 80 },
  ],
});

const ban = (name) => doAfterAsking(
  banQuestion(name),
  ({ durationSeconds, reason }) => ask('PUT', `users/${id(name)}/ban`, { body: { reason, durationSeconds: Number(durationSeconds) } }),
  'banned',
);
const unban = (name) => doAfterAsking(
  { title: 'unbanTitle', text: 'unbanText', vars: { name }, act: 'unban' },
  () => ask('DELETE', `users/${id(name)}/ban`),
  'unbanned',
);
const kickUser = (name) => doAfterAsking(
  { title: 'kickTitle', text: 'kickAllText', vars: { name }, act: 'kick' },
  () => ask('POST', `users/${id(name)}/kick`),
  'kicked',
);
const untilText = (held) => (held.endTime === 0 ? formatText('forGood') : formatDateTime(held.endTime));

export function users(root) {
  const bans = new Listing({
    path: 'bans', field: 'banList', empty: 'noBans', filter: false,
    columns: [
      { key: 'user', of: (one) => one.userID, kind: 'code' },
      { key: 'reasonForOperators', of: (one) => one.reason || '–', kind: 'wide' },
      { key: 'since', of: (one) => formatDateTime(one.createTime) },
      { key: 'until', of: untilText },
    ],
    actions: (one) => [rowButton('unban', one.userID, () => unban(one.userID).then(changed))],
  });
  const list = new Listing({
    path: 'users', field: 'userList', empty: 'noUsers',
    columns: [
      { key: 'user', of: (one) => one.userID, kind: 'code' },
      { key: 'name', of: (one) => one.userName || '–', kind: 'wide' },
      { key: 'state', of: (one) => mark(one.ban ? 'isBanned' : 'isFree', one.ban ? 'bad' : 'plain') },
    ],
    actions: (one) => [rowButton('show', one.userID, () => show(one.userID))],
  });
  const input = make('input', { type: 'search', autocomplete: 'off', spellcheck: false, required: true });
  setLabel(input, 'userID');
  placeholder(input, 'userID');
  const shown = make('div', { className: 'found' });
  shown.setAttribute('aria-live', 'polite');
  const form = make('form', { className: 'tools' }, input, textButton('find', null, { type: 'submit' }));
  const search = make('section', { className: 'card' }, form, shown);
  form.onsubmit = (event) => {
    event.preventDefault();
    show(input.value.trim());
  };
  const changed = (done) => {
    if (!done) return;
    bans.reload();
    list.reload();
    if (shown.dataset.user) show(shown.dataset.user);
  };

  async function show(name) {
    input.value = name;
    try {
      const [user, { sessionList }] = await Promise.all([ask('GET', `users/${id(name)}`), ask('GET', `users/${id(name)}/sessions`)]);
      shown.dataset.user = name;
      shown.replaceChildren(portrait(user, sessionList));
      search.scrollIntoView({ block: 'nearest' });
    } catch (failure) {
      delete shown.dataset.user;
      shown.replaceChildren(make('p', { className: 'error', textContent: failureText(failure) }));
    }
  }

  function portrait(user, sessionList) {
    const isOnline = user.onlineStatus === 0;
    const head = make('div', { className: 'head' }, make('h3', { className: 'code', textContent: user.userID }), mark(isOnline ? 'online' : 'offline', isOnline ? 'good' : 'plain'));
    if (user.ban) head.append(mark('isBanned', 'bad'));
    const facts = [
      ['name', user.userName || '–'], ['lastChange', user.lastUpdateTime ? formatDateTime(user.lastUpdateTime) : '–'], ['sessions', count(user.sessionCount)],
      ['devices', sessionList.map((one) => one.deviceID).join(', ') || '–'],
    ];
    if (user.userExtendedData) facts.push(['extendedData', user.userExtendedData]);
    if (user.ban) facts.push(['until', untilText(user.ban)], ['reasonForOperators', user.ban.reason || '–']);
    const acts = make('div', { className: 'choices' });
    acts.append(rowButton('conversations', user.userID, () => openHistory({ user: user.userID })), rowButton('makeToken', user.userID, () => newToken(user.userID)));
    if (user.sessionCount > 0) acts.append(rowButton('kick', user.userID, () => kickUser(user.userID).then(changed), 'quiet warn'));
    acts.append(user.ban
      ? rowButton('unban', user.userID, () => unban(user.userID).then(changed))
      : rowButton('ban', user.userID, () => ban(user.userID).then(changed), 'danger'));
    return make('div', { className: 'portrait' }, head, factList(facts), acts);
  }
  return page(root, 'users', search, list, heading('bans'), bans);
}
