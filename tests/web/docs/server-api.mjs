// The page of the server API: from its OpenAPI document and its examples.

import { STATUS_CODES } from 'node:http';

import { callFiles, operations, readDialogue, shownCalls } from './calls.mjs';
import { LEFT_OUT } from './counter.mjs';
import { format } from './frames.mjs';
import { breakable, escape, page } from './html.mjs';
import { keptDocument } from './openapi.mjs';
import { lineHtml, markdown, paint } from './protocol.mjs';

const IDEMPOTENCY_KEY = 'Idempotency-Key';
const CHAPTERS = { messages: 'Messages', users: 'Users', rooms: 'Rooms', groups: 'Groups', operations: 'Operations', meta: 'This document' };
const LEAD = 'What a backend asks of the broker, over HTTP, with a key: every call below <code>/api/v1</code>. The examples are made to a real broker by a test, '
  + 'call by call. This page is made from <a href="../api/v1/openapi.json">openapi.json</a>.';
const START = `<p>A key is made at the command line and shown this once; the broker need not run, and need not be started again:</p>
<pre><code>KEY=$(tidings key new --name shop --scope messages:write --scope users:write)
BROKER=http://127.0.0.1:7080
curl -H "Authorization: Bearer $KEY" $BROKER/api/v1/messages \\
    --json '{"toConversationID": "bob", "conversationType": 0, "message": {"type": 1, "message": "hello"}}'</code></pre>
<p>Without <code>--scope</code> it may do everything. <code>tidings key rotate</code>, <code>list</code> and <code>revoke</code> do what they say. Without any key the server API is off.</p>`;
const EXAMPLES = '<p><code>$KEY</code> is a key that may do everything. <var>Names like this</var> stand for what differs from run to run, <code>…</code> for what is left out; '
  + '<code>bob ←</code> is what a client hears, events about lists of conversations left aside. Headers are shown where <code>curl -i</code> asks for them.</p>';

