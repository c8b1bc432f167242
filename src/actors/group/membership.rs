//! How a group's membership changes: check, write rows, then change state and tell.
//!
//! While rows are on their way to disk the group takes no other message, so each change is decided on a settled
//! state, and a crash leaves either the old rows or the new ones.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::json;
use tokio::sync::oneshot;

use super::state::GroupState;
use super::{Group, GroupStatus, profiles};
use crate::actors::connection::Connection;
use crate::actors::connection::feed::FeedItem;
use crate::actors::conversation::publish;
use crate::actors::conversation::publish::Publish;
use crate::actors::delivery::batch::deliver_accepted;
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::hooks::Event;
use crate::model::{
    BeInviteMode, Body, Conversation, Draft, GroupInfo, GroupMember, GroupRole, InviteMode, JoinMode, Refusal, Target, Tips, TipsEvent,
    TipsUser, UserId, UserProfile,
};
use crate::protocol::{GroupMemberWire, OperatedInfo, group_full, group_member};
use crate::store::{GroupRecord, RowWrite, Store, StoreError};

/// A new group with its first members.
pub(crate) struct Create {
    pub(crate) owner: UserProfile,
    pub(crate) info: GroupInfo,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Created>,
}

/// What a creation brought about.
pub(crate) struct Created {
    pub(crate) info: GroupInfo,
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// A user comes in by itself.
pub(crate) struct Join {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<GroupInfo>,
}

/// A member goes.
pub(crate) struct Quit {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<()>,
}

/// The owner ends the group.
pub(crate) struct Dismiss {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<()>,
}

/// A member brings others in.
pub(crate) struct Invite {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Invited>,
}

/// Whom an invitation brought in.
pub(crate) struct Invited {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Owner or admin put members out.
pub(crate) struct Kick {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Kicked>,
}

/// Who is out.
pub(crate) struct Kicked {
    pub(crate) users: Vec<UserId>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// The vendor's numbers of what happened. Source: spec 2.8.
#[derive(Debug, Clone, Copy)]
struct MembershipEvent {
    state: u8,
    /// `GroupEvent`, told to the one it happened to.
    to_self: u8,
    /// `GroupMemberEvent`, told to the others; 0: they are told otherwise or not at all.
    to_others: u8,
    /// What is said in the group.
    tip: TipsEvent,
}

const CREATED: MembershipEvent = MembershipEvent { state: 1, to_self: 1, to_others: 0, tip: TipsEvent::Created };
const JOINED: MembershipEvent = MembershipEvent { state: 1, to_self: 3, to_others: 1, tip: TipsEvent::Joined };
const INVITED: MembershipEvent = MembershipEvent { state: 1, to_self: 4, to_others: 5, tip: TipsEvent::Invited };
const LEFT: MembershipEvent = MembershipEvent { state: 0, to_self: 5, to_others: 2, tip: TipsEvent::Left };
const KICKED: MembershipEvent = MembershipEvent { state: 0, to_self: 6, to_others: 4, tip: TipsEvent::KickedOut };
const DISMISSED: MembershipEvent = MembershipEvent { state: 0, to_self: 2, to_others: 0, tip: TipsEvent::Dismissed };

/// What the store knows of users that are to become members.
struct Candidates {
    found: Vec<UserProfile>,
    failed: Vec<(UserId, Refusal)>,
    head: u64,
}

/// Reads who of `users` may come in; `head` is the last message they will not see.
fn candidates(
    store: &dyn Store,
    conversation: &Conversation,
    users: Vec<UserId>,
    must_exist: bool,
    groups_max: usize,
) -> Result<Candidates, StoreError> {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for user in users {
        match store.user(&user)? {
            None if must_exist => failed.push((user.clone(), Refusal::UserMissing(user.to_string()))),
            _ if store.groups_of(&user)?.len() >= groups_max => {
                let reason = format!("is in {groups_max} groups already, the limit");
                failed.push((user, crate::model::Invalid::new("userID", reason).into()));
            }
            profile => found.push(profile.unwrap_or_else(|| UserProfile::new(user, String::new()))),
        }
    }
    Ok(Candidates { found, failed, head: store.head(conversation)? })
}

impl Group {
    async fn look_up(
        context: Arc<crate::actors::context::BrokerContext>,
        conversation: Conversation,
        users: Vec<UserId>,
    ) -> Result<Candidates, Refusal> {
        let (must_exist, groups_max) = (context.config().users.must_exist, context.config().limits.groups_per_user_max);
        context.archive.read(move |store| candidates(store, &conversation, users, must_exist, groups_max)).await
    }

