//! What operations on rooms answer, and how a room is described.

use serde::{Deserialize, Serialize};

use super::user::{ErrorUser, UserWire, error_users, user_wire};
use crate::model::{Attributes, Refusal, RoomId, RoomInfo, UserId, UserProfile};

/// Describes a room. Source: ZIM API reference, `ZIMRoomFullInfo`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomFull {
    base_info: RoomBase,
}

#[derive(Debug, Serialize)]
struct RoomBase {
    #[serde(rename = "roomID")]
    room_id: RoomId,
    #[serde(rename = "roomName")]
    room_name: String,
}

/// The answer to `createRoom`, `enterRoom`, `joinRoom` and `switchRoom`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomEntered {
    room_info: RoomFull,
}

impl RoomEntered {
    /// Describes the room that the caller is in now.
    pub(crate) fn new(info: RoomInfo) -> Self {
        Self { room_info: RoomFull { base_info: RoomBase { room_id: info.id, room_name: info.name } } }
    }
}

/// The answer to `leaveRoom`.
#[derive(Debug, Serialize)]
pub(crate) struct RoomLeft {
    #[serde(rename = "roomID")]
    pub(crate) room_id: RoomId,
}

/// The answer to `leaveAllRoom`.
#[derive(Debug, Serialize)]
pub(crate) struct RoomsLeft {
    #[serde(rename = "roomIDs")]
    pub(crate) room_ids: Vec<RoomId>,
}

/// The answer to `queryRoomMemberList`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomMembers {
    pub(crate) member_list: Vec<UserWire>,
    pub(crate) next_flag: String,
    #[serde(rename = "roomID")]
    pub(crate) room_id: RoomId,
}

impl RoomMembers {
    /// Gives one page; `next` is where the next one begins, "" at the end.
    pub(crate) fn new(room_id: RoomId, members: &[UserProfile], next: String) -> Self {
        Self { member_list: members.iter().map(user_wire).collect(), next_flag: next, room_id }
    }
}

/// The answer to `queryRoomMembers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomMembersFound {
    pub(crate) error_user_list: Vec<ErrorUser>,
    pub(crate) member_list: Vec<UserWire>,
    #[serde(rename = "roomID")]
    pub(crate) room_id: RoomId,
}

impl RoomMembersFound {
    /// Describes the users who are inside, and lists those who are not.
    pub(crate) fn new(room_id: RoomId, members: &[UserProfile], missing: Vec<UserId>) -> Self {
        let missing: Vec<_> = missing.into_iter().map(|user| (user, Refusal::NotInRoom(room_id.to_string()))).collect();
        Self { error_user_list: error_users(&missing), member_list: members.iter().map(user_wire).collect(), room_id }
    }
}

/// The answer to `queryRoomOnlineMemberCount`.
#[derive(Debug, Serialize)]
pub(crate) struct RoomMemberCount {
    pub(crate) count: usize,
    #[serde(rename = "roomID")]
    pub(crate) room_id: RoomId,
}

/// The answer to `setRoomAttributes`, `deleteRoomAttributes` and `endRoomAttributesBatchOperation`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoomAttributesChanged {
    /// The keys that could not be changed.
    #[serde(rename = "errorKeys")]
    pub(crate) error_keys: Vec<String>,
    #[serde(rename = "roomID")]
    pub(crate) room_id: RoomId,
}

/// The attributes of one member.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AttributesOf {
    attributes: Attributes,
    #[serde(rename = "userID")]
    user_id: UserId,
}

impl AttributesOf {
    pub(crate) fn new(user_id: UserId, attributes: Attributes) -> Self {
        Self { attributes, user_id }
    }
}

/// The same as the only field of an object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberAttributes {
    attributes_info: AttributesOf,
    /// Only in the answer to the user who set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_keys: Option<[String; 0]>,
}

impl MemberAttributes {
    pub(crate) fn new(attributes_info: AttributesOf) -> Self {
        Self { attributes_info, error_keys: None }
    }
}

/// The answer to `setRoomMembersAttributes`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomMembersAttributesSet {
    error_user_list: Vec<UserId>,
    infos: Vec<MemberAttributes>,
    #[serde(rename = "roomID")]
    room_id: RoomId,
}

impl RoomMembersAttributesSet {
    /// Says that these members were given these attributes, and which users were not inside.
    pub(crate) fn new(room_id: RoomId, users: &[UserId], attributes: &Attributes, outside: Vec<UserId>) -> Self {
        let set = |user: &UserId| {
            let attributes_info = AttributesOf::new(user.clone(), attributes.clone());
            MemberAttributes { attributes_info, error_keys: Some([]) }
        };
        Self { error_user_list: outside, infos: users.iter().map(set).collect(), room_id }
    }
}

/// The answer to the operations that query attributes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum RoomAttributes {
    /// Of `queryRoomAllAttributes`: the room's own.
    Room {
        room_attributes: Attributes,
        #[serde(rename = "roomID")]
        room_id: RoomId,
    },
    /// Of `queryRoomMembersAttributes` and `queryRoomMemberAttributesList`: of members, in pages when `next_flag` is there,
    /// "" at the end.
    Members {
        infos: Vec<AttributesOf>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_flag: Option<String>,
        #[serde(rename = "roomID")]
        room_id: RoomId,
    },
}

impl RoomAttributes {
    pub(crate) fn of_members(room_id: RoomId, members: impl Iterator<Item = (UserId, Attributes)>, next_flag: Option<String>) -> Self {
        Self::Members { infos: members.map(|(user, attributes)| AttributesOf::new(user, attributes)).collect(), next_flag, room_id }
    }
}
