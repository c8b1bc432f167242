// The demo page: people side by side, each with a client of their own, all talking to one broker.
//
// Served as <prefix>/page/page.js, next to the modules it is made of:
//   chat-pane.js       one person: session, cable
//   signin.js          the form before a session
//   demo.js            whom a tab takes, and a lobby that is alive before anybody is there
//   talk.js            what is talked about: which conversations, what the broker tells
//   list.js            the list of conversations
//   search.js          the search above it
//   presence.js        who is online, who is typing
//   chat.js            a conversation: history, sending, what becomes of it
//   message-log.js     bubbles and their order
//   message-bubble.js  how one message looks
//   words.js           links and mentions in its words
//   avatar.js          the colour of a name
//   actions.js         what can be done to a message
//   menu.js            menus, for pointers and keys
//   composer.js        where one writes: words, files, polls
//   dialogs.js         questions: whom, where to, which options
//   group.js           a group and its members
//   room.js            barrage, counters
//   layout.js          barrages in flight
//   files.js           pictures, players, recording
//   labels.js          messages in few words
//   connection.js      token, client, the cable to pull
//   text.js            the words, in two languages
//   format.js          how words get into the page
//   theme.js           light or dark
//   dom.js             making and finding elements

import { ChatPane, showBadge } from './chat-pane.js';
import { make, part } from './dom.js';
import { PEER } from './labels.js';
import { applyLanguage, setLabel, setText, setTooltip, switchLanguage } from './text.js';
import { nextTheme, applyTheme } from './theme.js';

const PEOPLE = { left: 'alice', right: 'bob', third: 'carol' };

const panes = [];
const page = {
  isTaken: (name) => panes.some((pane) => pane.userID === name),
  sideOf: (name) => panes.find((pane) => pane.userID === name)?.side ?? '',
  others: (me) => panes.map(({ userID }) => userID).filter((userID) => userID !== null && userID !== me),
  flood: (roomID, isOn) => panes.forEach(({ talk }) => talk?.flood(roomID, isOn)),
  signedIn: introduce,
  renamed: (pane) => {
    const button = switchButton(pane);
    if (button) part(button, 'switch-name').textContent = pane.name || '…';
  },
  stateChanged: (pane) => {
    const button = switchButton(pane);
    if (button) button.dataset.state = pane.connection.state;
    if (pane.root.classList.contains('shown')) showTools(pane);
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
  listenToTools();
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

/** Lets those on the page meet: the first in the lobby, where there is one, the others in a conversation with each other. */
function introduce() {
  for (const pane of panes) pane.redraw();
  const present = panes.filter(({ userID }) => userID !== null);
  for (const { userID, talk } of present) talk.meet(page.others(userID), userID === panes[0].userID);
  const [one, other] = panes;
  if (one.userID === null || other.userID === null) return;
  for (const [{ talk }, { userID }] of [[one, other], [other, one]]) if (!talk.hasOpenChat) talk.open(PEER, userID);
}

function switchButton(pane) {
  return part(document, 'switch').querySelector(`[data-side="${pane.side}"]`);
}

/** Shows one pane on phones, which have room for one; on wide screens all are visible anyway. */
function showOnPhone(shown) {
  for (const pane of panes) {
    pane.root.classList.toggle('shown', pane === shown);
    switchButton(pane).setAttribute('aria-pressed', pane === shown);
  }
  shown.talk?.markShownRead();
  showTools(shown);
}

/** On phones the tools of the page and of the person who is shown are in one sheet. */
function listenToTools() {
  const [tools, more] = [part(document, 'tools'), part(document, 'more-tools')];
  const open = (is) => {
    tools.classList.toggle('open', is);
    more.setAttribute('aria-expanded', is);
  };
  more.onclick = () => open(!tools.classList.contains('open'));
  document.addEventListener('pointerdown', ({ target }) => !tools.contains(target) && !more.contains(target) && open(false));
  document.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || !tools.classList.contains('open')) return;
    open(false);
    more.focus();
  });
  tools.addEventListener('click', ({ target }) => target.closest('button, a') && open(false));
  const shown = () => panes.find(({ root }) => root.classList.contains('shown'));
  part(document, 'tool-cable').onclick = () => shown().toggleCable();
  part(document, 'tool-signout').onclick = () => shown().signOut();
}

function showTools(pane) {
  const { isOut } = pane.connection;
  for (const name of ['tool-cable', 'tool-signout']) part(document, name).hidden = pane.userID === null;
  setText(part(document, 'tool-cable'), isOut ? 'plug' : 'unplug');
}

start();
