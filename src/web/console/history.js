// What was written in a conversation, page by page, the newest first. What it says is shown as text and nothing else.

import { make, textButton } from '../page/dom.js';
import { id } from './api.js';
import { heading, mark } from './parts.js';
import { Listing, page, rowButton } from './lists.js';
import { choice, kindMark, text, wordsOf } from './tail.js';
import { count, exactText, formatDateTime, setText } from './text.js';

const WHERE = ['peer', 'room', 'group'];

/** What another view wants to be shown: `{user}`, or `{conversation, type}`. */
let wanted = null;

/** Opens this view with a user's conversations, or with a room's or group's messages. */
export function openHistory(what) {
  wanted = what;
  location.hash = 'history';
}

export function history(root) {
  const note = make('p', { className: 'note' });
  setText(note, 'historyNote');
  const user = text('asUser');
  const where = choice('where', WHERE.map((name, number) => [`${number}`, `one_${name}`]));
  const conversation = text('conversationID');
  conversation.className = 'roomy';
  const list = textButton('conversations', () => showList(), { className: 'quiet' });
  const form = make('form', { className: 'tools' }, user, list, make('span', { className: 'spacer' }), where, conversation, textButton('read', null, { type: 'submit' }));
  const shown = make('div');
  let lists = [];
  const clear = () => {
    lists.forEach((one) => one.stop());
    lists = [];
    shown.replaceChildren();
  };

  function showList() {
    const name = user.value.trim();
    if (!name) return user.focus();
    clear();
    const title = heading('conversationsOf', { name });
    const entries = new Listing({
      path: `users/${id(name)}/conversations`, field: 'conversationList', empty: 'noConversations',
      columns: [
        { key: 'where', of: (one) => mark(`one_${WHERE[one.type] ?? 'peer'}`, 'plain') },
        { key: 'conversationID', of: (one) => one.conversationID, kind: 'code' },
        { key: 'name', of: (one) => one.conversationName || '–', kind: 'wide' },
        { key: 'lastMessage', of: (one) => (one.lastMessage ? formatDateTime(one.lastMessage.timestamp) : '–') },
        { key: 'unread', of: (one) => count(one.unreadMessageCount ?? 0), kind: 'number' },
      ],
      actions: (one) => [rowButton('read', one.conversationID, () => read(one.type, one.conversationID))],
    });
    lists.push(entries);
    shown.append(title, entries.root);
  }

  function read(type, conversationID) {
    where.value = `${type}`;
    conversation.value = conversationID;
    clear();
    const messages = new Listing({
      path: 'messages', field: 'messageList', empty: 'nothingWritten', query: { userID: user.value.trim(), conversationID, conversationType: type },
      columns: [
        { key: 'time', of: (one) => exactText(one.timestamp) },
        { key: 'sender', of: (one) => one.senderUserID, kind: 'code' },
        { key: 'kind', of: (one) => kindMark(one.type) },
        { key: 'words', of: (one) => wordsOf(one, Infinity), kind: 'wide words' },
      ],
    });
    lists.push(messages);
    shown.append(heading(`messagesOf_${WHERE[type]}`, { name: conversationID }), messages.root);
  }

  form.onsubmit = (event) => {
    event.preventDefault();
    if (!conversation.value.trim()) return showList();
    read(Number(where.value), conversation.value.trim());
  };
  const stop = page(root, 'history', make('section', { className: 'card' }, note, form), shown);
  if (wanted?.user) {
    user.value = wanted.user;
    showList();
  } else if (wanted) read(wanted.type, wanted.conversation);
  wanted = null;
  return () => {
    clear();
    stop();
  };
}
