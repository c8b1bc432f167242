//! Whom a message names from outside its conversation: each is told of that message and of nothing else.
//! Source: ZIM guide "Send and receive messages", `mentionedUserIDs`, which may name users outside the conversation.
//!
//! Only who is online is told, at whichever node, and at most a few times after a node was lost: there is no list of conversations and no
//! history in which an outsider could find the message later.

use std::collections::HashSet;

use super::batch::Item;
use super::broadcast::{Listener, broadcast};
use crate::actors::context::BrokerContext;
use crate::model::UserId;
use crate::protocol::event;
use crate::protocol::event::message::MentionReceived;

/// Nobody outside sees what a message quotes: the quote of a reader who sees the conversation from after its end.
const SEES_NOTHING: u64 = u64::MAX;

/// Tells the users whom stored messages name and who are not in their conversation.
pub(crate) fn tell(context: &BrokerContext, items: &[Item], is_inside: impl Fn(&UserId) -> bool) {
    let names_somebody = |item: &&Item| {
        let content = &item.live.message.content;
        item.commit > 0 && !content.mentions.users.is_empty() && !content.options.mentions_untold
    };
    for item in items.iter().filter(names_somebody).filter(|_| context.config().users.mentioned_outside) {
        let message = &item.live.message;
        let outside: HashSet<&UserId> =
            message.content.mentions.users.iter().filter(|user| **user != message.sender && !is_inside(user)).collect();
        let connections: Vec<_> = outside.into_iter().filter_map(|user| context.presence.connections(user)).collect();
        let listeners = Listener::to_all(connections.iter().flat_map(|connections| connections.iter()));
        let level_of = |listener: &Listener| Some(listener.connection.level()).filter(|level| level.knows_mentions());
        broadcast(&listeners, None, level_of, |level| {
            let text = item.live.encoded(SEES_NOTHING, *level)?;
            Some(event::encode(&MentionReceived::new(message, text.clone())))
        });
    }
}
