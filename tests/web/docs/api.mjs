// The page of the client's interface, from its type declarations.

import { fileURLToPath } from 'node:url';
import ts from 'typescript';

import { comment, commentHtml } from './comments.mjs';
import { breakable, escape, page } from './html.mjs';
import { laterMethods } from './surface.mjs';

const ENTRY = fileURLToPath(new URL('../../../src/web/tidings.d.ts', import.meta.url));
const LINE = 92;

/** The first that fits names a method's chapter. */
const CHAPTERS = [
  ['Search', /^search/],
  ['Messages', /^(?!.*(UnreadMessageCount|queryGroupMessageReceipt)).*(Message|Media)|Receipt/],
  ['Conversations', /Conversation/],
  ['Rooms', /Room/],
  ['Groups', /Group/],
  ['Users', /User/],
  ['Session', /^(log(in|out)|renewToken)$/],
  ['Client', /./],
];
const ORDER = ['Client', 'Session', 'Messages', 'Conversations', 'Search', 'Rooms', 'Groups', 'Users'];

export function apiPage() {
  const program = ts.createProgram([ENTRY], { noLib: true, types: [], target: ts.ScriptTarget.ESNext });
  program.getTypeChecker(); // gives nodes their parents
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.endsWith('.d.ts'));
  const declared = collect(files);
  const later = new Set(laterMethods());
  const zim = declared.classes.get('ZIM');
  const methods = [...membersOf(zim, ts.isMethodDeclaration)];
  const isLater = (name, nodes) => later.has(name) || nodes.some((node) => /\brejects with 6000013\b/i.test(comment(node).text));
  const answered = methods.filter(([name, nodes]) => !isLater(name, nodes));
  const notAnswered = [...new Set([...methods.filter(([name, nodes]) => isLater(name, nodes)).map(([name]) => name), ...later])].sort();

  const contents = [];
  const body = [];
  for (const chapter of ORDER) {
    const inside = answered.filter(([name]) => chapterOf(name) === chapter);
    if (inside.length === 0) continue;
    const id = `methods-${chapter.toLowerCase()}`;
    contents.push({ id, name: chapter, entries: inside.map(([name]) => ({ id: name, name, code: true })) });
    body.push(`<h2 id="${id}">${chapter}</h2>`, ...inside.map(([name, nodes]) => methodHtml(name, nodes, declared)));
  }

  const events = eventsOf(declared);
  contents.push({ id: 'events', name: 'Events', entries: events.map(({ name }) => ({ id: `event-${name}`, name, code: true })) });
  body.push('<h2 id="events">Events</h2>', `<p>${EVENTS_LEAD}</p>`, ...events.map((event) => eventHtml(event, declared)));

  const types = [...declared.types].filter(([name]) => !EVENT_TYPES.includes(name)).sort(byName);
  const others = [...declared.classes].filter(([name]) => name !== 'ZIM').sort(byName);
  const all = [...others, ...types].sort(byName);
  contents.push({ id: 'types', name: 'Types', entries: all.map(([name]) => ({ id: `type-${name}`, name, code: true })) });
  body.push('<h2 id="types">Types</h2>', ...all.map(([name, node]) => typeHtml(name, node, declared)));

  const enums = [...declared.enums].sort(byName);
  contents.push({ id: 'enums', name: 'Enums', entries: enums.map(([name]) => ({ id: `type-${name}`, name, code: true })) });
  body.push('<h2 id="enums">Enums</h2>', ...enums.map(([name, one]) => enumHtml(name, one)));

  contents.push({ id: 'not-answered', name: 'Not answered' });
  body.push('<h2 id="not-answered">Not answered</h2>', `<p>${LATER_LEAD}</p>`);
  const declaredAs = new Map(methods);
  const item = (name) => `<li id="${name}"><code>${typeText((declaredAs.get(name) ?? []).map(flatSignature)[0] ?? name, declared)}</code></li>`;
  body.push(`<ul class="names">${notAnswered.map(item).join('\n')}</ul>`);

  return page({ file: 'api', title: 'Client API', lead: LEAD, contents, body: body.join('\n') });
}

