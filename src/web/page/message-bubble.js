// How one message looks: its words, file, card or quote, what became of it, and how others reacted.

import { make, sayingButton } from './dom.js';
import { figureOf, isFile } from './files.js';
import { FAILED, SENT } from './message-log.js';
import { hint, label, momentText, phrase, say } from './text.js';
import { COMBINED, REVOKED, ROOM, TIPS, VOTE, pollOf, summaryOf } from './labels.js';

const STATE_NAMES = ['sending', 'sent', 'failed'];

/** Draws an entry of a log into its bubble; files stay as they are, so that what plays goes on. */
export function drawBubble(entry, view) {
  const { bubble, message, state } = entry;
  const mine = (message.senderUserID || view.me) === view.me;
  const isSaid = message.type === TIPS;
  bubble.className = isSaid ? 'said' : `bubble ${mine ? 'mine' : 'theirs'}`;
  bubble.dataset.from = view.act.sideOf(message.senderUserID || view.me);
  bubble.classList.toggle('to-me', !mine && (message.isMentionAll || message.mentionedUserIDs?.includes(view.me)));
  bubble.classList.toggle('gone', message.type === REVOKED);
  bubble.dataset.state = STATE_NAMES[state];
  bubble.dataset.messageId = message.messageID;
  const words = summaryOf(message);
  bubble.setAttribute('aria-label', isSaid || message.type === REVOKED ? words : `${message.senderUserID || view.me}: ${words}`);
  if (isSaid) {
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
  parts.push(footOf(entry, mine, view));
  if (reactions) parts.push(reactions);
  if (state === SENT && view.type !== ROOM && message.type !== REVOKED) parts.push(view.act.picking ? pickerOf(entry, view) : bubble.querySelector('.more') ?? menuButton(entry, view));
  bubble.replaceChildren(...parts);
  if (focused) bubble.querySelector(`[data-part="${focused}"]`)?.focus();
}

/** What a file is drawn from: drawn anew it would begin to play anew. */
const fileKey = (message, state) => (message.fileLocalPath instanceof Blob ? message.localMessageID : `${message.fileUID}${message.fileDownloadUrl}${state}`);

function contentOf(message, view) {
  if (isFile(message)) return figureOf(message, view.act.refresh);
  const poll = pollOf(message);
  if (poll) return pollCard(message, poll, view);
  if (message.type === COMBINED) return combinedCard(message, view);
  return make('p', { className: 'words', textContent: summaryOf(message) });
}

function quoteOf({ state, messageID, senderUserID, messageInfo }, view) {
  const words = state === 0 && messageInfo ? `${senderUserID}: ${summaryOf(messageInfo)}` : phrase(state === 1 ? 'quoteTakenBack' : 'quoteLost');
  const button = make('button', { type: 'button', className: 'quote', textContent: words });
  button.dataset.part = 'quote';
  button.onclick = () => view.act.jump(messageID);
  return button;
}

function pollCard(message, { question, options }, view) {
  const votes = options.map((_, n) => message.reactions?.find(({ reactionType }) => reactionType === `${VOTE}${n}`));
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
  const votesSaid = make('p', { className: 'poll-total' });
  say(votesSaid, 'votes', { n: total });
  card.append(votesSaid);
  return card;
}

function combinedCard(message, view) {
  const button = make('button', { type: 'button', className: 'combined' });
  button.dataset.part = 'combined';
  button.append(make('strong', { textContent: message.title }), make('span', { className: 'combined-summary', textContent: message.summary }));
  hint(button, 'openHistory');
  button.onclick = () => view.act.openCombined(message);
  return button;
}

function reactionsOf(message, view) {
  const shown = (message.reactions ?? []).filter(({ reactionType, totalCount }) => totalCount > 0 && !reactionType.startsWith(VOTE));
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

function footOf({ message, state, receipt }, mine, view) {
  const foot = make('span', { className: 'foot' });
  if (message.pinnedTime > 0) foot.append(said('pinnedMark'));
  if (message.rootRepliedCount > 0) foot.append(said('replies', { n: message.rootRepliedCount }));
  if (message.editedTime > 0) foot.append(said('edited'));
  const at = message.timestamp || Date.now();
  foot.append(make('time', { dateTime: new Date(at).toISOString(), textContent: momentText(at) }));
  if (!mine || message.type === REVOKED) return foot;
  const mark = said(...deliveryOf(message, state, receipt));
  mark.classList.add('state');
  foot.append(mark);
  if (state === FAILED) foot.append(sayingButton('retry', () => view.act.retry(message), { className: 'retry' }));
  return foot;
}

/** Sending, sent, failed; and beyond: read by the other, or by how many. */
function deliveryOf(message, state, receipt) {
  if (state !== SENT) return [STATE_NAMES[state]];
  if (receipt && receipt.readMemberCount + receipt.unreadMemberCount > 1) {
    return receipt.readMemberCount > 0 ? ['readBy', { n: receipt.readMemberCount, of: receipt.readMemberCount + receipt.unreadMemberCount }] : ['sent'];
  }
  return [message.receiptStatus === 2 ? 'read' : 'sent'];
}

function said(key, vars = null) {
  const element = make('span');
  say(element, key, vars);
  return element;
}

function menuButton(entry, view) {
  // The keys come to it by its bubble: one stop for each message would be many.
  const button = make('button', { type: 'button', className: 'more', textContent: '⋯', tabIndex: -1 });
  button.dataset.part = 'more';
  label(button, 'messageMenu');
  button.setAttribute('aria-haspopup', 'menu');
  button.onclick = () => view.act.menu(entry, button);
  return button;
}

function pickerOf({ message }, view) {
  const box = make('input', { type: 'checkbox', className: 'pick', checked: view.act.isPicked(message) });
  box.dataset.part = 'pick';
  label(box, 'pick');
  box.onchange = () => view.act.pick(message, box.checked);
  return box;
}