const inline = (text = '') => escape(text.replaceAll('\n', ' ')).replace(/`([^`]+)`/g, '<code>$1</code>');
const opId = ({ operationId }) => `op-${operationId}`;

export async function serverApiPage() {
  const [document, files] = await Promise.all([keptDocument(), callFiles()]);
  const shown = shownCalls(files, document);
  const all = operations(document);
  const contents = [{ id: 'start', name: 'Start', entries: [] }];
  const body = ['<h2 id="start">Start</h2>', START, paragraphs(document.info.description)];

  for (const [tag, name] of Object.entries(CHAPTERS)) {
    const inside = all.filter(({ tags }) => tags[0] === tag);
    if (inside.length === 0) continue;
    contents.push({ id: `tag-${tag}`, name, entries: inside.map((one) => ({ id: opId(one), name: `${one.method} ${one.path}`, code: true })) });
    body.push(`<h2 id="tag-${tag}">${name}</h2>`, ...inside.map((one) => operationHtml(one, document, shown.get(one.operationId) ?? [], files)));
  }
  const unknown = all.filter(({ tags }) => !(tags[0] in CHAPTERS)).map(({ operationId, tags }) => `${operationId} (${tags})`);
  if (unknown.length > 0) throw new Error(`name a chapter for ${unknown}`);

  contents.push({ id: 'problems', name: 'Problems', entries: [] });
  body.push('<h2 id="problems">Problems</h2>', problemsHtml(all, document));

  const objects = namedObjects(all, document);
  contents.push({ id: 'objects', name: 'Objects', entries: objects.map((name) => ({ id: `object-${name}`, name, code: true })) });
  body.push('<h2 id="objects">Objects</h2>', ...objects.map((name) => objectHtml(name, document)));

  contents.push({ id: 'examples', name: 'Examples', entries: [] });
  body.push('<h2 id="examples">Examples</h2>', EXAMPLES);
  for (const { name, text } of files) {
    const title = /^# (.*)$/m.exec(text)[1];
    contents.at(-1).entries.push({ id: `examples-${name}`, name: title });
    let count = 0;
    const scene = (dialogue) => `<dl class="scene" id="example-${name}-${++count}" tabindex="-1">\n${readDialogue(`${dialogue}\n`).map(itemHtml).join('\n')}\n</dl>\n`;
    const html = markdown({ prefix: `${name}-`, depth: 2, scene })(text.replace(/^# .*\n/, ''));
    body.push(`<h3 id="examples-${name}">${escape(title)}</h3>\n${html}`);
  }
  return page({ file: 'server-api', title: 'Server API', lead: LEAD, contents, body: body.join('\n') });
}

const paragraphs = (text = '') => text.split('\n\n').filter(Boolean).map((one) => `<p>${inline(one)}</p>`).join('\n');

/** A call, an answer, or what a client says or hears. */
function itemHtml(item) {
  if (item.kind === 'call') return `<div class="sends typed"><dt>$</dt><dd><pre>${commandHtml(item.command)}</pre></dd></div>`;
  if (item.kind !== 'answer') return lineHtml(item);
  const { status, headers, body, events } = item;
  const said = [...headers.map((line) => hole(escape(line)))];
  if (body !== undefined) said.push(paint(format(body, 96)).replaceAll(`<b>&quot;${LEFT_OUT}&quot;</b>: <s>&quot;${LEFT_OUT}&quot;</s>`, LEFT_OUT).replaceAll(`<s>&quot;${LEFT_OUT}&quot;</s>`, LEFT_OUT));
  for (const event of events ?? []) said.push(`data: ${paint(format(event, 96))}`);
  return `<div class="hears${status >= 400 ? ' refused' : ''}"><dt title="${escape(STATUS_CODES[status])}">${status}</dt><dd><pre>${said.join('\n')}</pre></dd></div>`;
}

const hole = (html) => html.replace(/&lt;([A-Za-z]\w*)&gt;/g, '<var>$1</var>');
const commandHtml = (command) => hole(escape(command)).replace(/\$(KEY|BROKER|[A-Z]+)\b/g, '<var>$$$1</var>');

/** The call of an operation and its answer, without the rest of the example: the first that went well. */
function ownExample({ operationId }, shown, files, document) {
  const place = shown.find(({ status }) => status < 400) ?? shown[0];
  if (!place) return '';
  const file = files.find(({ name }) => name === place.file);
  const { lines } = file.scenes[place.at];
  const one = { ...file, scenes: [{ lines }] };
  // Calls in the background are answered last.
  const isIt = (call) => shownCalls([{ ...one, scenes: [{ lines: [call, { kind: 'answer', status: 200 }] }] }], document).has(operationId);
  const at = lines.findIndex((line) => line.kind === 'call' && isIt(line));
  const answers = lines.slice(at).filter(({ kind }) => kind === 'answer');
  const answer = lines[at].command.endsWith('&') ? answers.at(-1) : answers[0];
  const others = shown.length > 1 ? `: ${[...new Set(shown.map(exampleId))].map((id, n) => `<a href="#${id}">${n + 1}</a>`).join(', ')}` : '';
  const link = others ? `Examples${others}` : `<a href="#${exampleId(place)}">The example</a>`;
  return `<dl class="scene">\n${[lines[at], answer].map(itemHtml).join('\n')}\n</dl>\n<p class="tag">${link}</p>`;
}

const exampleId = ({ file, at }) => `example-${file}-${at + 1}`;

function operationHtml(one, document, shown, files) {
  const scope = one.security?.[0]?.key?.[0];
  // It is the same everywhere, and told once.
  const takesKey = one.parameters?.some(({ name }) => name === IDEMPOTENCY_KEY);
  const parts = [
    `<section class="entry call"><h3 id="${opId(one)}"><a href="#${opId(one)}"><code><span class="method">${one.method}</span> ${breakable(one.path)}</code></a></h3>`,
    `<p class="tag">${scope ? `scope <code>${scope}</code>` : 'for everyone, without a key'} · <code>${breakable(one.operationId)}</code>${takesKey ? ' · takes an <code>Idempotency-Key</code>' : ''}</p>`,
    paragraphs([one.summary, one.description].filter(Boolean).join('\n\n')),
  ];
  const parameters = (one.parameters ?? []).filter(({ name }) => name !== IDEMPOTENCY_KEY).map((parameter) => ({ ...parameter, place: parameter.in }));
  for (const [place, title] of [['path', 'In the path'], ['query', 'In the query'], ['header', 'Header']]) {
    const rows = parameters.filter((parameter) => parameter.place === place);
    if (rows.length > 0) parts.push(`<h4>${title}</h4>`, table(rows.map(({ name, required, schema, description }) => row(name, schema, required || place === 'path', description, document)), true));
  }
  const asked = schemaOf(one.requestBody);
  if (asked) parts.push('<h4>Body</h4>', fieldsHtml(asked, document, true));
  const answered = schemaOf(one.responses['200']);
  parts.push('<h4>Answer</h4>', `<p>${inline(one.responses['200'].description)}</p>`, answered ? fieldsHtml(answered, document, false) : '');
  const own = Object.keys(one.responses).filter((status) => status >= 400);
  const common = commonProblems(document);
  if (own.length > 0 && own.join() !== common.join()) parts.push(`<p class="tag">Problems: ${own.join(', ')}.</p>`);
  parts.push(ownExample(one, shown, files, document));
  return `${parts.filter(Boolean).join('\n')}\n</section>`;
}

function schemaOf(said) {
  return said && Object.values(said.content ?? {})[0]?.schema;
}

const resolve = (schema, document) => (schema?.$ref ? { ...document.components.schemas[nameOf(schema)], $ref: schema.$ref } : schema);
const nameOf = ({ $ref }) => $ref?.split('/').at(-1);

/** The fields of an object, also of one that is made of several. */
function propertiesOf(schema, document) {
  const { properties = {}, required = [], allOf = [] } = resolve(schema, document) ?? {};
  const parts = allOf.flatMap((part) => propertiesOf(part, document));
  return [...parts, ...Object.entries(properties).map(([name, field]) => ({ name, field, isRequired: required.includes(name) }))];
}

/** Those that must be there come first. */
function fieldsHtml(schema, document, isAsked) {
  const fields = propertiesOf(schema, document);
  if (fields.length === 0) return '';
  const sorted = isAsked ? [...fields.filter(({ isRequired }) => isRequired), ...fields.filter(({ isRequired }) => !isRequired)] : fields;
  return table(sorted.map(({ name, field, isRequired }) => row(name, field, isRequired, field.description, document)), isAsked);
}

function table(rows) {
  return `<div class="wide"><table class="fields"><thead><tr><th>field</th><th>type</th><th></th></tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table></div>`;
}

function row(name, schema, isRequired, description, document) {
  const optional = isRequired ? '' : ' <small>optional</small>';
  const described = [schema, ...(schema.oneOf ?? [])].map((one) => one.description ?? resolve(one, document).description);
  const said = [inline(description ?? described.find(Boolean)), limits(schema, description)].filter(Boolean).join(' ');
  return `<tr><td><code>${escape(name)}</code>${optional}</td><td><code>${typeHtml(schema, document)}</code></td><td>${said}</td></tr>`;
}

/** What a schema is, its objects linked. */
function typeHtml(schema, document) {
  if (schema.$ref) return `<a href="#object-${nameOf(schema)}">${breakable(nameOf(schema))}</a>`;
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives) return alternatives.filter(({ type }) => type !== 'null').map((one) => typeHtml(one, document)).join(' or ');
  const types = [schema.type].flat().filter((type) => type && type !== 'null');
  if (types[0] === 'array') return `${typeHtml(schema.items, document)}[]`;
  if (types[0] !== 'object') return types.join(' or ') || 'any';
  const values = schema.additionalProperties;
  return values?.type ? `{name: ${typeHtml(values, document)}}` : 'object';
}

/** Bounds that the description does not say itself. */
function limits(schema, description = schema.description ?? '') {
  const found = [];
  const range = (low, high, unit) => {
    if (low === undefined && high === undefined || (low ?? 0) === 0 && high === undefined) return;
    found.push(high === undefined ? `at least ${low}${unit}` : `${low ?? 0} to ${high.toLocaleString('en')}${unit}`);
  };
  range(schema.minimum, schema.maximum, '');
  range(schema.minLength, schema.maxLength, ' characters');
  range(schema.minItems, schema.maxItems, ' entries');
  if (schema.default !== undefined && schema.default !== null) found.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.enum) found.push(schema.enum.map((value) => JSON.stringify(value)).join(', '));
  return found.length > 0 ? `<small class="limits">${escape(found.join('; '))}</small>` : '';
}

const commonProblems = (document) => {
  const counted = new Map();
  for (const { responses } of operations(document)) {
    const problems = Object.keys(responses).filter((status) => status >= 400).join();
    counted.set(problems, (counted.get(problems) ?? 0) + 1);
  }
  return [...counted].sort((a, b) => b[1] - a[1])[0][0].split(',');
};

function problemsHtml(all, document) {
  const statuses = new Map();
  for (const { responses } of all) {
    for (const [status, response] of Object.entries(responses)) if (status >= 400) statuses.set(status, responseOf(response, document).description);
  }
  const rows = [...statuses].sort().map(([status, text]) => `<tr><td><code>${status}</code> ${STATUS_CODES[status]}</td><td>${inline(text)}</td></tr>`);
  return `<p>A call that was not carried out is answered with <code>application/problem+json</code>; <code>code</code> is the number that `
    + `<a href="protocol#frames">clients get</a>, too.</p>