const LEAD = 'What <code>tidings.js</code> exports: the class <code>ZIM</code>, its events, types and enums. This page is made from '
  + '<a href="../sdk/tidings.d.ts">tidings.d.ts</a>. “Ours” or “our choice” marks what the vendor’s SDK does not have. Every method that returns a promise '
  + 'rejects with a <a href="#type-ZIMError"><code>ZIMError</code></a>; limits and codes are on the <a href="protocol">protocol page</a>.';
const EVENTS_LEAD = 'A listener gets the client and the data shown: <code>zim.on(name, (zim, data) =&gt; {})</code>. One listener per event.';
const LATER_LEAD = 'The vendor’s SDK has these methods, too. They exist, so that a program finds what it looks for, and reject with '
  + '<code>6000013</code>.';
const EVENT_TYPES = ['ZIMEventData', 'ZIMEventHandler'];

const byName = ([a], [b]) => (a < b ? -1 : 1);
const chapterOf = (name) => CHAPTERS.find(([, pattern]) => pattern.test(name))[0];

/** Everything the files declare, by kind and name. A constant of nothing but literals is an enum, too. */
function collect(files) {
  const declared = { classes: new Map(), types: new Map(), enums: new Map(), constants: new Map() };
  for (const statement of files.flatMap(({ statements }) => [...statements])) {
    if (ts.isClassDeclaration(statement)) declared.classes.set(statement.name.text, statement);
    else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) declared.types.set(statement.name.text, statement);
    else if (ts.isEnumDeclaration(statement)) declared.enums.set(statement.name.text, { node: statement, members: enumMembers(statement) });
    else if (ts.isVariableStatement(statement)) {
      for (const { name, type } of statement.declarationList.declarations) {
        if (isEnumLike(type)) declared.enums.set(name.text, { node: statement, members: type.members.map(literalMember) });
        else if (type) declared.constants.set(name.text, { node: statement, type });
      }
    }
  }
  for (const name of declared.enums.keys()) declared.types.delete(name);
  return declared;
}

const isLiteral = ({ type }) => type && (ts.isLiteralTypeNode(type) || ts.isPrefixUnaryExpression(type));
const isEnumLike = (type) => type && ts.isTypeLiteralNode(type) && type.members.every((member) => ts.isPropertySignature(member) && isLiteral(member));

function enumMembers({ members }) {
  let next = 0;
  return members.map((node) => {
    const value = node.initializer ? node.initializer.getText() : String(next);
    next = Number(value) + 1;
    return { node, name: node.name.getText(), value };
  });
}

const literalMember = (node) => ({ node, name: node.name.getText(), value: node.type.getText() });

/** Members of a class by name: overloads share one. */
function membersOf(node, isWanted) {
  const found = new Map();
  for (const member of node?.members ?? []) {
    if (isWanted(member) && !isPrivate(member)) found.set(member.name.getText(), [...(found.get(member.name.getText()) ?? []), member]);
  }
  return found;
}

const isPrivate = (node) => (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0 || node.name?.getText().startsWith('#');
const isStatic = (node) => (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Static) !== 0;

/** Source text of a type, its known names linked. */
function typeText(text, declared) {
  return escape(text).replace(/\b[A-Z]\w+\b/g, (name) => {
    if (name === 'ZIM') return name;
    const isKnown = declared.types.has(name) || declared.enums.has(name) || declared.classes.has(name);
    return isKnown && !EVENT_TYPES.includes(name) ? `<a href="#type-${name}">${name}</a>` : name;
  });
}

const plain = (node) => node.getText().replace(/\s+/g, ' ').replace(/,\s*([)}\]])/g, '$1').replace(/;\s*}/g, ' }');

function partsOf(node) {
  const generics = node.typeParameters?.length ? `<${node.typeParameters.map(plain).join(', ')}>` : '';
  const head = `${isStatic(node) ? 'ZIM.' : ''}${node.name.getText()}${generics}`;
  return { head, parameters: node.parameters.map(plain), result: node.type ? `: ${plain(node.type)}` : '' };
}

