//! Operations on rooms. Their arguments: `src/protocol/PROTOCOL.md`, "Rooms".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::args::{count, read, room_id, some_users, user_list};
use crate::model::{AttributeTerms, Attributes, Invalid, Limits, Refusal, RoomChange, RoomId, RoomInfo, UserId};

#[derive(Debug)]
pub(crate) enum RoomRequest {
    Create {
        info: RoomInfo,
        start: RoomStart,
    },
    Enter {
        info: RoomInfo,
        start: RoomStart,
    },
    Join {
        room: RoomId,
    },
    /// Leaves one room and enters another, which is made only if asked for.
    Switch {
        from: RoomId,
        info: RoomInfo,
        start: Option<RoomStart>,
    },
    Leave {
        room: RoomId,
    },
    LeaveAll,
    QueryMemberList {
        room: RoomId,
        count: usize,
        next: String,
    },
    QueryMembers {
        room: RoomId,
        users: Vec<UserId>,
    },
    QueryOnlineMemberCount {
        room: RoomId,
    },
    QueryAttributes {
        room: RoomId,
    },
    ChangeAttributes {
        room: RoomId,
        changes: Vec<RoomChange>,
        terms: AttributeTerms,
        batch: bool,
    },
    SetMembersAttributes {
        room: RoomId,
        users: Vec<UserId>,
        attributes: Attributes,
        until_left: bool,
    },
    QueryMembersAttributes {
        room: RoomId,
        users: Vec<UserId>,
    },
    QueryMemberAttributesList {
        room: RoomId,
        count: usize,
        next: String,
    },
}

