//! Reading: pages, heads, retries and rows, over any backend.
//!
//! A batch is visible in the database a moment before it is durable. What a reader is told must not vanish, so
//! messages and heads of commits after the last durable one are left out here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::model::{Conversation, FileUid, LocalMessageId, Message, UserId};
use crate::store::backend::{Backend, Space};
use crate::store::format::record::{DedupEntry, Envelope, Head};
use crate::store::format::{key, record};
use crate::store::{Anchor, ChangeKind, EntryRecord, Note, NoteRecord, Page, PageRead, Since, SinceRead, StoreError, Tail};

/// Every commit counts, durable or not: the engine's own view.
pub(crate) const ALL_COMMITS: u64 = u64::MAX;

/// A head and the period that holds it; none: the checkpoint in the permanent space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocatedHead {
    pub head: Head,
    pub period: Option<u64>,
}

/// A stored message that a local id led to.
#[derive(Debug, Clone)]
pub(crate) struct FirstResult {
    pub message: Arc<Message>,
    pub commit: u64,
    pub content: (u64, u64),
}

/// A row of the permanent space.
pub(crate) fn row<T: DeserializeOwned>(backend: &dyn Backend, space: Space, key: &[u8]) -> Result<Option<T>, StoreError> {
    backend.get(space, key)?.map(|value| record::decode(key, &value)).transpose()
}

/// Scans and lets the visitor fail.
pub(crate) fn try_scan(
    backend: &dyn Backend,
    space: Space,
    (from, to): (&[u8], &[u8]),
    backwards: bool,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    backend.scan(space, from, to, backwards, &mut |key, value| match visit(key, value) {
        Ok(flow) => flow,
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    })?;
    outcome
}

