//! Events about a user's list of conversations.

use serde::{Serialize, Serializer};

use super::Event;
use crate::model::{Conversation, UserId};
use crate::protocol::RawJson;

/// What happened to an entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConversationEvent {
    Added = 0,
    Updated = 1,
    Disabled = 2,
    Deleted = 3,
}

impl Serialize for ConversationEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// Entries of the list changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversationChanged {
    pub(crate) info_list: Vec<ConversationChange>,
}

impl Event for ConversationChanged {
    fn name(&self) -> &'static str {
        "conversationChanged"
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ConversationChange {
    pub(crate) event: ConversationEvent,
    /// A [`ConversationWire`] that is encoded already.
    pub(crate) conversation: RawJson,
}

/// How many messages are unread in all conversations together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotalUnreadMessageCountUpdated {
    pub(crate) total_unread_message_count: u64,
}

impl Event for TotalUnreadMessageCountUpdated {
    fn name(&self) -> &'static str {
        "conversationTotalUnreadMessageCountUpdated"
    }
}

/// The list is empty.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationsAllDeleted {
    /// How many conversations were in it.
    pub(crate) count: usize,
}

impl Event for ConversationsAllDeleted {
    fn name(&self) -> &'static str {
        "conversationsAllDeleted"
    }
}

/// One conversation as it stands in the list of one user. Fields at their documented default are left out.
/// Source: ZIM API reference, `ZIMConversation`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversationWire<'a> {
    #[serde(rename = "conversationID")]
    pub(crate) conversation_id: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    pub(crate) order_key: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) conversation_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) conversation_avatar_url: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) unread_message_count: u64,
    /// 2: the user does not want to be disturbed by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notification_status: Option<u8>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pinned_time: Option<u64>,
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    pub(crate) marks: &'a [u32],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_disabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mentioned_info_list: Vec<MentionedInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_message: Option<RawJson>,
}

impl<'a> ConversationWire<'a> {
    /// Describes the conversation as `user` names it, with nothing else yet.
    pub(crate) fn new(user: &UserId, conversation: &'a Conversation) -> Self {
        let (kind, conversation_id) = conversation.named_by(user);
        Self { conversation_id, kind: kind.number(), ..Self::default() }
    }

    pub(crate) fn muted(self, muted: bool) -> Self {
        Self { notification_status: muted.then_some(2), ..self }
    }

    /// Adds the pin; `pinned_ms` is since when, Unix milliseconds, 0 when it is not pinned.
    pub(crate) fn pinned(self, pinned_ms: u64) -> Self {
        Self { is_pinned: pinned_ms > 0, pinned_time: (pinned_ms > 0).then_some(pinned_ms), ..self }
    }

    pub(crate) fn encode(&self) -> RawJson {
        RawJson::of(self)
    }
}

/// Who mentioned the user in which message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MentionedInfo<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    #[serde(rename = "fromUserID")]
    pub(crate) from_user_id: &'a UserId,
    #[serde(rename = "messageID")]
    pub(crate) message_id: String,
    pub(crate) message_seq: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
