//! What operations on groups answer, and how a group and its members are described.

use serde::{Deserialize, Serialize};

use super::user::{ErrorUser, UserWire, error_users, user_wire};
use crate::model::order_key::made_ms;
use crate::model::{
    Attributes, GroupChange, GroupId, GroupInfo, GroupMember, GroupMute, GroupRole, GroupVerify, Refusal, UserId, UserProfile,
};

/// Describes a group in full. Source: ZIM API reference, `ZIMGroupFullInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupFull {
    pub(crate) base_info: GroupBase,
    pub(crate) create_time: u64,
    /// What the reader calls the group for itself: nothing, because that is not kept yet.
    pub(crate) group_alias: &'static str,
    pub(crate) group_attributes: Attributes,
    pub(crate) group_notice: String,
    pub(crate) max_member_count: usize,
    pub(crate) muted_info: MutedInfo,
    pub(crate) notification_status: u8,
    pub(crate) verify_info: VerifyInfo,
}

/// Describes a group in short. Source: ZIM API reference, `ZIMGroupInfo`.
#[derive(Debug, Serialize)]
pub(crate) struct GroupBase {
    #[serde(rename = "groupAvatarUrl")]
    pub(crate) group_avatar_url: String,
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
    #[serde(rename = "groupName")]
    pub(crate) group_name: String,
}

/// Says which members may not speak. Source: ZIM API reference, `ZIMGroupMuteInfo`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MutedInfo {
    pub(crate) expired_time: i64,
    pub(crate) mode: u8,
    pub(crate) roles: Vec<u32>,
}

pub(crate) fn muted_info(mute: &GroupMute) -> MutedInfo {
    MutedInfo { mode: mute.mode.number(), expired_time: mute.until.0, roles: mute.roles.clone() }
}

/// Says how users come into the group. Source: ZIM API reference, `ZIMGroupVerifyInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyInfo {
    pub(crate) be_invite_mode: u8,
    pub(crate) invite_mode: u8,
    pub(crate) join_mode: u8,
}

pub(crate) fn verify_info(verify: GroupVerify) -> VerifyInfo {
    VerifyInfo { join_mode: verify.join.number(), invite_mode: verify.invite.number(), be_invite_mode: verify.be_invite.number() }
}

fn group_base(info: &GroupInfo) -> GroupBase {
    GroupBase { group_id: info.id.clone(), group_name: info.name.clone(), group_avatar_url: info.avatar_url.clone() }
}

/// Describes a group to one reader; `muted` is whether the reader does not want to be disturbed by it.
pub(crate) fn group_full(info: &GroupInfo, muted: bool) -> GroupFull {
    GroupFull {
        base_info: group_base(info),
        group_alias: "",
        group_notice: info.notice.clone(),
        group_attributes: info.attributes.clone(),
        notification_status: notification_status(muted),
        muted_info: muted_info(&info.mute),
        create_time: info.created_ms,
        max_member_count: info.members_max,
        verify_info: verify_info(info.verify),
    }
}

/// Returns the number of a setting: 1 notifies, 2 does not disturb.
fn notification_status(muted: bool) -> u8 {
    if muted { 2 } else { 1 }
}

/// Describes a member. Source: ZIM API reference, `ZIMGroupMemberInfo`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupMemberWire {
    pub(crate) group_enter_info: GroupEnterInfo,
    /// The user's own avatar: a member has none for this group alone.
    pub(crate) member_avatar_url: String,
    pub(crate) member_nickname: String,
    pub(crate) member_role: u32,
    pub(crate) mute_expired_time: i64,
    #[serde(flatten)]
    pub(crate) user: UserWire,
}

/// Says when and how a member came in. Source: ZIM API reference, `ZIMGroupEnterInfo`; who let it in is not kept.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupEnterInfo {
    /// Unix milliseconds.
    enter_time: u64,
    /// 0 unknown, 1 with the group that it made, 3 by itself, 4 brought in by another.
    enter_type: u8,
}

