// The demo page: people side by side, each with a client of their own, all talking to one broker.
//
// Served as <prefix>/page/page.js, next to the modules it is made of:
//   chat-pane.js       one person: session, what is open
//   signin.js          the form before a session
//   list.js            the list of conversations
//   chat.js            a conversation: history, sending, what becomes of it
//   message-log.js     bubbles and their order
//   message-bubble.js  how one message looks
//   actions.js         what can be done to a message
//   menu.js            menus, for pointers and keys
//   composer.js        where one writes: words, files, polls
//   dialogs.js         questions: whom, where to, which options
//   room.js            barrage, counters
//   layout.js          barrages in flight
//   files.js           pictures, players, recording
//   labels.js          messages in few words
//   connection.js      token, client, the cable to pull
//   text.js            the page's own words, in two languages
//   format.js          how words get into the page
//   theme.js           light or dark
//   dom.js             making and finding elements

import { ChatPane, showBadge } from './chat-pane.js';
import { make, part } from './dom.js';
import { PEER } from './labels.js';
import { applyLanguage, setLabel, setTooltip, switchLanguage } from './text.js';
import { nextTheme, applyTheme } from './theme.js';

const PEOPLE = { left: 'alice', right: 'bob', third: 'carol' };

const panes = [];
const page = {
  isTaken: (name) => panes.some((pane) => pane.userID === name),
  sideOf: (name) => panes.find((pane) => pane.userID === name)?.root.dataset.side ?? '',
  others: (pane) => panes.filter((other) => other !== pane && other.userID !== null).map(({ userID }) => userID),
  signedIn: introduce,
  renamed: (pane) => {
    const button = switchButton(pane);
    if (button) part(button, 'switch-name').textContent = pane.name || '…';
  },
  unreadChanged: (pane, count) => {
    const button = switchButton(pane);
    if (button) showBadge(part(button, 'switch-badge'), count);
  },
};

function start() {
  addPane('left');
  addPane('right');
  part(document, 'language').onclick = () => {
    switchLanguage();
    for (const pane of panes) pane.redraw();
  };
  part(document, 'theme').onclick = () => {
    nextTheme();
    showTheme();
  };
  part(document, 'add').onclick = toggleThird;
  showTheme();
  applyLanguage();
  for (const pane of panes) pane.signIn();
}

function showTheme() {
  const theme = applyTheme();
  setTooltip(part(document, 'theme'), `theme-${theme}`);
  setLabel(part(document, 'theme'), `theme-${theme}`);
}

function addPane(side) {
  const button = make('button', { type: 'button' }, make('span'), make('span', { className: 'badge', hidden: true }));
  button.dataset.side = side;
  button.firstChild.dataset.part = 'switch-name';
  button.lastChild.dataset.part = 'switch-badge';
  part(document, 'switch').append(button);
  const pane = new ChatPane(side, PEOPLE[side], page);
  button.onclick = () => showOnPhone(pane);
  panes.push(pane);
  part(document, 'panes').append(pane.root);
  page.renamed(pane);
  showOnPhone(panes[0]);
  return pane;
}

async function toggleThird() {
  const third = panes[2];
  part(document, 'add').setAttribute('aria-pressed', !third);
  if (!third) {
    const pane = addPane('third');
    showOnPhone(pane);
    pane.signIn();
    return;
  }
  panes.pop();
  switchButton(third).remove();
  third.root.remove();
  showOnPhone(panes[0]);
  await third.signOut();
}

/** Opens a conversation between the first two panes, and draws all anew in the newcomer's colour. */
function introduce() {
  for (const pane of panes) if (pane.userID !== null) pane.redraw();
  const [one, other] = panes;
  if (one.userID === null || other.userID === null) return;
  for (const [pane, whom] of [[one, other], [other, one]]) if (!pane.root.querySelector('.conversation:not([hidden])')) pane.open(PEER, whom.userID);
}

function switchButton(pane) {
  return part(document, 'switch').querySelector(`[data-side="${pane.root.dataset.side}"]`);
}

/** Shows one pane on phones, which have room for one; on wide screens all are visible anyway. */
function showOnPhone(shown) {
  for (const pane of panes) {
    pane.root.classList.toggle('shown', pane === shown);
    switchButton(pane).setAttribute('aria-pressed', pane === shown);
  }
  shown.markShownRead();
}

start();
