import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ZIMGroupEvent, ZIMGroupMemberEvent, ZIMGroupState } from '../../src/web/tidings.js';
import { startBroker } from './broker.mjs';
import { Clients, rejectsWith, within } from './clients.mjs';

const GROUP = 2;
const OWNER = 1;
const MEMBER = 3;

let broker;
let clients;
let alice;
let bob;
let carol;

before(async () => {
  broker = await startBroker();
  clients = new Clients(broker);
  alice = await clients.login('alice');
  bob = await clients.login('bob');
  carol = await clients.login('carol');
});

after(async () => {
  clients.destroy();
  await broker.stop();
});

const ids = (list) => list.map(({ userID }) => userID).sort();
const ofGroup = (groupID) => (data) => (data.groupID ?? data.groupInfo.baseInfo.groupID) === groupID;

/** The first event of this kind about this group. */
function heard({ ears }, type, groupID, event) {
  const find = () => ears.of(type).find((data) => ofGroup(groupID)(data) && data.event === event);
  return ears.until(`${type} ${event} of ${groupID}`, find);
}

async function makeGroup(groupID, userIDs) {
  const groupInfo = { groupID, groupName: `name of ${groupID}`, groupAvatarUrl: '' };
  const config = { groupNotice: 'be kind', groupAttributes: { topic: 'tests' } };
  return within(alice.zim.createGroup(groupInfo, userIDs, config), 'group');
}

test('a group is made, found and talked in', async () => {
  const made = await makeGroup('crew', ['bob', 'nobody-here']);
  assert.equal(made.groupInfo.baseInfo.groupID, 'crew');
  assert.equal(made.groupInfo.groupNotice, 'be kind');
  assert.deepEqual(made.groupInfo.groupAttributes, { topic: 'tests' });
  assert.deepEqual(ids(made.errorUserList), ['nobody-here']);
  const entered = await heard(bob, 'groupStateChanged', 'crew', ZIMGroupEvent.Invited);
  assert.equal(entered.state, ZIMGroupState.Enter);

  const { groupList } = await within(bob.zim.queryGroupList(), 'groups');
  assert.ok(groupList.some(({ baseInfo }) => baseInfo.groupID === 'crew'));
  const { groupInfo } = await within(bob.zim.queryGroupInfo('crew'), 'info');
  assert.equal(groupInfo.baseInfo.groupName, 'name of crew');
  const { userList, nextFlag } = await within(bob.zim.queryGroupMemberList('crew', { count: 100, nextFlag: 0 }), 'members');
  assert.deepEqual(userList.map(({ userID, memberRole }) => [userID, memberRole]).sort(), [['alice', OWNER], ['bob', MEMBER]]);
  assert.equal(nextFlag, 0);
  assert.deepEqual(await within(bob.zim.queryGroupMemberCount('crew'), 'count'), { groupID: 'crew', count: 2 });

  const { message } = await within(alice.zim.sendMessage({ type: 1, message: 'hi crew' }, 'crew', GROUP, { priority: 1 }), 'answer');
  const isIt = ({ messageID }) => messageID === message.messageID;
  const arrived = await bob.ears.until('the message', (ears) => ears.messages('receiveGroupMessage').find(isIt));
  assert.deepEqual([arrived.conversationID, arrived.conversationType, arrived.senderUserID], ['crew', GROUP, 'alice']);
  await rejectsWith(6000521, carol.zim.sendMessage({ type: 1, message: 'hi' }, 'crew', GROUP, { priority: 1 }));
});

test('members come and go, and everyone hears of it', async () => {
  await makeGroup('doors', ['bob']);
  await within(carol.zim.joinGroup('doors'), 'join');
  await heard(carol, 'groupStateChanged', 'doors', ZIMGroupEvent.Joined);
  const came = await heard(alice, 'groupMemberStateChanged', 'doors', ZIMGroupMemberEvent.Joined);
  assert.deepEqual(ids(came.userList), ['carol']);

  const kicked = await within(alice.zim.kickGroupMembers(['carol'], 'doors'), 'kick');
  assert.deepEqual(kicked.kickedUserIDs, ['carol']);
  await heard(carol, 'groupStateChanged', 'doors', ZIMGroupEvent.KickedOut);
  const gone = await heard(bob, 'groupMemberStateChanged', 'doors', ZIMGroupMemberEvent.KickedOut);
  assert.deepEqual([ids(gone.userList), gone.operatedInfo.userID], [['carol'], 'alice']);
  await rejectsWith(6000541, bob.zim.kickGroupMembers(['alice'], 'doors'));

  const invited = await within(bob.zim.inviteUsersIntoGroup(['carol', 'nobody-here'], 'doors'), 'invitation');
  assert.deepEqual([ids(invited.userList), ids(invited.errorUserList)], [['carol'], ['nobody-here']]);

  assert.deepEqual(await within(bob.zim.leaveGroup('doors'), 'leave'), { groupID: 'doors' });
  await heard(alice, 'groupMemberStateChanged', 'doors', ZIMGroupMemberEvent.Left);
});

test('only the owner dismisses, and the id is not used twice', async () => {
  await makeGroup('over', ['bob']);
  await rejectsWith(6000541, bob.zim.dismissGroup('over'));
  await within(alice.zim.dismissGroup('over'), 'dismissal');
  const state = await heard(bob, 'groupStateChanged', 'over', ZIMGroupEvent.Dismissed);
  assert.equal(state.state, ZIMGroupState.Quit);
  await rejectsWith(6000527, makeGroup('over', []));
  await rejectsWith(6000523, bob.zim.joinGroup('never-made'));
});

test('without an id the broker chooses one', async () => {
  const made = await within(alice.zim.createGroup({ groupID: '', groupName: 'unnamed' }, ['bob']), 'group');
  assert.match(made.groupInfo.baseInfo.groupID, /^#/);
  await rejectsWith(6000001, alice.zim.createGroup({ groupID: '#mine', groupName: 'x' }, ['bob']));
});