impl GroupEnterInfo {
    fn of(member: &GroupMember) -> Self {
        let enter_type = match (member.invited, member.role) {
            (true, _) => 4,
            // Our choice: who owns the group and was not brought in made it, because that is not kept.
            (false, GroupRole::Owner) => 1,
            (false, _) => 3,
        };
        Self { enter_time: made_ms(member.joined), enter_type }
    }
}

pub(crate) fn group_member(member: &GroupMember, profile: &UserProfile) -> GroupMemberWire {
    GroupMemberWire {
        user: user_wire(profile),
        group_enter_info: GroupEnterInfo::of(member),
        member_avatar_url: profile.avatar_url.clone(),
        member_nickname: member.nickname.clone(),
        member_role: member.role.number(),
        mute_expired_time: member.muted.0,
    }
}

fn group_members(members: &[(GroupMember, UserProfile)]) -> Vec<GroupMemberWire> {
    members.iter().map(|(member, profile)| group_member(member, profile)).collect()
}

/// Says who did something. Source: ZIM API reference, `ZIMGroupOperatedInfo`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperatedInfo {
    member_nickname: String,
    member_role: u32,
    /// The same user, described as members are.
    operated_user_info: GroupMemberWire,
    #[serde(rename = "userID")]
    user_id: UserId,
    user_name: String,
}

impl OperatedInfo {
    /// Describes the user who did it; one who is not inside counts as a regular member.
    pub(crate) fn new(member: Option<&GroupMember>, profile: &UserProfile) -> Self {
        let outside = GroupMember::new(profile.id.clone(), GroupRole::Member, 0, 0, 0);
        let mut operated_user_info = group_member(member.unwrap_or(&outside), profile);
        if member.is_none() {
            operated_user_info.group_enter_info = GroupEnterInfo { enter_time: 0, enter_type: 0 };
        }
        Self {
            member_nickname: operated_user_info.member_nickname.clone(),
            member_role: operated_user_info.member_role,
            operated_user_info,
            user_id: profile.id.clone(),
            user_name: profile.name.clone(),
        }
    }
}

/// The answer to `createGroup`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupCreated {
    pub(crate) error_user_list: Vec<ErrorUser>,
    pub(crate) group_info: GroupFull,
    pub(crate) user_list: Vec<GroupMemberWire>,
}

impl GroupCreated {
    pub(crate) fn new(info: &GroupInfo, members: &[(GroupMember, UserProfile)], failed: &[(UserId, Refusal)]) -> Self {
        Self { error_user_list: error_users(failed), group_info: group_full(info, false), user_list: group_members(members) }
    }
}

/// The answer to `joinGroup` and `queryGroupInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupDescribed {
    pub(crate) group_info: GroupFull,
}

impl GroupDescribed {
    /// Describes the group as [`group_full`] does.
    pub(crate) fn new(info: &GroupInfo, muted: bool) -> Self {
        Self { group_info: group_full(info, muted) }
    }
}

/// The answer to `leaveGroup` and `dismissGroup`.
#[derive(Debug, Serialize)]
pub(crate) struct GroupLeft {
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
}

/// The answer to `inviteUsersIntoGroup`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupInvited {
    pub(crate) error_user_list: Vec<ErrorUser>,
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
    pub(crate) user_list: Vec<GroupMemberWire>,
}

impl GroupInvited {
    pub(crate) fn new(group_id: GroupId, members: &[(GroupMember, UserProfile)], failed: &[(UserId, Refusal)]) -> Self {
        Self { error_user_list: error_users(failed), group_id, user_list: group_members(members) }
    }
}

/// The answer to `kickGroupMembers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupKicked {
    pub(crate) error_user_list: Vec<ErrorUser>,
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
    #[serde(rename = "kickedUserIDs")]
    pub(crate) kicked_user_ids: Vec<UserId>,
}

