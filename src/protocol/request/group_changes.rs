//! Changes of groups, checked: each is made of the argument of its operation, and refused by that one's name.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::args::some_users;
use crate::model::{
    BeInviteMode, GroupChange, GroupInfo, GroupRole, Invalid, InviteMode, JoinMode, Limits, MuteMode, Refusal, UserId, check_nickname,
    mute_seconds,
};

/// Who may not speak, and for how long, before it is checked.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(crate) struct MuteArgs {
    pub(crate) mode: i64,
    /// Seconds; -1 is for good.
    pub(crate) duration: i64,
    pub(crate) roles: Vec<i64>,
}

/// Makes the change of `updateGroupName`.
pub(crate) fn name(name: String, limits: &Limits) -> Result<GroupChange, Refusal> {
    GroupInfo::check_name("groupName", &name, limits)?;
    Ok(GroupChange::Name(name))
}

/// Makes the change of `updateGroupNotice`.
pub(crate) fn notice(notice: String, limits: &Limits) -> Result<GroupChange, Refusal> {
    GroupInfo::check_notice("groupNotice", &notice, limits)?;
    Ok(GroupChange::Notice(notice))
}

/// Makes the change of `updateGroupAvatarUrl`.
pub(crate) fn avatar_url(url: String, limits: &Limits) -> Result<GroupChange, Refusal> {
    GroupInfo::check_avatar_url("groupAvatarUrl", &url, limits)?;
    Ok(GroupChange::AvatarUrl(url))
}

/// Makes the change of `updateGroupJoinMode`.
pub(crate) fn join_mode(mode: i64) -> Result<GroupChange, Invalid> {
    Ok(GroupChange::Join(JoinMode::parse("mode", mode)?))
}

/// Makes the change of `updateGroupInviteMode`.
pub(crate) fn invite_mode(mode: i64) -> Result<GroupChange, Invalid> {
    Ok(GroupChange::Invite(InviteMode::parse("mode", mode)?))
}

/// Makes the change of `updateGroupBeInviteMode`.
pub(crate) fn be_invite_mode(mode: i64) -> Result<GroupChange, Invalid> {
    Ok(GroupChange::BeInvite(BeInviteMode::parse("mode", mode)?))
}

/// Makes the change of `setGroupAttributes`.
pub(crate) fn set_attributes(attributes: BTreeMap<String, String>, limits: &Limits) -> Result<GroupChange, Refusal> {
    if attributes.is_empty() {
        return Err(Invalid::new("groupAttributes", "is empty").into());
    }
    limits.group_attributes().check_each(&attributes)?;
    Ok(GroupChange::SetAttributes(attributes))
}

/// Makes the change of `deleteGroupAttributes`.
pub(crate) fn delete_attributes(keys: Vec<String>) -> Result<GroupChange, Invalid> {
    Ok(GroupChange::DeleteAttributes(some_keys(keys)?))
}

/// Checks that a list of keys has one.
pub(super) fn some_keys(keys: Vec<String>) -> Result<Vec<String>, Invalid> {
    if keys.is_empty() { Err(Invalid::new("keys", "is empty")) } else { Ok(keys) }
}

/// Makes the change of `muteGroup`.
pub(crate) fn mute(config: MuteArgs, limits: &Limits) -> Result<GroupChange, Refusal> {
    let mode = MuteMode::parse("config.mode", config.mode)?;
    let (count, max) = (config.roles.len(), limits.group_mute_roles_max);
    if count > max {
        return Err(Invalid::too_many("config.roles", count, max).into());
    }
    if mode == MuteMode::Custom && count == 0 {
        return Err(Invalid::new("config.roles", "is empty").into());
    }
    let role = |role: i64| u32::try_from(role).map_err(|_| Invalid::new("config.roles", format!("has {role}, which is no role")));
    let roles = if mode == MuteMode::Custom { config.roles.into_iter().map(role).collect::<Result<_, _>>()? } else { Vec::new() };
    let seconds = mute_seconds("config.duration", config.duration, limits.group_mute_seconds_max)?;
    Ok(GroupChange::Mute { mode, seconds, roles })
}

/// Makes the change of `muteGroup` that lets everyone speak.
pub(crate) fn unmute() -> GroupChange {
    GroupChange::Mute { mode: MuteMode::None, seconds: None, roles: Vec::new() }
}

/// Makes the change of `muteGroupMembers`, for `duration` seconds, or for good with -1.
pub(crate) fn mute_members(user_ids: &[String], duration: i64, limits: &Limits) -> Result<GroupChange, Refusal> {
    let users = muted_users(user_ids, limits)?;
    Ok(GroupChange::MuteMembers { users, mute: true, seconds: member_mute_seconds(duration, limits)? })
}

/// Makes the change of `muteGroupMembers` that lets them speak.
pub(crate) fn unmute_members(user_ids: &[String], limits: &Limits) -> Result<GroupChange, Refusal> {
    Ok(GroupChange::MuteMembers { users: muted_users(user_ids, limits)?, mute: false, seconds: None })
}

pub(super) fn muted_users(user_ids: &[String], limits: &Limits) -> Result<Vec<UserId>, Invalid> {
    some_users("userIDs", user_ids, limits.group_mute_members_max, limits)
}

pub(super) fn member_mute_seconds(duration: i64, limits: &Limits) -> Result<Option<u64>, Invalid> {
    mute_seconds("config.duration", duration, limits.group_member_mute_seconds_max)
}

/// Makes the change of `setGroupMemberRole`.
pub(crate) fn role(user: UserId, role: i64) -> Result<GroupChange, Invalid> {
    Ok(GroupChange::Role { user, role: GroupRole::parse("role", role)? })
}

/// Makes the change of `setGroupMemberNickname`.
pub(crate) fn nickname(user: UserId, nickname: String, limits: &Limits) -> Result<GroupChange, Refusal> {
    check_nickname(&nickname, limits)?;
    Ok(GroupChange::Nickname { user, nickname })
}
