// Avatars: the first letter of a name on a colour that belongs to it, the same everywhere.

import { make } from './dom.js';

const HUES = 8;

/** Returns the number of a name's colour, 0 to 7; FNV-1a, so that names that differ little get other colours. */
export function hueOf(name) {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193) >>> 0;
  return hash % HUES;
}

export function newAvatar() {
  return make('span', { className: 'avatar', ariaHidden: 'true' });
}

/** Draws an avatar for an ID with a name; `side` is the side of the page of those who are on it, in whose colour they are. */
export function drawAvatar(avatar, id, name, side = '') {
  avatar.textContent = [...name][0]?.toUpperCase() ?? '?';
  avatar.dataset.from = side;
  avatar.dataset.hue = hueOf(id);
}