/// The delay and attributes a room begins with. Source: ZIM API reference, `ZIMRoomAdvancedConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomStart {
    pub(crate) destroy_delay_seconds: u64,
    pub(crate) attributes: Attributes,
    /// Which of the attributes go when their owner leaves.
    #[serde(default)]
    pub(crate) until_left: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoomArgs {
    room_info: InfoArgs,
    #[serde(default)]
    config: Option<StartArgs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoArgs {
    #[serde(rename = "roomID")]
    room_id: String,
    #[serde(default)]
    room_name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StartArgs {
    room_destroy_delay_time: Option<u64>,
    room_attributes: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SwitchArgs {
    #[serde(rename = "fromRoomID")]
    from_room_id: String,
    to_room_info: InfoArgs,
    #[serde(default)]
    is_create_when_room_not_existed: bool,
    #[serde(default)]
    config: Option<StartArgs>,
}

#[derive(Deserialize)]
struct UsersArgs {
    #[serde(rename = "roomID")]
    room_id: String,
    #[serde(rename = "userIDs")]
    user_ids: Vec<String>,
}

#[derive(Deserialize)]
struct PageArgs {
    #[serde(rename = "roomID")]
    room_id: String,
    config: PageConfigArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageConfigArgs {
    count: i64,
    #[serde(default)]
    next_flag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesArgs {
    #[serde(rename = "roomID")]
    room_id: String,
    room_attributes: Option<BTreeMap<String, String>>,
    keys: Option<Vec<String>>,
    #[serde(default)]
    config: Option<TermsArgs>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "camelCase", default)]
struct TermsArgs {
    is_force: bool,
    is_update_owner: bool,
    is_delete_after_owner_left: bool,
}

impl TermsArgs {
    fn terms(self) -> AttributeTerms {
        AttributeTerms { force: self.is_force, take_over: self.is_update_owner, until_left: self.is_delete_after_owner_left }
    }
}

/// A batch, with its parts in the order in which they were asked for.
#[derive(Deserialize)]
struct BatchArgs {
    #[serde(rename = "roomID")]
    room_id: String,
    #[serde(default)]
    config: Option<TermsArgs>,
    operations: Vec<BatchPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchPart {
    room_attributes: Option<BTreeMap<String, String>>,
    keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembersAttributesArgs {
    #[serde(rename = "roomID")]
    room_id: String,
    #[serde(rename = "userIDs")]
    user_ids: Vec<String>,
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    config: Option<MembersTermsArgs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembersTermsArgs {
    #[serde(default = "yes")]
    is_delete_after_owner_left: bool,
}

/// The default of `isDeleteAfterOwnerLeft` for members' attributes. Our choice: they last as long as the member is
/// inside.
fn yes() -> bool {
    true
}

impl StartArgs {
    fn check(self, limits: &Limits) -> Result<RoomStart, Refusal> {
        let destroy_delay_seconds = self.room_destroy_delay_time.unwrap_or(0);
        if destroy_delay_seconds > limits.room_destroy_delay_seconds_max {
            let max = limits.room_destroy_delay_seconds_max;
            let reason = format!("is {destroy_delay_seconds}, the range is 0 to {max} seconds");
            return Err(Invalid::new("config.roomDestroyDelayTime", reason).into());
        }
        let attributes = self.room_attributes.unwrap_or_default();
        limits.room_attributes().check_each(&attributes)?;
        limits.room_attributes().check_all(&attributes)?;
        Ok(RoomStart { destroy_delay_seconds, attributes, until_left: Vec::new() })
    }
}

impl RoomArgs {
    fn check(self, limits: &Limits) -> Result<(RoomInfo, RoomStart), Refusal> {
        Ok((self.room_info.check("roomInfo", limits)?, self.config.unwrap_or_default().check(limits)?))
    }
}

impl InfoArgs {
    fn check(self, field: &str, limits: &Limits) -> Result<RoomInfo, Invalid> {
        RoomInfo::parse(field, &self.room_id, self.room_name, limits)
    }
}

/// Setting or deleting, whichever is there.
///
/// # Errors
/// [`Refusal::Attributes`]; [`Refusal::Invalid`] naming the argument where there is nothing, or both.
pub(crate) fn room_change(
    set: Option<BTreeMap<String, String>>,
    delete: Option<Vec<String>>,
    limits: &Limits,
) -> Result<RoomChange, Refusal> {
    match (set, delete) {
        (Some(attributes), None) if !attributes.is_empty() => {
            limits.room_attributes().check_each(&attributes)?;
            Ok(RoomChange::Set(attributes))
        }
        (None, Some(keys)) if !keys.is_empty() => Ok(RoomChange::Delete(keys)),
        (_, None) => Err(Invalid::new("roomAttributes", "is empty").into()),
        (_, Some(_)) => Err(Invalid::new("keys", "is empty, or stands beside roomAttributes").into()),
    }
}

impl RoomRequest {
    /// Returns whether it makes others hear of something: such operations have a quota.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Self::ChangeAttributes { .. } | Self::SetMembersAttributes { .. })
    }

    /// Decodes an operation on rooms and checks its arguments; none where it is no such operation.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field; [`Refusal::Attributes`] for attributes over their limits.
    pub(super) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Option<Self>, Refusal> {
        let room = |id: &str| RoomId::parse("roomID", id, limits);
        Ok(Some(match op {
            "createRoom" => {
                let (info, start) = read::<RoomArgs>(args)?.check(limits)?;
                Self::Create { info, start }
            }
            "enterRoom" => {
                let (info, start) = read::<RoomArgs>(args)?.check(limits)?;
                Self::Enter { info, start }
            }
            "joinRoom" => Self::Join { room: room_id(args, limits)? },
            "switchRoom" => read::<SwitchArgs>(args)?.check(limits)?,
            "leaveRoom" => Self::Leave { room: room_id(args, limits)? },
            "leaveAllRoom" => Self::LeaveAll,
            "queryRoomOnlineMemberCount" => Self::QueryOnlineMemberCount { room: room_id(args, limits)? },
            "queryRoomMemberList" => {
                let PageArgs { room_id, config } = read(args)?;
                let count = count("config.count", config.count, limits.room_member_page_max)?;
                Self::QueryMemberList { room: room(&room_id)?, count, next: config.next_flag }
            }
            "queryRoomMembers" => {
                let UsersArgs { room_id, user_ids } = read(args)?;
                let users = user_list("userIDs", &user_ids, limits.room_member_query_max, limits)?;
                Self::QueryMembers { room: room(&room_id)?, users }
            }
            "queryRoomAllAttributes" => Self::QueryAttributes { room: room_id(args, limits)? },
            "setRoomAttributes" => read::<AttributesArgs>(args)?.check_set(limits)?,
            "deleteRoomAttributes" => read::<AttributesArgs>(args)?.check_delete(limits)?,
            "endRoomAttributesBatchOperation" => read::<BatchArgs>(args)?.check(limits)?,
            "setRoomMembersAttributes" => read::<MembersAttributesArgs>(args)?.check(limits)?,
            "queryRoomMembersAttributes" => {
                let UsersArgs { room_id, user_ids } = read(args)?;
                let users = some_users("userIDs", &user_ids, limits.room_member_attributes_page_max, limits)?;
                Self::QueryMembersAttributes { room: room(&room_id)?, users }
            }
            "queryRoomMemberAttributesList" => {
                let PageArgs { room_id, config } = read(args)?;
                let count = count("config.count", config.count, limits.room_member_attributes_page_max)?;
                Self::QueryMemberAttributesList { room: room(&room_id)?, count, next: config.next_flag }
            }
            _ => return Ok(None),
        }))
    }
}

impl SwitchArgs {
    fn check(self, limits: &Limits) -> Result<RoomRequest, Refusal> {
        let from = RoomId::parse("fromRoomID", &self.from_room_id, limits)?;
        let info = self.to_room_info.check("toRoomInfo", limits)?;
        if info.id == from {
            return Err(Invalid::new("toRoomInfo.roomID", "is the room to leave").into());
        }
        let start = self.config.unwrap_or_default().check(limits)?;
        Ok(RoomRequest::Switch { from, info, start: self.is_create_when_room_not_existed.then_some(start) })
    }
}

impl AttributesArgs {
    fn check_set(self, limits: &Limits) -> Result<RoomRequest, Refusal> {
        let Self { room_id, room_attributes, config, .. } = self;
        Self::one_change(&room_id, config, room_change(room_attributes, None, limits)?, limits)
    }

    fn check_delete(self, limits: &Limits) -> Result<RoomRequest, Refusal> {
        let Self { room_id, keys, config, .. } = self;
        let keys = keys.ok_or_else(|| Invalid::new("keys", "is missing"))?;
        Self::one_change(&room_id, config, room_change(None, Some(keys), limits)?, limits)
    }

    fn one_change(room: &str, config: Option<TermsArgs>, change: RoomChange, limits: &Limits) -> Result<RoomRequest, Refusal> {
        let (room, terms) = (RoomId::parse("roomID", room, limits)?, config.unwrap_or_default().terms());
        Ok(RoomRequest::ChangeAttributes { room, changes: vec![change], terms, batch: false })
    }
}

impl BatchArgs {
    fn check(self, limits: &Limits) -> Result<RoomRequest, Refusal> {
        let terms = self.config.unwrap_or_default().terms();
        let (parts, parts_max) = (self.operations.len(), 2 * limits.room_attributes_max.max(1));
        if parts == 0 {
            return Err(Invalid::new("operations", "is empty").into());
        }
        if parts > parts_max {
            return Err(Invalid::too_many("operations", parts, parts_max).into());
        }
        let parts = self.operations.into_iter().map(|part| room_change(part.room_attributes, part.keys, limits));
        let (room, changes) = (RoomId::parse("roomID", &self.room_id, limits)?, parts.collect::<Result<_, _>>()?);
        Ok(RoomRequest::ChangeAttributes { room, changes, terms, batch: true })
    }
}

impl MembersAttributesArgs {
    fn check(self, limits: &Limits) -> Result<RoomRequest, Refusal> {
        if self.attributes.is_empty() {
            return Err(Invalid::new("attributes", "is empty").into());
        }
        limits.room_member_attributes().check_each(&self.attributes)?;
        Ok(RoomRequest::SetMembersAttributes {
            room: RoomId::parse("roomID", &self.room_id, limits)?,
            users: some_users("userIDs", &self.user_ids, limits.room_member_attributes_page_max, limits)?,
            attributes: self.attributes,
            until_left: self.config.is_none_or(|config| config.is_delete_after_owner_left),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::code_of;

    fn code(op: &str, mut args: serde_json::Value) -> u32 {
        args["roomID"] = "r".into();
        match RoomRequest::decode(op, &args.to_string(), &Limits::default()) {
            Ok(request) => request.map_or(1, |_| 0),
            Err(refusal) => code_of(&refusal),
        }
    }

    #[test]
    fn limits_of_attributes_hold_at_their_edges() {
        let long = |n: usize| "x".repeat(n);
        let set = |attributes: serde_json::Value| code("setRoomAttributes", json!({"roomAttributes": attributes}));
        assert_eq!(
            (set(json!({long(16): long(1024)})), set(json!({long(17): ""})), set(json!({"a": long(1025)}))),
            (0, 6_000_335, 6_000_336)
        );
        assert_eq!(set(json!({})), 6_000_001);
        let create = |pairs: usize| {
            let attributes: BTreeMap<String, &str> = (0..pairs).map(|n| (format!("k{n}"), "")).collect();
            code("createRoom", json!({"roomInfo": {"roomID": "r"}, "config": {"roomAttributes": attributes}}))
        };
        assert_eq!((create(20), create(21)), (0, 6_000_334));
        let members = |key: usize, value: usize, users: usize| {
            let users: Vec<String> = (0..users).map(|n| format!("u{n}")).collect();
            code("setRoomMembersAttributes", json!({"userIDs": users, "attributes": {long(key): long(value)}}))
        };
        assert_eq!((members(8, 64, 100), members(9, 1, 1), members(1, 65, 1), members(1, 1, 101)), (0, 6_000_352, 6_000_353, 6_000_001));
        assert_eq!(members(1, 1, 0), 6_000_001);
    }

    #[test]
    fn a_batch_has_parts_and_each_part_is_one_thing() {
        let batch = |operations: serde_json::Value| code("endRoomAttributesBatchOperation", json!({"operations": operations}));
        assert_eq!(batch(json!([{"roomAttributes": {"a": "1"}}, {"keys": ["b"]}])), 0);
        assert_eq!(batch(json!([])), 6_000_001);
        assert_eq!(batch(json!([{}])), 6_000_001);
        assert_eq!(batch(json!([{"roomAttributes": {"a": "1"}, "keys": ["b"]}])), 6_000_001);
        assert_eq!(batch(json!(vec![json!({"keys": ["b"]}); 41])), 6_000_001);
    }

    #[test]
    fn a_switch_leads_elsewhere() {
        let switch = |to: &str| code("switchRoom", json!({"fromRoomID": "a", "toRoomInfo": {"roomID": to}}));
        assert_eq!((switch("b"), switch("a")), (0, 6_000_001));
    }
}
