// The document of the server API, as the broker serves it and as it is kept beside the pages.
//   node docs/openapi.mjs          writes src/web/docs/openapi.json from the broker of TIDINGS_BIN

import { readFile, writeFile } from 'node:fs/promises';

import { startBroker } from '../broker.mjs';

const KEPT = new URL('../../../src/web/docs/openapi.json', import.meta.url);

/** As it is kept. The version is the broker's, not the document's: it would be stale with every release. */
export async function keptDocument() {
  return JSON.parse(await readFile(KEPT, 'utf8'));
}

/** As a running broker serves it. */
export async function servedDocument(server) {
  const answer = await fetch(`${server}/api/v1/openapi.json`);
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  const document = await answer.json();
  document.info.version = 'of the broker';
  return document;
}

if (import.meta.filename === process.argv[1]) {
  const broker = await startBroker();
  try {
    await writeFile(KEPT, `${JSON.stringify(await servedDocument(broker.server), null, 1)}\n`);
  } finally {
    await broker.stop();
  }
}
