//! What lies beside messages: notes, answers, changes, uses of files, and what users made of conversations.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::records::{for_each_in_periods, try_scan};
use crate::model::{Conversation, FileUid, UserId};
use crate::store::backend::{Backend, Space};
use crate::store::error::StoreError;
use crate::store::format::rows::{ChangeKind, EntryRecord, Note, NoteRecord};
use crate::store::format::{key, record};

/// Returns the notes on a message.
pub(crate) fn notes(backend: &dyn Backend, conversation: &Conversation, seq: u64) -> Result<Vec<(Note, NoteRecord)>, StoreError> {
    let mut notes = Vec::new();
    for_each_in_periods(backend, &key::notes(conversation, seq), |key, value| {
        let note = key::split_note(key).ok_or_else(|| StoreError::Damaged("a note's key cannot be read".into()))?;
        notes.push((note, record::decode(key, value)?));
        Ok(())
    })?;
    Ok(notes)
}

/// Returns the seqs of the answers below a message.
pub(crate) fn replies(backend: &dyn Backend, durable: u64, conversation: &Conversation, root_seq: u64) -> Result<Vec<u64>, StoreError> {
    let range = (key::reply(conversation, root_seq, 0), key::reply(conversation, root_seq, u64::MAX));
    let mut seqs = Vec::new();
    for_each_in_periods(backend, &range, |key, value| {
        let commit: u64 = record::decode(key, value)?;
        seqs.extend(key::last_number(key).filter(|_| commit <= durable));
        Ok(())
    })?;
    Ok(seqs)
}

/// Returns what was done to which messages by commits after the first and up to the second, each pair once.
pub(crate) fn changes(
    backend: &dyn Backend,
    conversation: &Conversation,
    (after, durable): (u64, u64),
    count_max: usize,
) -> Result<Vec<(u64, ChangeKind)>, StoreError> {
    let range = (key::change(conversation, after.saturating_add(1)), key::change(conversation, durable.saturating_add(1)));
    let mut changed: Vec<(u64, (u64, ChangeKind))> = Vec::new();
    for_each_in_periods(backend, &range, |key, value| {
        let change = record::decode(key, value)?;
        changed.extend(key::last_number(key).map(|commit| (commit, change)));
        Ok(())
    })?;
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

/// Returns where a file was stored with a message, the newest period first, at most `count_max` places.
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

/// Returns what a user made of its conversations.
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