impl GroupKicked {
    pub(crate) fn new(group_id: GroupId, kicked: Vec<UserId>, failed: &[(UserId, Refusal)]) -> Self {
        Self { error_user_list: error_users(failed), group_id, kicked_user_ids: kicked }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Updated {
    Name {
        group_name: String,
    },
    Notice {
        group_notice: String,
    },
    AvatarUrl {
        group_avatar_url: String,
    },
    Mode {
        mode: u8,
    },
    MembersMax {
        max_member_count: usize,
    },
    Attributes {
        error_keys: Vec<String>,
    },
    Mute {
        is_mute: bool,
        muted_info: MutedInfo,
    },
    MuteMembers {
        /// In seconds; −1 means for ever.
        duration: i64,
        error_user_list: Vec<ErrorUser>,
        is_mute: bool,
        #[serde(rename = "mutedUserIDs")]
        muted_user_ids: Vec<UserId>,
    },
    Transfer {
        #[serde(rename = "toUserID")]
        to_user_id: UserId,
    },
    Role {
        #[serde(rename = "forUserID")]
        for_user_id: UserId,
        role: u32,
    },
    Nickname {
        #[serde(rename = "forUserID")]
        for_user_id: UserId,
        nickname: String,
    },
}

/// The answer to the operations that change a group or its members: what was changed, as it is now.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GroupUpdated {
    #[serde(rename = "groupID")]
    group_id: GroupId,
    #[serde(flatten)]
    updated: Updated,
}

impl GroupUpdated {
    /// Returns the attributes that it could not change.
    pub(crate) fn error_keys(&self) -> &[String] {
        match &self.updated {
            Updated::Attributes { error_keys } => error_keys,
            _ => &[],
        }
    }

    /// Returns the members of whom it could not be done.
    pub(crate) fn error_users(&self) -> &[ErrorUser] {
        match &self.updated {
            Updated::MuteMembers { error_user_list, .. } => error_user_list,
            _ => &[],
        }
    }

    /// Describes a change: `info` and `members` as they are after it, `failed` and `missing_keys` what it could not do.
    pub(crate) fn new(
        change: &GroupChange,
        info: &GroupInfo,
        members: &[GroupMember],
        failed: &[(UserId, Refusal)],
        missing_keys: &[String],
    ) -> Self {
        let updated = match change.clone() {
            GroupChange::Name(group_name) => Updated::Name { group_name },
            GroupChange::Notice(group_notice) => Updated::Notice { group_notice },
            GroupChange::AvatarUrl(group_avatar_url) => Updated::AvatarUrl { group_avatar_url },
            GroupChange::Join(mode) => Updated::Mode { mode: mode.number() },
            GroupChange::Invite(mode) => Updated::Mode { mode: mode.number() },
            GroupChange::BeInvite(mode) => Updated::Mode { mode: mode.number() },
            GroupChange::MembersMax(max_member_count) => Updated::MembersMax { max_member_count },
            GroupChange::SetAttributes(_) | GroupChange::DeleteAttributes(_) => Updated::Attributes { error_keys: missing_keys.to_vec() },
            GroupChange::Mute { mode, .. } => Updated::Mute { is_mute: mode.number() > 0, muted_info: muted_info(&info.mute) },
            GroupChange::MuteMembers { mute, seconds, .. } => Updated::MuteMembers {
                duration: if mute { seconds.map_or(-1, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX)) } else { 0 },
                error_user_list: error_users(failed),
                is_mute: mute,
                muted_user_ids: members.iter().map(|member| member.user.clone()).collect(),
            },
            GroupChange::Transfer(to_user_id) => Updated::Transfer { to_user_id },
            GroupChange::Role { user, role } => Updated::Role { for_user_id: user, role: role.number() },
            GroupChange::Nickname { user, nickname } => Updated::Nickname { for_user_id: user, nickname },
        };
        Self { group_id: info.id.clone(), updated }
    }
}

/// Describes a group in a list. Source: ZIM API reference, `ZIMGroup`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupShort {
    base_info: GroupBase,
    /// See [`GroupFull::group_alias`].
    group_alias: &'static str,
    notification_status: u8,
}

/// The answer to `queryGroupList`, which has one page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupList {
    group_list: Vec<GroupShort>,
    next_flag: u64,
}

impl GroupList {
    /// Returns the groups' descriptions in short.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &GroupBase> {
        self.group_list.iter().map(|group| &group.base_info)
    }

    /// Lists groups, each with whether the reader does not want to be disturbed by it.
    pub(crate) fn new(groups: &[(GroupInfo, bool)]) -> Self {
        let short = |(info, muted): &(GroupInfo, bool)| GroupShort {
            base_info: group_base(info),
            group_alias: "",
            notification_status: notification_status(*muted),
        };
        Self { group_list: groups.iter().map(short).collect(), next_flag: 0 }
    }
}

