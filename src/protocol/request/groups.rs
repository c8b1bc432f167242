//! Operations on groups. Their arguments: `src/protocol/PROTOCOL.md`, "Groups".

use std::collections::BTreeMap;

use serde::Deserialize;

use super::args::{count, group_id, group_users, read, user_list};
use super::group_changes::{self as changes, MuteArgs};
use crate::model::{
    BeInviteMode, GroupAdvanced, GroupChange, GroupId, GroupSearch, GroupVerify, Invalid, InviteMode, JoinMode, Keywords, Limits, Refusal,
    UserId,
};

#[derive(Debug)]
pub(crate) enum GroupRequest {
    Create {
        id: Option<GroupId>,
        name: String,
        avatar_url: String,
        advanced: GroupAdvanced,
        users: Vec<UserId>,
    },
    Join {
        group: GroupId,
    },
    Leave {
        group: GroupId,
    },
    Dismiss {
        group: GroupId,
    },
    Invite {
        group: GroupId,
        users: Vec<UserId>,
    },
    Kick {
        group: GroupId,
        users: Vec<UserId>,
    },
    Change {
        group: GroupId,
        change: GroupChange,
    },
    QueryList,
    QueryInfo {
        group: GroupId,
    },
    QueryMember {
        group: GroupId,
        user: UserId,
    },
    QueryMemberList {
        group: GroupId,
        count: usize,
        next: u64,
        muted: bool,
    },
    QueryMemberCount {
        group: GroupId,
    },
    /// Asks for every attribute, or for those with these keys.
    QueryAttributes {
        group: GroupId,
        keys: Option<Vec<String>>,
    },
    /// Searches the user's own groups, from the `next`-th found.
    Search {
        search: GroupSearch,
        count: usize,
        next: u64,
    },
    SearchMembers {
        group: GroupId,
        search: GroupSearch,
        count: usize,
        next: u64,
    },
}

/// A group to be made, before it is checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewGroupArgs {
    pub(crate) group_info: NewGroupInfoArgs,
    #[serde(rename = "userIDs", default)]
    pub(crate) user_ids: Vec<String>,
    #[serde(default)]
    pub(crate) config: Option<NewGroupConfigArgs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewGroupInfoArgs {
    #[serde(rename = "groupID", default)]
    pub(crate) group_id: String,
    #[serde(default)]
    pub(crate) group_name: String,
    #[serde(default)]
    pub(crate) group_avatar_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NewGroupConfigArgs {
    pub(crate) group_notice: String,
    pub(crate) group_attributes: BTreeMap<String, String>,
    pub(crate) max_member_count: usize,
    pub(crate) join_mode: i64,
    pub(crate) invite_mode: i64,
    pub(crate) be_invite_mode: i64,
}

/// All fields that an operation on a group may have; each operation says which it needs.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ChangeArgs {
    group_name: Option<String>,
    group_notice: Option<String>,
    group_avatar_url: Option<String>,
    group_attributes: Option<BTreeMap<String, String>>,
    keys: Option<Vec<String>>,
    mode: Option<i64>,
    is_mute: Option<bool>,
    #[serde(rename = "userIDs")]
    user_ids: Vec<String>,
    #[serde(rename = "toUserID")]
    to_user_id: Option<String>,
    #[serde(rename = "forUserID")]
    for_user_id: Option<String>,
    role: Option<i64>,
    nickname: Option<String>,
    config: Option<MuteArgs>,
}

#[derive(Deserialize)]
struct MemberArgs {
    #[serde(rename = "groupID")]
    group_id: String,
    #[serde(rename = "userID")]
    user_id: String,
}

#[derive(Deserialize)]
struct PageArgs {
    #[serde(rename = "groupID")]
    group_id: String,
    config: PageConfigArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageConfigArgs {
    count: i64,
    #[serde(default)]
    next_flag: u64,
}

#[derive(Deserialize)]
struct SearchArgs {
    #[serde(rename = "groupID", default)]
    group_id: String,
    config: SearchConfigArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SearchConfigArgs {
    keywords: Vec<String>,
    #[serde(default)]
    is_also_match_group_member_user_name: bool,
    #[serde(default)]
    is_also_match_group_member_nickname: bool,
    count: i64,
    #[serde(default)]
    next_flag: u64,
}

fn given<T>(field: &str, value: Option<T>) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::new(field, "is missing"))
}

