//! Reactions as the wire shows them. Source: ZIM API reference, `ZIMMessageReaction`.

use serde::Serialize;

use crate::model::{Message, UserId};

/// The most users a reaction names; `queryMessageReactionUserList` returns the rest.
const USERS_SHOWN: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReactionUser {
    #[serde(rename = "userID")]
    user_id: UserId,
}

impl ReactionUser {
    pub(crate) fn new(user: &UserId) -> Self {
        Self { user_id: user.clone() }
    }
}

/// One reaction of a message, as one reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reaction {
    reaction_type: String,
    is_self_included: bool,
    total_count: usize,
    sum_count: usize,
    user_list: Vec<ReactionUser>,
}

impl Reaction {
    /// Describes a reaction to one reader; `users` is everyone who reacts this way.
    pub(crate) fn new(reaction: &str, users: &[UserId], reader: &UserId) -> Self {
        Self {
            reaction_type: reaction.to_owned(),
            is_self_included: users.contains(reader),
            total_count: users.len(),
            sum_count: users.len(),
            user_list: users.iter().take(USERS_SHOWN).map(ReactionUser::new).collect(),
        }
    }

    /// Adds the message it belongs to, as `reader` names its conversation.
    pub(crate) fn of(self, message: &Message, reader: &UserId) -> ReactionInfo {
        let (kind, id) = message.conversation.named_by(reader);
        ReactionInfo {
            reaction: self,
            conversation_id: id.to_owned(),
            conversation_type: kind.number(),
            message_id: message.id.to_string(),
        }
    }
}

/// A reaction with the message it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReactionInfo {
    #[serde(flatten)]
    reaction: Reaction,
    #[serde(rename = "conversationID")]
    conversation_id: String,
    conversation_type: u8,
    #[serde(rename = "messageID")]
    message_id: String,
}
