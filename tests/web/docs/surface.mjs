// What of the vendor's surface is answered, read from the client and the broker, for the page "Coming from ZIM".

import { readdirSync, readFileSync } from 'node:fs';

import { events } from './sources.mjs';
import { EVENTS, METHODS } from './tiers.mjs';

const WEB = new URL('../../../src/web/', import.meta.url);

const client = readdirSync(WEB, { recursive: true })
  .filter((name) => /^tidings(?!\.global).*\.js$/.test(name)).sort().map((name) => readFileSync(new URL(name, WEB), 'utf8')).join('\n');

/** Methods of the client that reject with 6000013. */
export function laterMethods() {
  const list = /const UNSUPPORTED_METHODS = `([^`]*)`/.exec(client);
  if (!list) throw new Error('the client has no UNSUPPORTED_METHODS any more: say here what is not answered');
  return list[1].trim().split(/\s+/).sort();
}

/** Replaces `{{methods A}}`, `{{events A}}` and `{{later}}` in a text by names, those not answered struck out. */
export async function withSurface(text) {
  const later = laterMethods();
  const sent = await events();
  const isSent = (name) => sent.includes(name) || client.includes(`'${name}'`);
  const method = (name) => (later.includes(name) ? `~~${name}~~` : `[${name}](api#${name})`);
  const event = (name) => (isSent(name) ? `[${name}](api#event-${name})` : `~~${name}~~`);
  const inTiers = Object.values(METHODS).flat();
  const others = later.filter((name) => !inTiers.includes(name));
  return text
    .replace(/\{\{methods ([A-D])\}\}/g, (_, tier) => METHODS[tier].map(method).join(', '))
    .replace(/\{\{events ([A-D])\}\}/g, (_, tier) => EVENTS[tier].map(event).join(', '))
    .replace('{{later}}', () => [...METHODS.D.filter((name) => later.includes(name)), ...others].map((name) => `\`${name}\``).join(', '));
}
