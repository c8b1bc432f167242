// The bubble of one message: its text, file, card or quote, its delivery state, and reactions.

import { hueOf } from './avatar.js';
import { make, textButton } from './dom.js';
import { figureOf, isFile } from './files.js';
import { COMBINED, FAILED, REVOKED, ROOM, SENT, TEXT, TIPS, VOTE_PREFIX, pollOf, summaryOf } from './labels.js';
import { formatClock, formatText, setLabel, setText, setTooltip } from './text.js';
import { wordsOf } from './words.js';

const STATE_NAMES = ['sending', 'sent', 'failed'];

/** Renders an entry of a log into its bubble; the element of a file stays, so that what plays goes on. */
export function renderBubble(entry, view) {
  const { bubble, message, state } = entry;
  const isOwn = (message.senderUserID || view.me) === view.me;
  const isTip = message.type === TIPS;
  bubble.className = isTip ? 'said' : `bubble ${isOwn ? 'mine' : 'theirs'}`;
  bubble.dataset.from = view.act.sideOf(message.senderUserID || view.me);
  bubble.dataset.hue = hueOf(message.senderUserID || view.me);
  bubble.classList.toggle('to-me', !isOwn && (message.isMentionAll || message.mentionedUserIDs?.includes(view.me)));
  bubble.classList.toggle('gone', message.type === REVOKED);
  bubble.dataset.state = STATE_NAMES[state];
  bubble.dataset.messageId = message.messageID;
  const words = summaryOf(message, view.me);
  bubble.setAttribute('aria-label', isTip || message.type === REVOKED ? words : `${message.senderUserID || view.me}: ${words}`);
  if (isTip) {
    bubble.textContent = words;
    return;
  }
  const focused = bubble !== document.activeElement && bubble.contains(document.activeElement) ? document.activeElement.dataset.part : null;
  const file = isFile(message) && entry.fileOf === fileKey(message, state) ? bubble.querySelector('.file') : null;
  entry.fileOf = fileKey(message, state);
  const parts = [make('span', { className: 'sender', textContent: message.senderUserID || view.me })];
  if (message.repliedInfo && message.type !== REVOKED) parts.push(quoteOf(message.repliedInfo, view));
  parts.push(file ?? contentOf(message, view));
  const reactions = message.type === REVOKED ? null : reactionsOf(message, view);
  parts.push(footOf(entry, isOwn, view));
  if (reactions) parts.push(reactions);
  if (state === SENT && view.type !== ROOM && message.type !== REVOKED) parts.push(view.act.picking ? pickerOf(entry, view) : bubble.querySelector('.more') ?? menuButton(entry, view));
  bubble.replaceChildren(...parts);
  if (focused) bubble.querySelector(`[data-part="${focused}"]`)?.focus();
}

/** Returns what a file's element is made from. While it stays the same the element stays, so that what plays goes on. */
const fileKey = (message, state) => (message.fileLocalPath instanceof Blob ? message.localMessageID : `${message.fileUID}${message.fileDownloadUrl}${state}`);

function contentOf(message, view) {
  if (isFile(message)) return figureOf(message, view.act.refresh);
  const poll = pollOf(message);
  if (poll) return pollCard(message, poll, view);
  if (message.type === COMBINED) return combinedCard(message, view);
  if (message.type === TEXT) return wordsOf(message.message, { ...message, me: view.me });
  return make('p', { className: 'words', textContent: summaryOf(message, view.me) });
}

function quoteOf({ state, messageID, senderUserID, messageInfo }, view) {
  const words = state === 0 && messageInfo ? `${senderUserID}: ${summaryOf(messageInfo)}` : formatText(state === 1 ? 'quoteTakenBack' : 'quoteLost');
  const button = make('button', { type: 'button', className: 'quote', textContent: words });
  button.dataset.part = 'quote';
  button.onclick = () => view.act.jump(messageID);
  return button;
}

