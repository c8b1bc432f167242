//! What became of a message after it was accepted.

use serde::{Deserialize, Serialize};

use super::{MessageKind, UserId};

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorAt {
    /// Who.
    pub by: UserId,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// What became of a message since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageState {
    /// Its sender changed its words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<ActorAt>,
    /// Notes of reactions were once made to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reacted: bool,
    /// It is the root of answers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replied: bool,
}

impl MessageState {
    /// Returns whether nothing happened to it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// In whose name a message was taken back. The numbers are the vendor's.
/// Source: ZIM API reference, `ZIMMessageRevokeStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevokedAs {
    /// 0: by its sender
    Sender,
    /// 2: by the server's own interface
    Server,
    /// 3: by an admin of the group
    Admin,
    /// 4: by the owner of the group
    Owner,
}

impl RevokedAs {
    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Sender => 0,
            Self::Server => 2,
            Self::Admin => 3,
            Self::Owner => 4,
        }
    }
}

/// What stands in the place of a message that was taken back. Source: ZIM API reference, `ZIMRevokeMessage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Who took it back, and when.
    pub stamp: ActorAt,
    /// In whose name.
    pub revoked_as: RevokedAs,
    /// What the revoker has to say, 200 bytes by default.
    pub extended_data: String,
    /// The kind it was, by number.
    pub kind: u16,
    /// What it said, if it was text: `originalTextMessageContent`.
    pub text: String,
}

impl Revoked {
    /// Returns the kind it was.
    #[must_use]
    pub fn original_kind(&self) -> Option<MessageKind> {
        MessageKind::from_number(i64::from(self.kind))
    }
}
