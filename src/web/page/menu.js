// What can be done to a message: a menu at its bubble, by pointer, touch or keys.

import { make, sayingButton } from './dom.js';
import { label } from './text.js';

export const REACTIONS = ['👍', '❤️', '😂', '🎉', '😮', '🙏'];

let close = () => {};

/**
 * Opens a menu below a button.
 * @param {HTMLElement} button
 * @param {{react(reaction: string): void, items: [string, () => void][]}} what
 */
export function openMenu(button, { react, items }) {
  close();
  const menu = make('div', { className: 'menu' });
  menu.setAttribute('role', 'menu');
  label(menu, 'messageMenu');
  const choose = (act) => () => {
    close();
    act();
  };
  const quick = make('div', { className: 'quick' });
  quick.setAttribute('role', 'none');
  for (const reaction of REACTIONS) {
    const one = make('button', { type: 'button', textContent: reaction });
    one.onclick = choose(() => react(reaction));
    quick.append(one);
  }
  menu.append(quick, ...items.map(([key, act]) => sayingButton(key, choose(act))));
  const buttons = [...menu.querySelectorAll('button')];
  for (const item of buttons) {
    item.setAttribute('role', 'menuitem');
    item.tabIndex = -1;
  }
  menu.onkeydown = (event) => {
    const at = buttons.indexOf(document.activeElement);
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (event.key === 'Escape') close();
    else if (event.key === 'Home' || event.key === 'End') buttons.at(event.key === 'Home' ? 0 : -1).focus();
    else if (event.key in steps) buttons.at((at + steps[event.key]) % buttons.length).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const outside = (event) => !menu.contains(event.target) && event.target !== button && close();
  const left = (event) => event.relatedTarget && !menu.contains(event.relatedTarget) && close();
  menu.addEventListener('focusout', left);
  document.addEventListener('pointerdown', outside, true);
  close = () => {
    close = () => {};
    document.removeEventListener('pointerdown', outside, true);
    menu.removeEventListener('focusout', left);
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    button.setAttribute('aria-expanded', 'false');
    if (hadFocus) button.focus();
  };
  button.setAttribute('aria-expanded', 'true');
  button.after(menu);
  menu.scrollIntoView({ block: 'nearest' });
  buttons[0].focus();
}
