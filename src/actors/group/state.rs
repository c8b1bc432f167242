//! Who is in a group and which members are online. Pure: it decides nothing about storage.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::actors::connection::Connection;
use crate::actors::connection::feed::FeedItem;
use crate::actors::connection::presence::{Connections, feeds};
use crate::actors::delivery::broadcast::Listener;
use crate::actors::delivery::connection_set::ConnectionSet;
use crate::actors::runtime::route::NodeId;
use crate::model::order_key::rank_after;
use crate::model::{Conversation, GroupInfo, GroupMember, GroupRole, Refusal, UserId, page_by_key};

/// A group that exists.
#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) info: GroupInfo,
    members: BTreeMap<UserId, GroupMember>,
    online: HashMap<UserId, Connections>,
    connections: ConnectionSet,
}

impl GroupState {
    pub(super) fn new(info: GroupInfo, members: Vec<GroupMember>) -> Self {
        let members = members.into_iter().map(|member| (member.user.clone(), member)).collect();
        Self { info, members, online: HashMap::new(), connections: ConnectionSet::default() }
    }

    pub(super) fn conversation(&self) -> Conversation {
        Conversation::Group(self.info.id.clone())
    }

    pub(super) fn member(&self, user: &UserId) -> Option<&GroupMember> {
        self.members.get(user)
    }

    /// Returns a member, or the refusal of a user who is none.
    pub(super) fn inside(&self, user: &UserId) -> Result<&GroupMember, Refusal> {
        self.member(user).ok_or_else(|| Refusal::NotInGroup(self.info.id.to_string()))
    }

    /// Returns the member that owns the group, or the refusal of a user who does not own it.
    pub(super) fn owner(&self, user: &UserId) -> Result<&GroupMember, Refusal> {
        let member = self.inside(user)?;
        if member.role == GroupRole::Owner { Ok(member) } else { Err(Refusal::NoAuthority) }
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &GroupMember> {
        self.members.values()
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.members.keys()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn put(&mut self, member: GroupMember) {
        self.members.insert(member.user.clone(), member);
    }

    pub(super) fn remove(&mut self, user: &UserId) {
        self.members.remove(user);
        self.set_online(user, None);
    }

    /// Replaces what is known of a member's sessions; of other users nothing is kept.
    pub(super) fn set_online(&mut self, user: &UserId, connections: Option<Connections>) {
        for connection in self.online.remove(user).iter().flat_map(|connections| connections.iter()) {
            self.connections.remove(connection.id);
        }
        let Some(connections) = connections.filter(|_| self.members.contains_key(user)) else { return };
        for connection in connections.iter() {
            self.connections.insert(connection.clone());
        }
        self.online.insert(user.clone(), connections);
    }

    /// Returns the members that have a session at a node.
    pub(super) fn users_at(&self, node: NodeId) -> Vec<UserId> {
        let is_there = |connections: &Connections| connections.iter().any(|connection| connection.node() == Some(node));
        self.online.iter().filter(|(_, connections)| is_there(connections)).map(|(user, _)| user.clone()).collect()
    }

    pub(super) fn connections(&self) -> &ConnectionSet {
        &self.connections
    }

    /// Tells the actors of the members that are online.
    pub(super) fn notify(&self, item: &Arc<FeedItem>) {
        self.online.values().flat_map(|connections| feeds(connections, |_| true)).for_each(|feed| feed.push(item.clone()));
    }

    /// Returns every connection of a member, with the first message its user may see.
    pub(super) fn listeners(&self) -> Vec<Listener> {
        let listeners = self.online.iter().flat_map(|(user, connections)| {
            let first_seq = self.member(user).map_or(1, |member| member.first_seq);
            connections.iter().map(move |connection| Listener { connection: connection.clone(), first_seq })
        });
        listeners.collect()
    }

    /// Returns the first message that the user at a connection may see; of one who is no member any more all are hidden.
    pub(super) fn first_seq_of(&self, connection: &Connection) -> u64 {
        let member = connection.identity().and_then(|identity| self.member(&identity.user));
        member.map_or(u64::MAX, |member| member.first_seq)
    }

    /// Returns the connections of the members that are not in `but`.
    pub(super) fn others<'a>(&'a self, but: &'a [UserId]) -> impl Iterator<Item = &'a Arc<Connection>> {
        self.online.iter().filter(|(user, _)| !but.contains(user)).flat_map(|(_, connections)| connections.iter())
    }

    /// Returns the member that owns the group after `owner` has left: the earliest of the others. Source: ZIM API
    /// reference, "leaveGroup".
    pub(super) fn successor(&self, owner: &UserId) -> Option<GroupMember> {
        let others = self.members.values().filter(|member| member.user != *owner);
        others.min_by_key(|member| member.joined).map(|successor| GroupMember { role: GroupRole::Owner, ..successor.clone() })
    }

    /// Returns members of the wanted kind in the order they joined, each with its rank, after the one whose rank is `next`; and the
    /// next page's flag, 0 at the end.
    pub(super) fn page(&self, next: u64, count: usize, wanted: impl Fn(&GroupMember) -> bool) -> (Vec<(u64, GroupMember)>, u64) {
        let mut members: Vec<&GroupMember> = self.members.values().collect();
        members.sort_by_key(|member| member.joined);
        let mut last = 0;
        let ranked = members.into_iter().map(|member| {
            last = rank_after(last, member.joined);
            (last, member)
        });
        let after = ranked.filter(|(rank, member)| *rank > next && wanted(member));
        page_by_key(after.map(|(rank, member)| (rank, member.clone())), count, |(rank, _)| *rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupAdvanced, GroupId, Limits};

    fn group(count: u64) -> GroupState {
        let info =
            GroupInfo::parse(GroupId::trusted("g"), String::new(), String::new(), GroupAdvanced::default(), &Limits::default()).unwrap();
        let member = |n: u64| {
            let role = if n == 0 { GroupRole::Owner } else { GroupRole::Member };
            // The names run against the order of joining, so that one is not taken for the other.
            GroupMember::new(UserId::trusted(&format!("u{:02}", count - n)), role, 100 + n, 1, 0)
        };
        GroupState::new(info, (0..count).map(member).collect())
    }

    #[test]
    fn the_earliest_member_inherits() {
        let group = group(3);
        let successor = group.successor(&UserId::trusted("u03")).unwrap();
        assert_eq!((successor.user.as_str(), successor.role), ("u02", GroupRole::Owner));
        assert_eq!(super::GroupState::new(group.info.clone(), Vec::new()).successor(&UserId::trusted("x")), None);
    }

    #[test]
    fn pages_cover_every_member_once_in_the_order_of_joining() {
        let group = group(25);
        let (mut ranks, mut next) = (Vec::new(), 0);
        loop {
            let (page, flag) = group.page(next, 10, |_| true);
            ranks.extend(page.iter().map(|(_, member)| member.joined));
            if flag == 0 {
                break;
            }
            next = flag;
        }
        assert_eq!(ranks, (100..125).collect::<Vec<_>>());
    }

    #[test]
    fn only_the_owner_has_the_owners_authority() {
        let group = group(2);
        assert!(group.owner(&UserId::trusted("u02")).is_ok());
        assert_eq!(group.owner(&UserId::trusted("u01")), Err(Refusal::NoAuthority));
        assert!(matches!(group.owner(&UserId::trusted("nobody")), Err(Refusal::NotInGroup(_))));
    }
}