    fn member(&self, user: &UserId, role: GroupRole, head: u64) -> GroupMember {
        let first_seq = if self.context.config().group.new_members_see_history { 1 } else { head + 1 };
        GroupMember::new(user.clone(), role, self.context.ids.next(), first_seq, head)
    }

    /// The broker's limit, or a lower one of the group's own.
    fn members_max(&self, info: &GroupInfo) -> usize {
        let members_max = self.context.config().limits.group_members_max;
        if info.members_max > 0 { members_max.min(info.members_max) } else { members_max }
    }

    /// Writes rows, then goes on with the outcome on a state nobody changed meanwhile.
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

    /// Lets those in whom the group has room for; the rest is refused one by one.
    fn admit_candidates(
        &mut self,
        candidates: Candidates,
        by: UserProfile,
        event: MembershipEvent,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<Invited, Refusal>, &mut Context<Self>) + 'static,
    ) {
        let Candidates { found, mut failed, head } = candidates;
        let (mut info, members) = match self.existing() {
            Ok(state) => (state.info.clone(), state.len()),
            Err(refusal) => return then(self, Err(refusal), ctx),
        };
        let members_max = self.members_max(&info);
        let free = members_max.saturating_sub(members);
        let mut members = Vec::new();
        for (n, profile) in found.into_iter().enumerate() {
            if n < free {
                let muted = info.muted_outside.remove(&profile.id).unwrap_or_default();
                members.push((GroupMember { muted, ..self.member(&profile.id, GroupRole::Member, head) }, profile));
            } else {
                failed.push((profile.id, Refusal::GroupFull { members_max }));
            }
        }
        if members.is_empty() {
            return then(self, Ok(Invited { members, failed }), ctx);
        }
        let mut rows: Vec<RowWrite> = members.iter().map(|(member, _)| RowWrite::PutMember(self.id.clone(), member.clone())).collect();
        rows.extend(self.put_info(&info));
        self.commit(rows, ctx, move |group, kept, ctx| {
            if let Err(refusal) = kept {
                return then(group, Err(refusal), ctx);
            }
            group.take_info(info);
            for (member, _) in &members {
                group.admit(member.clone());
            }
            group.context.tell_host(|| Event::GroupJoined { group: group.id.clone(), users: users_of(&members), by: by.id.clone() });
            group.tell(event, &by, &members);
            group.list_changed(members.iter().map(|(member, _)| &member.user));
            group.post(event, &by, members.iter().map(|(_, profile)| profile), None);
            then(group, Ok(Invited { members, failed }), ctx);
        });
    }

    /// The group's row, when it is another than there is.
    fn put_info(&self, info: &GroupInfo) -> Option<RowWrite> {
        let is_new = matches!(&self.status, GroupStatus::Exists(state) if state.info != *info);
        is_new.then(|| RowWrite::PutGroup(GroupRecord { info: info.clone(), dismissed: false }))
    }

    fn take_info(&mut self, info: GroupInfo) {
        if let GroupStatus::Exists(state) = &mut self.status {
            state.info = info;
        }
    }

    /// Their lists of conversations follow.
    pub(super) fn list_changed<'a>(&self, users: impl Iterator<Item = &'a UserId>) {
        let item = Arc::new(FeedItem::Changed(Conversation::Group(self.id.clone())));
        users.for_each(|user| self.context.notify(user, &item));
    }

    /// Says it in the group itself, if tips are switched on. Source: spec S63, Q33.
    fn post<'a>(
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
        let (reply, _nobody_waits) = oneshot::channel();
        let target = Target::Group(self.id.clone());
        let publish = Publish {
            sender: by.clone(),
            origin: None,
            by_host: true,
            from_outside: false,
            target,
            draft: Draft::of(Body::Tips(Box::new(tips))),
            asked: None,
            reply,
            span: tracing::Span::none(),
        };
        publish::say(self, publish, &Conversation::Group(self.id.clone()));
    }

    fn admit(&mut self, member: GroupMember) {
        let (user, presence) = (member.user.clone(), self.context.presence.connections(&member.user));
        if let GroupStatus::Exists(state) = &mut self.status {
            state.put(member);
            state.set_online(&user, presence);
        }
    }

