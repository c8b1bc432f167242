//! How a group's info and its members' standing change: decide, write rows, then change state and tell.
//!
//! As with membership, the group takes no other message while rows are on their way to disk.

use std::collections::BTreeMap;

use actix::prelude::*;
use serde_json::{Value, json};

use super::membership::{operated, tips_user};
use super::rules::Decision;
use super::{Group, GroupStatus, profiles};
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{GroupChange, GroupInfo, GroupMember, MutedUntil, Tips, TipsChange, TipsEvent, UserId, UserProfile};
use crate::protocol::{GroupMemberWire, error_users, group_member, muted_info, verify_info};
use crate::store::{GroupRecord, RowWrite};

/// A member wants something changed; the answer is the result object.
pub(crate) struct Update {
    pub(crate) by: UserProfile,
    pub(crate) change: GroupChange,
    pub(crate) reply: Reply<Value>,
}

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
        let look_up = async move { profiles(&context, users).await };
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
        reply: Reply<Value>,
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
            let members: Vec<GroupMemberWire> =
                decision.members.iter().zip(&names).map(|(member, name)| group_member(member, name)).collect();
            let (event, mut data) = told(&change, &state.info, &decision, &members);
            data["groupID"] = state.info.id.as_str().into();
            data["operatedInfo"] = json!(operated);
            announce(event, &data, state.others(&[]));
            let listed = matches!(change, GroupChange::Name(_) | GroupChange::AvatarUrl(_));
            let users: Vec<UserId> = if listed { state.users().cloned().collect() } else { Vec::new() };
            let result = result(&change, &state.info, &decision);
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

/// The event of a change, but for the group's id and who did it. Source: spec 4.
fn told(change: &GroupChange, info: &GroupInfo, decision: &Decision, members: &[GroupMemberWire]) -> (&'static str, Value) {
    match change {
        GroupChange::Name(name) => ("groupNameUpdated", json!({"groupName": name})),
        GroupChange::Notice(notice) => ("groupNoticeUpdated", json!({"groupNotice": notice})),
        GroupChange::AvatarUrl(url) => ("groupAvatarUrlUpdated", json!({"groupAvatarUrl": url})),
        GroupChange::Join(_) | GroupChange::Invite(_) | GroupChange::BeInvite(_) => {
            ("groupVerifyInfoUpdated", json!({"verifyInfo": verify_info(info.verify)}))
        }
        GroupChange::SetAttributes(attributes) => {
            ("groupAttributesUpdated", json!({"infoList": [{"action": 0, "groupAttributes": attributes}]}))
        }
        GroupChange::DeleteAttributes(keys) => {
            let gone = keys.iter().filter(|key| !decision.missing_keys.contains(key));
            let gone: BTreeMap<&String, &str> = gone.map(|key| (key, "")).collect();
            ("groupAttributesUpdated", json!({"infoList": [{"action": 1, "groupAttributes": gone}]}))
        }
        GroupChange::Mute { .. } => ("groupMutedInfoUpdated", json!({"mutedInfo": muted_info(&info.mute)})),
        GroupChange::MuteMembers { .. } | GroupChange::Transfer(_) | GroupChange::Role { .. } | GroupChange::Nickname { .. } => {
            ("groupMemberInfoUpdated", json!({"userList": members}))
        }
    }
}

/// Source: spec 2.9, the `…Result` objects.
fn result(change: &GroupChange, info: &GroupInfo, decision: &Decision) -> Value {
    let mut result = match change {
        GroupChange::Name(name) => json!({"groupName": name}),
        GroupChange::Notice(notice) => json!({"groupNotice": notice}),
        GroupChange::AvatarUrl(url) => json!({"groupAvatarUrl": url}),
        GroupChange::Join(mode) => json!({"mode": mode.number()}),
        GroupChange::Invite(mode) => json!({"mode": mode.number()}),
        GroupChange::BeInvite(mode) => json!({"mode": mode.number()}),
        GroupChange::SetAttributes(_) | GroupChange::DeleteAttributes(_) => json!({"errorKeys": decision.missing_keys}),
        GroupChange::Mute { mode, .. } => json!({"isMute": mode.number() > 0, "mutedInfo": muted_info(&info.mute)}),
        GroupChange::MuteMembers { mute, seconds, .. } => json!({
            "isMute": mute,
            "duration": match seconds {
                _ if !mute => 0,
                Some(seconds) => i64::try_from(*seconds).unwrap_or(i64::MAX),
                None => -1,
            },
            "mutedUserIDs": decision.members.iter().map(|member| &member.user).collect::<Vec<_>>(),
            "errorUserList": error_users(&decision.failed),
        }),
        GroupChange::Transfer(to) => json!({"toUserID": to}),
        GroupChange::Role { user, role } => json!({"forUserID": user, "role": role.number()}),
        GroupChange::Nickname { user, nickname } => json!({"forUserID": user, "nickname": nickname}),
    };
    result["groupID"] = info.id.as_str().into();
    result
}

/// What is said of it in the group. Source: spec 3.12, Tips; of attributes, modes and nicknames nothing is said.
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
        | GroupChange::Nickname { .. } => return None,
    })
}
