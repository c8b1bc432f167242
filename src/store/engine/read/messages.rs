//! Single messages: by seq, by id, by order key, by local id.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::records::{self, try_scan};
use crate::model::{Conversation, LocalMessageId, Message, UserId};
use crate::store::backend::{Backend, Space};
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, DedupEntry, Envelope, SenderDedupEntry};

/// Every commit counts, durable or not: the engine's own view.
pub(crate) const ALL_COMMITS: u64 = u64::MAX;
/// Periods in which local ids are looked up: the current one and the one before it, so at least a week.
const DEDUP_PERIODS: usize = 2;

/// A stored message and where it is.
#[derive(Debug, Clone)]
pub(crate) struct LocatedMessage {
    pub message: Arc<Message>,
    pub envelope: Envelope,
    pub period: u64,
}

/// A stored message that a local id led to.
#[derive(Debug, Clone)]
pub(crate) struct FirstResult {
    pub message: Arc<Message>,
    pub commit: u64,
    /// What it said, as [`record::digest_of`] tells.
    pub digest: (u64, u64),
}

/// Returns a message by its seq, durable or not.
pub(crate) fn locate(backend: &dyn Backend, conversation: &Conversation, seq: u64) -> Result<Option<LocatedMessage>, StoreError> {
    let key = key::message(conversation, seq);
    for period in backend.periods().into_iter().rev() {
        if let Some(value) = backend.get(Space::Period(period), &key)? {
            let (message, envelope) = record::decode_message(&key, &value)?;
            return Ok(Some(LocatedMessage { message, envelope, period }));
        }
    }
    Ok(None)
}

/// Returns the key and the content of the dedup entry that a period has for a local id, whichever format wrote it.
pub(crate) fn dedup_entry(
    backend: &dyn Backend,
    space: Space,
    conversation: &Conversation,
    sender: &UserId,
    local_id: &LocalMessageId,
) -> Result<Option<(Vec<u8>, DedupEntry)>, StoreError> {
    let key = key::dedup(conversation, sender, local_id);
    if let Some(entry) = records::row(backend, space, &key)? {
        return Ok(Some((key, entry)));
    }
    let older_key = key::sender_dedup(sender, local_id);
    let older: Option<SenderDedupEntry> = records::row(backend, space, &older_key)?;
    Ok(older.and_then(|older| older.of(conversation)).map(|entry| (older_key, entry)))
}

/// Returns what a local id led to, if that is durable.
pub(crate) fn first_result(
    backend: &dyn Backend,
    durable: u64,
    conversation: &Conversation,
    sender: &UserId,
    local_id: &LocalMessageId,
) -> Result<Option<FirstResult>, StoreError> {
    for period in backend.periods().into_iter().rev().take(DEDUP_PERIODS) {
        let space = Space::Period(period);
        let Some((dedup_key, entry)) = dedup_entry(backend, space, conversation, sender, local_id)? else { continue };
        let key = key::message(conversation, entry.seq);
        let Some(value) = backend.get(space, &key)? else {
            // Both go in one batch: what removes the message removes the entry.
            if backend.get(space, &dedup_key)?.is_none() {
                continue;
            }
            return Err(StoreError::Damaged(format!("message {} of {conversation} is missing", entry.seq)));
        };
        let (message, envelope) = record::decode_message(&key, &value)?;
        if envelope.commit <= durable {
            return Ok(Some(FirstResult { message, commit: envelope.commit, digest: entry.digest }));
        }
    }
    Ok(None)
}

/// Returns the seq of a message's id, by binary search in each period: ids rise with seqs.
pub(crate) fn seq_of_id(backend: &dyn Backend, durable: u64, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError> {
    for period in backend.periods().into_iter().rev() {
        let space = Space::Period(period);
        let Some((first, _)) = first_between(backend, space, conversation, (0, u64::MAX), false)? else { continue };
        let Some((last, _)) = first_between(backend, space, conversation, (0, u64::MAX), true)? else { continue };
        let (mut low, mut high) = (first, last + 1);
        // All below `low` have lesser ids, all from `high` on have not.
        while low < high {
            let middle = low + (high - low) / 2;
            let key = key::message(conversation, middle);
            let Some(value) = backend.get(space, &key)? else { break };
            let (message, envelope) = record::decode_message(&key, &value)?;
            match message.id.cmp(&id) {
                Ordering::Equal => return Ok((envelope.commit <= durable).then_some(middle)),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
    }
    Ok(None)
}

/// Returns a seq that divides those with a lesser order key from the others, by binary search: order keys rise with seqs.
pub(crate) fn seq_at_order_key(backend: &dyn Backend, conversation: &Conversation, order_key: u64) -> Result<u64, StoreError> {
    for period in backend.periods() {
        let space = Space::Period(period);
        let Some((last, envelope)) = first_between(backend, space, conversation, (0, u64::MAX), true)? else { continue };
        if envelope.order_key < order_key {
            continue;
        }
        let (mut low, mut high) = (0, last);
        if let Some((first, _)) = first_between(backend, space, conversation, (0, u64::MAX), false)? {
            low = first;
        }
        // All below `low` are lesser, all from `high` on are not.
        while low < high {
            let middle = low + (high - low) / 2;
            match first_between(backend, space, conversation, (middle, high), false)? {
                Some((seq, envelope)) if envelope.order_key < order_key => low = seq + 1,
                _ => high = middle,
            }
        }
        return Ok(high);
    }
    Ok(u64::MAX)
}

/// Returns the first message from one seq on and below another, in a period; the last one, backwards.
fn first_between(
    backend: &dyn Backend,
    space: Space,
    conversation: &Conversation,
    (from_seq, to_seq): (u64, u64),
    backwards: bool,
) -> Result<Option<(u64, Envelope)>, StoreError> {
    let mut first = None;
    let (from, to) = key::messages(conversation, from_seq, to_seq);
    try_scan(backend, space, (&from, &to), backwards, |key, value| {
        let envelope = record::peek_message(key, value)?;
        first = key::split_message(key).map(|(_, seq)| (seq, envelope));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}