    /// Tells those it happened to, on all their devices, and the other members.
    fn tell(&self, event: MembershipEvent, by: &UserProfile, whom: &[(GroupMember, UserProfile)]) {
        let GroupStatus::Exists(state) = &self.status else { return };
        let operated = operated(state, by);
        for (member, _) in whom {
            self.tell_self(state, event, &operated, &member.user);
        }
        if event.to_others > 0 {
            let users: Vec<UserId> = whom.iter().map(|(member, _)| member.user.clone()).collect();
            let list: Vec<GroupMemberWire> = whom.iter().map(|(member, profile)| group_member(member, profile)).collect();
            let data = json!({
                "groupID": state.info.id, "state": event.state, "event": event.to_others, "userList": list, "operatedInfo": operated,
            });
            announce("groupMemberStateChanged", &data, state.others(&users));
        }
    }

    fn tell_self(&self, state: &GroupState, event: MembershipEvent, operated: &OperatedInfo, user: &UserId) {
        let data =
            json!({"state": event.state, "event": event.to_self, "groupInfo": group_full(&state.info, false), "operatedInfo": operated});
        let connections = self.context.presence.connections(user);
        announce("groupStateChanged", &data, connections.iter().flat_map(|connections: &Arc<[Arc<Connection>]>| connections.iter()));
    }
}

fn users_of(members: &[(GroupMember, UserProfile)]) -> Vec<UserId> {
    members.iter().map(|(member, _)| member.user.clone()).collect()
}

pub(super) fn tips_user(profile: &UserProfile) -> TipsUser {
    TipsUser { id: profile.id.clone(), name: profile.name.clone() }
}

pub(super) fn operated(state: &GroupState, by: &UserProfile) -> OperatedInfo {
    let member = state.member(&by.id);
    OperatedInfo {
        user_id: by.id.to_string(),
        user_name: by.name.clone(),
        member_nickname: member.map_or_else(String::new, |member| member.nickname.clone()),
        member_role: member.map_or(GroupRole::Member, |member| member.role).number(),
    }
}

impl Handler<Leased<Create>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Create>, ctx: &mut Context<Self>) {
        let Create { owner, mut info, users, reply } = leased.open();
        info.created_ms = self.context.clock.wall_ms();
        let taken = match &self.status {
            GroupStatus::Free => None,
            GroupStatus::Exists(_) => Some(Refusal::GroupExists(self.id.to_string())),
            GroupStatus::Dismissed => Some(Refusal::GroupDismissed(self.id.to_string())),
            GroupStatus::Unreadable(refusal) => Some(refusal.clone()),
        };
        if let Some(refusal) = taken {
            answer(reply, Err(refusal));
            return self.leave_if_nothing(ctx);
        }
        let everyone = std::iter::once(owner.id.clone()).chain(users.into_iter().filter(|user| *user != owner.id)).collect();
        let look_up = Self::look_up(self.context.clone(), Conversation::Group(self.id.clone()), everyone);
        ctx.wait(look_up.into_actor(self).map(move |looked_up, group, ctx| {
            let outcome = looked_up.and_then(|candidates| match candidates.failed.iter().position(|(user, _)| *user == owner.id) {
                Some(n) => Err(candidates.failed[n].1.clone()),
                None => Ok(candidates),
            });
            let Candidates { found, mut failed, head } = match outcome {
                Ok(candidates) => candidates,
                Err(refusal) => {
                    answer(reply, Err(refusal));
                    return group.leave_if_nothing(ctx);
                }
            };
            let members_max = group.members_max(&info);
            let mut members = Vec::new();
            for (n, profile) in found.into_iter().enumerate() {
                let role = if n == 0 { GroupRole::Owner } else { GroupRole::Member };
                if n < members_max {
                    members.push((group.member(&profile.id, role, head), profile));
                } else {
                    failed.push((profile.id, Refusal::GroupFull { members_max }));
                }
            }
            let mut rows = vec![RowWrite::PutGroup(GroupRecord { info: info.clone(), dismissed: false })];
            rows.extend(members.iter().map(|(member, _)| RowWrite::PutMember(info.id.clone(), member.clone())));
            group.commit(rows, ctx, move |group, kept, ctx| {
                if let Err(refusal) = kept {
                    answer(reply, Err(refusal));
                    return group.leave_if_nothing(ctx);
                }
                group.status = GroupStatus::Exists(Box::new(GroupState::new(info.clone(), Vec::new())));
                for (member, _) in &members {
                    group.admit(member.clone());
                }
                group.context.tell_host(|| Event::GroupCreated {
                    group: info.id.clone(),
                    owner: owner.id.clone(),
                    users: users_of(&members),
                });
                group.tell(CREATED, &owner, &members[..1]);
                group.tell(MembershipEvent { to_others: 0, ..INVITED }, &owner, &members[1..]);
                group.list_changed(members.iter().map(|(member, _)| &member.user));
                group.post(CREATED, &owner, members.iter().map(|(_, profile)| profile), None);
                answer(reply, Ok(Created { info, members, failed }));
            });
        }));
    }
}

