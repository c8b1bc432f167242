// The demo page: two people side by side, each with a client of their own, both talking to one broker.
//
// Served as <prefix>/page/page.js, next to the modules it is made of:
//   pane.js   one person: sign-in, connection, tabs      chat.js   messages, their order, their state
//   room.js   room chat, barrage, counters               stage.js  barrages in flight
//   group.js  the group both are in                      link.js   token, client, the cable to pull
//   files.js  pictures, players, chips, recording    text.js   the words, in two languages

import { Pane, showBadge } from './pane.js';
import { applyLanguage, switchLanguage } from './text.js';
import { part } from './chat.js';

const PEOPLE = { left: 'alice', right: 'bob' };

const watch = {
  isTaken: (name) => panes.some((pane) => pane.userID === name),
  signedIn: () => {
    // One after the other: two at once would each find no group and each make one.
    introduced = introduced.then(introduce);
  },
  renamed: (pane) => {
    part(switchButton(pane), 'switch-name').textContent = pane.name || '…';
  },
  unseenChanged: (pane, count) => showBadge(part(switchButton(pane), 'switch-badge'), count),
};
const panes = [];
let introduced = Promise.resolve();

function start() {
  for (const [side, name] of Object.entries(PEOPLE)) {
    const pane = new Pane(side, name, watch);
    panes.push(pane);
    part(document, 'panes').append(pane.root);
    switchButton(pane).onclick = () => showOnPhone(pane);
  }
  part(document, 'language').onclick = switchLanguage;
  applyLanguage();
  for (const pane of panes) pane.signIn();
}

/** Whoever is there is turned towards the other; once both are, one of them makes their group. */
async function introduce() {
  const present = panes.filter((pane) => pane.userID !== null);
  const found = await Promise.all(present.map((pane) => pane.meet(otherThan(pane).name)));
  if (present.length === panes.length && !found.includes(true)) await panes[0].makeGroup();
}

function otherThan(pane) {
  return panes.find((other) => other !== pane);
}

function switchButton(pane) {
  return part(document, 'switch').querySelector(`[data-side="${pane.root.dataset.side}"]`);
}

/** A phone has room for one person at a time; on wide screens this changes nothing that can be seen. */
function showOnPhone(pane) {
  document.body.dataset.shown = pane.root.dataset.side;
  for (const button of part(document, 'switch').children) {
    button.setAttribute('aria-pressed', button === switchButton(pane));
  }
  pane.seen();
}

start();
