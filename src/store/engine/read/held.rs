//! What combined messages hold, and whether anyone still holds it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::messages::{self, LocatedMessage};
use super::records::{self, try_scan};
use crate::model::{Body, Child, Conversation, FileUid, Held, Message, child_at};
use crate::store::backend::{Backend, Op, Space};
use crate::store::error::StoreError;
use crate::store::format::{key, record};

/// Returns what a message holds; none: it is no combined message, or one of format 4 or before.
pub(crate) fn held_of(message: &Message) -> Option<&Held> {
    match &message.content.body {
        Body::Combine(combine) => combine.held.as_deref(),
        _ => None,
    }
}

/// Returns the children of a combined message; empty when it is none, or not kept any more.
pub(crate) fn children(backend: &dyn Backend, conversation: &Conversation, seq: u64) -> Result<Vec<Child>, StoreError> {
    let Some(LocatedMessage { message, period, .. }) = messages::locate(backend, conversation, seq)? else { return Ok(Vec::new()) };
    let Some(held) = held_of(&message) else {
        return Ok(records::row(backend, Space::Period(period), &key::children(conversation, seq))?.unwrap_or_default());
    };
    let list: Option<Vec<Child>> = records::row(backend, Space::Period(period), &key::held_list(held.list))?;
    Ok(list.and_then(|list| child_at(list, &held.path)).unwrap_or_default())
}

/// Returns about how many bytes [`children`] reads.
pub(crate) fn children_bytes(backend: &dyn Backend, conversation: &Conversation, seq: u64) -> Result<usize, StoreError> {
    let Some(LocatedMessage { message, period, .. }) = messages::locate(backend, conversation, seq)? else { return Ok(0) };
    let key = held_of(&message).map_or_else(|| key::children(conversation, seq), |held| key::held_list(held.list));
    Ok(backend.size(Space::Period(period), &key)?.unwrap_or(0))
}

/// Returns what goes of a list in a period, if no message there holds it any more. `gone`: keys of messages that are being
/// deleted.
pub(crate) fn unheld(backend: &dyn Backend, space: Space, list: FileUid, gone: &HashSet<Vec<u8>>) -> Result<Vec<Op>, StoreError> {
    let (mut uses, (from, to)) = (Vec::new(), key::media_uses(list));
    try_scan(backend, space, (&from, &to), false, |key, _| {
        uses.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    for use_key in &uses {
        let Some((conversation, seq)) = key::split_media_use(use_key) else { continue };
        let message_key = key::message(&conversation, seq);
        if gone.contains(&message_key) {
            continue;
        }
        if let Some(value) = backend.get(space, &message_key)?
            && held_of(&record::decode_message(&message_key, &value)?.0).is_some_and(|held| held.list == list)
        {
            return Ok(Vec::new());
        }
    }
    let list_key = key::held_list(list);
    let there = backend.size(space, &list_key)?.map(|_| list_key);
    Ok(uses.into_iter().chain(there).map(Op::Delete).collect())
}
