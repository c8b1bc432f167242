//! What a room is called, and what its members agree on.

use serde::{Deserialize, Serialize};

use super::{Attributes, Invalid, Limits, RoomId, UserId};

/// What a room is called. Source: ZIM API reference, `ZIMRoomInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// [`Invalid`] naming `roomID` or `roomName` of `field`.
    pub fn parse(field: &str, id: &str, name: String, limits: &Limits) -> Result<Self, Invalid> {
        if name.len() > limits.room_name_bytes_max {
            return Err(Invalid::too_long(format!("{field}.roomName"), name.len(), limits.room_name_bytes_max));
        }
        Ok(Self { id: RoomId::parse(&format!("{field}.roomID"), id, limits)?, name })
    }
}

/// One of a room's attributes. Source: ZIM API reference, `setRoomAttributes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomAttribute {
    /// What it says.
    pub value: String,
    /// Whose it is: others need force.
    pub owner: UserId,
    /// It goes when its owner does.
    pub until_left: bool,
}

/// What one asks of a room's attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomChange {
    /// Adds to what there is.
    Set(Attributes),
    /// Takes away.
    Delete(Vec<String>),
}

/// On which terms attributes are set. Source: ZIM API reference, `ZIMRoomAttributesSetConfig`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeTerms {
    /// Also those of others.
    pub force: bool,
    /// What others own becomes one's own.
    pub take_over: bool,
    /// What is set goes when its owner does.
    pub until_left: bool,
}
