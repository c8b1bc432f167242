//! How a group's info and the roles, nicknames and mutes of its members change: decide, write rows, then change state
//! and tell.
//!
//! As with membership, the group takes no other message while rows are on their way to disk.

use actix::prelude::*;

use super::membership::{operated, tips_user};
use super::messages::Update;
use super::rules::Decision;
use super::{Group, GroupStatus, read_profiles};
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{GroupChange, GroupInfo, GroupMember, MutedUntil, Tips, TipsChange, TipsEvent, UserId, UserProfile};
use crate::protocol::event::group::GroupChanged;
use crate::protocol::result::group::GroupUpdated;
use crate::store::{GroupRecord, RowWrite};

impl Handler<Leased<Update>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Update>, ctx: &mut Context<Self>) {
        let Update { by, change, reply } = leased.open();
        let (now_ms, limits) = (self.context.clock.wall_ms(), self.context.config().limits.clone());
        let decision = match self.existing().and_then(|state| state.decide(&by.id, &change, now_ms, &limits)) {
            Ok(decision) => decision,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        let (context, users) = (self.context.clone(), decision.members.iter().map(|member| member.user.clone()).collect());
        let look_up = async move { read_profiles(&context, users).await };
        ctx.wait(look_up.into_actor(self).map(move |names, group, ctx| match names {
            Ok(names) => group.carry_out(by, change, decision, names, reply, ctx),
            Err(refusal) => answer(reply, Err(refusal)),
        }));
    }
}

impl Group {
    fn carry_out(
        &mut self,
        by: UserProfile,
        change: GroupChange,
        decision: Decision,
        names: Vec<UserProfile>,
        reply: Reply<GroupUpdated>,
        ctx: &mut Context<Self>,
    ) {
        let mut rows: Vec<RowWrite> = decision.members.iter().map(|member| RowWrite::PutMember(self.id.clone(), member.clone())).collect();
        rows.extend(decision.info.clone().map(|info| RowWrite::PutGroup(GroupRecord { info, dismissed: false })));
        self.commit(rows, ctx, move |group, kept, _| {
            if let Err(refusal) = kept {
                return answer(reply, Err(refusal));
            }
            let GroupStatus::Exists(state) = &mut group.status else { return };
            let operated = operated(state, &by);
            if let Some(info) = &decision.info {
                state.info = info.clone();
            }
            for member in &decision.members {
                state.put(member.clone());
            }
            let members = decision.members.iter().zip(&names);
            announce(&GroupChanged::new(&change, &state.info, members, &decision.missing_keys, &operated), state.others(&[]));
            let listed = matches!(change, GroupChange::Name(_) | GroupChange::AvatarUrl(_));
            let users: Vec<UserId> = if listed { state.users().cloned().collect() } else { Vec::new() };
            let result = GroupUpdated::new(&change, &state.info, &decision.members, &decision.failed, &decision.missing_keys);
            let tip = tip(&change, &state.info, &decision.members);
            group.list_changed(users.iter());
            if let Some((event, change)) = tip {
                let targets = names.iter().take(if event == TipsEvent::MemberChanged { usize::MAX } else { 0 });
                group.post_change(&by, event, change, targets);
            }
            answer(reply, Ok(result));
        });
    }

    fn post_change<'a>(&mut self, by: &UserProfile, event: TipsEvent, change: TipsChange, targets: impl Iterator<Item = &'a UserProfile>) {
        // Of a transfer only the new owner is named.
        let targets = targets.take(if change == TipsChange::Owner { 1 } else { usize::MAX }).map(tips_user).collect();
        self.post_tips(&by.id, Tips { event, operated: tips_user(by), targets, new_owner: None, change: Some(change) });
    }
}

/// Returns the tip that says the change in the group; none for attributes, modes and nicknames. Source: ZIM API
/// reference, `ZIMTipsMessage`.
fn tip(change: &GroupChange, info: &GroupInfo, members: &[GroupMember]) -> Option<(TipsEvent, TipsChange)> {
    let muted = members.first().map_or(MutedUntil::NEVER, |member| member.muted);
    Some(match change {
        GroupChange::Name(name) => (TipsEvent::InfoChanged, TipsChange::Name(name.clone())),
        GroupChange::Notice(notice) => (TipsEvent::InfoChanged, TipsChange::Notice(notice.clone())),
        GroupChange::AvatarUrl(url) => (TipsEvent::InfoChanged, TipsChange::AvatarUrl(url.clone())),
        GroupChange::Mute { .. } => (TipsEvent::InfoChanged, TipsChange::Mute(info.mute.clone())),
        GroupChange::MuteMembers { .. } => (TipsEvent::MemberChanged, TipsChange::MemberMute(muted)),
        GroupChange::Transfer(_) => (TipsEvent::MemberChanged, TipsChange::Owner),
        GroupChange::Role { role, .. } => (TipsEvent::MemberChanged, TipsChange::Role(*role)),
        GroupChange::SetAttributes(_)
        | GroupChange::DeleteAttributes(_)
        | GroupChange::Join(_)
        | GroupChange::Invite(_)
        | GroupChange::BeInvite(_)
        | GroupChange::MembersMax(_)
        | GroupChange::Nickname { .. } => return None,
    })
}
