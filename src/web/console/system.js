// Uploads, brokers that share the store, storage, settings, and the audit log.

import { make } from '../page/dom.js';
import { ask, id } from './api.js';
import { doAfterAsking, failureText, statusText } from './ask.js';
import { Listing, page, rowButton } from './lists.js';
import { factList, mark } from './parts.js';
import { bytesText, count, exactText, lastingText, placeholder, setLabel, setText } from './text.js';

const EVERY_MS = 2000;

export function uploads(root) {
  const list = new Listing({
    path: 'uploads', field: 'uploadList', empty: 'noUploads', filter: false, query: { limit: undefined },
    columns: [
      { key: 'user', of: (one) => one.userID, kind: 'code' },
      { key: 'fileName', of: (one) => one.fileName || one.fileUID, kind: 'wide' },
      { key: 'kind', of: (one) => mark(`kind${one.kind}`, 'plain') },
      { key: 'progress', of: progress, kind: 'wide' },
    ],
  });
  const timer = setInterval(() => list.reload(), EVERY_MS);
  const stop = page(root, 'uploads', list);
  return () => {
    clearInterval(timer);
    stop();
  };
}

function progress(upload) {
  const whole = upload.bytesPromised ?? upload.size ?? 0;
  const bar = make('progress', { max: Math.max(whole, 1), value: upload.bytes });
  setLabel(bar, 'progress');
  return make('span', { className: 'progress' }, bar, `${bytesText(upload.bytes)} / ${bytesText(whole)}`);
}

/** Shows the result of a request, or its error. */
async function fill(card, work) {
  try {
    card.replaceChildren(...await work());
  } catch (failure) {
    card.replaceChildren(make('p', { className: 'error', textContent: failureText(failure) }));
  }
}

export function cluster(root) {
  const drain = (node, isDraining, reload) => doAfterAsking(
    isDraining
      ? { title: 'drainTitle', text: 'drainText', vars: { name: node }, act: 'drain' }
      : { title: 'undrainTitle', text: 'undrainText', vars: { name: node }, act: 'undrain' },
    () => ask('PUT', `cluster/nodes/${id(node)}`, { body: { isDraining } }),
    isDraining ? 'draining' : 'undrained',
  ).then((done) => done && reload());
  const list = new Listing({
    path: 'cluster', field: 'nodeList', empty: 'noNodes', filter: false, query: { limit: undefined },
    columns: [
      { key: 'node', of: (one) => one.node, kind: 'code' },
      { key: 'state', of: (one) => mark(`node_${one.state}`, { active: 'good', silent: 'bad' }[one.state] ?? 'plain') },
      { key: 'address', of: (one) => one.address || '–', kind: 'code' },
      { key: 'ownedShards', of: (one) => count(one.ownedShards), kind: 'number' },
      { key: 'lag', of: (one) => (one.lagMs === undefined ? '–' : `${count(one.lagMs)} ms`), kind: 'number' },
      { key: 'heard', of: (one) => lastingText(Math.round(one.heardMsAgo / 1000)), kind: 'number' },
      { key: 'uptime', of: (one) => lastingText(Math.round(one.startedMsAgo / 1000)), kind: 'number' },
      { key: 'version', of: (one) => one.version, kind: 'code' },
    ],
    actions: (one, reload) => {
      if (one.state === 'active') return [rowButton('drain', one.node, () => drain(one.node, true, reload), 'quiet warn')];
      if (one.state === 'draining') return [rowButton('undrain', one.node, () => drain(one.node, false, reload))];
      return [];
    },
  });
  const timer = setInterval(() => list.reload(), EVERY_MS);
  const stop = page(root, 'cluster', list);
  return () => {
    clearInterval(timer);
    stop();
  };
}

