// Groups on the demo page: in everybody's list at once, with their members, and found again.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Playground, skip } from './page-kit.mjs';

describe('groups on the demo page', { skip }, () => {
  const playground = Playground.ofSuite();
  let alice;
  let bob;

  const begin = async (look) => { [alice, bob] = await playground.openSignedIn(look); };
  const dialog = () => playground.page.locator('dialog.group');
  const member = (name) => dialog().locator('li', { has: playground.page.locator('.member-name', { hasText: new RegExp(`^${name}$`) }) });

  async function openMembers(person) {
    await person.here('members-button').click();
    await dialog().locator('[data-part="group-count"]').filter({ hasText: /\d/ }).waitFor();
  }

  test('a new group is in everybody’s list at once, before a word is said', async () => {
    await begin();
    await alice.start('group', { 'new-group-name': 'Book club', members: 'bob' });
    for (const person of [alice, bob]) await person.item('Book club').locator('.item-words').filter({ hasText: 'alice made the group' }).waitFor();
    await playground.page.reload();
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    for (const person of [alice, bob]) await person.item('Book club').waitFor();
  });

  test('members are shown, invited, removed, and the group is renamed', async () => {
    await playground.clients.login('erin');
    await begin();
    await alice.start('group', { 'new-group-name': 'Hikers', members: 'bob' });
    await openMembers(alice);
    await member('alice').filter({ hasText: 'You' }).filter({ hasText: 'Owner' }).waitFor();
    await member('bob').waitFor();
    await dialog().locator('[data-part="invitees"]').fill('erin, nobody-here');
    await dialog().getByRole('button', { name: 'Invite' }).click();
    await member('erin').waitFor();
    await dialog().locator('[data-part="group-error"]').filter({ hasText: 'nobody-here: Nobody of that name' }).waitFor();
    await dialog().locator('[data-part="group-count"]').filter({ hasText: 'Members: 3' }).waitFor();
    await dialog().locator('[data-part="group-name"]').fill('Hikers and climbers');
    await dialog().getByRole('button', { name: 'Rename' }).click();
    for (const person of [alice, bob]) await person.item('Hikers and climbers').waitFor();
    await playground.picture('members');
    await member('erin').getByRole('button', { name: 'Remove' }).click();
    await member('erin').waitFor({ state: 'detached' });
    await playground.page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });

    // Who may not remove is not offered it, and who may not rename is told so.
    await bob.open('Hikers and climbers');
    await openMembers(bob);
    assert.equal(await dialog().getByRole('button', { name: 'Remove' }).count(), 0);
    await dialog().getByRole('button', { name: 'Close' }).click();
    await alice.here('text').fill('@');
    await alice.here('mentions').getByText('@bob').waitFor();
    assert.equal(await alice.here('mentions').getByText('@erin').count(), 0);
  });

  test('a group that was taken off the list is found by its name, and joined by its ID', async () => {
    await begin();
    await alice.start('group', { 'new-group-name': 'Lost and found', members: '' });
    await openMembers(alice);
    const groupID = await dialog().locator('[data-part="group-code"]').textContent();
    await playground.page.keyboard.press('Escape');
    await alice.options('Take off the list');
    await alice.item('Lost and found').waitFor({ state: 'detached' });
    await alice.part('search').fill('and found');
    await alice.part('found').locator('button', { hasText: 'Lost and found' }).click();
    await alice.here('title').filter({ hasText: 'Lost and found' }).waitFor();
    await bob.start('join', { 'group-id': groupID });
    await bob.here('title').filter({ hasText: 'Lost and found' }).waitFor();
    // One that one is in already is opened.
    await bob.open('alice');
    await bob.start('join', { 'group-id': groupID });
    await bob.here('title').filter({ hasText: 'Lost and found' }).waitFor();
    await bob.write('found it');
    await alice.sees('found it');
  });

  test('a dialog that is open shows who comes and goes', async () => {
    await begin();
    await alice.start('group', { 'new-group-name': 'Comings', members: 'bob' });
    await openMembers(alice);
    const groupID = await dialog().locator('[data-part="group-code"]').textContent();
    const { zim } = await playground.clients.login('frank');
    await dialog().locator('[data-part="invitees"]').fill('frank');
    await dialog().getByRole('button', { name: 'Invite' }).click();
    await member('frank').waitFor();
    await zim.leaveGroup(groupID);
    await member('frank').waitFor({ state: 'detached' });
  });
});
