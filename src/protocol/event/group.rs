//! Events about groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Event, numbers};
use crate::model::{Attributes, GroupChange, GroupId, GroupInfo, GroupMember, UserProfile};
use crate::protocol::result::group::{
    GroupFull, GroupMemberWire, MutedInfo, OperatedInfo, VerifyInfo, group_full, group_member, muted_info, verify_info,
};

numbers! {
    /// What happened to the receiver's own membership. Source: ZIM API reference, `ZIMGroupEvent`.
    GroupEvent {
        Created = 1,
        Dismissed = 2,
        Joined = 3,
        Invited = 4,
        Left = 5,
        KickedOut = 6,
    }

    /// What happened to other members. Source: ZIM API reference, `ZIMGroupMemberEvent`.
    GroupMemberEvent {
        Joined = 1,
        Left = 2,
        KickedOut = 4,
        Invited = 5,
    }

    /// Whether a user is in the group afterwards; the same numbers for the receiver and for others. Source: ZIM API
    /// reference, `ZIMGroupState` and `ZIMGroupMemberState`.
    Membership {
        Quit = 0,
        Enter = 1,
    }
}

impl GroupEvent {
    fn membership(self) -> Membership {
        match self {
            Self::Created | Self::Joined | Self::Invited => Membership::Enter,
            Self::Dismissed | Self::Left | Self::KickedOut => Membership::Quit,
        }
    }
}

impl GroupMemberEvent {
    fn membership(self) -> Membership {
        match self {
            Self::Joined | Self::Invited => Membership::Enter,
            Self::Left | Self::KickedOut => Membership::Quit,
        }
    }
}

/// The receiver came into the group, or is not in it any more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupStateChanged<'a> {
    event: GroupEvent,
    group_info: GroupFull,
    operated_info: &'a OperatedInfo,
    state: Membership,
}

impl<'a> GroupStateChanged<'a> {
    /// Says what happened, and who did it.
    pub(crate) fn new(info: &GroupInfo, event: GroupEvent, operated_info: &'a OperatedInfo) -> Self {
        Self { event, group_info: group_full(info, false), operated_info, state: event.membership() }
    }
}

impl Event for GroupStateChanged<'_> {
    fn name(&self) -> &'static str {
        "groupStateChanged"
    }
}

/// Other members came, or went.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupMemberStateChanged<'a> {
    event: GroupMemberEvent,
    #[serde(rename = "groupID")]
    group_id: &'a GroupId,
    operated_info: &'a OperatedInfo,
    state: Membership,
    user_list: Vec<GroupMemberWire>,
}

impl<'a> GroupMemberStateChanged<'a> {
    /// Says what happened to whom, and who did it.
    pub(crate) fn new(
        group_id: &'a GroupId,
        event: GroupMemberEvent,
        operated_info: &'a OperatedInfo,
        members: &[(GroupMember, UserProfile)],
    ) -> Self {
        let user_list = members.iter().map(|(member, profile)| group_member(member, profile)).collect();
        Self { event, group_id, operated_info, state: event.membership(), user_list }
    }
}

impl Event for GroupMemberStateChanged<'_> {
    fn name(&self) -> &'static str {
        "groupMemberStateChanged"
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttributesChange<'a> {
    /// 0 set, 1 deleted.
    action: u8,
    group_attributes: BTreeMap<&'a str, &'a str>,
}