/// The answer to `queryGroupAllAttributes` and `queryGroupAttributes`.
#[derive(Debug, Serialize)]
pub(crate) struct GroupAttributes {
    #[serde(rename = "groupAttributes")]
    pub(crate) group_attributes: Attributes,
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
}

/// The answer to `queryGroupMemberList`, `queryGroupMemberMutedList` and `searchLocalGroupMembers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupMembers {
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
    pub(crate) next_flag: u64,
    pub(crate) user_list: Vec<GroupMemberWire>,
}

impl GroupMembers {
    /// Gives one page; `next` is where the next one begins, 0 at the end.
    pub(crate) fn new(group_id: GroupId, members: &[(GroupMember, UserProfile)], next: u64) -> Self {
        Self { group_id, next_flag: next, user_list: group_members(members) }
    }
}

/// The answer to `queryGroupMemberInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupMemberDescribed {
    #[serde(rename = "groupID")]
    group_id: GroupId,
    user_info: Option<GroupMemberWire>,
}

impl GroupMemberDescribed {
    pub(crate) fn new(group_id: GroupId, member: Option<&(GroupMember, UserProfile)>) -> Self {
        Self { group_id, user_info: member.map(|(member, profile)| group_member(member, profile)) }
    }
}

/// The answer to `queryGroupMemberCount`.
#[derive(Debug, Serialize)]
pub(crate) struct GroupMemberCount {
    pub(crate) count: usize,
    #[serde(rename = "groupID")]
    pub(crate) group_id: GroupId,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupFound {
    group_info: GroupBase,
    user_list: Vec<GroupMemberWire>,
}

/// The answer to `searchLocalGroups`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupsFound {
    group_search_info_list: Vec<GroupFound>,
    next_flag: u64,
}

impl GroupsFound {
    /// Lists groups, each with the members it was found by; `next` is where the next page begins, 0 at the end.
    pub(crate) fn new<'a>(found: impl Iterator<Item = (&'a GroupInfo, &'a [(GroupMember, UserProfile)])>, next: u64) -> Self {
        let group = |(info, members)| GroupFound { group_info: group_base(info), user_list: group_members(members) };
        Self { group_search_info_list: found.map(group).collect(), next_flag: next }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{GroupAdvanced, Limits};

    #[test]
    fn the_answer_to_a_change_is_one_flat_object() {
        let info =
            GroupInfo::parse(GroupId::trusted("g"), "G".into(), String::new(), GroupAdvanced::default(), &Limits::default()).unwrap();
        let member = GroupMember::new(UserId::trusted("b"), GroupRole::Member, 1, 1, 0);
        let failed = [(UserId::trusted("c"), Refusal::NoAuthority)];
        let updated = |change: GroupChange| -> Value {
            serde_json::to_value(GroupUpdated::new(&change, &info, std::slice::from_ref(&member), &failed, &["k".into()])).unwrap()
        };
        assert_eq!(updated(GroupChange::Name("G".into())), json!({"groupID": "g", "groupName": "G"}));
        assert_eq!(updated(GroupChange::DeleteAttributes(vec!["k".into()])), json!({"groupID": "g", "errorKeys": ["k"]}));
        let mute = |mute, seconds| updated(GroupChange::MuteMembers { users: vec![UserId::trusted("b")], mute, seconds });
        let reason = crate::protocol::code_of(&Refusal::NoAuthority);
        let wanted = |is_mute: bool, duration: i64| {
            let errors = json!([{"userID": "c", "reason": reason}]);
            json!({"groupID": "g", "isMute": is_mute, "duration": duration, "mutedUserIDs": ["b"], "errorUserList": errors})
        };
        assert_eq!(mute(true, None), wanted(true, -1));
        assert_eq!(mute(true, Some(60)), wanted(true, 60));
        assert_eq!(mute(false, Some(60)), wanted(false, 0));
    }
}