impl NewGroupArgs {
    /// Checks what can be checked before anyone is looked up.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument of `createGroup`.
    pub(crate) fn check(self, limits: &Limits) -> Result<GroupRequest, Refusal> {
        let config = self.config.unwrap_or_default();
        let verify = GroupVerify {
            join: JoinMode::parse("config.joinMode", config.join_mode)?,
            invite: InviteMode::parse("config.inviteMode", config.invite_mode)?,
            be_invite: BeInviteMode::parse("config.beInviteMode", config.be_invite_mode)?,
        };
        let advanced = GroupAdvanced {
            notice: config.group_notice,
            attributes: config.group_attributes,
            verify,
            members_max: config.max_member_count,
        };
        let id = match self.group_info.group_id.as_str() {
            "" => None,
            id => Some(GroupId::parse_chosen("groupInfo.groupID", id, limits)?),
        };
        let users = user_list("userIDs", &self.user_ids, limits.group_invite_max, limits)?;
        Ok(GroupRequest::Create { id, name: self.group_info.group_name, avatar_url: self.group_info.group_avatar_url, advanced, users })
    }
}

impl ChangeArgs {
    /// Checks the arguments of a change; returns `None` for operations that change no group.
    fn check(self, op: &str, limits: &Limits) -> Result<Option<GroupChange>, Refusal> {
        let user = |field: &str, id: Option<String>| UserId::parse(field, &given(field, id)?, limits);
        Ok(Some(match op {
            "updateGroupName" => changes::name(given("groupName", self.group_name)?, limits)?,
            "updateGroupNotice" => changes::notice(given("groupNotice", self.group_notice)?, limits)?,
            "updateGroupAvatarUrl" => changes::avatar_url(given("groupAvatarUrl", self.group_avatar_url)?, limits)?,
            "updateGroupJoinMode" => changes::join_mode(given("mode", self.mode)?)?,
            "updateGroupInviteMode" => changes::invite_mode(given("mode", self.mode)?)?,
            "updateGroupBeInviteMode" => changes::be_invite_mode(given("mode", self.mode)?)?,
            "setGroupAttributes" => changes::set_attributes(given("groupAttributes", self.group_attributes)?, limits)?,
            "deleteGroupAttributes" => changes::delete_attributes(given("keys", self.keys)?)?,
            "muteGroup" if given("isMute", self.is_mute)? => changes::mute(given("config", self.config)?, limits)?,
            "muteGroup" => changes::unmute(),
            "muteGroupMembers" => {
                let mute = given("isMute", self.is_mute)?;
                let users = changes::muted_users(&self.user_ids, limits)?;
                let seconds = if mute { changes::member_mute_seconds(given("config", self.config)?.duration, limits)? } else { None };
                GroupChange::MuteMembers { users, mute, seconds }
            }
            "transferGroupOwner" => GroupChange::Transfer(user("toUserID", self.to_user_id)?),
            "setGroupMemberRole" => changes::role(user("forUserID", self.for_user_id)?, given("role", self.role)?)?,
            "setGroupMemberNickname" => {
                let nickname = given("nickname", self.nickname)?;
                changes::nickname(user("forUserID", self.for_user_id)?, nickname, limits)?
            }
            _ => return Ok(None),
        }))
    }
}

impl SearchConfigArgs {
    fn search(&self, limits: &Limits) -> Result<(GroupSearch, usize), Invalid> {
        let keywords = Keywords::parse(&self.keywords, limits)?;
        if keywords.is_empty() {
            return Err(Invalid::new("config.keywords", "is empty"));
        }
        let search = GroupSearch {
            keywords,
            by_user_name: self.is_also_match_group_member_user_name,
            by_nickname: self.is_also_match_group_member_nickname,
        };
        Ok((search, count("config.count", self.count, limits.search_page_max)?))
    }
}

