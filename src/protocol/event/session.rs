//! Events about the session itself.

use serde::Serialize;

use super::Event;
use crate::model::RoomId;

/// The token ends soon: the client renews it, or its session ends.
#[derive(Debug, Serialize)]
pub(crate) struct TokenWillExpire {
    /// In how many seconds.
    pub(crate) second: u64,
}

impl Event for TokenWillExpire {
    fn name(&self) -> &'static str {
        "tokenWillExpire"
    }
}

/// How many messages were dropped, because their receiver or their room had no place for them.
#[derive(Debug, Serialize)]
pub(crate) struct BarrageDropped<'a> {
    command: u32,
    high: u32,
    low: u32,
    medium: u32,
    #[serde(rename = "roomID", skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a RoomId>,
}

impl<'a> BarrageDropped<'a> {
    /// Counts what was dropped for one session; `barrage` by priority: low, medium, high.
    pub(crate) fn for_session([low, medium, high]: [u32; 3], command: u32) -> Self {
        Self { command, high, low, medium, room_id: None }
    }

    /// Counts what a room dropped for all its members; `barrage` by priority: low, medium, high.
    pub(crate) fn by_room(room: &'a RoomId, [low, medium, high]: [u32; 3]) -> Self {
        Self { command: 0, high, low, medium, room_id: Some(room) }
    }
}

impl Event for BarrageDropped<'_> {
    fn name(&self) -> &'static str {
        "barrageDropped"
    }
}