export function storage(root) {
  const card = make('section', { className: 'card' });
  fill(card, async () => {
    const { dataDir, storeBytes, mediaBytes, diskFreeBytes, partitions = [] } = await ask('GET', 'storage');
    const facts = [['storeBytes', bytesText(storeBytes)], ['mediaBytes', bytesText(mediaBytes)]];
    if (diskFreeBytes !== undefined) facts.push(['diskFree', bytesText(diskFreeBytes)]);
    facts.push(['dataDir', dataDir]);
    const most = Math.max(1, ...partitions.map((part) => part.bytes));
    const title = make('h3');
    setText(title, 'partitions');
    const bars = partitions.map(({ name, bytes }) => make('li', {}, make('span', { className: 'code', textContent: name }), make('meter', { min: 0, max: most, value: bytes }), make('span', { className: 'number', textContent: bytesText(bytes) })));
    return [factList(facts), ...(bars.length ? [title, make('ul', { className: 'bars' }, ...bars)] : [])];
  });
  return page(root, 'storage', card);
}

export function config(root) {
  const filter = make('input', { type: 'search', autocomplete: 'off', spellcheck: false });
  setLabel(filter, 'filter');
  placeholder(filter, 'filter');
  const note = make('p', { className: 'note' });
  setText(note, 'configNote');
  const body = make('div');
  const card = make('section', { className: 'card' }, make('div', { className: 'tools' }, filter, note), body);
  fill(body, async () => {
    const { config: tree, settings } = await ask('GET', 'config');
    const sections = new Map();
    for (const [path, about] of Object.entries(settings)) {
      const names = path.split('.');
      const section = names.slice(0, -1).join('.');
      const value = names.reduce((part, name) => part?.[name], tree);
      if (!sections.has(section)) sections.set(section, []);
      sections.get(section).push(settingRow(names.at(-1), value, about));
    }
    return [...sections].map(([section, rows]) => make('section', { className: 'settings' }, make('h3', { className: 'code', textContent: `[${section}]` }), make('dl', {}, ...rows)));
  });
  filter.oninput = () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const section of body.querySelectorAll('.settings')) {
      const name = section.querySelector('h3').textContent;
      let any = false;
      for (const row of section.querySelectorAll('dl > div')) {
        row.hidden = !`${name} ${row.textContent}`.toLowerCase().includes(wanted);
        any ||= !row.hidden;
      }
      section.hidden = !any;
    }
  };
  return page(root, 'config', card);
}

/** A setting, where it comes from unless that is the default, and when a change of it takes effect. */
function settingRow(key, value, { reload, origin }) {
  const about = make('span', { className: 'note about' });
  const takesEffect = make('span');
  setText(takesEffect, `reload_${reload}`);
  if (origin && origin !== 'default') {
    const from = make('span', { className: 'origin' });
    setText(from, 'comesFrom', { origin });
    about.append(from, ' · ');
  }
  about.append(takesEffect);
  const row = make('div', { className: origin && origin !== 'default' ? 'is-set' : '' }, make('dt', { className: 'code' }, ...breakable(key)), make('dd', { className: 'code', textContent: shown(value) }), about);
  row.dataset.reload = reload;
  return row;
}

/** A name that may go on in the next line behind each `_`. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, make('wbr')]);

const shown = (value) => (value === '' ? '""' : typeof value === 'string' ? value : JSON.stringify(value));

export function audit(root) {
  const list = new Listing({
    path: 'audit', field: 'auditList', empty: 'noAudit',
    columns: [
      { key: 'time', of: (one) => exactText(one.time) },
      { key: 'who', of: (one) => one.who, kind: 'code' },
      { key: 'action', of: (one) => one.action, kind: 'code wide' },
      { key: 'target', of: (one) => one.target || '–', kind: 'code' },
      { key: 'status', of: (one) => make('span', { className: `mark ${one.status < 400 ? 'good' : 'bad'}`, textContent: `${statusText(one.status)} · ${one.status}` }) },
    ],
  });
  return page(root, 'audit', list);
}
