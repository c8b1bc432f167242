// The figures of the moment and of the last five minutes.

import { make } from '../page/dom.js';
import { ask } from './api.js';
import { Chart, SAMPLES } from './chart.js';
import { bytesText, count, formatText, lastingText, numberText, setText } from './text.js';

const EVERY_MS = 2000;
const rate = (value) => `${numberText(value)}/s`;
const ms = (value) => `${numberText(value)} ms`;

/** The samples; kept while the page is open, so that the view shows them again. */
const samples = [];
let before = null;

/** Returns how long `part` of the appends of an interval took at most, in ms, by linear interpolation; null where there were none. */
export function quantile(buckets, part) {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  let [below, bound] = [0, 0];
  for (const { le, count: upTo } of buckets) {
    if (upTo >= total * part) {
      const end = le ?? bound;
      const share = upTo === below ? 1 : (total * part - below) / (upTo - below);
      return (bound + (end - bound) * share) * 1000;
    }
    [below, bound] = [upTo, le ?? bound];
  }
  return bound * 1000;
}

const dropsOf = (stats, kind) => stats.dropped.filter((drops) => drops.class === kind).reduce((sum, drops) => sum + drops.messages, 0);

/** Returns one sample for every chart, from two answers. */
export function sampleOf(now, then) {
  const seconds = Math.max((now.time - then.time) / 1000, 0.001);
  // A broker that was restarted counts from zero again.
  const per = (of) => Math.max(of(now) - of(then), 0) / seconds;
  const took = now.appendSeconds.map(({ le, count: upTo }, n) => ({ le, count: Math.max(upTo - (then.appendSeconds[n]?.count ?? 0), 0) }));
  return {
    time: now.time,
    connections: now.connections, sessions: now.sessions,
    storable: per((stats) => stats.accepted.storable), command: per((stats) => stats.accepted.command), barrage: per((stats) => stats.accepted.barrage),
    delivered: per((stats) => stats.delivered),
    p50: quantile(took, 0.5), p99: quantile(took, 0.99),
    store: now.queues.storeWaiting, appends: now.queues.appendsInFlight, outboxes: now.queues.outboxBytes,
    written: per((stats) => stats.store.appended), flushes: per((stats) => stats.store.flushes),
    droppedBarrage: per((stats) => dropsOf(stats, 'barrage')), droppedCommand: per((stats) => dropsOf(stats, 'command')),
  };
}

export function overview(root, { linked }) {
  const charts = [
    new Chart('connectionsTitle', [{ key: 'connections', name: 'connections' }, { key: 'sessions', name: 'signedIn' }], numberText),
    new Chart('acceptedTitle', [{ key: 'storable', name: 'storable' }, { key: 'barrage', name: 'barrage' }, { key: 'command', name: 'command' }], rate),
    new Chart('deliveredTitle', [{ key: 'delivered', name: 'delivered' }], rate),
    new Chart('latencyTitle', [{ key: 'p50', name: 'p50' }, { key: 'p99', name: 'p99' }], ms),
    new Chart('queuesTitle', [{ key: 'store', name: 'storeWaiting' }, { key: 'appends', name: 'appendsInFlight' }], numberText),
    new Chart('diskTitle', [{ key: 'written', name: 'written' }, { key: 'flushes', name: 'flushes' }], rate),
    new Chart('outboxTitle', [{ key: 'outboxes', name: 'outboxBytes' }], bytesText),
    new Chart('droppedTitle', [{ key: 'droppedBarrage', name: 'barrage' }, { key: 'droppedCommand', name: 'command' }], rate),
  ];
  for (const sample of samples) for (const chart of charts) chart.add(sample);
  const facts = make('dl', { className: 'facts' });
  const health = make('p', { className: 'pill' });
  const title = make('h2');
  setText(title, 'overview');
  const drops = make('section', { className: 'card' });
  root.append(make('div', { className: 'head' }, title, health), facts, make('div', { className: 'charts' }, ...charts.map((chart) => chart.root)), drops);

  let timer = null;
  let isOver = false;
  const look = async () => {
    try {
      const stats = await ask('GET', 'stats');
      if (isOver) return;
      linked(true);
      if (before && stats.time > before.time) {
        samples.push(sampleOf(stats, before));
        if (samples.length > SAMPLES) samples.shift();
        for (const chart of charts) chart.add(samples.at(-1));
      }
      before = stats;
      showFacts(facts, health, stats);
      showDrops(drops, stats);
    } catch (failure) {
      if (!isOver) linked(failure.status === 401 ? null : false);
    }
    if (!isOver) timer = setTimeout(look, EVERY_MS);
  };
  look();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** A figure that the store gives; it is not there while the store does not answer. */
const known = (figure) => (figure === undefined || figure === null ? '–' : count(figure));
const atWork = ({ atWork: { peers, rooms, groups } }) => ({ peers: count(peers), rooms: count(rooms), groups: count(groups) });

function showFacts(list, health, stats) {
  const isCalm = stats.pressure === 0;
  health.dataset.state = isCalm ? '2' : '3';
  setText(health, isCalm ? 'calm' : 'behind', { n: stats.pressure });
  const facts = [
    ['usersOnline', count(stats.usersOnline)], ['rooms', known(stats.rooms)], ['groups', known(stats.groups)], ['atWork', formatText('atWorkNow', atWork(stats))],
    ['files', bytesText(stats.media.bytes)], ['uploads', count(stats.media.uploads)], ['uptime', lastingText(stats.uptimeSeconds)], ['version', stats.version],
  ];
  list.replaceChildren(...facts.map(([key, value]) => {
    const name = make('dt');
    setText(name, key);
    return make('div', {}, name, make('dd', { textContent: value }));
  }));
}

function showDrops(card, stats) {
  const title = make('h3');
  setText(title, 'dropsTitle');
  card.replaceChildren(title);
  if (stats.dropped.length === 0) {
    const none = make('p', { className: 'note' });
    setText(none, 'noDrops');
    card.append(none);
    return;
  }
  const rows = [...stats.dropped].sort((a, b) => b.messages - a.messages).map(({ class: kind, priority, reason, messages }) => {
    const cells = [[kind, 'class'], [`priority${priority}`, 'priority'], [`reason_${reason}`, 'reason']].map(([key, name]) => {
      const cell = make('td');
      setText(cell, key);
      cell.dataset.name = name;
      return cell;
    });
    return make('tr', {}, ...cells, make('td', { className: 'number', textContent: count(messages) }));
  });
  const heads = ['class', 'priority', 'reason', 'messages'].map((key) => {
    const head = make('th', { scope: 'col', className: key === 'messages' ? 'number' : '' });
    setText(head, key);
    return head;
  });
  card.append(make('table', { className: 'plain' }, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...rows)));
}
