// The kinds of messages and their labels: the few words that stand for a message in the list, in a quote, in a title.

import { formatText } from './text.js';

export const PEER = 0;
export const ROOM = 1;
export const GROUP = 2;

export const TEXT = 1;
export const COMMAND = 2;
export const BARRAGE = 20;
export const REVOKED = 31;
export const TIPS = 32;
export const COMBINED = 100;
export const CUSTOM = 200;

/** How far a message's send is: the values of `sentStatus`. */
export const SENDING = 0;
export const SENT = 1;
export const FAILED = 2;

/** The `subType` of this page's own custom message. */
export const POLL = 1;
export const OPTIONS_MAX = 8;
/** A vote is a reaction with the number of its option. */
export const VOTE_PREFIX = 'vote:';

const FILE_LABELS = { 11: 'aPicture', 12: 'aFile', 13: 'aSound', 14: 'aFilm' };

/** Returns the question and options of a poll; null for any other message. */
export function pollOf(message) {
  if (message.type !== CUSTOM || message.subType !== POLL) return null;
  try {
    const { question, options } = JSON.parse(message.message);
    const isPoll = typeof question === 'string' && Array.isArray(options) && options.every((option) => typeof option === 'string');
    return isPoll ? { question, options: options.slice(0, OPTIONS_MAX) } : null;
  } catch {
    return null;
  }
}

/** Returns one line that stands for a message of any kind; `me` is who reads it. */
export function summaryOf(message, me = '') {
  if (message.type === TEXT || message.type === BARRAGE) return message.message;
  if (message.type in FILE_LABELS) return `${formatText(FILE_LABELS[message.type])} ${message.fileName ?? ''}`.trim();
  if (message.type === REVOKED) {
    const name = message.operatedUserID || message.senderUserID;
    return name === me ? formatText('takenBackByMe') : formatText('takenBack', { name });
  }
  if (message.type === COMBINED) return `${formatText('aHistory')} ${message.title}`;
  if (message.type === TIPS) return tipOf(message);
  const poll = pollOf(message);
  if (poll) return `${formatText('aPoll')} ${poll.question}`;
  return formatText('anUnknown', { type: message.type });
}

/** Returns the text of a tips message, by which the broker tells what was done in a group. */
export function tipOf({ event, operatedUser, targetUserList }) {
  const names = (targetUserList ?? []).map(({ userName, userID }) => userName || userID).join(', ');
  return formatText(`tip${event}`, { name: operatedUser?.userName || operatedUser?.userID || '', names });
}

export const conversationKey = (type, id) => `${type}/${id}`;

/** Commands and barrages pass through the same events but are not part of what is kept. */
export const isStored = (message) => message.type !== COMMAND && message.type !== BARRAGE;
