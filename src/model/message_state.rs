//! What a sender asks for besides its words, and what became of a message after it was accepted.

use serde::{Deserialize, Serialize};

use super::{MessageKind, UserId};

/// What a sender asks for besides its words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// The sender wants to know who has read it. Source: spec 2.5, `hasReceipt`.
    pub receipt: bool,
    /// It counts nowhere as unread. Source: spec 2.5, `disableUnreadMessageCount`.
    pub uncounted: bool,
    /// It answers another message of the same conversation. Source: spec 3.2, `replyMessage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<ReplyTo>,
}

impl Terms {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The message that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: u64,
    /// The seq of the first message of the tree, found by the conversation's owner; 0 before that.
    #[serde(default)]
    pub root_seq: u64,
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Who.
    pub by: UserId,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// What became of a message since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fate {
    /// Its sender changed its words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<Stamp>,
    /// Notes of reactions were once made to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reacted: bool,
    /// It is the root of answers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replied: bool,
}

impl Fate {
    /// Whether nothing happened to it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// In whose name a message was taken back. The numbers are the vendor's. Source: spec 2.8, `MessageRevokeStatus`.
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
    /// The number on the wire.
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

/// What stands in the place of a message that was taken back. Source: spec 2.2, Revoke (31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Who took it back, and when.
    pub stamp: Stamp,
    /// In whose name.
    pub revoked_as: RevokedAs,
    /// What the revoker has to say, 200 bytes by default.
    pub extended_data: String,
    /// The kind it was, by number.
    pub kind: u16,
    /// What it said, if it was text. Source: spec 3.12, Revoke.
    pub text: String,
}

impl Revoked {
    /// The kind it was.
    #[must_use]
    pub fn original_kind(&self) -> Option<MessageKind> {
        MessageKind::from_number(i64::from(self.kind))
    }
}
