//! One reader of one conversation: which messages it sees, and how.

use std::sync::Arc;

use super::find;
use super::message::{View, pins_of, reaction_users, reactions, shared_parts};
use super::receipts::receipt_status;
use super::visibility::Visibility;
use crate::model::{Conversation, Message, UserId};
use crate::protocol::{ClientLevel, MessageHandle, MessageView, RawJson};
use crate::store::{Pin, Store, StoreError};

/// Reads a conversation as one user sees it.
pub(crate) struct Reader<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) user: &'a UserId,
    pub(crate) conversation: &'a Conversation,
    pub(crate) visibility: Visibility,
    pins: Vec<Pin>,
}

impl<'a> Reader<'a> {
    /// Makes a reader. `first_seq` is the first message the user may see by its membership; what it cleared is hidden,
    /// too.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn new(store: &'a dyn Store, user: &'a UserId, conversation: &'a Conversation, first_seq: u64) -> Result<Self, StoreError> {
        let visibility = Visibility::of(store, user, conversation, first_seq)?;
        Ok(Self::of(store, user, conversation, visibility, pins_of(store, conversation)?))
    }

    /// Makes a reader of what was read before: what the user sees, and the pins of the conversation.
    pub(crate) fn of(
        store: &'a dyn Store,
        user: &'a UserId,
        conversation: &'a Conversation,
        visibility: Visibility,
        pins: Vec<Pin>,
    ) -> Self {
        Self { store, user, conversation, visibility, pins }
    }

    /// Returns the message a request names, if the reader sees it.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn find(&self, handle: MessageHandle) -> Result<Option<Arc<Message>>, StoreError> {
        find::message(self.store, self.user, self.conversation, handle, self.visibility)
    }

    /// Returns the message at a seq, if the reader sees it and did not delete it.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn message(&self, seq: u64) -> Result<Option<Arc<Message>>, StoreError> {
        self.visibility.message(self.store, self.user, self.conversation, seq)
    }

    /// Reads all that the reader sees of a message. One that nobody reacted to or changed costs no read.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn view(&self, message: &Arc<Message>) -> Result<View, StoreError> {
        let mut parts = shared_parts(self.store, message, &self.pins, self.visibility.first_seq)?;
        if message.state.reacted {
            let notes = self.store.notes(self.conversation, message.seq)?;
            parts.reactions = reactions(&reaction_users(notes.into_iter().map(|(note, _)| note)), self.user);
        }
        if message.content.options.receipt {
            parts.receipt_status = Some(receipt_status(self.store, self.user, message)?);
        }
        Ok(View::new(message.clone(), parts))
    }

    /// Reads the same for a message that is shown outside its conversation and therefore names it.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn view_alone(&self, message: &Arc<Message>) -> Result<View, StoreError> {
        let View { message, parts } = self.view(message)?;
        Ok(View::new(message, MessageView { alone: true, ..parts }))
    }

    /// Reads what a reader sees of a message of a group it left at a time, Unix milliseconds: as it was then. Of what was edited
    /// since nothing is kept as it was, so nothing is shown; of reactions, pins and answers neither, because each may be newer.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn view_as_left(&self, message: &Arc<Message>, left_ms: u64) -> Result<Option<View>, StoreError> {
        if was_edited_since(message, left_ms) {
            return Ok(None);
        }
        let mut parts = MessageView { alone: true, ..MessageView::default() };
        if let Some(reply) = &message.content.options.reply {
            let quoted = self.message(reply.seq)?;
            parts.quoted = quoted.filter(|quoted| !was_edited_since(quoted, left_ms));
            parts.quote_lost = parts.quoted.is_none();
        }
        Ok(Some(View::new(message.clone(), parts)))
    }

    /// Encodes messages in their order; those that clients of this level do not see are left out.
    ///
    /// # Errors
    /// Every error of the store.
    pub(crate) fn encode(&self, messages: &[Arc<Message>], level: ClientLevel) -> Result<Vec<RawJson>, StoreError> {
        let mut encoded = Vec::with_capacity(messages.len());
        for message in messages {
            encoded.extend(self.view(message)?.encode(level));
        }
        Ok(encoded)
    }
}

/// Returns whether a message was edited at this time or later, Unix milliseconds. One that was taken back shows nothing more than
/// that.
fn was_edited_since(message: &Message, since_ms: u64) -> bool {
    message.state.edited.as_ref().is_some_and(|stamp| stamp.at_ms >= since_ms)
}
