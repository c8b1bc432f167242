// The group tab: finds the group both people are in, or makes it.

import { Chat, GROUP, part, showError } from './chat.js';
import { say } from './text.js';

const GROUP_NAME = 'Friends';
const ENTERED = 1;
const MEMBERS_PAGE = 100;

export class Group {
  #root;
  #zim;
  #peer = null;
  #chat;

  constructor(root, zim, me) {
    this.#root = root;
    this.#zim = zim;
    this.#chat = new Chat(root.querySelector('[data-chat="group"]'), GROUP, me);
    part(root, 'group-create').onclick = () => this.create();
  }

  get groupID() {
    return this.#chat.id;
  }

  /** Looks for the group with this person; answers whether there is one. */
  async meet(peer) {
    if (this.#peer !== peer) {
      this.#peer = peer;
      this.#chat.close();
      this.#showEmpty();
    }
    const found = await this.#findShared();
    if (found) await this.#open(found);
    return found !== null;
  }

  async create() {
    const button = part(this.#root, 'group-create');
    button.disabled = true;
    try {
      const made = await this.#zim.createGroup({ groupID: '', groupName: GROUP_NAME }, [this.#peer]);
      await this.#open(made.groupInfo.baseInfo);
      const missing = (made.errorUserList ?? []).some(({ userID }) => userID === this.#peer);
      if (missing) this.#showNotInvited();
    } catch (error) {
      showError(part(this.#root, 'group-error'), error);
    } finally {
      button.disabled = false;
    }
  }

  reload() {
    return this.#chat.reload();
  }

  receive(data) {
    return this.#chat.receive(data);
  }

  sentStatusChanged(infos) {
    this.#chat.sentStatusChanged(infos);
  }

  /** The other person has made the group, or this one has left it. */
  stateChanged({ state, groupInfo }) {
    const { groupID, groupName } = groupInfo.baseInfo;
    if (state === ENTERED && this.groupID === null && groupName === GROUP_NAME) this.#open(groupInfo.baseInfo);
  }

  async #findShared() {
    try {
      const { groupList } = await this.#zim.queryGroupList();
      const candidates = groupList.map((group) => group.baseInfo).filter((info) => info.groupName === GROUP_NAME);
      // Both people see the same candidates; the smallest id lets both choose the same one.
      candidates.sort((one, two) => (one.groupID < two.groupID ? -1 : 1));
      for (const info of candidates) {
        if (await this.#hasPeer(info.groupID)) return info;
      }
    } catch (error) {
      showError(part(this.#root, 'group-error'), error);
    }
    return null;
  }

  async #hasPeer(groupID) {
    const { userList } = await this.#zim.queryGroupMemberList(groupID, { count: MEMBERS_PAGE, nextFlag: 0 });
    return userList.some(({ userID }) => userID === this.#peer);
  }

  async #open({ groupID, groupName }) {
    part(this.#root, 'group-empty').hidden = true;
    this.#root.querySelector('[data-chat="group"]').hidden = false;
    const name = part(this.#root, 'group-name');
    name.hidden = false;
    say(name, 'groupName', { name: groupName, id: groupID });
    await this.#chat.open(this.#zim, groupID);
  }

  #showEmpty() {
    part(this.#root, 'group-empty').hidden = false;
    this.#root.querySelector('[data-chat="group"]').hidden = true;
    part(this.#root, 'group-name').hidden = true;
    say(part(this.#root, 'group-empty-text'), 'noGroup', { name: this.#peer });
    say(part(this.#root, 'group-create'), 'createGroup', { name: this.#peer });
  }

  #showNotInvited() {
    const error = part(this.#root, 'error');
    error.hidden = false;
    say(error, 'notInvited', { name: this.#peer });
  }
}
