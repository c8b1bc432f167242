//! Finds a message that a request names.

use std::sync::Arc;

use super::visibility::Visibility;
use crate::model::{Conversation, Message, UserId};
use crate::protocol::MessageHandle;
use crate::store::{Store, StoreError};

/// Returns the message, if it is kept, is the one the handle names, and a user sees it.
///
/// # Errors
/// Every error of the store.
pub(crate) fn message(
    store: &dyn Store,
    user: &UserId,
    conversation: &Conversation,
    handle: MessageHandle,
    visibility: Visibility,
) -> Result<Option<Arc<Message>>, StoreError> {
    let by_seq = handle.seq.map(|seq| store.message(conversation, seq)).transpose()?.flatten();
    let is_meant = |message: &Arc<Message>| handle.id.is_none_or(|id| id == message.id);
    let found = match (by_seq.filter(is_meant), handle.id) {
        (Some(found), _) => Some(found),
        (None, Some(id)) => store.seq_of(conversation, id)?.map(|seq| store.message(conversation, seq)).transpose()?.flatten(),
        (None, None) => None,
    };
    match found {
        Some(found) if visibility.deletes => visibility.message(store, user, conversation, found.seq),
        found => Ok(found.filter(|message| message.seq >= visibility.first_seq)),
    }
}
