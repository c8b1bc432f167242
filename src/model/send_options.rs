//! What a sender asks for besides its words.

use serde::{Deserialize, Serialize};

/// What a sender asks for besides its words. Source: ZIM API reference, `ZIMMessageSendConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SendOptions {
    /// The sender wants to know who has read it: `hasReceipt`.
    pub receipt: bool,
    /// It counts nowhere as unread: `disableUnreadMessageCount`.
    pub uncounted: bool,
    /// It answers another message of the same conversation: `replyMessage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<ReplyTo>,
}

impl SendOptions {
    /// Returns whether nothing is asked for.
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
