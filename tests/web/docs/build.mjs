// Writes the documentation in src/web/docs from the types, the protocol, its examples, and the texts beside it.
//   node docs/build.mjs            writes
//   node docs/build.mjs --check    says which files are not as they would be written

import { readFile, writeFile } from 'node:fs/promises';

import { apiPage } from './api.mjs';
import { page } from './html.mjs';
import { markdown, protocolPage } from './protocol.mjs';
import { serverApiPage } from './server-api.mjs';
import { withSurface } from './surface.mjs';

const OUT = new URL('../../../src/web/docs/', import.meta.url);

/** A page of a Markdown text: its title, its first paragraph, the rest. */
async function textPage(file) {
  const text = await withSurface(await readFile(new URL(`${file}.md`, OUT), 'utf8'));
  const [, title, lead, rest] = /^# (.*)\n\n([^]*?)\n\n([^]*)$/.exec(text);
  const contents = [];
  const body = markdown({ contents })(rest);
  const inline = markdown()(lead.replaceAll('\n', ' ')).replace(/^<p>|<\/p>\n?$/g, '');
  return page({ file, title, lead: inline, contents: file === 'index' ? [] : contents, body });
}

export async function build() {
  const pages = { 'api.html': apiPage(), 'protocol.html': await protocolPage(), 'server-api.html': await serverApiPage() };
  for (const file of ['index', 'coming-from-zim', 'postgres', 'cluster']) pages[`${file}.html`] = await textPage(file);
  return pages;
}

/** Names of files that are not as they would be written. */
export async function stale() {
  const built = Object.entries(await build());
  const kept = await Promise.all(built.map(([name]) => readFile(new URL(name, OUT), 'utf8').catch(() => '')));
  return built.filter(([, html], at) => html !== kept[at]).map(([name]) => name);
}

if (import.meta.filename === process.argv[1]) {
  if (process.argv.includes('--check')) {
    const old = await stale();
    if (old.length > 0) console.error(`not as docs/build.mjs would write them: ${old.join(', ')}`);
    process.exitCode = old.length > 0 ? 1 : 0;
  } else {
    for (const [name, html] of Object.entries(await build())) await writeFile(new URL(name, OUT), html);
  }
}
