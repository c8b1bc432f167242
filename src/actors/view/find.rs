//! Finds a message that a request names.

use std::sync::Arc;

use crate::model::{Conversation, Message};
use crate::protocol::MessageHandle;
use crate::store::{Store, StoreError};

/// Returns the message, if it is kept, is the one the handle names, and is not before `first_seq`.
pub(crate) fn message(
    store: &dyn Store,
    conversation: &Conversation,
    handle: MessageHandle,
    first_seq: u64,
) -> Result<Option<Arc<Message>>, StoreError> {
    let by_seq = handle.seq.map(|seq| store.message(conversation, seq)).transpose()?.flatten();
    let is_meant = |message: &Arc<Message>| handle.id.is_none_or(|id| id == message.id);
    let found = match (by_seq.filter(is_meant), handle.id) {
        (Some(found), _) => Some(found),
        (None, Some(id)) => store.seq_of(conversation, id)?.map(|seq| store.message(conversation, seq)).transpose()?.flatten(),
        (None, None) => None,
    };
    Ok(found.filter(|message| message.seq >= first_seq))
}
