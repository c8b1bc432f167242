//! Rooms and groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::numbers;
use crate::broker::RoomSummary;
use crate::model::GroupInfo;
use crate::protocol::NewGroupConfigArgs;

/// A room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct Room {
    /// Which.
    #[serde(rename = "roomID")]
    room_id: String,
    /// What it is called.
    room_name: String,
    /// How many are inside.
    online_member_count: usize,
    /// How long it stands empty, seconds.
    room_destroy_delay_time: u64,
    /// When it began, Unix milliseconds.
    create_time: u64,
}

impl Room {
    pub(in crate::http::api) fn of(room: &RoomSummary) -> Self {
        Self {
            room_id: room.info.id.to_string(),
            room_name: room.info.name.clone(),
            online_member_count: room.members,
            room_destroy_delay_time: room.destroy_delay_seconds,
            create_time: room.created_ms,
        }
    }
}

/// A group, as in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct Group {
    /// Which.
    #[serde(rename = "groupID")]
    group_id: String,
    /// What it is called.
    group_name: String,
    /// Passed through, never fetched.
    group_avatar_url: String,
    /// How many are in it.
    member_count: usize,
    /// When it was made, Unix milliseconds.
    create_time: u64,
}

impl Group {
    pub(in crate::http::api) fn of((info, members): &(GroupInfo, usize)) -> Self {
        Self {
            group_id: info.id.to_string(),
            group_name: info.name.clone(),
            group_avatar_url: info.avatar_url.clone(),
            member_count: *members,
            create_time: info.created_ms,
        }
    }
}

/// A member of a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(in crate::http::api) struct GroupMember {
    /// Who.
    #[schema(rename = "userID")]
    user_id: String,
    /// Shown to others.
    user_name: String,
    /// Passed through, never fetched.
    user_avatar_url: String,
    /// The same: a member has no picture of its own for this group.
    member_avatar_url: String,
    /// What it is called in this group.
    member_nickname: String,
    /// 1 owner, 2 admin, 3 member, 101 and above the application's own.
    member_role: u32,
    /// Until when it may not speak, Unix milliseconds; 0 it may, -1 for good.
    mute_expired_time: i64,
    /// When and how it came in.
    group_enter_info: GroupEnterInfo,
}

/// When and how a member came into a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(in crate::http::api) struct GroupEnterInfo {
    /// Unix milliseconds.
    enter_time: u64,
    /// 0 unknown, 1 with the group that it made, 3 by itself, 4 brought in by another.
    #[schema(schema_with = numbers::enter_type)]
    enter_type: u8,
}

/// Settings of a new group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct GroupSettings {
    /// At most 300 bytes.
    #[serde(default)]
    group_notice: Option<String>,
    /// At most 10 pairs, keys of 16 bytes, values of 1,024.
    #[serde(default)]
    group_attributes: Option<BTreeMap<String, String>>,
    /// 0: as many as the configuration allows.
    #[serde(default)]
    max_member_count: Option<u32>,
    /// 0 anyone joins, 1 by application, 2 nobody.
    #[serde(default)]
    #[schema(schema_with = numbers::join_mode)]
    join_mode: Option<u8>,
    /// 0 everyone invites, 1 owner and admins.
    #[serde(default)]
    #[schema(schema_with = numbers::invite_mode)]
    invite_mode: Option<u8>,
    /// 0 who is invited is in, 1 must agree.
    #[serde(default)]
    #[schema(schema_with = numbers::be_invite_mode)]
    be_invite_mode: Option<u8>,
}

impl From<GroupSettings> for NewGroupConfigArgs {
    fn from(settings: GroupSettings) -> Self {
        let mode = |mode: Option<u8>| mode.unwrap_or_default().into();
        Self {
            group_notice: settings.group_notice.unwrap_or_default(),
            group_attributes: settings.group_attributes.unwrap_or_default(),
            max_member_count: settings.max_member_count.map_or(0, |max| usize::try_from(max).unwrap_or(usize::MAX)),
            join_mode: mode(settings.join_mode),
            invite_mode: mode(settings.invite_mode),
            be_invite_mode: mode(settings.be_invite_mode),
        }
    }
}

/// Attributes to set and to delete; first the one, then the other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::api) struct AttributesPatch {
    /// Keys and values.
    #[serde(default)]
    pub(in crate::http::api) set: BTreeMap<String, String>,
    /// Keys.
    #[serde(default)]
    pub(in crate::http::api) delete: Vec<String>,
}
