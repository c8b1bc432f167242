// The frame of every page of the documentation, and text made safe for it. Nothing inline: the pages' policy forbids it.

export const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

export const slug = (text) => text.toLowerCase().replace(/<[^>]*>|&\w+;/g, '').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

/** A long name may break between its words, a path before its parts. */
export const breakable = (name) => (name.includes('/')
  ? escape(name).replace(/(?<=[^\s/])\//g, '<wbr>/')
  : escape(name).replace(/([a-z])(?=[A-Z])/g, '$1<wbr>'));

/** The pages by what they are for: a menu for each group, and the overview before them. */
export const CHAPTERS = [
  {
    name: 'Use it',
    pages: [
      { file: 'api', name: 'Client API' },
      { file: 'server-api', name: 'Server API' },
      { file: 'protocol', name: 'Protocol' },
      { file: 'webhooks', name: 'Webhooks' },
      { file: 'your-page', name: 'Your own page' },
      { file: 'embedding', name: 'Embedding' },
      { file: 'coming-from-zim', name: 'Coming from ZIM' },
      { file: 'vendor-api', name: 'The vendor’s calls' },
    ],
  },
  {
    name: 'Run it',
    pages: [
      { file: 'deploying', name: 'Deploying' },
      { file: 'configuration', name: 'Configuration' },
      { file: 'operating', name: 'Operating' },
      { file: 'postgres', name: 'PostgreSQL' },
      { file: 'cluster', name: 'Many brokers' },
    ],
  },
  {
    name: 'Know it',
    pages: [
      { file: 'promises', name: 'Promises and limits' },
      { file: 'inside', name: 'How it works' },
      { file: 'measurements', name: 'Measurements' },
    ],
  },
];

/** The menus work without a script; `docs.js` closes one that is left. */
function menus(file) {
  const link = (page) => `<li><a href="${page.file}"${page.file === file ? ' aria-current="page"' : ''}>${page.name}</a></li>`;
  const menu = ({ name, pages }) => `<details name="chapters"${pages.some((page) => page.file === file) ? ' class="here"' : ''}>`
    + `<summary>${name}</summary><ul>${pages.map(link).join('')}</ul></details>`;
  return `<a href="./"${file === 'index' ? ' aria-current="page"' : ''}>Overview</a>${CHAPTERS.map(menu).join('')}`;
}

/** `contents`: `{id, name, code?, entries?}`, two levels deep. */
export function page({ file, title, lead, contents, body }) {
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
<a class="home" href="../" aria-label="Tidings"><svg viewBox="0 0 32 32" aria-hidden="true"><path class="back" d="M6 5h15a4 4 0 0 1 4 4v6a4 4 0 0 1-4 4h-9l-6 5v-5a4 4 0 0 1-4-4V9a4 4 0 0 1 4-4z"/><path class="front" d="M15 12h11a4 4 0 0 1 4 4v5a4 4 0 0 1-4 4v4l-5-4h-6a4 4 0 0 1-4-4v-5a4 4 0 0 1 4-4z"/></svg>Tidings</a>
<nav aria-label="Documentation">${menus(file)}</nav>
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
