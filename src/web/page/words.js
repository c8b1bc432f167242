// The words of a message as elements: links can be followed, who is mentioned stands out. Everything else is text, whatever it looks like.

import { make } from './dom.js';

const LINK = /\bhttps?:\/\/[^\s<>"'`，。！？；：、）】》]+/giu;
/** What ends a sentence and not an address. */
const TRAILING = /[.,;:!?)\]}…]+$/u;
/** How "everyone" is mentioned, in each language of the page. */
const EVERYONE = ['everyone', '所有人'];

/** Returns the paragraph of a text. `me` is who reads it. */
export function wordsOf(text, { mentionedUserIDs = [], isMentionAll = false, me = '' } = {}) {
  const names = [...mentionedUserIDs, ...(isMentionAll ? EVERYONE : [])];
  const words = make('p', { className: 'words' });
  let at = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = withoutTail(found);
    if (!URL.canParse(address)) continue;
    words.append(...marked(text.slice(at, index), names, me), linkTo(address));
    at = index + address.length;
  }
  words.append(...marked(text.slice(at), names, me));
  return words;
}

/** Cuts what belongs to the sentence; a closing bracket stays where one was opened within the address. */
function withoutTail(found) {
  const cut = found.replace(TRAILING, '');
  const opened = cut.split('(').length - cut.split(')').length;
  return opened > 0 && found[cut.length] === ')' ? `${cut})` : cut;
}

function linkTo(address) {
  return make('a', { href: address, textContent: address, target: '_blank', rel: 'noopener noreferrer nofollow' });
}

function marked(text, names, me) {
  if (names.length === 0 || !text.includes('@')) return [text];
  // The longest name first: "@ann" is not "@anna".
  const any = [...names].sort((one, other) => other.length - one.length).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  return text.split(new RegExp(`(@(?:${any}))(?![\\w])`, 'u')).map((piece, n) => {
    if (n % 2 === 0) return piece;
    const name = piece.slice(1);
    return make('mark', { className: `mention${name === me || EVERYONE.includes(name) ? ' of-me' : ''}`, textContent: piece });
  });
}
