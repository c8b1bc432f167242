// The chapter of the settings, from config.toml: what is said there of each key is said on the page, and nothing else.

import { readFile } from 'node:fs/promises';

import { breakable, escape, page } from './html.mjs';
import { markdown } from './protocol.mjs';

const CONFIG = new URL('../../../config.toml', import.meta.url);
const LEAD = 'Every setting with its default, made from <code>config.toml</code>, which is compiled into the program: <code>tidings config default</code> prints it, '
  + '<code>tidings config show</code> the values in use and where each comes from, <code>tidings config check</code> the first mistake.';

const RELOADABLE = /\s*Reloadable: ([^.]+)\.(?: Exceptions say so\.)?/;
const CLASSES = {
  yes: 'reloadable: at once',
  'for what begins later': 'reloadable: for what begins later',
  no: 'needs a restart',
};

/** The head of the file, and its sections: `{name, text, reload, keys: [{name, value, text, reload}]}`. */
export function parse(toml) {
  const [head, ...lines] = splitHead(toml);
  const sections = [];
  let said = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const section = /^\[(.+)\]$/.exec(line);
    const key = /^(\w+) = (.*)$/.exec(line);
    if (line.startsWith('#')) {
      said.push(line.replace(/^# ?/, ''));
    } else if (section) {
      sections.push({ name: section[1], ...described(said), keys: [] });
      said = [];
    } else if (key) {
      let [, name, value] = key;
      while (value.startsWith('[') && !value.endsWith(']')) value += ` ${lines[++at].trim()}`;
      const { name: of, reload, keys } = sections.at(-1);
      const own = described(said);
      keys.push({ name, value: value.replace(/^\[ /, '[').replace(/, \]$/, ']'), text: own.text, reload: own.reload ?? reload, id: idOf(of, name) });
      said = [];
    } else if (line !== '') {
      throw new Error(`config.toml has a line that is neither comment, section nor key: ${line}`);
    }
  }
  if (said.length > 0) throw new Error(`config.toml ends with a comment on nothing: ${said[0]}`);
  return { head, sections };
}

const idOf = (section, name) => `${section.replaceAll('.', '-')}-${name}`;
const variable = (section, name) => `TIDINGS_${[...section.split('.'), name].join('__').toUpperCase()}`;

/** The comment on the whole file ends with the first empty line. */
function splitHead(toml) {
  const end = toml.indexOf('\n\n');
  return [toml.slice(0, end).replace(/^# ?/gm, ''), ...toml.slice(end).split('\n')];
}

function described(said) {
  const text = said.join(' ');
  const reload = RELOADABLE.exec(text)?.[1] ?? null;
  if (reload !== null && !(reload in CLASSES)) throw new Error(`"Reloadable: ${reload}" is none of ${Object.keys(CLASSES).join(', ')}`);
  return { text: text.replace(RELOADABLE, '').trim(), reload };
}

/** A comment as Markdown: what looks like markup and is meant as it stands is kept so. */
const prose = (text) => markdown()(text.replace(/[<>*_]/g, (c, at) => (isInCode(text, at) ? c : `\\${c}`)));
const isInCode = (text, at) => text.slice(0, at).split('`').length % 2 === 0;

function keyHtml(section, { name, value, text, reload, id }) {
  const range = /\bRange (-?\d+) to (-?\d+)/.exec(text);
  const facts = [
    range ? `${range[1]} to ${range[2]}` : null,
    CLASSES[reload],
    `<code>${breakable(variable(section, name)).replaceAll('__', '__<wbr>')}</code>`,
  ];
  return `<section class="entry">
<h3 id="${id}"><a href="#${id}"><code>${escape(name)}</code></a></h3>
<pre class="signature"><code>${escape(`${name} = ${value}`)}</code></pre>
${prose(text)}<p class="bases">${facts.filter(Boolean).join(' · ')}</p>
</section>`;
}

export async function configurationPage() {
  const { head, sections } = parse(await readFile(CONFIG, 'utf8'));
  const contents = [{ id: 'where-values-come-from', name: 'Where values come from', entries: [] }];
  const intro = head.split('\n\n').slice(1).map((paragraph) => prose(paragraph.replaceAll('\n', ' '))).join('');
  const chapters = sections.map(({ name, text, keys }) => {
    const id = `section-${name.replaceAll('.', '-')}`;
    contents.push({ id, name: `[${name}]`, code: true, entries: keys.map((key) => ({ id: key.id, name: key.name, code: true })) });
    return `<h2 id="${id}"><code>[${escape(name)}]</code></h2>\n${text ? prose(text) : ''}${keys.map((key) => keyHtml(name, key)).join('\n')}`;
  });
  const body = `<h2 id="where-values-come-from">Where values come from</h2>\n${intro}\n${chapters.join('\n')}`;
  return page({ file: 'configuration', title: 'Configuration', lead: LEAD, contents, body });
}
