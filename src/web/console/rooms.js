// Rooms and groups, their members, and the actions on them.

import { make, textButton } from '../page/dom.js';
import { ask, id } from './api.js';
import { doAfterAsking, openDialog } from './ask.js';
import { openHistory } from './history.js';
import { Listing, page, rowButton } from './lists.js';
import { count, formatDateTime, lastingText, setText } from './text.js';

/** Shows a dialog with the members of a room or group. */
function showMembers(path, name, extra, kickQuestion) {
  let list;
  return openDialog('membersOf', { name }, (dialog) => {
    list = new Listing({
      path: `${path}/members`, field: 'memberList', empty: 'nobodyHere',
      columns: [{ key: 'user', of: (one) => one.userID, kind: 'code' }, { key: 'name', of: (one) => one.userName || '–', kind: 'wide' }, ...extra],
      actions: (one, reload) => (one.memberRole === 1 ? [] : [rowButton('putOut', one.userID, () => doAfterAsking(
        { title: 'putOutTitle', text: kickQuestion, vars: { name: one.userID, where: name }, act: 'putOut' },
        () => ask('POST', `${path}/kick`, { body: { userIDs: [one.userID] } }),
        'wasPutOut',
      ).then((done) => done && reload()), 'quiet warn')]),
    });
    dialog.append(list.root, make('div', { className: 'choices' }, textButton('close', () => dialog.close(), { className: 'quiet', autofocus: true })));
  }, 'ask wide').then(() => list.stop());
}

/** Roles with a name; the application has others of its own. */
const ROLES = [1, 2, 3];

function roleOf({ memberRole }) {
  const words = make('span');
  setText(words, ROLES.includes(memberRole) ? `role${memberRole}` : 'roleOther', { n: memberRole });
  return words;
}

export function rooms(root) {
  const destroy = (name, reload) => doAfterAsking(
    { title: 'destroyTitle', text: 'destroyText', vars: { name }, act: 'destroy' },
    () => ask('DELETE', `rooms/${id(name)}`),
    'destroyed',
  ).then((done) => done && reload());
  const list = new Listing({
    path: 'rooms', field: 'roomList', empty: 'noRooms',
    columns: [
      { key: 'room', of: (one) => one.roomID, kind: 'code' },
      { key: 'name', of: (one) => one.roomName || '–', kind: 'wide' },
      { key: 'inside', of: (one) => count(one.onlineMemberCount), kind: 'number' },
      { key: 'standsEmpty', of: (one) => lastingText(one.roomDestroyDelayTime), kind: 'number' },
      { key: 'since', of: (one) => formatDateTime(one.createTime) },
    ],
    actions: (one, reload) => [
      rowButton('members', one.roomID, () => showMembers(`rooms/${id(one.roomID)}`, one.roomID, [], 'putOutOfRoom').then(reload)),
      rowButton('read', one.roomID, () => openHistory({ conversation: one.roomID, type: 1 })),
      rowButton('destroy', one.roomID, () => destroy(one.roomID, reload), 'quiet warn'),
    ],
  });
  return page(root, 'rooms', list);
}

export function groups(root) {
  const dismiss = (name, reload) => doAfterAsking(
    { title: 'dismissTitle', text: 'dismissText', vars: { name }, act: 'dismiss' },
    () => ask('DELETE', `groups/${id(name)}`),
    'dismissed',
  ).then((done) => done && reload());
  const role = { key: 'role', of: roleOf };
  const list = new Listing({
    path: 'groups', field: 'groupList', empty: 'noGroups',
    columns: [
      { key: 'group', of: (one) => one.groupID, kind: 'code' },
      { key: 'name', of: (one) => one.groupName || '–', kind: 'wide' },
      { key: 'membersCount', of: (one) => count(one.memberCount), kind: 'number' },
      { key: 'since', of: (one) => formatDateTime(one.createTime) },
    ],
    actions: (one, reload) => [
      rowButton('members', one.groupID, () => showMembers(`groups/${id(one.groupID)}`, one.groupID, [role], 'putOutOfGroup').then(reload)),
      rowButton('read', one.groupID, () => openHistory({ conversation: one.groupID, type: 2 })),
      rowButton('dismiss', one.groupID, () => dismiss(one.groupID, reload), 'quiet warn'),
    ],
  });
  return page(root, 'groups', list);
}
