//! Events about rooms.

use serde::Serialize;

use super::{Event, numbers};
use crate::model::{Attributes, RoomId, UserId, UserProfile};
use crate::protocol::result::room::{AttributesOf, MemberAttributes};
use crate::protocol::result::user::{UserWire, user_wire};

numbers! {
    /// Why a user is not in a room any more. Source: ZIM API reference, `ZIMRoomEvent`.
    RoomEvent {
        /// The room does not exist.
        RoomNotExist = 3,
        /// The host put the user out.
        KickedOut = 8,
        /// The user's connection was lost for too long.
        ConnectTimeout = 9,
        /// Another device of the user took its place.
        KickedOutByOtherDevice = 10,
    }

    /// Whether a user is in a room. Source: ZIM API reference, `ZIMRoomState`.
    RoomState {
        Disconnected = 0,
    }

    /// What happened to attributes. Source: ZIM API reference, `ZIMRoomAttributesUpdateAction`.
    AttributesAction {
        Set = 0,
        Delete = 1,
    }
}

/// The receiver is not in the room any more.
#[derive(Debug, Serialize)]
pub(crate) struct RoomStateChanged<'a> {
    event: RoomEvent,
    #[serde(rename = "extendedData")]
    extended_data: &'a str,
    #[serde(rename = "roomID")]
    room_id: &'a RoomId,
    state: RoomState,
}

impl<'a> RoomStateChanged<'a> {
    fn out(room_id: &'a RoomId, event: RoomEvent, extended_data: &'a str) -> Self {
        Self { event, extended_data, room_id, state: RoomState::Disconnected }
    }

    /// The room was destroyed.
    pub(crate) fn destroyed(room: &'a RoomId) -> Self {
        Self::out(room, RoomEvent::RoomNotExist, "")
    }

    /// The host put the receiver out, for this reason.
    pub(crate) fn kicked(room: &'a RoomId, reason: &'a str) -> Self {
        Self::out(room, RoomEvent::KickedOut, reason)
    }

    /// The receiver came back after its place was given up.
    pub(crate) fn timed_out(room: &'a RoomId) -> Self {
        Self::out(room, RoomEvent::ConnectTimeout, "")
    }

    /// Another device of the same user took the receiver's place.
    pub(crate) fn replaced(room: &'a RoomId) -> Self {
        Self::out(room, RoomEvent::KickedOutByOtherDevice, "")
    }
}

impl Event for RoomStateChanged<'_> {
    fn name(&self) -> &'static str {
        "roomStateChanged"
    }
}

/// Whether members came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    Joined,
    Left,
}

/// Other members came, or went.
#[derive(Debug, Serialize)]
pub(crate) struct MembersMoved<'a> {
    #[serde(skip)]
    movement: Movement,
    #[serde(rename = "memberList")]
    member_list: Vec<UserWire>,
    #[serde(rename = "roomID")]
    room_id: &'a RoomId,
}

impl<'a> MembersMoved<'a> {
    /// Names those who moved.
    pub(crate) fn new<'b>(room_id: &'a RoomId, movement: Movement, members: impl Iterator<Item = &'b UserProfile>) -> Self {
        Self { movement, member_list: members.map(user_wire).collect(), room_id }
    }
}

impl Event for MembersMoved<'_> {
    fn name(&self) -> &'static str {
        match self.movement {
            Movement::Joined => "roomMemberJoined",
            Movement::Left => "roomMemberLeft",
        }
    }
}

/// How many came and went who were not told by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct UnnamedMovements {
    joined: u64,
    left: u64,
}

impl UnnamedMovements {
    /// Counts one.
    pub(crate) fn count(&mut self, movement: Movement) {
        *match movement {
            Movement::Joined => &mut self.joined,
            Movement::Left => &mut self.left,
        } += 1;
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// More members came and went than are told by name.
#[derive(Debug, Serialize)]
pub(crate) struct MembersCounted<'a> {
    #[serde(rename = "joinedCount")]
    joined: u64,
    #[serde(rename = "leftCount")]
    left: u64,
    #[serde(rename = "memberCount")]
    member_count: usize,
    #[serde(rename = "roomID")]
    room_id: &'a RoomId,
}

impl<'a> MembersCounted<'a> {
    /// Says how many moved, and how many are inside now.
    pub(crate) fn new(room_id: &'a RoomId, member_count: usize, UnnamedMovements { joined, left }: UnnamedMovements) -> Self {
        Self { joined, left, member_count, room_id }
    }
}

impl Event for MembersCounted<'_> {
    fn name(&self) -> &'static str {
        "roomMembersCounted"
    }
}

#[derive(Debug, Serialize)]
struct AttributesChange<'a> {
    action: AttributesAction,
    #[serde(rename = "roomAttributes")]
    room_attributes: &'a Attributes,
}

/// Attributes of the room changed.
#[derive(Debug, Serialize)]
pub(crate) struct RoomAttributesUpdated<'a> {
    #[serde(skip)]
    is_batch: bool,
    infos: Vec<AttributesChange<'a>>,
    #[serde(rename = "isSnapshot", skip_serializing_if = "std::ops::Not::not")]
    is_snapshot: bool,
    #[serde(rename = "roomID")]
    room_id: &'a RoomId,
}

