//! Results of operations on a user's list of conversations.

use serde::{Deserialize, Serialize};

use super::message::ConversationRef;
use crate::protocol::RawJson;

#[derive(Debug, Serialize)]
pub(crate) struct OneConversation {
    pub(crate) conversation: Option<RawJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conversations {
    pub(crate) conversation_list: Vec<RawJson>,
    /// The page was cut by its size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotalUnread {
    pub(crate) unread_message_count: u64,
}

/// Conversations that could not be marked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Marked {
    pub(crate) failed_conversation_infos: Vec<ConversationRef>,
}