/// All rows of a range, each made of its key and value.
pub(crate) fn rows<T>(
    backend: &dyn Backend,
    (from, to): (Vec<u8>, Vec<u8>),
    make: impl Fn(&[u8], &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    try_scan(backend, Space::Permanent, (&from, &to), false, |key, value| {
        rows.push(make(key, value)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

/// The head of a conversation: the newest period that has one, else the permanent checkpoint.
pub(crate) fn locate_head(backend: &dyn Backend, conversation: &Conversation) -> Result<Option<LocatedHead>, StoreError> {
    let key = key::head(conversation);
    for period in backend.periods().into_iter().rev() {
        if let Some(head) = row(backend, Space::Period(period), &key)? {
            return Ok(Some(LocatedHead { head, period: Some(period) }));
        }
    }
    Ok(row(backend, Space::Permanent, &key)?.map(|head| LocatedHead { head, period: None }))
}

/// The last durable seq of a conversation.
pub(crate) fn last_seq(backend: &dyn Backend, durable: u64, conversation: &Conversation) -> Result<u64, StoreError> {
    match locate_head(backend, conversation)? {
        None => Ok(0),
        Some(place) if place.head.commit <= durable => Ok(place.head.seq),
        Some(_) => {
            // A batch is on its way to disk: the last message before it.
            let page = Page { anchor: Anchor::End, backwards: true, count: 1, bytes_max: 0, first_seq: 0, viewer: None };
            let last = read(backend, durable, conversation, page)?.messages.pop();
            match last {
                Some(message) => Ok(message.seq),
                None => Ok(row::<Head>(backend, Space::Permanent, &key::head(conversation))?.map_or(0, |head| head.seq)),
            }
        }
    }
}

/// A stored message and where it is.
#[derive(Debug, Clone)]
pub(crate) struct LocatedMessage {
    pub message: Arc<Message>,
    pub envelope: Envelope,
    pub period: u64,
}

/// A message by its place, durable or not.
pub(crate) fn locate_message(backend: &dyn Backend, conversation: &Conversation, seq: u64) -> Result<Option<LocatedMessage>, StoreError> {
    let key = key::message(conversation, seq);
    for period in backend.periods().into_iter().rev() {
        if let Some(value) = backend.get(Space::Period(period), &key)? {
            let (message, envelope) = record::decode_message(&key, &value)?;
            return Ok(Some(LocatedMessage { message, envelope, period }));
        }
    }
    Ok(None)
}

/// A record of whichever period has it, the newest first.
pub(crate) fn newest_record<T: DeserializeOwned>(backend: &dyn Backend, key: &[u8]) -> Result<Option<T>, StoreError> {
    for period in backend.periods().into_iter().rev() {
        if let Some(found) = row(backend, Space::Period(period), key)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Where a conversation ends, as far as that is durable.
pub(crate) fn tail(backend: &dyn Backend, durable: u64, conversation: &Conversation) -> Result<Option<Tail>, StoreError> {
    let Some(LocatedHead { head, .. }) = locate_head(backend, conversation)? else { return Ok(None) };
    if head.commit <= durable {
        return Ok(Some(Tail { seq: head.seq, order_key: head.order_key, commit: head.commit }));
    }
    let seq = last_seq(backend, durable, conversation)?;
    let placed = if seq == 0 { None } else { locate_message(backend, conversation, seq)? };
    Ok(placed.map(|placed| Tail { seq, order_key: placed.message.order_key, commit: placed.envelope.commit }))
}

/// The seq of a message's id, by binary search in each period.
pub(crate) fn seq_of(backend: &dyn Backend, durable: u64, conversation: &Conversation, id: u64) -> Result<Option<u64>, StoreError> {
    for period in backend.periods().into_iter().rev() {
        let space = Space::Period(period);
        let Some((first, _)) = first_from(backend, space, conversation, (0, u64::MAX), false)? else { continue };
        let Some((last, _)) = first_from(backend, space, conversation, (0, u64::MAX), true)? else { continue };
        let (mut low, mut high) = (first, last + 1);
        // All below `low` have lesser ids, all from `high` on have not.
        while low < high {
            let middle = low + (high - low) / 2;
            let key = key::message(conversation, middle);
            let Some(value) = backend.get(space, &key)? else { break };
            let (message, envelope) = record::decode_message(&key, &value)?;
            match message.id.cmp(&id) {
                std::cmp::Ordering::Equal => return Ok((envelope.commit <= durable).then_some(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
    }
    Ok(None)
}

/// The notes on a message.
pub(crate) fn notes(backend: &dyn Backend, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
    let (from, to) = key::notes(conversation, seq);
    let mut notes = Vec::new();
    for period in backend.periods() {
        try_scan(backend, Space::Period(period), (&from, &to), false, |key, value| {
            let note = key::split_note(key).ok_or_else(|| StoreError::Damaged("a note's key cannot be read".into()))?;
            notes.push((note, record::decode(key, value)?));
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(notes)
}

/// The answers below a message.
pub(crate) fn replies(backend: &dyn Backend, durable: u64, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
    let (from, to) = (key::reply(conversation, root_seq, 0), key::reply(conversation, root_seq, u64::MAX));
    let mut seqs = Vec::new();
    for period in backend.periods() {
        try_scan(backend, Space::Period(period), (&from, &to), false, |key, value| {
            let commit: u64 = record::decode(key, value)?;
            seqs.extend(key::split_reply(key).filter(|_| commit <= durable));
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(seqs)
}

/// What was done to which messages by commits after the first and up to the second.
pub(crate) fn changes(
    backend: &dyn Backend,
    conversation: &Conversation,
    (after, durable): (u64, u64),
    count_max: usize,
) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
    let (from, to) = (key::change(conversation, after.saturating_add(1)), key::change(conversation, durable.saturating_add(1)));
    let mut changed: Vec<(u64, (u64, ChangeKind))> = Vec::new();
    for period in backend.periods() {
        try_scan(backend, Space::Period(period), (&from, &to), false, |key, value| {
            let change = record::decode(key, value)?;
            changed.extend(key::split_change(key).map(|commit| (commit, change)));
            Ok(ControlFlow::Continue(()))
        })?;
    }
    changed.sort_unstable();
    let mut latest: Vec<(u64, ChangeKind)> = Vec::new();
    for (_, change) in changed.into_iter().rev() {
        if latest.len() < count_max && !latest.contains(&change) {
            latest.push(change);
        }
    }
    latest.reverse();
    Ok(latest)
}

/// What a user made of a conversation: the newest period that has it, else the permanent checkpoint.
pub(crate) fn entry(backend: &dyn Backend, user: &UserId, conversation: &Conversation) -> Result<EntryRecord, StoreError> {
    newest_or_permanent(backend, &key::entry(user, conversation))
}

/// A record that is written to the current period and outlives it.
pub(crate) fn newest_or_permanent<T: DeserializeOwned + Default>(backend: &dyn Backend, key: &[u8]) -> Result<T, StoreError> {
    match newest_record(backend, key)? {
        Some(found) => Ok(found),
        None => Ok(row(backend, Space::Permanent, key)?.unwrap_or_default()),
    }
}

/// What a user made of its conversations.
pub(crate) fn entries_of(backend: &dyn Backend, user: &UserId) -> Result<Vec<(Conversation, EntryRecord)>, StoreError> {
    let (from, to) = key::entries_of(user);
    let mut entries = BTreeMap::new();
    let spaces = std::iter::once(Space::Permanent).chain(backend.periods().into_iter().map(Space::Period));
    // Later ones take the place of earlier ones.
    for space in spaces {
        try_scan(backend, space, (&from, &to), false, |key, value| {
            entries.insert(key.to_vec(), record::decode(key, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let named = entries.into_iter().map(|(key, entry)| {
        let conversation = key::split_entry(&key).ok_or_else(|| StoreError::Damaged("an entry's key cannot be read".into()))?;
        Ok((conversation, entry))
    });
    named.collect()
}

/// The first rows between two keys.
pub(crate) fn some_rows<T: DeserializeOwned>(
    backend: &dyn Backend,
    (from, to): (Vec<u8>, Vec<u8>),
    count_max: usize,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    try_scan(backend, Space::Permanent, (&from, &to), false, |key, value| {
        if found.len() < count_max {
            found.push(record::decode(key, value)?);
        }
        Ok(if found.len() < count_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// Where a file was stored with a message, the newest period first.
pub(crate) fn media_uses(backend: &dyn Backend, file: FileUid, count_max: usize) -> Result<Vec<(Conversation, u64)>, StoreError> {
    let (from, to) = key::media_uses(file);
    let mut places = Vec::new();
    for period in backend.periods().into_iter().rev() {
        try_scan(backend, Space::Period(period), (&from, &to), false, |key, _| {
            if places.len() == count_max {
                return Ok(ControlFlow::Break(()));
            }
            places.push(key::split_media_use(key).ok_or_else(|| StoreError::Damaged("the key of a file's use cannot be read".into()))?);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(places)
}

/// What a local id led to, in the current period or the one before it.
pub(crate) fn find(
    backend: &dyn Backend,
    durable: u64,
    sender: &UserId,
    local_id: &LocalMessageId,
) -> Result<Option<FirstResult>, StoreError> {
    let dedup_key = key::dedup(sender, local_id);
    for period in backend.periods().into_iter().rev().take(2) {
        let space = Space::Period(period);
        let Some(known) = row::<DedupEntry>(backend, space, &dedup_key)? else { continue };
        let key = key::message(&known.conversation, known.seq);
        let Some(value) = backend.get(space, &key)? else {
            // Both go in one batch: what removes the message removes the entry.
            if backend.get(space, &dedup_key)?.is_none() {
                continue;
            }
            return Err(StoreError::Damaged(format!("message {} of {:?} is missing", known.seq, known.conversation)));
        };
        let (message, envelope) = record::decode_message(&key, &value)?;
        if envelope.commit <= durable {
            return Ok(Some(FirstResult { message, commit: envelope.commit, content: known.content }));
        }
    }
    Ok(None)
}

/// What a user deleted for itself, in one period. Read before the messages are scanned: a scan is not interrupted.
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
        seqs.extend(key::split_change(key));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(seqs)
}

/// A page of a conversation. Sizes are those of the records.
pub(crate) fn read(backend: &dyn Backend, durable: u64, conversation: &Conversation, page: Page) -> Result<PageRead, StoreError> {
    let mut read = PageRead::default();
    let (mut low, mut high) = (page.first_seq, u64::MAX);
    match (page.anchor, page.backwards) {
        (Anchor::End, _) => {}
        (Anchor::Seq(seq), true) => high = seq,
        (Anchor::Seq(seq), false) => low = low.max(seq.saturating_add(1)),
        (Anchor::OrderKey(order_key), true) => high = seq_at(backend, conversation, order_key)?,
        (Anchor::OrderKey(order_key), false) => low = low.max(seq_at(backend, conversation, order_key.saturating_add(1))?),
    }
    if low >= high || page.count == 0 {
        return Ok(read);
    }
    let (from, to) = (key::message(conversation, low), key::message(conversation, high));
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
            if envelope.commit > durable {
                return Ok(ControlFlow::Continue(()));
            }
            if hidden.contains(&message.seq) {
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

/// A conversation's messages after a commit, ascending. Sizes are those of the records.
pub(crate) fn since(backend: &dyn Backend, durable: u64, conversation: &Conversation, since: Since) -> Result<SinceRead, StoreError> {
    let mut read = SinceRead::default();
    if locate_head(backend, conversation)?.is_none_or(|place| place.head.commit <= since.commit) {
        return Ok(read);
    }
    let (from, to) = (key::message(conversation, since.first_seq), key::message(conversation, u64::MAX));
    let mut bytes = 0;
    let mut reached = false;
    for period in backend.periods().into_iter().rev() {
        let hidden = deleted_seqs(backend, period, since.viewer.as_ref(), conversation, (since.first_seq, u64::MAX))?;
        try_scan(backend, Space::Period(period), (&from, &to), true, |key, value| {
            let envelope = record::peek_message(key, value)?;
            if envelope.commit > durable {
                return Ok(ControlFlow::Continue(()));
            }
            if key::split_message(key).is_some_and(|(_, seq)| hidden.contains(&seq)) {
                return Ok(ControlFlow::Continue(()));
            }
            bytes += value.len();
            read.cut = read.messages.len() == since.count_max || bytes > since.bytes_max;
            reached = envelope.commit <= since.commit;
            if reached || read.cut {
                read.cut &= !reached;
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

/// Conversations that were written to after a commit.
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

/// The first message at or after `seq` and below `end`, in a period.
fn first_from(
    backend: &dyn Backend,
    space: Space,
    conversation: &Conversation,
    (seq, end): (u64, u64),
    backwards: bool,
) -> Result<Option<(u64, Envelope)>, StoreError> {
    let mut first = None;
    let (from, to) = (key::message(conversation, seq), key::message(conversation, end));
    try_scan(backend, space, (&from, &to), backwards, |key, value| {
        let envelope = record::peek_message(key, value)?;
        first = key::split_message(key).map(|(_, seq)| (seq, envelope));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}

/// A seq that divides those with a lesser order key from the others, by binary search: order keys rise with seqs.
fn seq_at(backend: &dyn Backend, conversation: &Conversation, order_key: u64) -> Result<u64, StoreError> {
    for period in backend.periods() {
        let space = Space::Period(period);
        let Some((last, envelope)) = first_from(backend, space, conversation, (0, u64::MAX), true)? else { continue };
        if envelope.order_key < order_key {
            continue;
        }
        let (mut low, mut high) = (0, last);
        if let Some((first, _)) = first_from(backend, space, conversation, (0, u64::MAX), false)? {
            low = first;
        }
        // All below `low` are lesser, all from `high` on are not.
        while low < high {
            let middle = low + (high - low) / 2;
            match first_from(backend, space, conversation, (middle, high), false)? {
                Some((seq, envelope)) if envelope.order_key < order_key => low = seq + 1,
                _ => high = middle,
            }
        }
        return Ok(high);
    }
    Ok(u64::MAX)
}
