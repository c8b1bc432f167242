// A browser for the tests that need one. Without it they are skipped, except where CI=true, where nothing may be skipped.

import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const CHROMIUM = process.env.TIDINGS_CHROMIUM ?? '/usr/bin/chromium';
const CHROMIUM_ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
];

const playwright = await import('playwright-core').catch(() => null);
const missing = await whatIsMissing();
export const skip = process.env.CI === 'true' ? false : missing;

async function whatIsMissing() {
  if (!playwright) return 'playwright-core is not installed: run `npm ci` in tests/web';
  return access(CHROMIUM).then(() => false, () => `there is no browser at ${CHROMIUM}: install Debian's chromium`);
}

/** A browser with a profile directory of its own, which it takes away again; or a failure that says what is missing. */
export async function launch(args = []) {
  if (missing) assert.fail(missing);
  return playwright.chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_ARGS, ...args] });
}

export const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