impl GroupRequest {
    /// Returns whether the operation writes to the store.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Self::Change { .. })
    }

    /// Reads an operation on groups; returns `None` for other operations.
    pub(super) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Option<Self>, Refusal> {
        Ok(Some(match op {
            "createGroup" => read::<NewGroupArgs>(args)?.check(limits)?,
            "joinGroup" => Self::Join { group: group_id(args, limits)? },
            "leaveGroup" => Self::Leave { group: group_id(args, limits)? },
            "dismissGroup" => Self::Dismiss { group: group_id(args, limits)? },
            "queryGroupInfo" => Self::QueryInfo { group: group_id(args, limits)? },
            "queryGroupMemberCount" => Self::QueryMemberCount { group: group_id(args, limits)? },
            "queryGroupList" => Self::QueryList,
            "inviteUsersIntoGroup" => {
                let (group, users) = group_users(args, limits.group_invite_max, limits)?;
                Self::Invite { group, users }
            }
            "kickGroupMembers" => {
                let (group, users) = group_users(args, limits.group_kick_max, limits)?;
                Self::Kick { group, users }
            }
            "queryGroupMemberList" | "queryGroupMemberMutedList" => {
                let PageArgs { group_id, config } = read(args)?;
                Self::QueryMemberList {
                    group: GroupId::parse("groupID", &group_id, limits)?,
                    count: count("config.count", config.count, limits.group_member_page_max)?,
                    next: config.next_flag,
                    muted: op == "queryGroupMemberMutedList",
                }
            }
            "queryGroupMemberInfo" => {
                let MemberArgs { group_id, user_id } = read(args)?;
                let user = UserId::parse("userID", &user_id, limits)?;
                Self::QueryMember { group: GroupId::parse("groupID", &group_id, limits)?, user }
            }
            "queryGroupAllAttributes" => Self::QueryAttributes { group: group_id(args, limits)?, keys: None },
            "queryGroupAttributes" => {
                let keys = changes::some_keys(given("keys", read::<ChangeArgs>(args)?.keys)?)?;
                Self::QueryAttributes { group: group_id(args, limits)?, keys: Some(keys) }
            }
            "searchLocalGroups" => {
                let config = read::<SearchArgs>(args)?.config;
                let (search, count) = config.search(limits)?;
                Self::Search { search, count, next: config.next_flag }
            }
            "searchLocalGroupMembers" => {
                let SearchArgs { group_id, config } = read(args)?;
                let (search, count) = config.search(limits)?;
                Self::SearchMembers { group: GroupId::parse("groupID", &group_id, limits)?, search, count, next: config.next_flag }
            }
            change if is_change(change) => match read::<ChangeArgs>(args)?.check(change, limits)? {
                Some(change) => Self::Change { group: group_id(args, limits)?, change },
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }
}

/// Returns whether an operation changes a group: only then are its arguments read as those of a change.
fn is_change(op: &str) -> bool {
    matches!(
        op,
        "updateGroupName"
            | "updateGroupNotice"
            | "updateGroupAvatarUrl"
            | "updateGroupJoinMode"
            | "updateGroupInviteMode"
            | "updateGroupBeInviteMode"
            | "setGroupAttributes"
            | "deleteGroupAttributes"
            | "muteGroup"
            | "muteGroupMembers"
            | "transferGroupOwner"
            | "setGroupMemberRole"
            | "setGroupMemberNickname"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::code_of;

    fn decode(op: &str, mut args: serde_json::Value) -> Result<GroupRequest, Refusal> {
        args["groupID"] = "g".into();
        GroupRequest::decode(op, &args.to_string(), &Limits::default()).map(|request| request.expect("an operation on groups"))
    }

    fn code(op: &str, args: serde_json::Value) -> u32 {
        decode(op, args).err().map_or(0, |refusal| code_of(&refusal))
    }

    #[test]
    fn what_a_change_needs_must_be_given_and_is_named_when_it_is_not() {
        for (op, field) in [
            ("updateGroupName", "groupName"),
            ("updateGroupNotice", "groupNotice"),
            ("updateGroupAvatarUrl", "groupAvatarUrl"),
            ("updateGroupJoinMode", "mode"),
            ("setGroupAttributes", "groupAttributes"),
            ("deleteGroupAttributes", "keys"),
            ("muteGroup", "isMute"),
            ("muteGroupMembers", "isMute"),
            ("transferGroupOwner", "toUserID"),
            ("setGroupMemberRole", "forUserID"),
            ("setGroupMemberNickname", "nickname"),
        ] {
            let refusal = decode(op, json!({})).unwrap_err().to_string();
            assert_eq!(refusal, format!("{field} is missing"), "{op}");
        }
    }

    #[test]
    fn limits_of_changes_hold_at_their_edges() {
        let long = |n: usize| "x".repeat(n);
        assert_eq!(
            (code("updateGroupName", json!({"groupName": long(100)})), code("updateGroupName", json!({"groupName": long(101)}))),
            (0, 6_000_001)
        );
        assert_eq!(code("updateGroupNotice", json!({"groupNotice": long(301)})), 6_000_001);
        assert_eq!(code("updateGroupAvatarUrl", json!({"groupAvatarUrl": long(501)})), 6_000_001);
        assert_eq!(code("setGroupAttributes", json!({"groupAttributes": {long(16): long(1024)}})), 0);
        assert_eq!(code("setGroupAttributes", json!({"groupAttributes": {long(17): ""}})), 6_000_532);
        assert_eq!(code("setGroupAttributes", json!({"groupAttributes": {"a": long(1025)}})), 6_000_533);
        assert_eq!(code("setGroupAttributes", json!({"groupAttributes": {}})), 6_000_001);
        let nickname = |n: usize| json!({"forUserID": "a", "nickname": "名".repeat(n)});
        assert_eq!((code("setGroupMemberNickname", nickname(100)), code("setGroupMemberNickname", nickname(101))), (0, 6_000_001));
        let mute = |config: serde_json::Value| code("muteGroup", json!({"isMute": true, "config": config}));
        assert_eq!(mute(json!({"mode": 1, "duration": 2_592_000, "roles": []})), 0);
        assert_eq!(mute(json!({"mode": 1, "duration": 2_592_001, "roles": []})), 6_000_001);
        assert_eq!(mute(json!({"mode": 3, "duration": -1, "roles": vec![101; 20]})), 0);
        assert_eq!(mute(json!({"mode": 3, "duration": -1, "roles": vec![101; 21]})), 6_000_001);
        assert_eq!(mute(json!({"mode": 3, "duration": -1, "roles": []})), 6_000_001);
        assert_eq!(mute(json!({"mode": 0, "duration": 1, "roles": []})), 6_000_001);
        let users = |n: usize| (0..n).map(|n| format!("u{n}")).collect::<Vec<_>>();
        let members = |n: usize, seconds: i64| {
            code("muteGroupMembers", json!({"isMute": true, "userIDs": users(n), "config": {"duration": seconds}}))
        };
        assert_eq!((members(100, 604_800), members(101, 1), members(1, 604_801), members(0, 1)), (0, 6_000_001, 6_000_001, 6_000_001));
        assert_eq!(code("muteGroupMembers", json!({"isMute": false, "userIDs": ["a"]})), 0);
    }

    #[test]
    fn a_search_needs_words_and_a_page() {
        let search =
            |keywords: serde_json::Value, count: i64| code("searchLocalGroups", json!({"config": {"keywords": keywords, "count": count}}));
        assert_eq!((search(json!(["a"]), 100), search(json!(["a"]), 101), search(json!([]), 1)), (0, 6_000_001, 6_000_001));
        assert_eq!(search(json!(["1", "2", "3", "4", "5", "6"]), 1), 6_000_001);
    }
}