/// The part of the group that changed, with its new value.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Changed<'a> {
    Name { group_name: &'a str },
    Notice { group_notice: &'a str },
    AvatarUrl { group_avatar_url: &'a str },
    Verify { verify_info: VerifyInfo },
    Attributes { info_list: [AttributesChange<'a>; 1] },
    Muted { muted_info: MutedInfo },
    Members { user_list: Vec<GroupMemberWire> },
}

impl<'a> Changed<'a> {
    fn set(attributes: &'a Attributes) -> Self {
        let group_attributes = attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Self::Attributes { info_list: [AttributesChange { action: 0, group_attributes }] }
    }

    fn deleted(keys: impl Iterator<Item = &'a String>) -> Self {
        let group_attributes = keys.map(|key| (key.as_str(), "")).collect();
        Self::Attributes { info_list: [AttributesChange { action: 1, group_attributes }] }
    }
}

/// The group's info, or what its members may do, changed.
#[derive(Debug, Serialize)]
pub(crate) struct GroupChanged<'a> {
    #[serde(flatten)]
    changed: Changed<'a>,
    #[serde(rename = "groupID")]
    group_id: &'a GroupId,
    #[serde(rename = "operatedInfo")]
    operated_info: &'a OperatedInfo,
}

impl<'a> GroupChanged<'a> {
    /// Says what a change made of the group: `info` and `members` as they are after it, `missing_keys` the attributes that
    /// were not there to be deleted.
    pub(crate) fn new<'b>(
        change: &'a GroupChange,
        info: &'a GroupInfo,
        members: impl Iterator<Item = (&'b GroupMember, &'b UserProfile)>,
        missing_keys: &[String],
        operated_info: &'a OperatedInfo,
    ) -> Self {
        let changed = match change {
            GroupChange::Name(name) => Changed::Name { group_name: name },
            GroupChange::Notice(notice) => Changed::Notice { group_notice: notice },
            GroupChange::AvatarUrl(url) => Changed::AvatarUrl { group_avatar_url: url },
            // Our choice: of a new bound the vendor has no event; this one makes clients ask.
            GroupChange::Join(_) | GroupChange::Invite(_) | GroupChange::BeInvite(_) | GroupChange::MembersMax(_) => {
                Changed::Verify { verify_info: verify_info(info.verify) }
            }
            GroupChange::SetAttributes(attributes) => Changed::set(attributes),
            GroupChange::DeleteAttributes(keys) => Changed::deleted(keys.iter().filter(|key| !missing_keys.contains(key))),
            GroupChange::Mute { .. } => Changed::Muted { muted_info: muted_info(&info.mute) },
            GroupChange::MuteMembers { .. } | GroupChange::Transfer(_) | GroupChange::Role { .. } | GroupChange::Nickname { .. } => {
                Changed::Members { user_list: members.map(|(member, profile)| group_member(member, profile)).collect() }
            }
        };
        Self { changed, group_id: &info.id, operated_info }
    }
}

impl Event for GroupChanged<'_> {
    fn name(&self) -> &'static str {
        match self.changed {
            Changed::Name { .. } => "groupNameUpdated",
            Changed::Notice { .. } => "groupNoticeUpdated",
            Changed::AvatarUrl { .. } => "groupAvatarUrlUpdated",
            Changed::Verify { .. } => "groupVerifyInfoUpdated",
            Changed::Attributes { .. } => "groupAttributesUpdated",
            Changed::Muted { .. } => "groupMutedInfoUpdated",
            Changed::Members { .. } => "groupMemberInfoUpdated",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{GroupAdvanced, GroupRole, Limits, UserId};
    use crate::protocol::event::encode;

    fn decoded(event: &impl Event) -> Value {
        serde_json::from_str(&encode(event)).unwrap()
    }

    fn info() -> GroupInfo {
        GroupInfo::parse(GroupId::trusted("g"), "G".into(), String::new(), GroupAdvanced::default(), &Limits::default()).unwrap()
    }

    fn operated() -> OperatedInfo {
        OperatedInfo::new(None, &UserProfile::new(UserId::trusted("a"), "Ann".into()))
    }

    #[test]
    fn a_deleted_attribute_that_was_not_there_is_not_told() {
        let (info, operated) = (info(), operated());
        let change = GroupChange::DeleteAttributes(vec!["x".into(), "y".into()]);
        let told = decoded(&GroupChanged::new(&change, &info, std::iter::empty(), &["x".into()], &operated));
        let described = json!({"userID": "a", "userName": "Ann", "userAvatarUrl": "", "memberAvatarUrl": "", "memberNickname": "",
            "memberRole": 3, "muteExpiredTime": 0, "groupEnterInfo": {"enterTime": 0, "enterType": 0}});
        let operated = json!({"userID": "a", "userName": "Ann", "memberNickname": "", "memberRole": 3, "operatedUserInfo": described});
        let list = json!([{"action": 1, "groupAttributes": {"y": ""}}]);
        assert_eq!(told, json!({"event": "groupAttributesUpdated", "data": {"groupID": "g", "infoList": list, "operatedInfo": operated}}));
    }

    #[test]
    fn events_of_members_name_them_flat_and_say_whether_they_are_inside() {
        let (info, operated) = (info(), operated());
        let member = GroupMember::new(UserId::trusted("b"), GroupRole::Admin, 1, 1, 0);
        let members = [(member, UserProfile::new(UserId::trusted("b"), "Ben".into()))];
        let told = decoded(&GroupMemberStateChanged::new(&info.id, GroupMemberEvent::KickedOut, &operated, &members));
        assert_eq!((&told["data"]["state"], &told["data"]["event"]), (&json!(0), &json!(4)));
        let ben = json!({"userID": "b", "userName": "Ben", "userAvatarUrl": "", "memberAvatarUrl": "", "memberNickname": "", "memberRole": 2,
            "muteExpiredTime": members[0].0.muted.0, "groupEnterInfo": {"enterTime": 1_704_067_200_000_u64, "enterType": 3}});
        assert_eq!(told["data"]["userList"], json!([ben]));
        let to_self = decoded(&GroupStateChanged::new(&info, GroupEvent::Invited, &operated));
        assert_eq!((&to_self["data"]["state"], &to_self["data"]["event"]), (&json!(1), &json!(4)));
        assert_eq!(to_self["data"]["groupInfo"]["baseInfo"]["groupName"], "G");
    }
}
