// A group: its members and what may be done with them.

import { drawAvatar, newAvatar } from './avatar.js';
import { ask, toast } from './dialogs.js';
import { copyOf, copyText, make, part, showError, textButton } from './dom.js';
import { formatText, hasText, setText, setTooltip } from './text.js';

const MEMBERS_AT_ONCE = 100;
const ROLES = { 1: 'roleOwner', 2: 'roleAdmin' };

/** Makes a group and says who could not come. @returns {Promise<string>} its ID */
export async function createGroup(zim, { name, users }, root) {
  const { groupInfo, errorUserList } = await zim.createGroup({ groupID: '', groupName: name, groupAvatarUrl: '' }, users);
  if (errorUserList.length > 0) toast(root, { message: reasonsOf(errorUserList) });
  return groupInfo.baseInfo.groupID;
}

/** Returns who was refused, each with the reason in words. */
function reasonsOf(errorUserList) {
  return errorUserList.map(({ userID, reason }) => `${userID}: ${formatText(hasText(`error${reason}`) ? `error${reason}` : 'notPossible')}`).join(' ');
}

/** The dialog of a group. While it is open, `changed` draws it anew. */
export class GroupDialog {
  groupID;
  #zim;
  #me;
  #sideOf;
  #dialog = copyOf('group-template');

  constructor({ zim, me, groupID, sideOf }) {
    [this.#zim, this.#me, this.groupID, this.#sideOf] = [zim, me, groupID, sideOf];
    part(this.#dialog, 'group-code').textContent = groupID;
    part(this.#dialog, 'copy').onclick = ({ target }) => copyText(part(this.#dialog, 'group-code'), target);
    part(this.#dialog, 'rename').onsubmit = (event) => this.#submit(event, 'group-name', (name) => this.#zim.updateGroupName(name, this.groupID));
    part(this.#dialog, 'invite').onsubmit = (event) => this.#submit(event, 'invitees', (names) => this.#invite(names.split(/[\s,，]+/).filter(Boolean)));
  }

  /** Shows it until it is closed. */
  async open() {
    const closed = ask(this.#dialog);
    await this.changed();
    await closed;
  }

  /** Loads and draws the group anew. */
  async changed() {
    try {
      const [{ groupInfo }, members] = await Promise.all([this.#zim.queryGroupInfo(this.groupID), this.#loadMembers()]);
      const name = part(this.#dialog, 'group-name');
      part(this.#dialog, 'group-title').textContent = groupInfo.baseInfo.groupName || this.groupID;
      if (document.activeElement !== name) name.value = groupInfo.baseInfo.groupName;
      this.#draw(members);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #loadMembers() {
    const members = [];
    for (let nextFlag = 0; ;) {
      const page = await this.#zim.queryGroupMemberList(this.groupID, { count: MEMBERS_AT_ONCE, nextFlag });
      members.push(...page.userList);
      nextFlag = page.nextFlag;
      if (!nextFlag) return members.sort((one, other) => one.memberRole - other.memberRole);
    }
  }

  #draw(members) {
    const own = members.find(({ userID }) => userID === this.#me)?.memberRole ?? Infinity;
    setText(part(this.#dialog, 'group-count'), 'memberCount', { n: members.length });
    // Who may rename and invite is the group's own affair; who is refused is told so.
    part(this.#dialog, 'group-members').replaceChildren(...members.map((member) => this.#line(member, own)));
  }

  #line({ userID, userName, memberNickname, memberRole }, own) {
    const avatar = newAvatar();
    const name = memberNickname || userName || userID;
    drawAvatar(avatar, userID, name, this.#sideOf(userID));
    const line = make('li', {}, avatar, make('span', { className: 'member-name', textContent: name }));
    if (userID === this.#me) line.append(role('you'));
    if (ROLES[memberRole]) line.append(role(ROLES[memberRole]));
    line.append(make('span', { className: 'spacer' }));
    if (userID !== this.#me && own < memberRole) {
      const kick = textButton('kick', () => this.#try(() => this.#zim.kickGroupMembers([userID], this.groupID)), { className: 'quiet' });
      setTooltip(kick, 'kickName', { name });
      line.append(kick);
    }
    return line;
  }

  #submit(event, field, work) {
    event.preventDefault();
    const input = part(this.#dialog, field);
    const value = input.value.trim();
    if (!value) return;
    this.#try(async () => {
      await work(value);
      input.blur();
      if (field === 'invitees') input.value = '';
    });
  }

  async #invite(users) {
    const { errorUserList } = await this.#zim.inviteUsersIntoGroup(users, this.groupID);
    if (errorUserList.length > 0) throw new Error(reasonsOf(errorUserList));
  }

  async #try(work) {
    try {
      await work();
      this.#fail(null);
    } catch (error) {
      this.#fail(error);
    }
    await this.changed();
  }

  #fail(error) {
    showError(part(this.#dialog, 'group-error'), error);
  }
}

function role(key) {
  const element = make('span', { className: 'role' });
  setText(element, key);
  return element;
}