${fieldsHtml(document.components.schemas.Problem, document, false)}
<div class="wide"><table class="fields"><thead><tr><th>status</th><th></th></tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table></div>`;
}

const responseOf = (response, document) => (response.$ref ? document.components.responses[nameOf(response)] : response);

/** Objects that are named somewhere on the page, and what they name. */
function namedObjects(all, document) {
  const found = new Set();
  const visit = (schema) => {
    if (schema === null || typeof schema !== 'object') return;
    if (schema.$ref) {
      const name = nameOf(schema);
      if (found.has(name)) return;
      found.add(name);
      Object.values(document.components.schemas[name]).forEach(visit);
    } else Object.values(schema).forEach(visit);
  };
  for (const one of all) {
    for (const schema of [schemaOf(one.requestBody), schemaOf(one.responses['200'])]) {
      // Its own fields stand with the call.
      propertiesOf(schema ?? {}, document).forEach(({ field }) => visit(field));
    }
  }
  return [...found].sort();
}

function objectHtml(name, document) {
  const schema = document.components.schemas[name];
  return `<section class="entry"><h3 id="object-${name}"><a href="#object-${name}"><code>${breakable(name)}</code></a></h3>
${paragraphs(schema.description)}
${fieldsHtml(schema, document, false)}
</section>`;
}