impl<'a> RoomAttributesUpdated<'a> {
    /// Says what changed, in order: whether attributes were deleted, and what they were set to. `is_batch` says that one
    /// batch operation changed them.
    pub(crate) fn new(room_id: &'a RoomId, updates: impl Iterator<Item = (bool, &'a Attributes)>, is_batch: bool) -> Self {
        let change = |(deleted, room_attributes)| {
            let action = if deleted { AttributesAction::Delete } else { AttributesAction::Set };
            AttributesChange { action, room_attributes }
        };
        Self { is_batch, infos: updates.map(change).collect(), is_snapshot: false, room_id }
    }

    /// Says all there is, to a member that just came.
    pub(crate) fn snapshot(room_id: &'a RoomId, attributes: &'a Attributes) -> Self {
        Self { is_snapshot: true, ..Self::new(room_id, std::iter::once((false, attributes)), false) }
    }
}

impl Event for RoomAttributesUpdated<'_> {
    fn name(&self) -> &'static str {
        if self.is_batch { "roomAttributesBatchUpdated" } else { "roomAttributesUpdated" }
    }
}

#[derive(Debug, Serialize)]
struct OperatedBy<'a> {
    #[serde(rename = "userID")]
    user_id: &'a str,
}

/// Attributes of members changed; each member's are given whole.
#[derive(Debug, Serialize)]
pub(crate) struct RoomMemberAttributesUpdated<'a> {
    infos: Vec<MemberAttributes>,
    #[serde(rename = "isSnapshot", skip_serializing_if = "std::ops::Not::not")]
    is_snapshot: bool,
    #[serde(rename = "operatedInfo")]
    operated_info: OperatedBy<'a>,
    #[serde(rename = "roomID")]
    room_id: &'a RoomId,
}

impl<'a> RoomMemberAttributesUpdated<'a> {
    fn of(room_id: &'a RoomId, by: &'a str, members: impl Iterator<Item = (UserId, Attributes)>, is_snapshot: bool) -> Self {
        let info = |(user, attributes)| MemberAttributes::new(AttributesOf::new(user, attributes));
        Self { infos: members.map(info).collect(), is_snapshot, operated_info: OperatedBy { user_id: by }, room_id }
    }

    /// Says what the attributes of these members are now, and who changed them.
    pub(crate) fn new(room: &'a RoomId, by: &'a UserId, members: impl Iterator<Item = (UserId, Attributes)>) -> Self {
        Self::of(room, by.as_str(), members, false)
    }

    /// Says all there is, to a member that just came.
    pub(crate) fn snapshot(room: &'a RoomId, members: impl Iterator<Item = (UserId, Attributes)>) -> Self {
        Self::of(room, "", members, true)
    }
}

impl Event for RoomMemberAttributesUpdated<'_> {
    fn name(&self) -> &'static str {
        "roomMemberAttributesUpdated"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::event::encode;

    fn decoded(event: &impl Event) -> Value {
        serde_json::from_str(&encode(event)).unwrap()
    }

    #[test]
    fn who_is_out_hears_why() {
        let room = RoomId::trusted("r");
        let data = |event: u8, reason: &str| json!({"roomID": "r", "state": 0, "event": event, "extendedData": reason});
        let kicked = decoded(&RoomStateChanged::kicked(&room, "spam"));
        assert_eq!(kicked, json!({"event": "roomStateChanged", "data": data(8, "spam")}));
        assert_eq!(decoded(&RoomStateChanged::destroyed(&room))["data"], data(3, ""));
        assert_eq!(decoded(&RoomStateChanged::timed_out(&room))["data"], data(9, ""));
        assert_eq!(decoded(&RoomStateChanged::replaced(&room))["data"], data(10, ""));
    }

    #[test]
    fn only_a_snapshot_says_that_it_is_one() {
        let (room, attributes) = (RoomId::trusted("r"), Attributes::from([("k".to_owned(), "v".to_owned())]));
        let snapshot = decoded(&RoomAttributesUpdated::snapshot(&room, &attributes));
        let infos = json!([{"action": 0, "roomAttributes": {"k": "v"}}]);
        assert_eq!(snapshot, json!({"event": "roomAttributesUpdated", "data": {"roomID": "r", "infos": infos, "isSnapshot": true}}));
        let batch = decoded(&RoomAttributesUpdated::new(&room, std::iter::once((true, &attributes)), true));
        let infos = json!([{"action": 1, "roomAttributes": {"k": "v"}}]);
        assert_eq!(batch, json!({"event": "roomAttributesBatchUpdated", "data": {"roomID": "r", "infos": infos}}));
        let members = std::iter::once((UserId::trusted("a"), attributes));
        let members = decoded(&RoomMemberAttributesUpdated::new(&room, &UserId::trusted("b"), members));
        let infos = json!([{"attributesInfo": {"userID": "a", "attributes": {"k": "v"}}}]);
        assert_eq!(members["data"], json!({"roomID": "r", "infos": infos, "operatedInfo": {"userID": "b"}}));
    }
}
