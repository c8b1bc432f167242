//! Whom a message names from outside its conversation: each is told of that message and of nothing else.
//! Source: ZIM guide "Send and receive messages", `mentionedUserIDs`, which may name users outside the conversation.
//!
//! Only who is online is told, at whichever node, and at most a few times after a node was lost: there is no list of conversations and no
//! history in which an outsider could find the message later.

use std::collections::HashSet;

use super::batch::Item;
use crate::actors::context::BrokerContext;
use crate::model::UserId;
use crate::protocol::event;
use crate::protocol::event::message::MentionReceived;

/// Nobody outside sees what a message quotes: the quote of a reader who sees the conversation from after its end.
const SEES_NOTHING: u64 = u64::MAX;

/// Tells the users whom stored messages name and who are not in their conversation.
pub(crate) fn tell(context: &BrokerContext, items: &[Item], is_inside: impl Fn(&UserId) -> bool) {
    let named = items.iter().filter(|item| item.commit > 0 && !item.live.message.content.mentions.users.is_empty());
    for item in named {
        let message = &item.live.message;
        if message.content.options.mentions_untold || !context.config().users.mentioned_outside {
            continue;
        }
        let outside: HashSet<&UserId> =
            message.content.mentions.users.iter().filter(|user| **user != message.sender && !is_inside(user)).collect();
        for user in outside {
            let Some(connections) = context.presence.connections(user) else { continue };
            for connection in connections.iter().filter(|connection| connection.level().knows_mentions()) {
                let Some(text) = item.live.encoded(SEES_NOTHING, connection.level()) else { continue };
                let _queued_or_closed = connection.outbox.push(event::encode(&MentionReceived::new(message, text.clone())));
            }
        }
    }
}
