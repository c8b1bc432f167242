// Writes the documentation in src/web/docs from the types, the protocol, its examples, the settings, and the texts beside it.
//   node docs/build.mjs            writes
//   node docs/build.mjs --check    says which files are not as they would be written

import { readFile, writeFile } from 'node:fs/promises';

import { apiPage } from './api.mjs';
import { configurationPage } from './configuration.mjs';
import { page } from './html.mjs';
import { markdown, protocolPage } from './protocol.mjs';
import { serverApiPage } from './server-api.mjs';
import { withSurface } from './surface.mjs';

const ROOT = new URL('../../../', import.meta.url);
const OUT = new URL('src/web/docs/', ROOT);

/** Chapters that are written as text, and where. Two of them stand beside the code they tell of. */
const TEXTS = {
  ...Object.fromEntries([
    'index', 'coming-from-zim', 'postgres', 'cluster', 'promises', 'inside', 'measurements', 'your-page', 'embedding', 'deploying', 'operating',
  ].map((file) => [file, `src/web/docs/${file}.md`])),
  webhooks: 'src/webhooks/WEBHOOKS.md',
  'vendor-api': 'src/http/vendor/VENDOR_API.md',
};

/** Puts files in the place of `{{file PATH}}`, so that what is shown is what a test runs. */
async function withFiles(text) {
  const parts = text.split(/^\{\{file (\S+)\}\}$/m);
  const files = parts.map((part, at) => (at % 2 === 0 ? part : readFile(new URL(part, ROOT), 'utf8').then((content) => content.trimEnd())));
  return (await Promise.all(files)).join('');
}

/** A page of a Markdown text: its title, its first paragraph, the rest. */
async function textPage(file) {
  const text = await withFiles(await withSurface(await readFile(new URL(TEXTS[file], ROOT), 'utf8')));
  const [, title, lead, rest] = /^# (.*)\n\n([^]*?)\n\n([^]*)$/.exec(text);
  const contents = [];
  const body = markdown({ contents })(rest);
  const inline = markdown()(lead.replaceAll('\n', ' ')).replace(/^<p>|<\/p>\n?$/g, '');
  return page({ file, title, lead: inline, contents: file === 'index' ? [] : contents, body });
}

export async function build() {
  const pages = {
    'api.html': apiPage(),
    'protocol.html': await protocolPage(),
    'server-api.html': await serverApiPage(),
    'configuration.html': await configurationPage(),
  };
  for (const file of Object.keys(TEXTS)) pages[`${file}.html`] = await textPage(file);
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