function flatSignature(node) {
  const { head, parameters, result } = partsOf(node);
  return `${head}(${parameters.join(', ')})${result}`;
}

function signature(node) {
  const line = flatSignature(node);
  const { head, parameters, result } = partsOf(node);
  return line.length <= LINE ? line : `${head}(\n${parameters.map((one) => `  ${one},\n`).join('')})${result}`;
}

function methodHtml(name, nodes, declared) {
  const signatures = nodes.map((node) => `<pre class="signature"><code>${typeText(signature(node), declared)}</code></pre>${commentHtml(node)}`);
  return `<section class="entry"><h3 id="${name}"><a href="#${name}"><code>${breakable(name)}</code></a></h3>\n${signatures.join('\n')}\n</section>`;
}

/** Names and payloads, from `ZIMEventData`, or from the listeners' types in `ZIMEventHandler`. */
function eventsOf({ types }) {
  const node = [types.get('ZIMEventData'), types.get('ZIMEventHandler')].find((one) => one && ts.isInterfaceDeclaration(one));
  return (node?.members ?? []).map((member) => {
    const parameters = member.parameters ?? (member.type && ts.isFunctionTypeNode(member.type) ? member.type.parameters : undefined);
    return { name: member.name.getText(), node: member, payload: parameters ? parameters.at(-1).type : member.type };
  });
}

function eventHtml({ name, node, payload }, declared) {
  const text = ts.isTypeLiteralNode(payload) ? `{\n${payload.members.map((one) => `  ${plain(one).replace(/[;,]$/, '')};\n`).join('')}}` : plain(payload);
  return `<section class="entry"><h3 id="event-${name}"><a href="#event-${name}"><code>${breakable(name)}</code></a></h3>
<pre class="signature"><code>${typeText(text, declared)}</code></pre>${commentHtml(node)}
</section>`;
}

function typeHtml(name, node, declared) {
  const heads = [`<section class="entry"><h3 id="type-${name}"><a href="#type-${name}"><code>${breakable(name)}</code></a></h3>`];
  const bases = node.heritageClauses?.flatMap(({ types }) => types.map(plain)) ?? [];
  if (bases.length > 0) heads.push(`<p class="bases">extends ${bases.map((base) => `<code>${typeText(base, declared)}</code>`).join(', ')}</p>`);
  heads.push(commentHtml(node));
  if (ts.isTypeAliasDeclaration(node)) heads.push(`<pre class="signature"><code>${typeText(`type ${name} = ${plain(node.type)}`, declared)}</code></pre>`);
  else if (node.members.length > 0) heads.push(fieldsHtml(node.members.filter((member) => member.name && !isPrivate(member)), declared));
  const constant = declared.constants.get(name);
  if (constant) heads.push(`<pre class="signature"><code>${typeText(`const ${name}: ${plain(constant.type)}`, declared)}</code></pre>`, commentHtml(constant.node));
  return `${heads.filter(Boolean).join('\n')}\n</section>`;
}

function fieldsHtml(members, declared) {
  const rows = members.map((member) => {
    const type = member.type && !member.parameters ? plain(member.type) : plain(member).replace(/;$/, '');
    const optional = member.questionToken ? '<small>optional</small>' : '';
    const name = `<td><code>${escape(member.name.getText())}</code> ${optional}</td>`;
    return `<tr>${name}<td><code>${typeText(type, declared)}</code></td><td>${commentHtml(member)}</td></tr>`;
  });
  return `<div class="wide"><table class="fields"><thead><tr><th>field</th><th>type</th><th></th></tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table></div>`;
}

function enumHtml(name, { node, members }) {
  const rows = members.map((one) => `<tr><td><code>${escape(one.name)}</code></td><td><code>${escape(one.value)}</code></td><td>${commentHtml(one.node)}</td></tr>`);
  return `<section class="entry"><h3 id="type-${name}"><a href="#type-${name}"><code>${breakable(name)}</code></a></h3>
${commentHtml(node)}
<div class="wide"><table class="fields"><thead><tr><th>name</th><th>value</th><th></th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>
</section>`;
}
