// Menus of messages and conversations, for pointer, touch and keys.

import { make, textButton } from './dom.js';
import { setLabel } from './text.js';

export const REACTIONS = ['👍', '❤️', '😂', '🎉', '😮', '🙏'];

const GAP_PX = 4;
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

let close = () => {};
let openAt = null;

/**
 * Opens a menu at a button, or closes the one that is open there. Its parent is the pane, because the bubble may be drawn anew meanwhile.
 * @param {HTMLElement} button
 * @param {{name: string, react?: (reaction: string) => void, items: [string, () => void][], back: () => void}} what
 *   `name` and the items' names are entries of the dictionary; `back` takes the focus when nothing was chosen
 */
export function openMenu(button, { name, react, items, back }) {
  const isOpen = openAt === button;
  close();
  if (isOpen) return;
  const menu = make('div', { className: 'menu' });
  menu.setAttribute('role', 'menu');
  setLabel(menu, name);
  const choose = (act) => () => {
    close();
    act();
  };
  if (react) menu.append(quickReactions((reaction) => choose(() => react(reaction))()));
  menu.append(...items.map(([key, act]) => textButton(key, choose(act))));
  const buttons = [...menu.querySelectorAll('button')];
  for (const item of buttons) {
    item.setAttribute('role', 'menuitem');
    item.tabIndex = -1;
  }
  menu.onkeydown = (event) => {
    const at = buttons.indexOf(document.activeElement);
    if (event.key === 'Escape' || event.key === 'Tab') close();
    else if (event.key === 'Home' || event.key === 'End') buttons.at(event.key === 'Home' ? 0 : -1).focus();
    else if (event.key in STEPS) buttons.at((at + STEPS[event.key]) % buttons.length).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const outside = (event) => !menu.contains(event.target) && !button.contains(event.target) && close();
  const cut = new AbortController();
  close = () => {
    close = () => {};
    openAt = null;
    cut.abort();
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    button.setAttribute('aria-expanded', 'false');
    if (hadFocus) back();
  };
  document.addEventListener('pointerdown', outside, { capture: true, signal: cut.signal });
  addEventListener('resize', () => close(), { signal: cut.signal });
  openAt = button;
  button.setAttribute('aria-expanded', 'true');
  const pane = button.closest('.pane');
  pane.append(menu);
  place(menu, button, pane);
  buttons[0].focus({ preventScroll: true });
}

function quickReactions(react) {
  const row = make('div', { className: 'quick' });
  row.setAttribute('role', 'none');
  for (const reaction of REACTIONS) {
    const button = make('button', { type: 'button', textContent: reaction });
    button.onclick = () => react(reaction);
    row.append(button);
  }
  return row;
}

/** Places a menu below its button, or above where there is no room; always within the pane. */
function place(menu, button, pane) {
  const [at, all] = [button.getBoundingClientRect(), pane.getBoundingClientRect()];
  const below = at.bottom - all.top + GAP_PX;
  const above = at.top - all.top - GAP_PX - menu.offsetHeight;
  const top = below + menu.offsetHeight <= all.height || above < 0 ? below : above;
  const left = at.left + at.width / 2 < all.left + all.width / 2 ? at.left - all.left : at.right - all.left - menu.offsetWidth;
  const within = (value, most) => Math.max(GAP_PX, Math.min(value, most - GAP_PX));
  menu.style.top = `${within(top, all.height - menu.offsetHeight)}px`;
  menu.style.left = `${within(left, all.width - menu.offsetWidth)}px`;
}
