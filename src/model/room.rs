//! What a room is called.

use super::{Invalid, Limits, RoomId};

/// Source: spec 2.7, `RoomInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its id.
    pub id: RoomId,
    /// Its name; may be empty.
    pub name: String,
}

impl RoomInfo {
    /// Checks both.
    ///
    /// # Errors
    /// [`Invalid`] naming `roomInfo.roomID` or `roomInfo.roomName`.
    pub fn parse(id: &str, name: String, limits: &Limits) -> Result<Self, Invalid> {
        if name.len() > limits.room_name_bytes_max {
            return Err(Invalid::too_long("roomInfo.roomName", name.len(), limits.room_name_bytes_max));
        }
        Ok(Self { id: RoomId::parse("roomInfo.roomID", id, limits)?, name })
    }
}
