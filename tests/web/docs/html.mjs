// The frame of every page of the documentation, and text made safe for it. Nothing inline: the pages' policy forbids it.

export const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

export const slug = (text) => text.toLowerCase().replace(/<[^>]*>|&\w+;/g, '').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

/** A long name may break between its words, a path before its parts. */
export const breakable = (name) => (name.includes('/')
  ? escape(name).replace(/(?<=[^\s/])\//g, '<wbr>/')
  : escape(name).replace(/([a-z])(?=[A-Z])/g, '$1<wbr>'));

const PAGES = [
  { file: 'index', href: './', name: 'Overview' },
  { file: 'api', href: 'api', name: 'Client API' },
  { file: 'protocol', href: 'protocol', name: 'Protocol' },
  { file: 'server-api', href: 'server-api', name: 'Server API' },
  { file: 'coming-from-zim', href: 'coming-from-zim', name: 'Coming from ZIM' },
  { file: 'postgres', href: 'postgres', name: 'PostgreSQL' },
  { file: 'cluster', href: 'cluster', name: 'Many brokers' },
];

/** `contents`: `{id, name, code?, entries?}`, two levels deep. */
export function page({ file, title, lead, contents, body }) {
  const links = PAGES.map((other) => `<a href="${other.href}"${other.file === file ? ' aria-current="page"' : ''}>${other.name}</a>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)} · Tidings</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs.css">
<script type="module" src="docs.js"></script>
</head>
<body>
<a class="skip" href="#main">To the text</a>
<header class="top">
<a class="home" href="../"><svg viewBox="0 0 32 32" aria-hidden="true"><path class="back" d="M6 5h15a4 4 0 0 1 4 4v6a4 4 0 0 1-4 4h-9l-6 5v-5a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z"/><path class="front" d="M15 12h11a4 4 0 0 1 4 4v5a4 4 0 0 1-4 4v4l-5-4h-6a4 4 0 0 1-4-4v-5a4 4 0 0 1 4-4z"/></svg>Tidings</a>
<nav aria-label="Documentation">${links.join('')}</nav>
</header>
<div class="columns">
${contents.length > 0 ? aside(contents) : ''}
<main id="main" tabindex="-1">
<h1>${escape(title)}</h1>
${lead ? `<p class="lead">${lead}</p>` : ''}
${body}
</main>
</div>
</body>
</html>
`;
}

function aside(contents) {
  const link = ({ id, name, code }) => `<a href="#${id}">${code ? `<code>${breakable(name)}</code>` : escape(name)}</a>`;
  const entries = (list) => (list?.length ? `<ul>${list.map((entry) => `<li${entry.isSection ? ' class="section"' : ''}>${link(entry)}</li>`).join('')}</ul>` : '');
  const chapters = contents.map((chapter) => `<li>${link(chapter)}${entries(chapter.entries)}</li>`);
  return `<aside>
<details class="contents" open>
<summary>Contents</summary>
<label class="filter" hidden><span>Filter</span><input type="search" placeholder="Filter" autocomplete="off" spellcheck="false"></label>
<nav aria-label="On this page"><ul>
${chapters.join('\n')}
</ul></nav>
</details>
</aside>`;
}