impl Handler<Leased<Join>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Join>, ctx: &mut Context<Self>) {
        let Join { user, reply } = leased.open();
        let inside = self.existing().map(|state| (state.member(&user.id).is_some(), state.info.clone()));
        let info = match inside {
            // Joining twice is fine (spec Q42).
            Ok((true, info)) => return answer(reply, Ok(info)),
            Ok((false, info)) if info.verify.join == JoinMode::Any => info,
            Ok((false, info)) => {
                let group = info.id.to_string();
                let refusal =
                    if info.verify.join == JoinMode::Auth { Refusal::JoinNeedsApplication(group) } else { Refusal::JoinForbidden(group) };
                return answer(reply, Err(refusal));
            }
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        let look_up = Self::look_up(self.context.clone(), Conversation::Group(self.id.clone()), vec![user.id.clone()]);
        ctx.wait(look_up.into_actor(self).map(move |looked_up, group, ctx| match looked_up {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok(candidates) => group.admit_candidates(candidates, user, JOINED, ctx, move |_, taken, _| {
                answer(
                    reply,
                    taken.and_then(|mut taken| match taken.failed.pop() {
                        Some((_, refusal)) => Err(refusal),
                        None => Ok(info),
                    }),
                );
            }),
        }));
    }
}

impl Handler<Leased<Invite>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Invite>, ctx: &mut Context<Self>) {
        let Invite { by, users, reply } = leased.open();
        let split = self.existing().and_then(|state| {
            let role = state.inside(&by.id)?.role;
            if state.info.verify.invite == InviteMode::Admin && !role.manages() {
                return Err(Refusal::NoAuthority);
            }
            if state.info.verify.be_invite == BeInviteMode::Auth {
                return Err(Refusal::InviteNeedsConsent(state.info.id.to_string()));
            }
            Ok(users.into_iter().partition::<Vec<UserId>, _>(|user| state.member(user).is_none()))
        });
        let (new, already) = match split {
            Ok(split) => split,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        let look_up = Self::look_up(self.context.clone(), Conversation::Group(self.id.clone()), new);
        ctx.wait(look_up.into_actor(self).map(move |looked_up, group, ctx| match looked_up {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok(mut candidates) => {
                candidates.failed.extend(already.into_iter().map(|user| (user.clone(), Refusal::AlreadyInGroup(user.to_string()))));
                group.admit_candidates(candidates, by, INVITED, ctx, move |_, taken, _| answer(reply, taken));
            }
        }));
    }
}

impl Handler<Leased<Quit>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Quit>, ctx: &mut Context<Self>) {
        let Quit { user, reply } = leased.open();
        let leaving = self.existing().and_then(|state| {
            let member = state.inside(&user.id)?.clone();
            let successor = if member.role == GroupRole::Owner { state.successor(&user.id) } else { None };
            Ok((member, successor, state.len() == 1, state.info.clone()))
        });
        let (member, successor, last, mut info) = match leaving {
            Ok(leaving) => leaving,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        let mut rows = vec![RowWrite::PutFormer(self.id.clone(), user.id.clone(), member.first_seq)];
        rows.extend(successor.clone().map(|successor| RowWrite::PutMember(self.id.clone(), successor)));
        info.note_gone([&member], self.context.clock.wall_ms());
        if last {
            rows.push(RowWrite::PutGroup(GroupRecord { info: info.clone(), dismissed: true }));
        } else {
            rows.extend(self.put_info(&info));
        }
        self.commit(rows, ctx, move |group, kept, ctx| {
            if kept.is_ok() {
                group.take_info(info);
                group.context.tell_host(|| Event::GroupLeft { group: group.id.clone(), user: user.id.clone() });
                group.tell(LEFT, &user, &[(member, user.clone())]);
                if let GroupStatus::Exists(state) = &mut group.status {
                    state.remove(&user.id);
                    if let Some(successor) = successor.clone() {
                        state.put(successor);
                    }
                }
                group.list_changed(std::iter::once(&user.id));
                if last {
                    group.status = GroupStatus::Dismissed;
                    group.context.tell_host(|| Event::GroupDismissed { group: group.id.clone(), by: user.id.clone() });
                } else {
                    let new_owner = successor.map(|successor| TipsUser { id: successor.user, name: String::new() });
                    group.post(LEFT, &user, std::iter::once(&user), new_owner);
                }
            }
            answer(reply, kept);
            group.leave_if_nothing(ctx);
        });
    }
}

