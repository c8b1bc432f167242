// The page of the protocol: its reference, then every example.

import { readFile } from 'node:fs/promises';
import { Marked } from 'marked';

import { exampleFiles, readScene, shown } from './examples.mjs';
import { format } from './frames.mjs';
import { breakable, escape, page, slug } from './html.mjs';

const REFERENCE = new URL('../../../src/protocol/PROTOCOL.md', import.meta.url);
const LEAD = 'JSON over WebSocket, for every language. The examples below are played to a real broker by a test, frame by frame.';

/** Markdown to HTML, with an id on every heading, tables that scroll on a narrow screen, and examples as dialogues. */
export function markdown({ prefix = '', depth = 0, contents = [], scene = (text) => sceneHtml(readScene(`${text}\n`)) } = {}) {
  const marked = new Marked();
  marked.use({
    renderer: {
      heading(token) {
        const text = this.parser.parseInline(token.tokens);
        const id = prefix + slug(token.text);
        const level = token.depth + depth;
        if (level === 2) contents.push({ id, name: token.text, entries: [] });
        else if (level === 3) contents.at(-1)?.entries.push({ id, name: token.text });
        return `<h${level} id="${id}">${text}</h${level}>\n`;
      },
      table(token) {
        const cells = (row, tag) => row.map((cell) => `<${tag}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join('');
        const rows = token.rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n');
        return `<div class="wide"><table><thead><tr>${cells(token.header, 'th')}</tr></thead><tbody>\n${rows}\n</tbody></table></div>\n`;
      },
      code({ lang, text }) {
        if (lang?.startsWith('example')) return scene(text);
        if (lang === 'online') return `<p class="settings">Online: ${text.trim().split(/\s+/).map((who) => `<code>${escape(who)}</code>`).join(', ')}.</p>\n`;
        if (lang === 'keys') return `<p class="settings">${text.trim().split('\n').map(keyHtml).join(' ')}</p>\n`;
        if (lang === 'settings') return `<p class="settings">The broker of these examples runs with ${text.trim().split('\n').map((line) => `<code>${escape(line)}</code>`).join(', ')}.</p>\n`;
        return `<pre><code>${lang === 'json' ? paint(text) : escape(text)}</code></pre>\n`;
      },
    },
  });
  return (text) => marked.parse(text);
}

function keyHtml(line) {
  const [name, scopes] = line.split('=');
  return `<code>$${escape(name)}</code> is a key with ${scopes.split(',').map((scope) => `<code>--scope ${escape(scope)}</code>`).join(' ')}.`;
}

/** A dialogue: who, in which direction, what. */
function sceneHtml(lines) {
  return `<dl class="scene">\n${lines.map(lineHtml).join('\n')}\n</dl>\n`;
}

/** One line of a dialogue. */
export function lineHtml({ who, isSent, kind, frame, code, status, method, path, body, text }) {
  const said = {
    frame: () => paint(format(frame, 96)),
    raw: () => escape(text),
    close: () => `<i>closes${code ? ` with ${code}` : ''}</i>`,
    http: () => (isSent ? escape(`${method} ${path}${body ? ` ${body}` : ''}`) : `${status} ${frame ? paint(format(frame, 96)) : '<i>and the bytes</i>'}`),
  };
  const direction = isSent ? 'sends' : 'hears';
  return `<div class="${direction}"><dt>${escape(who)} <span title="${direction}">${isSent ? '→' : '←'}</span></dt><dd><pre>${said[kind]()}</pre></dd></div>`;
}

/** JSON with its keys and its holes marked. */
export function paint(json) {
  return escape(json)
    .replace(/&quot;((?:[^&\\]|\\.|&(?!quot;))*)&quot;(:?)/g, (all, text, colon) => (colon ? `<b>${all.slice(0, -1)}</b>:` : `<s>${all}</s>`))
    .replace(/&lt;([A-Za-z]\w*)&gt;/g, '<var>$1</var>');
}

/** Every operation and event of the reference gets an anchor, and links to where it is shown. */
function anchored(html, { ops, events }) {
  const taken = new Set();
  const anchor = (kind, name, map) => {
    const id = `${kind}-${name}`;
    if (!map.has(name) || taken.has(id)) return null;
    taken.add(id);
    const { name: file, at } = map.get(name)[0];
    return ` id="${id}"><a class="shown" href="#example-${file}-${at + 1}" title="an example">`;
  };
  const marked = html
    .replace(/<p><strong>(\w+)<\/strong>/g, (all, name) => link(all, `<strong>${name}</strong>`, anchor('op', name, ops), name, 'strong'))
    .replace(/<strong>(\w+)<\/strong>/g, (all, name) => link(all, all, anchor('op', name, ops), name, 'strong'))
    .replace(/<tr><td>([\w, …]+)<\/td>/g, (all, names) => `<tr><td>${names.split(', ').map((name) => {
      const known = anchor('op', name, ops) ?? anchor('event', name, events);
      return known ? `<span${known}${breakable(name)}</a></span>` : name;
    }).join(', ')}</td>`);
  return marked;
}

/** The sections of a chapter with the operations and events they describe, in their order. */
function withAnchors({ id }, html) {
  const start = html.indexOf(`<h2 id="${id}">`);
  const end = html.indexOf('<h2 ', start + 1);
  const found = html.slice(start, end < 0 ? undefined : end).matchAll(/<h3 id="([^"]+)">([^<]+)|id="((?:op|event)-(\w+))"/g);
  return [...found].map(([, section, title, anchor, name]) => (section ? { id: section, name: title, isSection: true } : { id: anchor, name, code: true }));
}

const link = (all, part, known, name, tag) => (known ? all.replace(part, `<${tag}${known}${name}</a></${tag}>`) : all);

/** Numbers the examples of a file, so that they can be linked. */
function numbered(html, name) {
  let count = 0;
  return html.replace(/<dl class="scene">/g, () => `<dl class="scene" id="example-${name}-${++count}" tabindex="-1">`);
}

export async function protocolPage() {
  const files = await exampleFiles();
  const contents = [];
  const reference = (await readFile(REFERENCE, 'utf8')).replace(/^# .*\n/, '').replace(/\n(?=[←→]|Errors:)/g, '  \n');
  const html = anchored(markdown({ contents })(reference), shown(files));
  for (const chapter of contents) chapter.entries = withAnchors(chapter, html);

  contents.push({ id: 'examples', name: 'Examples', entries: [] });
  const chapters = files.map(({ name, text }) => {
    const title = /^# (.*)$/m.exec(text)[1];
    contents.at(-1).entries.push({ id: `examples-${name}`, name: title });
    const body = numbered(markdown({ prefix: `${name}-`, depth: 2 })(text.replace(/^# .*\n/, '')), name);
    return `<h3 id="examples-${name}">${escape(title)}</h3>\n${body}`;
  });
  const intro = '<p>Users are logged in unless an example shows how. <var>Names like this</var> stand for what differs from run to run; '
    + 'the same name is the same value. Events about lists of conversations are shown only where an example is about them.</p>';
  const body = `${html}\n<h2 id="examples">Examples</h2>\n${intro}\n${chapters.join('\n')}`;
  return page({ file: 'protocol', title: 'Protocol', lead: LEAD, contents, body });
}
