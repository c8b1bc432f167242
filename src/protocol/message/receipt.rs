//! Receipts as the wire shows them. Source: ZIM API reference, `ZIMMessageReceiptInfo`.

use serde::{Serialize, Serializer};

use crate::model::{Conversation, UserId};

/// Whether a message that asks for receipts was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiptStatus {
    /// It waits for readers.
    Processing = 1,
    /// All have read it.
    Done = 2,
}

impl Serialize for ReceiptStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// How far a message was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReceiptInfo {
    #[serde(rename = "conversationID")]
    pub(crate) conversation_id: String,
    pub(crate) conversation_type: u8,
    #[serde(rename = "messageID")]
    pub(crate) message_id: String,
    pub(crate) status: ReceiptStatus,
    pub(crate) read_member_count: usize,
    pub(crate) unread_member_count: usize,
    /// Whether the reader itself read it, on another device.
    pub(crate) is_self_operated: bool,
    /// When the last of them read it, Unix milliseconds; 0 when not all have.
    pub(crate) read_time: u64,
}

impl ReceiptInfo {
    /// Describes a message that nobody has read, in a conversation as `user` names it.
    pub(crate) fn unread(user: &UserId, conversation: &Conversation, message_id: u64) -> Self {
        let (kind, id) = conversation.named_by(user);
        Self {
            conversation_id: id.to_owned(),
            conversation_type: kind.number(),
            message_id: message_id.to_string(),
            status: ReceiptStatus::Processing,
            read_member_count: 0,
            unread_member_count: 0,
            is_self_operated: false,
            read_time: 0,
        }
    }

    /// Describes all messages of a conversation, as `user` names it.
    pub(crate) fn whole(user: &UserId, conversation: &Conversation, own: bool, read_time: u64) -> Self {
        let info = Self::unread(user, conversation, 0);
        Self { message_id: String::new(), status: ReceiptStatus::Done, is_self_operated: own, read_time, ..info }
    }
}
