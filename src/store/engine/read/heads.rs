//! Where conversations end.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::records::{self, try_scan};
use super::{messages, pages};
use crate::model::Conversation;
use crate::store::backend::{Backend, Space};
use crate::store::engine::head_cache::LocatedHead;
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, Head};
use crate::store::format::rows::Tail;
use crate::store::types::{Anchor, Page};

/// Returns the head of a conversation, durable or not: the newest period's that has one, else the permanent checkpoint.
pub(crate) fn locate(backend: &dyn Backend, conversation: &Conversation) -> Result<Option<LocatedHead>, StoreError> {
    let key = key::head(conversation);
    for period in backend.periods().into_iter().rev() {
        if let Some(head) = records::row(backend, Space::Period(period), &key)? {
            return Ok(Some(LocatedHead { head, period: Some(period) }));
        }
    }
    Ok(records::row(backend, Space::Permanent, &key)?.map(|head| LocatedHead { head, period: None }))
}

/// Returns the last durable seq of a conversation; 0: none.
pub(crate) fn last_seq(backend: &dyn Backend, durable: u64, conversation: &Conversation) -> Result<u64, StoreError> {
    match locate(backend, conversation)? {
        None => Ok(0),
        Some(located) if located.head.commit <= durable => Ok(located.head.seq),
        Some(_) => {
            // A batch is on its way to disk: the last message before it.
            let page = Page { anchor: Anchor::End, backwards: true, count: 1, bytes_max: 0, first_seq: 0, viewer: None };
            match pages::read(backend, durable, conversation, page)?.messages.pop() {
                Some(message) => Ok(message.seq),
                None => Ok(records::row::<Head>(backend, Space::Permanent, &key::head(conversation))?.map_or(0, |head| head.seq)),
            }
        }
    }
}

/// Returns where a conversation ends, as far as that is durable.
pub(crate) fn tail(backend: &dyn Backend, durable: u64, conversation: &Conversation) -> Result<Option<Tail>, StoreError> {
    let Some(LocatedHead { head, .. }) = locate(backend, conversation)? else { return Ok(None) };
    if head.commit <= durable {
        return Ok(Some(Tail { seq: head.seq, order_key: head.order_key, commit: head.commit }));
    }
    let seq = last_seq(backend, durable, conversation)?;
    let located = if seq == 0 { None } else { messages::locate(backend, conversation, seq)? };
    Ok(located.map(|located| Tail { seq, order_key: located.message.order_key, commit: located.envelope.commit }))
}

/// Returns the conversations that were written to after a commit.
pub(crate) fn written_after(backend: &dyn Backend, commit: u64) -> Result<Vec<Conversation>, StoreError> {
    let (mut found, (from, to)) = (HashSet::new(), key::heads());
    let spaces = std::iter::once(Space::Permanent).chain(backend.periods().into_iter().map(Space::Period));
    for space in spaces {
        try_scan(backend, space, (&from, &to), false, |key, value| {
            let head: Head = record::decode(key, value)?;
            if head.commit > commit {
                let conversation = key::conversation_of(key);
                found.insert(conversation.ok_or_else(|| StoreError::Damaged("a head's key cannot be read".into()))?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(found.into_iter().collect())
}
