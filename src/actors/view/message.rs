//! A message with what its readers see beside it: the message it answers, and who reacted, read or pinned it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ActorAt, Body, Conversation, Message, UserId};
use crate::protocol::message::reaction::Reaction;
use crate::protocol::{ClientLevel, MessageView, RawJson, encode_view, with_children};
use crate::store::{Note, Pin, Store, StoreError};

/// One message as its readers see it. What differs between readers is in it only when it was made for one.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(super) message: Arc<Message>,
    pub(super) parts: MessageView,
}

impl View {
    pub(super) fn new(message: Arc<Message>, parts: MessageView) -> Self {
        Self { message, parts }
    }

    /// Makes the view of a message that nobody reacted to or changed, and that refers to nothing: all see it alike.
    pub(crate) fn plain(message: Arc<Message>) -> Self {
        Self::new(message, MessageView { alone: true, ..MessageView::default() })
    }

    /// Reads what all readers see alike; what is each reader's own (its reactions and receipts) is left out.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn shared(store: &dyn Store, message: Arc<Message>, pins: &[Pin]) -> Result<Self, StoreError> {
        let parts = shared_parts(store, &message, pins, 1)?;
        Ok(Self::new(message, MessageView { alone: true, ..parts }))
    }

    /// Returns the message with its pin and nothing else beside it.
    pub(crate) fn bare(&self) -> Self {
        let parts = MessageView { alone: true, pinned: self.parts.pinned.clone(), ..MessageView::default() };
        Self::new(self.message.clone(), parts)
    }

    pub(crate) fn message(&self) -> &Arc<Message> {
        &self.message
    }

    /// Returns the stamp of its pin, if it is pinned.
    pub(crate) fn pinned(&self) -> Option<&ActorAt> {
        self.parts.pinned.as_ref()
    }

    /// Returns whether a reader who sees the conversation from `first_seq` on sees what this message answers.
    pub(crate) fn shows_quote_from(&self, first_seq: u64) -> bool {
        self.message.content.options.reply.is_none_or(|reply| reply.seq >= first_seq)
    }

    /// Encodes it for clients of a level; returns none when they do not see such a message at all.
    pub(crate) fn encode(&self, level: ClientLevel) -> Option<RawJson> {
        encode_view(&self.message, &self.parts, level).map(RawJson)
    }

    /// Encodes it for readers who see the message it answers, or for those who do not.
    pub(crate) fn encode_with_quote(&self, with_quote: bool, level: ClientLevel) -> Option<RawJson> {
        if with_quote || self.parts.quoted.is_none() {
            return self.encode(level);
        }
        let parts = without_quote(&self.parts);
        encode_view(&self.message, &parts, level).map(RawJson)
    }

    /// Encodes it with a page of the children of a combined message, each JSON.
    pub(crate) fn encode_with_children(&self, children: &[String], level: ClientLevel) -> Option<RawJson> {
        self.encode(level).map(|message| with_children(&message, children))
    }
}

/// Returns the view of a reader who may not see the quoted message.
pub(super) fn without_quote(parts: &MessageView) -> MessageView {
    MessageView { quoted: None, quote_lost: true, ..parts.clone() }
}

/// Reads what all users see alike who see the conversation from `first_seq` on.
pub(super) fn shared_parts(store: &dyn Store, message: &Message, pins: &[Pin], first_seq: u64) -> Result<MessageView, StoreError> {
    let conversation = &message.conversation;
    let mut parts = MessageView::default();
    if let Some(reply) = &message.content.options.reply {
        parts.quoted = if reply.seq >= first_seq { store.message(conversation, reply.seq)? } else { None };
        parts.quote_lost = parts.quoted.is_none();
    }
    if message.state.replied {
        parts.replied_count = store.replies(conversation, message.seq)?.len() as u64;
    }
    parts.pinned = pins.iter().find(|pin| pin.seq == message.seq).map(|pin| pin.stamp.clone());
    Ok(parts)
}

/// Returns whether everyone sees a message alike, as long as nobody reacts to it or changes it.
pub(crate) fn is_plain(message: &Message) -> bool {
    !message.content.options.receipt && message.content.options.reply.is_none() && message.state.is_none()
}

/// Returns the users of each reaction, by the name of the reaction.
pub(crate) fn reaction_users(notes: impl Iterator<Item = Note>) -> BTreeMap<String, Vec<UserId>> {
    let mut users: BTreeMap<String, Vec<UserId>> = BTreeMap::new();
    for note in notes {
        if let Note::Reaction(reaction, user) = note {
            users.entry(reaction).or_default().push(user);
        }
    }
    users
}

/// Returns the reactions as `reader` sees them.
pub(super) fn reactions(users: &BTreeMap<String, Vec<UserId>>, reader: &UserId) -> Vec<Reaction> {
    users.iter().map(|(reaction, users)| Reaction::new(reaction, users, reader)).collect()
}

/// Returns the pins of a conversation; a room has none.
///
/// # Errors
/// Every error of the store.
pub(crate) fn pins_of(store: &dyn Store, conversation: &Conversation) -> Result<Vec<Pin>, StoreError> {
    if matches!(conversation, Conversation::Room(..)) { Ok(Vec::new()) } else { store.pins(conversation) }
}

/// Returns whether a message is a combined one, which has children.
pub(crate) fn is_combined(message: &Message) -> bool {
    matches!(message.content.body, Body::Combine(_))
}
