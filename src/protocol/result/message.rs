//! Results of operations on messages.

use serde::{Deserialize, Serialize};

use crate::model::{Conversation, Message, Target, UserId};
use crate::protocol::RawJson;
use crate::protocol::message::reaction::{ReactionInfo, ReactionUser};
use crate::protocol::message::receipt::ReceiptInfo;
use crate::protocol::result::group::GroupMemberWire;

/// The conversation an operation was about, as its caller named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversationRef {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    conversation_type: u8,
}

impl ConversationRef {
    pub(crate) fn named_by(user: &UserId, conversation: &Conversation) -> Self {
        let (kind, id) = conversation.named_by(user);
        Self { conversation_id: id.to_owned(), conversation_type: kind.number() }
    }
}

impl From<&Target> for ConversationRef {
    fn from(target: &Target) -> Self {
        Self { conversation_id: target.id().to_owned(), conversation_type: target.kind().number() }
    }
}

/// A message; `null` when its caller's version does not know it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OneMessage {
    pub(crate) message: Option<RawJson>,
}

/// Messages of one conversation, oldest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Messages {
    #[serde(flatten)]
    pub(crate) conversation: ConversationRef,
    /// The page was cut by its size.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more: bool,
    pub(crate) message_list: Vec<RawJson>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReceiptsSent {
    #[serde(flatten)]
    pub(crate) conversation: ConversationRef,
    #[serde(rename = "errorMessageIDs")]
    pub(crate) error_message_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReactionChanged {
    pub(crate) reaction: ReactionInfo,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReactionUsers {
    pub(crate) total_count: usize,
    pub(crate) next_flag: u64,
    pub(crate) reaction_type: String,
    pub(crate) user_list: Vec<ReactionUser>,
}

/// A message and the answers below it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replies {
    pub(crate) message_list: Vec<RawJson>,
    pub(crate) next_flag: u64,
    pub(crate) root_replied_info: RootReplied,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootReplied {
    /// 1 when the message was taken back.
    state: u8,
    #[serde(rename = "senderUserID")]
    sender_user_id: UserId,
    sent_time: u64,
    replied_count: usize,
    message: Option<RawJson>,
}

impl RootReplied {
    pub(crate) fn new(root: &Message, replied_count: usize, message: Option<RawJson>) -> Self {
        Self {
            state: u8::from(matches!(root.content.body, crate::model::Body::Revoke(_))),
            sender_user_id: root.sender.clone(),
            sent_time: root.timestamp_ms,
            replied_count,
            message,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReceiptMembers {
    #[serde(rename = "groupID")]
    pub(crate) group_id: String,
    pub(crate) next_flag: u64,
    pub(crate) user_list: Vec<GroupMemberWire>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReceiptsInfo {
    pub(crate) infos: Vec<ReceiptInfo>,
    #[serde(rename = "errorMessageIDs")]
    pub(crate) error_message_ids: Vec<String>,
}

/// A page of the children of a combined message.
#[derive(Debug, Serialize)]
pub(crate) struct CombinedMessage {
    /// The message with `messageList` in it.
    pub(crate) message: RawJson,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<usize>,
}

/// Messages that were found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundMessages {
    /// The conversation, when only one was searched.
    #[serde(flatten)]
    pub(crate) conversation: Option<ConversationRef>,
    pub(crate) message_list: Vec<RawJson>,
    /// The message the search goes on after, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_message: Option<Option<RawJson>>,
}

/// Conversations in which messages were found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundConversations {
    pub(crate) conversation_search_info_list: Vec<FoundConversation>,
    pub(crate) next_flag: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundConversation {
    #[serde(flatten)]
    pub(crate) conversation: ConversationRef,
    pub(crate) total_message_count: usize,
    pub(crate) message_list: Vec<RawJson>,
}
