//! How users come into a group: with its creation, by themselves, or invited.

use actix::prelude::*;

use super::candidates::{Candidates, Coming};
use super::membership::{CREATED, FIRST_INVITED, INVITED, JOINED, MembershipEvent, users_of};
use super::messages::{Create, Created, Invite, Invited, Join};
use super::state::GroupState;
use super::{Group, GroupStatus};
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::hooks::{Event, EventDetails};
use crate::model::order_key::made_ms;
use crate::model::{BeInviteMode, Conversation, GroupInfo, GroupMember, GroupRole, InviteMode, JoinMode, Refusal, UserId, UserProfile};
use crate::store::{GroupRecord, RowWrite};

impl Group {
    /// Makes a member that joins with this id.
    fn member(&self, user: &UserId, role: GroupRole, joined: u64, head: u64) -> GroupMember {
        let first_seq = if self.context.config().group.new_members_see_history { 1 } else { head + 1 };
        GroupMember::new(user.clone(), role, joined, first_seq, head)
    }

    /// Returns the broker's limit, or a lower one of the group's own.
    fn members_max(&self, info: &GroupInfo) -> usize {
        let members_max = self.context.config().limits.group_members_max;
        if info.members_max > 0 { members_max.min(info.members_max) } else { members_max }
    }

    /// Lets in as many as the group has room for; the rest is refused one by one.
    fn admit_candidates(
        &mut self,
        candidates: Candidates,
        by: UserProfile,
        event: MembershipEvent,
        is_invited: bool,
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
        let ids: Vec<u64> = self.context.ids.next_run(found.len()).collect();
        for (n, (profile, id)) in found.into_iter().zip(ids).enumerate() {
            if n < free {
                let muted = info.muted_outside.remove(&profile.id).unwrap_or_default();
                let member = self.member(&profile.id, GroupRole::Member, id, head);
                members.push((GroupMember { muted, invited: is_invited, ..member }, profile));
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
}

/// A group to be made, without those who may not come in.
struct NewGroup {
    owner: UserProfile,
    info: GroupInfo,
    members: Vec<(GroupMember, UserProfile)>,
    failed: Vec<(UserId, Refusal)>,
}

impl Group {
    /// Returns why the id cannot be used for a new group, if it cannot.
    fn taken(&self) -> Option<Refusal> {
        match &self.status {
            GroupStatus::Free => None,
            GroupStatus::Exists(_) => Some(Refusal::GroupExists(self.id.to_string())),
            GroupStatus::Dismissed => Some(Refusal::GroupDismissed(self.id.to_string())),
            GroupStatus::Unreadable(refusal) => Some(refusal.clone()),
        }
    }

    /// Picks the first members: the owner, who must be among the candidates, and as many others as the group may have.
    fn first_members(&self, owner: UserProfile, mut info: GroupInfo, candidates: Candidates) -> Result<NewGroup, Refusal> {
        let Candidates { found, mut failed, head } = candidates;
        if let Some((_, refusal)) = failed.iter().find(|(user, _)| *user == owner.id) {
            return Err(refusal.clone());
        }
        let members_max = self.members_max(&info);
        let mut members = Vec::new();
        let ids: Vec<u64> = self.context.ids.next_run(found.len()).collect();
        // To the millisecond, when its owner came in.
        info.created_ms = ids.first().map_or(0, |id| made_ms(*id));
        for (n, (profile, id)) in found.into_iter().zip(ids).enumerate() {
            let role = if n == 0 { GroupRole::Owner } else { GroupRole::Member };
            if n < members_max {
                members.push((GroupMember { invited: n > 0, ..self.member(&profile.id, role, id, head) }, profile));
            } else {
                failed.push((profile.id, Refusal::GroupFull { members_max }));
            }
        }
        Ok(NewGroup { owner, info, members, failed })
    }

    fn create(&mut self, new: NewGroup, reply: Reply<Created>, ctx: &mut Context<Self>) {
        let NewGroup { owner, info, members, failed } = new;
        let mut rows = vec![RowWrite::PutGroup(GroupRecord { info: info.clone(), dismissed: false })];
        rows.extend(members.iter().map(|(member, _)| RowWrite::PutMember(info.id.clone(), member.clone())));
        self.commit(rows, ctx, move |group, kept, ctx| {
            if let Err(refusal) = kept {
                answer(reply, Err(refusal));
                return group.leave_if_nothing(ctx);
            }
            group.status = GroupStatus::Exists(Box::new(GroupState::new(info.clone(), Vec::new())));
            for (member, _) in &members {
                group.admit(member.clone());
            }
            group.context.tell_host_more(|| {
                let event = Event::GroupCreated { group: info.id.clone(), owner: owner.id.clone(), users: users_of(&members) };
                (event, EventDetails::GroupCreated { name: info.name.clone(), attributes: info.attributes.clone() })
            });
            group.tell(CREATED, &owner, &members[..1]);
            group.tell(FIRST_INVITED, &owner, &members[1..]);
            group.list_changed(members.iter().map(|(member, _)| &member.user));
            group.post(CREATED, &owner, members.iter().map(|(_, profile)| profile), None);
            answer(reply, Ok(Created { info, members, failed }));
        });
    }
}

impl Handler<Leased<Create>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Create>, ctx: &mut Context<Self>) {
        let Create { owner, info, users, is_trusted, reply } = leased.open();
        if let Some(refusal) = self.taken() {
            answer(reply, Err(refusal));
            return self.leave_if_nothing(ctx);
        }
        let everyone = std::iter::once(owner.id.clone()).chain(users.into_iter().filter(|user| *user != owner.id)).collect();
        let look_up = Self::look_up(self.context.clone(), Conversation::Group(self.id.clone()), everyone, Coming::Founding { is_trusted });
        ctx.wait(look_up.into_actor(self).map(move |looked_up, group, ctx| {
            match looked_up.and_then(|candidates| group.first_members(owner, info, candidates)) {
                Ok(new) => group.create(new, reply, ctx),
                Err(refusal) => {
                    answer(reply, Err(refusal));
                    group.leave_if_nothing(ctx);
                }
            }
        }));
    }
}

impl Handler<Leased<Join>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Join>, ctx: &mut Context<Self>) {
        let Join { user, reply } = leased.open();
        let inside = self.existing().map(|state| (state.member(&user.id).is_some(), state.info.clone()));
        let info = match inside {
            Ok((true, _)) => return answer(reply, Err(Refusal::AlreadyInGroup(user.id.to_string()))),
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
        let look_up =
            Self::look_up(self.context.clone(), Conversation::Group(self.id.clone()), vec![user.id.clone()], Coming::ByThemselves);
        ctx.wait(look_up.into_actor(self).map(move |looked_up, group, ctx| match looked_up {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok(candidates) => group.admit_candidates(candidates, user, JOINED, false, ctx, move |_, taken, _| {
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
        let Invite { by, users, is_trusted, reply } = leased.open();
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
        let coming = Coming::Invited { by: (!is_trusted).then(|| by.id.clone()) };
        let look_up = Self::look_up(self.context.clone(), Conversation::Group(self.id.clone()), new, coming);
        ctx.wait(look_up.into_actor(self).map(move |looked_up, group, ctx| match looked_up {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok(mut candidates) => {
                candidates.failed.extend(already.into_iter().map(|user| (user.clone(), Refusal::AlreadyInGroup(user.to_string()))));
                group.admit_candidates(candidates, by, INVITED, true, ctx, move |_, taken, _| answer(reply, taken));
            }
        }));
    }
}