impl Handler<Leased<Dismiss>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Dismiss>, ctx: &mut Context<Self>) {
        let Dismiss { user, reply } = leased.open();
        let ending = self.existing().and_then(|state| {
            state.owner(&user.id)?;
            Ok((state.info.clone(), state.members().map(|member| (member.user.clone(), member.first_seq)).collect::<Vec<_>>()))
        });
        let (info, users) = match ending {
            Ok(ending) => ending,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        // The last thing said in it, before the members are out; they find it in their lists.
        self.post(DISMISSED, &user, std::iter::empty(), None);
        let mut rows = vec![RowWrite::PutGroup(GroupRecord { info, dismissed: true })];
        rows.extend(users.iter().map(|(member, first_seq)| RowWrite::PutFormer(self.id.clone(), member.clone(), *first_seq)));
        self.commit(rows, ctx, move |group, kept, ctx| {
            if kept.is_ok() {
                if let GroupStatus::Exists(state) = &group.status {
                    let operated = operated(state, &user);
                    for (member, _) in &users {
                        group.tell_self(state, DISMISSED, &operated, member);
                    }
                    group.list_changed(users.iter().map(|(member, _)| member));
                }
                group.status = GroupStatus::Dismissed;
                group.context.tell_host(|| Event::GroupDismissed { group: group.id.clone(), by: user.id.clone() });
            }
            answer(reply, kept);
            group.leave_if_nothing(ctx);
        });
    }
}

impl Handler<Leased<Kick>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Kick>, ctx: &mut Context<Self>) {
        let Kick { by, users, reply } = leased.open();
        let (mut going, mut failed) = (Vec::new(), Vec::new());
        let allowed = self.existing().and_then(|state| {
            let role = state.manager(&by.id)?.role;
            for user in users {
                match state.inside(&user) {
                    Ok(member) if role.is_above(member.role) => going.push(member.clone()),
                    Ok(_) => failed.push((user, Refusal::NoAuthority)),
                    Err(refusal) => failed.push((user, refusal)),
                }
            }
            if going.is_empty() { Err(Refusal::KickFailed) } else { Ok(()) }
        });
        if let Err(refusal) = allowed {
            answer(reply, Err(refusal));
            return self.leave_if_nothing(ctx);
        }
        let (context, named) = (self.context.clone(), going.iter().map(|member| member.user.clone()).collect());
        let look_up = async move { profiles(&context, named).await };
        ctx.wait(look_up.into_actor(self).map(move |names, group, ctx| {
            let names = match names {
                Ok(names) => names,
                Err(refusal) => return answer(reply, Err(refusal)),
            };
            let out: Vec<(GroupMember, UserProfile)> = going.into_iter().zip(names).collect();
            let gone = out.iter().map(|(member, _)| RowWrite::PutFormer(group.id.clone(), member.user.clone(), member.first_seq));
            let mut rows: Vec<RowWrite> = gone.collect();
            let now_ms = group.context.clock.wall_ms();
            let mut info = match group.existing() {
                Ok(state) => state.info.clone(),
                Err(refusal) => return answer(reply, Err(refusal)),
            };
            info.note_gone(out.iter().map(|(member, _)| member), now_ms);
            rows.extend(group.put_info(&info));
            group.commit(rows, ctx, move |group, kept, _| {
                if let Err(refusal) = kept {
                    return answer(reply, Err(refusal));
                }
                group.take_info(info);
                group.context.tell_host(|| Event::GroupKicked { group: group.id.clone(), users: users_of(&out), by: by.id.clone() });
                group.tell(KICKED, &by, &out);
                if let GroupStatus::Exists(state) = &mut group.status {
                    for (member, _) in &out {
                        state.remove(&member.user);
                    }
                }
                group.list_changed(out.iter().map(|(member, _)| &member.user));
                group.post(KICKED, &by, out.iter().map(|(_, profile)| profile), None);
                answer(reply, Ok(Kicked { users: out.into_iter().map(|(member, _)| member.user).collect(), failed }));
            });
        }));
    }
}