function pollCard(message, { question, options }, view) {
  const votes = options.map((_, n) => message.reactions?.find(({ reactionType }) => reactionType === `${VOTE_PREFIX}${n}`));
  const total = votes.reduce((sum, vote) => sum + (vote?.totalCount ?? 0), 0);
  const card = make('div', { className: 'poll' }, make('p', { className: 'poll-question', textContent: question }));
  card.setAttribute('role', 'group');
  card.setAttribute('aria-label', question);
  options.forEach((option, n) => {
    const count = votes[n]?.totalCount ?? 0;
    const bar = make('progress', { max: Math.max(1, total), value: count });
    bar.setAttribute('aria-hidden', 'true');
    const button = make('button', { type: 'button', className: 'option' }, make('span', { textContent: option }), make('span', { className: 'count', textContent: `${count}` }), bar);
    button.dataset.part = `option-${n}`;
    button.setAttribute('aria-pressed', votes[n]?.isSelfIncluded === true);
    button.onclick = () => view.act.vote(message, n);
    card.append(button);
  });
  const totalLine = make('p', { className: 'poll-total' });
  setText(totalLine, 'votes', { n: total });
  card.append(totalLine);
  return card;
}

function combinedCard(message, view) {
  const button = make('button', { type: 'button', className: 'combined' });
  button.dataset.part = 'combined';
  button.append(make('strong', { textContent: message.title }), make('span', { className: 'combined-summary', textContent: message.summary }));
  setTooltip(button, 'openHistory');
  button.onclick = () => view.act.openCombined(message);
  return button;
}

function reactionsOf(message, view) {
  const shown = (message.reactions ?? []).filter(({ reactionType, totalCount }) => totalCount > 0 && !reactionType.startsWith(VOTE_PREFIX));
  if (shown.length === 0) return null;
  const row = make('div', { className: 'reactions' });
  for (const { reactionType, totalCount, isSelfIncluded } of shown) {
    const button = make('button', { type: 'button', className: 'reaction', textContent: `${reactionType} ${totalCount}` });
    button.dataset.part = `reaction-${reactionType}`;
    button.setAttribute('aria-pressed', isSelfIncluded === true);
    button.onclick = () => view.act.react(message, reactionType);
    row.append(button);
  }
  return row;
}

function footOf({ message, state, receipt }, isOwn, view) {
  const foot = make('span', { className: 'foot' });
  if (message.pinnedTime > 0) foot.append(textSpan('pinnedMark'));
  if (message.rootRepliedCount > 0) foot.append(textSpan('replies', { n: message.rootRepliedCount }));
  if (message.editedTime > 0) foot.append(textSpan('edited'));
  const at = message.timestamp || Date.now();
  foot.append(make('time', { dateTime: new Date(at).toISOString(), textContent: formatClock(at) }));
  if (!isOwn || message.type === REVOKED) return foot;
  const mark = textSpan(...deliveryOf(message, state, receipt));
  mark.classList.add('state');
  foot.append(mark);
  if (state === FAILED) foot.append(textButton('retry', () => view.act.retry(message), { className: 'retry' }));
  return foot;
}

/** Returns the entry for a message's delivery: sending, sent, failed, read, or read by how many. */
function deliveryOf(message, state, receipt) {
  if (state !== SENT) return [STATE_NAMES[state]];
  if (receipt && receipt.readMemberCount + receipt.unreadMemberCount > 1) {
    return receipt.readMemberCount > 0 ? ['readBy', { n: receipt.readMemberCount, of: receipt.readMemberCount + receipt.unreadMemberCount }] : ['sent'];
  }
  return [message.receiptStatus === 2 ? 'read' : 'sent'];
}

function textSpan(key, vars = null) {
  const element = make('span');
  setText(element, key, vars);
  return element;
}

function menuButton(entry, view) {
  // Reached by keys through its bubble: a tab stop for each message would be too many.
  const button = make('button', { type: 'button', className: 'more', textContent: '⋯', tabIndex: -1 });
  button.dataset.part = 'more';
  setLabel(button, 'messageMenu');
  button.setAttribute('aria-haspopup', 'menu');
  button.onclick = () => view.act.menu(entry, button);
  return button;
}

function pickerOf({ message }, view) {
  const box = make('input', { type: 'checkbox', className: 'pick', checked: view.act.isPicked(message) });
  box.dataset.part = 'pick';
  setLabel(box, 'pick');
  box.onchange = () => view.act.pick(message, box.checked);
  return box;
}
