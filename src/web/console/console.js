// The operator's page: the broker's state, and the actions on it.
//
// Served as <prefix>/console/console.js, next to the modules it is made of; dom, format and theme are the demo page's.
//   api.js      calls, the session's CSRF token      signin.js   password, and its choice by the link
//   overview.js figures of the moment and charts     chart.js    one chart
//   lists.js    a list, page by page                 ask.js      questions, failures, news
//   people.js   sessions, users, bans                rooms.js    rooms, groups, members
//   tail.js     messages as they come                webhooks.js webhooks and dead letters
//   history.js  what was written in a conversation   keys.js     keys of the server API, tokens of users
//   system.js   uploads, brokers, storage, settings  text.js     the page's words, in two languages

import { make, part } from '../page/dom.js';
import { applyTheme, nextTheme } from '../page/theme.js';
import { onSignedOut, remember, signOut, whoIsThere } from './api.js';
import { tell } from './ask.js';
import { history } from './history.js';
import { keys } from './keys.js';
import { overview } from './overview.js';
import { sessions, users } from './people.js';
import { groups, rooms } from './rooms.js';
import { showSignIn, takeToken } from './signin.js';
import { audit, cluster, config, storage, uploads } from './system.js';
import { tail } from './tail.js';
import { applyLanguage, formatText, setLabel, setText, setTooltip, switchLanguage } from './text.js';
import { webhooks } from './webhooks.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Name, view, and the SVG paths of its icon. */
const VIEWS = [
  ['overview', overview, 'M2 14l4-6 4 3 6-8'],
  ['tail', tail, 'M3 4h12M3 8h12M3 12h7'],
  ['history', history, 'M9 3a6 6 0 1 1-5.5 3.6M3 3v3.8h3.8M9 6v3.2l2.3 1.4'],
  ['sessions', sessions, 'M3 4h12v8H3zM7 15h4'],
  ['users', users, 'M9 3a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM3.5 15.5c.5-3 2.5-4 5.5-4s5 1 5.5 4'],
  ['rooms', rooms, 'M4 16V3h10v13M2.5 16h13M11 9.5h.1'],
  ['groups', groups, 'M6.5 4a2.2 2.2 0 1 1 0 4.4a2.2 2.2 0 0 1 0-4.4zM12.5 5.5a1.7 1.7 0 1 1 0 3.4M2.5 14.5c0-3 2-3.8 4-3.8s4 .8 4 3.8M12.5 11.2c2 0 3 1 3 3'],
  ['uploads', uploads, 'M9 12V3M5.5 6.5L9 3l3.5 3.5M3 15h12'],
  ['webhooks', webhooks, 'M3 9h9M9 5l4 4-4 4M15 4v10'],
  ['cluster', cluster, 'M9 3v5M9 8l-5 5M9 8l5 5M7.5 3h3M2.5 13h3M12.5 13h3'],
  ['storage', storage, 'M3 5c0-2.5 12-2.5 12 0v8c0 2.5-12 2.5-12 0zM3 5c0 2.5 12 2.5 12 0M3 9c0 2.5 12 2.5 12 0'],
  ['config', config, 'M3 5h6M13 5h2M3 13h2M9 13h6M11 3.5v3M7 11.5v3'],
  ['keys', keys, 'M6 8.5a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM8.3 9.2L14.5 3M12 5.5l2 2'],
  ['audit', audit, 'M4 2.5h10v13H4zM6.5 6h5M6.5 9h5M6.5 12h3'],
];

const shell = { view: part(document, 'view'), nav: part(document, 'nav'), link: part(document, 'link'), signOut: part(document, 'signout') };
const token = takeToken();
let stopView = null;

function sign(lines) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 18 18');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', lines);
  svg.append(path);
  return svg;
}

function start() {
  shell.nav.append(...VIEWS.map(([name, , lines]) => {
    const words = make('span');
    setText(words, name);
    const link = make('a', { href: `#${name}` }, sign(lines), words);
    link.dataset.view = name;
    return link;
  }));
  part(document, 'language').onclick = () => {
    switchLanguage();
    // Formatted numbers and times are made anew.
    if (!shell.nav.hidden) show();
    showTheme();
    document.title = formatText('title');
  };
  part(document, 'theme').onclick = () => {
    nextTheme();
    showTheme();
  };
  part(document, 'skip').onclick = (event) => {
    event.preventDefault();
    shell.view.focus();
  };
  shell.signOut.onclick = async () => {
    try {
      await signOut();
      enter({ ended: false });
    } catch (failure) {
      tell(failure, null, true);
    }
  };
  onSignedOut(() => enter({ ended: true }));
  addEventListener('hashchange', () => !shell.nav.hidden && show());
  showTheme();
  applyLanguage();
  document.title = formatText('title');
  enter({ ended: false });
}

function showTheme() {
  const theme = applyTheme();
  setTooltip(part(document, 'theme'), `theme-${theme}`);
  setLabel(part(document, 'theme'), `theme-${theme}`);
}

let entering = null;

/** Asks who is signed in, and shows the views or the sign-in form. One request runs at a time. */
function enter({ ended }) {
  entering ??= look(ended).finally(() => { entering = null; });
}

async function look(ended) {
  let state;
  try {
    state = await whoIsThere();
  } catch {
    linked(false);
    setTimeout(() => enter({ ended }), 2000);
    return;
  }
  linked(null);
  leave();
  remember(state.csrf ?? null);
  const isIn = state.isSignedIn;
  shell.nav.hidden = !isIn;
  shell.signOut.hidden = !isIn;
  if (isIn) show();
  else showSignIn(shell.view, { isSetUp: state.isSetUp, token, ended }, () => enter({ ended: false }));
}

function leave() {
  stopView?.();
  stopView = null;
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  shell.view.replaceChildren();
}

/** Shows the view that the address names. */
function show() {
  const wanted = location.hash.slice(1);
  const [name, view] = VIEWS.find(([one]) => one === wanted) ?? VIEWS[0];
  leave();
  for (const link of shell.nav.children) {
    if (link.dataset.view === name) {
      link.setAttribute('aria-current', 'page');
      link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    } else link.removeAttribute('aria-current');
  }
  shell.view.dataset.view = name;
  scrollTo(0, 0);
  stopView = view(shell.view, { linked, signedOut: () => enter({ ended: true }) }) ?? null;
}

/** Shows whether the broker answers: true, false, or null where it does not matter. */
function linked(is) {
  shell.link.hidden = is !== false;
  if (is === false) {
    setText(shell.link, 'noAnswer');
    shell.link.dataset.state = '3';
  }
}

start();
