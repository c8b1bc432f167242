//! How a group's membership changes: check, write rows, then change state and tell.
//!
//! While rows are on their way to disk the group takes no other message, so each change is decided on a settled
//! state, and a crash leaves either the old rows or the new ones.

use std::sync::Arc;

use actix::prelude::*;

use super::state::GroupState;
use super::{Group, GroupStatus};
use crate::actors::connection::Connection;
use crate::actors::connection::feed::FeedItem;
use crate::actors::conversation::messages::{Publish, Source};
use crate::actors::conversation::publish;
use crate::actors::delivery::batch::deliver_accepted;
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::reply::Reply;
use crate::model::{Body, Conversation, Draft, GroupInfo, GroupMember, Refusal, Target, Tips, TipsEvent, TipsUser, UserId, UserProfile};
use crate::protocol::event::group::{GroupEvent, GroupMemberEvent, GroupMemberStateChanged, GroupStateChanged};
use crate::protocol::result::group::OperatedInfo;
use crate::store::{GroupRecord, RowWrite};

/// One event of membership, as it is told to those it happened to, to the others, and in the group itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct MembershipEvent {
    to_self: GroupEvent,
    /// None when the others are told otherwise, or not at all.
    to_others: Option<GroupMemberEvent>,
    /// The tip that is posted in the group.
    tip: TipsEvent,
}

impl MembershipEvent {
    const fn new(to_self: GroupEvent, to_others: Option<GroupMemberEvent>, tip: TipsEvent) -> Self {
        Self { to_self, to_others, tip }
    }
}

pub(super) const CREATED: MembershipEvent = MembershipEvent::new(GroupEvent::Created, None, TipsEvent::Created);
pub(super) const JOINED: MembershipEvent = MembershipEvent::new(GroupEvent::Joined, Some(GroupMemberEvent::Joined), TipsEvent::Joined);
pub(super) const INVITED: MembershipEvent = MembershipEvent::new(GroupEvent::Invited, Some(GroupMemberEvent::Invited), TipsEvent::Invited);
/// Invited with the group's creation: there are no others to be told.
pub(super) const FIRST_INVITED: MembershipEvent = MembershipEvent::new(GroupEvent::Invited, None, TipsEvent::Invited);
pub(super) const LEFT: MembershipEvent = MembershipEvent::new(GroupEvent::Left, Some(GroupMemberEvent::Left), TipsEvent::Left);
pub(super) const KICKED: MembershipEvent =
    MembershipEvent::new(GroupEvent::KickedOut, Some(GroupMemberEvent::KickedOut), TipsEvent::KickedOut);
pub(super) const DISMISSED: MembershipEvent = MembershipEvent::new(GroupEvent::Dismissed, None, TipsEvent::Dismissed);

impl Group {
    /// Writes rows, then calls `then` with the outcome, on a state nobody changed meanwhile.
    pub(super) fn commit<F>(&mut self, rows: Vec<RowWrite>, ctx: &mut Context<Self>, then: F)
    where
        F: FnOnce(&mut Self, Result<(), Refusal>, &mut Context<Self>) + 'static,
    {
        let archive = self.context.archive.clone();
        let keep = async move { archive.apply(rows).await };
        ctx.wait(keep.into_actor(self).map(move |kept, group, ctx| {
            deliver_accepted(group);
            then(group, kept, ctx);
        }));
    }

    /// Returns the group's row, when it differs from the one that is kept.
    pub(super) fn put_info(&self, info: &GroupInfo) -> Option<RowWrite> {
        let is_new = matches!(&self.status, GroupStatus::Exists(state) if state.info != *info);
        is_new.then(|| RowWrite::PutGroup(GroupRecord { info: info.clone(), dismissed: false }))
    }

    pub(super) fn take_info(&mut self, info: GroupInfo) {
        if let GroupStatus::Exists(state) = &mut self.status {
            state.info = info;
        }
    }

    /// Makes the lists of conversations of these users follow.
    pub(super) fn list_changed<'a>(&self, users: impl Iterator<Item = &'a UserId>) {
        let item = Arc::new(FeedItem::Changed(Conversation::Group(self.id.clone())));
        users.for_each(|user| self.context.notify(user, &item));
    }

    /// Posts the event in the group itself, if tips are switched on. Source: ZIM API reference, `ZIMTipsMessage`.
    pub(super) fn post<'a>(
        &mut self,
        event: MembershipEvent,
        by: &UserProfile,
        whom: impl Iterator<Item = &'a UserProfile>,
        new_owner: Option<TipsUser>,
    ) {
        let targets = whom.map(tips_user).collect();
        self.post_tips(&by.id, Tips { event: event.tip, operated: tips_user(by), targets, new_owner, change: None });
    }

    pub(super) fn post_tips(&mut self, by: &UserId, tips: Tips) {
        if !self.context.config().group.tips {
            return;
        }
        let target = Target::Group(self.id.clone());
        let draft = Draft::of(Body::Tips(Box::new(tips)));
        let publish = Publish::new(by.clone(), Source::Broker, target, draft, Reply::default(), tracing::Span::none());
        publish::publish_system(self, publish, &Conversation::Group(self.id.clone()));
    }

    pub(super) fn admit(&mut self, member: GroupMember) {
        let (user, presence) = (member.user.clone(), self.context.presence.connections(&member.user));
        if let GroupStatus::Exists(state) = &mut self.status {
            state.put(member);
            state.set_online(&user, presence);
        }
    }

    /// Tells those it happened to, on all their devices, and the other members.
    pub(super) fn tell(&self, event: MembershipEvent, by: &UserProfile, whom: &[(GroupMember, UserProfile)]) {
        let GroupStatus::Exists(state) = &self.status else { return };
        let operated = operated(state, by);
        for (member, _) in whom {
            self.tell_self(state, event, &operated, &member.user);
        }
        if let Some(to_others) = event.to_others {
            let users = users_of(whom);
            announce(&GroupMemberStateChanged::new(&state.info.id, to_others, &operated, whom), state.others(&users));
        }
    }

    pub(super) fn tell_self(&self, state: &GroupState, event: MembershipEvent, operated: &OperatedInfo, user: &UserId) {
        let changed = GroupStateChanged::new(&state.info, event.to_self, operated);
        let connections = self.context.presence.connections(user);
        announce(&changed, connections.iter().flat_map(|connections: &Arc<[Arc<Connection>]>| connections.iter()));
    }
}

pub(super) fn users_of(members: &[(GroupMember, UserProfile)]) -> Vec<UserId> {
    members.iter().map(|(member, _)| member.user.clone()).collect()
}

pub(super) fn tips_user(profile: &UserProfile) -> TipsUser {
    TipsUser { id: profile.id.clone(), name: profile.name.clone() }
}

pub(super) fn operated(state: &GroupState, by: &UserProfile) -> OperatedInfo {
    OperatedInfo::new(state.member(&by.id), by)
}
