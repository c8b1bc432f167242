// What a declaration's comment says, for readers of the page.

import ts from 'typescript';

import { escape } from './html.mjs';

/** Where a rule was read concerns whoever works on the client, not whoever uses it. */
const SOURCE = /\s*\bSources?: .*?(?:\.(?=\s|$)|$)/g;
const QUIET_TAGS = ['param', 'returns', 'return', 'throws'];

/** The text and the tags of the comment that belongs to a node. */
export function comment(node) {
  const doc = node.jsDoc?.at(-1);
  const text = doc ? (ts.getTextOfJSDocComment(doc.comment) ?? '') : '';
  const tags = (doc?.tags ?? []).map((tag) => ({
    tag: tag.tagName.text, name: tag.name?.getText(), text: ts.getTextOfJSDocComment(tag.comment)?.replace(/^\s*-\s*/, '') ?? '',
  }));
  const paragraphs = text.split(/\n\s*\n/).map((one) => one.replaceAll('\n', ' ').replace(SOURCE, '').trim());
  return { text: paragraphs.filter(Boolean).join('\n\n'), tags };
}

const inline = (text) => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>').replace(/\{@link\s+([^}\s|]+)[^}]*\}/g, '<code>$1</code>');

export function commentHtml(node) {
  const { text, tags } = comment(node);
  const paragraphs = text.split('\n\n').filter(Boolean).map((one) => `<p>${inline(one)}</p>`);
  const listed = tags.filter(({ tag, text: said }) => QUIET_TAGS.includes(tag) && said).map(tagHtml);
  const others = tags.filter(({ tag }) => !QUIET_TAGS.includes(tag) && tag !== 'source').map(({ tag, text: said }) => `<p class="tag">${escape(tag)} ${inline(said)}</p>`);
  return [...paragraphs, listed.length > 0 ? `<ul>${listed.join('')}</ul>` : '', ...others].join('');
}

function tagHtml({ tag, name, text }) {
  const head = { param: `<code>${escape(name ?? '')}</code>`, throws: 'Throws' }[tag] ?? 'Returns';
  return `<li>${head}: ${inline(text)}</li>`;
}
