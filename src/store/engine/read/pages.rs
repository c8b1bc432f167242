//! Stretches of one conversation's messages.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::messages::seq_at_order_key;
use super::records::try_scan;
use crate::model::{Conversation, UserId};
use crate::store::backend::{Backend, Space};
use crate::store::error::StoreError;
use crate::store::format::{key, record};
use crate::store::types::{Anchor, Page, PageRead, Since, SinceRead};

/// Returns what a user deleted for itself, in one period. Read before the messages are scanned: a scan is not interrupted.
fn deleted_seqs(
    backend: &dyn Backend,
    period: u64,
    viewer: Option<&UserId>,
    conversation: &Conversation,
    (low, high): (u64, u64),
) -> Result<BTreeSet<u64>, StoreError> {
    let mut seqs = BTreeSet::new();
    let Some(viewer) = viewer else { return Ok(seqs) };
    let (from, to) = (key::deleted(viewer, conversation, low), key::deleted(viewer, conversation, high));
    try_scan(backend, Space::Period(period), (&from, &to), false, |key, _| {
        seqs.extend(key::last_number(key));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(seqs)
}

/// Returns the seqs that a page is about: from the first on and below the second.
fn seqs_of(backend: &dyn Backend, conversation: &Conversation, page: &Page) -> Result<(u64, u64), StoreError> {
    let low = page.first_seq;
    Ok(match (page.anchor, page.backwards) {
        (Anchor::End, _) => (low, u64::MAX),
        (Anchor::Seq(seq), true) => (low, seq),
        (Anchor::Seq(seq), false) => (low.max(seq.saturating_add(1)), u64::MAX),
        (Anchor::OrderKey(order_key), true) => (low, seq_at_order_key(backend, conversation, order_key)?),
        (Anchor::OrderKey(order_key), false) => (low.max(seq_at_order_key(backend, conversation, order_key.saturating_add(1))?), u64::MAX),
    })
}

/// Reads a page of a conversation. Sizes are those of the records.
pub(crate) fn read(backend: &dyn Backend, durable: u64, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError> {
    let mut read = PageRead::default();
    let (low, high) = seqs_of(backend, conversation, &page)?;
    if low >= high || page.count == 0 {
        return Ok(read);
    }
    let (from, to) = key::messages(conversation, low, high);
    let mut periods = backend.periods();
    if page.backwards {
        periods.reverse();
    }
    let mut bytes = 0;
    for period in periods {
        let hidden = deleted_seqs(backend, period, page.viewer.as_ref(), conversation, (low, high))?;
        try_scan(backend, Space::Period(period), (&from, &to), page.backwards, |key, value| {
            if read.messages.len() == page.count {
                return Ok(ControlFlow::Break(()));
            }
            let (message, envelope) = record::decode_message(key, value)?;
            if envelope.commit > durable || hidden.contains(&message.seq) {
                return Ok(ControlFlow::Continue(()));
            }
            if !read.messages.is_empty() && bytes + value.len() > page.bytes_max {
                read.cut = true;
                return Ok(ControlFlow::Break(()));
            }
            bytes += value.len();
            read.messages.push(message);
            Ok(ControlFlow::Continue(()))
        })?;
        if read.cut || read.messages.len() == page.count {
            break;
        }
    }
    if page.backwards {
        read.messages.reverse();
    }
    Ok(read)
}

/// Reads a conversation's messages after a commit, ascending; of too many the newest. Sizes are those of the records.
pub(crate) fn since(backend: &dyn Backend, durable: u64, conversation: &Conversation, since: &Since) -> Result<SinceRead, StoreError> {
    let mut read = SinceRead::default();
    let (from, to) = key::messages(conversation, since.first_seq, u64::MAX);
    let mut bytes = 0;
    let mut reached = false;
    for period in backend.periods().into_iter().rev() {
        let hidden = deleted_seqs(backend, period, since.viewer.as_ref(), conversation, (since.first_seq, u64::MAX))?;
        try_scan(backend, Space::Period(period), (&from, &to), true, |key, value| {
            let envelope = record::peek_message(key, value)?;
            if envelope.commit > durable || key::last_number(key).is_some_and(|seq| hidden.contains(&seq)) {
                return Ok(ControlFlow::Continue(()));
            }
            reached = envelope.commit <= since.commit;
            bytes += value.len();
            read.cut = !reached && (read.messages.len() == since.count_max || bytes > since.bytes_max);
            if reached || read.cut {
                return Ok(ControlFlow::Break(()));
            }
            let (message, envelope) = record::decode_message(key, value)?;
            read.messages.push((envelope.commit, message));
            Ok(ControlFlow::Continue(()))
        })?;
        if reached || read.cut {
            break;
        }
    }
    read.messages.reverse();
    Ok(read)
}
