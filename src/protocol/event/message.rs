//! Events about messages that were sent: changed, read, answered, deleted.

use bytestring::ByteString;
use serde::Serialize;

use super::Event;
use crate::model::{Conversation, Message, UserId};
use crate::protocol::RawJson;
use crate::protocol::message::reaction::ReactionInfo;
use crate::protocol::message::receipt::ReceiptInfo;

/// A message names someone who is not in its conversation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MentionReceived<'a> {
    #[serde(rename = "conversationID")]
    conversation_id: &'a str,
    conversation_type: u8,
    message: RawJson,
}

impl<'a> MentionReceived<'a> {
    /// Gives the message as an outsider reads it. A conversation of two is named by whom the message went to.
    pub(crate) fn new(message: &'a Message, encoded: ByteString) -> Self {
        let (kind, conversation_id) = message.conversation.named_by(&message.sender);
        Self { conversation_id, conversation_type: kind.number(), message: RawJson(encoded) }
    }
}

impl Event for MentionReceived<'_> {
    fn name(&self) -> &'static str {
        "mentionReceived"
    }
}

/// A message was taken back; it is given as it is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageRevokeReceived {
    pub(crate) message_list: Vec<RawJson>,
}

impl Event for MessageRevokeReceived {
    fn name(&self) -> &'static str {
        "messageRevokeReceived"
    }
}

/// A message was edited; it is given as it is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageEdited {
    pub(crate) message_list: Vec<RawJson>,
}

impl Event for MessageEdited {
    fn name(&self) -> &'static str {
        "messageEdited"
    }
}

/// The message that these answers quote was changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageRepliedInfoChanged {
    pub(crate) message_list: Vec<RawJson>,
}

impl Event for MessageRepliedInfoChanged {
    fn name(&self) -> &'static str {
        "messageRepliedInfoChanged"
    }
}

/// How many answers are below a message.
#[derive(Debug, Serialize)]
pub(crate) struct MessageRepliedCountChanged {
    infos: [RepliedCount; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RepliedCount {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    conversation_type: u8,
    #[serde(rename = "messageID")]
    message_id: String,
    count: usize,
}

impl MessageRepliedCountChanged {
    /// Says how many answers there are, as `reader` names the conversation.
    pub(crate) fn new(reader: &UserId, conversation: &Conversation, message_id: u64, count: usize) -> Self {
        let (kind, id) = conversation.named_by(reader);
        let (conversation_id, conversation_type) = (id.to_owned(), kind.number());
        Self { infos: [RepliedCount { conversation_id, conversation_type, message_id: message_id.to_string(), count }] }
    }
}

impl Event for MessageRepliedCountChanged {
    fn name(&self) -> &'static str {
        "messageRepliedCountChanged"
    }
}

/// Users reacted, or took a reaction back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageReactionsChanged {
    pub(crate) reactions: Vec<ReactionInfo>,
    pub(crate) change_info_list: Vec<ReactionChange>,
}

impl Event for MessageReactionsChanged {
    fn name(&self) -> &'static str {
        "messageReactionsChanged"
    }
}

/// Who changed a reaction of which message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReactionChange {
    pub(crate) message: RawJson,
    pub(crate) user_change_info_list: [UserReaction; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserReaction {
    #[serde(rename = "userID")]
    user_id: UserId,
    reaction_type: String,
    /// 0 added, 1 taken back.
    action: u8,
    sum_count: usize,
}

impl UserReaction {
    /// Says that a user added or took back a reaction; `sum_count` is how many users react this way now.
    pub(crate) fn new(user: &UserId, reaction: &str, added: bool, sum_count: usize) -> Self {
        Self { user_id: user.clone(), reaction_type: reaction.to_owned(), action: u8::from(!added), sum_count }
    }
}

/// A message was pinned, or is pinned no more.
#[derive(Debug, Serialize)]
pub(crate) struct MessagePinStatusChanged {
    pub(crate) infos: Vec<PinChange>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PinChange {
    pub(crate) pin_status: PinStatus,
    pub(crate) message: RawJson,
}

/// How a pin changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PinStatus {
    Removed = 0,
    Pinned = 1,
    PinnedAgain = 2,
}

impl Serialize for PinStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl Event for MessagePinStatusChanged {
    fn name(&self) -> &'static str {
        "messagePinStatusChanged"
    }
}

/// Messages were read.
#[derive(Debug, Serialize)]
pub(crate) struct MessageReceiptChanged {
    pub(crate) infos: Vec<ReceiptInfo>,
}

impl Event for MessageReceiptChanged {
    fn name(&self) -> &'static str {
        "messageReceiptChanged"
    }
}

/// A conversation was read up to its last message.
#[derive(Debug, Serialize)]
pub(crate) struct ConversationMessageReceiptChanged {
    pub(crate) infos: Vec<ReceiptInfo>,
}

impl Event for ConversationMessageReceiptChanged {
    fn name(&self) -> &'static str {
        "conversationMessageReceiptChanged"
    }
}

/// The user deleted messages for itself, on another device.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageDeleted {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    conversation_type: i8,
    is_delete_conversation_all_message: bool,
    message_delete_type: u8,
    message_list: Vec<RawJson>,
}

impl MessageDeleted {
    /// Says that these messages of a conversation were deleted.
    pub(crate) fn some(user: &UserId, conversation: &Conversation, messages: Vec<RawJson>) -> Self {
        Self { message_list: messages, ..Self::in_conversation(user, conversation, 0) }
    }

    /// Says that all messages of a conversation were deleted.
    pub(crate) fn all_of(user: &UserId, conversation: &Conversation) -> Self {
        Self { is_delete_conversation_all_message: true, ..Self::in_conversation(user, conversation, 1) }
    }

    /// Says that all messages of all conversations were deleted.
    pub(crate) fn everything() -> Self {
        Self {
            conversation_id: String::new(),
            conversation_type: -1,
            is_delete_conversation_all_message: false,
            message_delete_type: 2,
            message_list: Vec::new(),
        }
    }

    fn in_conversation(user: &UserId, conversation: &Conversation, message_delete_type: u8) -> Self {
        let (kind, id) = conversation.named_by(user);
        Self {
            conversation_id: id.to_owned(),
            conversation_type: i8::try_from(kind.number()).unwrap_or(-1),
            message_delete_type,
            ..Self::everything()
        }
    }
}

impl Event for MessageDeleted {
    fn name(&self) -> &'static str {
        "messageDeleted"
    }
}

/// A message to everyone online.
#[derive(Debug, Serialize)]
pub(crate) struct BroadcastMessageReceived {
    pub(crate) message: RawJson,
}

impl Event for BroadcastMessageReceived {
    fn name(&self) -> &'static str {
        "broadcastMessageReceived"
    }
}
