// Which numbers of errors a page can meet, and which of them the demo page has words for.

import { readFile } from 'node:fs/promises';

import { ERROR_WORDS } from '../../src/web/page/error-words.js';

export const DICTIONARY_FILE = 'src/web/page/error-words.js';

/** @returns {Promise<{missing: string[]}>} the numbers that the broker or the client gives and a language has no words for */
export async function wordsOfErrors() {
  const broker = await readFile(new URL('../../src/protocol/code.rs', import.meta.url), 'utf8');
  const client = await readFile(new URL('../../src/web/tidings.js', import.meta.url), 'utf8');
  const [, named] = /Code = Object\.freeze\(\{([^}]*)\}/.exec(client);
  const numbers = new Set([...broker.matchAll(/\b6_000_\d{3}\b/g)].map(([number]) => number.replaceAll('_', '')));
  for (const [number] of named.matchAll(/\b6000\d{3}\b/g)) numbers.add(number);
  const missing = Object.keys(ERROR_WORDS).flatMap((language) => [...numbers].filter((number) => !ERROR_WORDS[language][`error${number}`]).map((number) => `${language} ${number}`));
  return { missing };
}
