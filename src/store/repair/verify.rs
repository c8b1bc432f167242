//! The check at open: what was acknowledged is there, whole. Reads everything in the permanent space and in the last
//! two periods; older periods are checked record by record as they are read, or all of them at once when asked for.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::model::{GroupMember, MediaRecord, UserProfile};
use crate::store::backend::{Backend, CommitMark, Space};
use crate::store::engine::dedup_filter::DedupFilter;
use crate::store::engine::read;
use crate::store::engine::read::try_scan;
use crate::store::format::key;
use crate::store::format::key::{RESERVED, RecordKind};
use crate::store::format::record;
use crate::store::format::record::{DedupEntry, Head, PeriodMeta, PeriodRow, PermanentMeta};
use crate::store::{EntryRecord, FormerMember, GroupRecord, NoteRecord, Pin, RoomRecord, StoreError};

/// What the check found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verified {
    pub commit: u64,
    pub message_id: u64,
    pub permanent: PermanentMeta,
}

fn damaged<T>(reason: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::Damaged(reason.into()))
}

/// Records by what they stand for.
pub(crate) type RecordCounts = BTreeMap<RecordKind, u64>;

/// Checks a store against its mark and fills the filter of local ids.
pub(crate) fn verify(backend: &dyn Backend, mark: CommitMark, dedup_filter: &DedupFilter) -> Result<Verified, StoreError> {
    verify_some(backend, mark, dedup_filter, 2, &mut RecordCounts::new())
}

/// The same with every period, and counts what is there.
pub(crate) fn verify_all(backend: &dyn Backend, mark: CommitMark, counts: &mut RecordCounts) -> Result<Verified, StoreError> {
    verify_some(backend, mark, &DedupFilter::new(8), usize::MAX, counts)
}

/// Reads as many of the last periods.
fn verify_some(
    backend: &dyn Backend,
    mark: CommitMark,
    dedup_filter: &DedupFilter,
    last: usize,
    counts: &mut RecordCounts,
) -> Result<Verified, StoreError> {
    let permanent = verify_permanent(backend, counts)?;
    let mut verified = Verified { permanent, ..Verified::default() };
    let periods = backend.periods();
    let mut whole = Vec::new();
    for period in periods {
        let meta: PeriodMeta = read::row(backend, Space::Period(period), key::META)?.unwrap_or_default();
        let row: PeriodRow = read::row(backend, Space::Permanent, &key::period(period))?.unwrap_or_default();
        if row.dropping {
            continue;
        }
        if meta.commit < row.commit {
            return damaged(format!("period {period}: its last commit is {}, but {} was acknowledged", meta.commit, row.commit));
        }
        whole.push(period);
        verified.commit = verified.commit.max(meta.commit);
        verified.message_id = verified.message_id.max(meta.message_id);
    }
    if verified.commit < mark.commit {
        return damaged(format!("its last commit is {}, but {} was acknowledged", verified.commit, mark.commit));
    }
    if permanent.rows < mark.rows {
        return damaged(format!("its last row commit is {}, but {} was acknowledged", permanent.rows, mark.rows));
    }
    for (n, period) in whole[whole.len().saturating_sub(last)..].iter().enumerate() {
        if n > 0 {
            dedup_filter.rotate();
        }
        verify_period(backend, *period, dedup_filter, counts)?;
    }
    Ok(verified)
}

fn count(counts: &mut RecordCounts, key: &[u8]) {
    if let Some(kind) = RecordKind::of(key) {
        *counts.entry(kind).or_default() += 1;
    }
}

fn verify_permanent(backend: &dyn Backend, counts: &mut RecordCounts) -> Result<PermanentMeta, StoreError> {
    let mut meta = PermanentMeta::default();
    let mut entries = 0;
    try_scan(backend, Space::Permanent, (&[], &[RESERVED]), false, |key, value| {
        entries += 1;
        count(counts, key);
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => {
                meta = record::decode(key, value)?;
                entries -= 1;
            }
            Some(RecordKind::Media) => drop(record::decode::<MediaRecord>(key, value)?),
            Some(RecordKind::User) => drop(record::decode::<UserProfile>(key, value)?),
            Some(RecordKind::Room) => drop(record::decode::<RoomRecord>(key, value)?),
            Some(RecordKind::Group) => drop(record::decode::<GroupRecord>(key, value)?),
            Some(RecordKind::Member) => drop(record::decode::<GroupMember>(key, value)?),
            Some(RecordKind::Head) => drop(record::decode::<Head>(key, value)?),
            Some(RecordKind::Period) => drop(record::decode::<PeriodRow>(key, value)?),
            Some(RecordKind::Entry) => {
                record::decode::<EntryRecord>(key, value)?;
            }
            Some(RecordKind::Pins) => drop(record::decode::<Vec<Pin>>(key, value)?),
            Some(RecordKind::Following) => record::check(key, value)?,
            Some(RecordKind::Membership) => drop(record::decode::<Option<FormerMember>>(key, value)?),
            Some(RecordKind::Peer | RecordKind::Removal) => record::check(key, value)?,
            Some(
                RecordKind::Children
                | RecordKind::Dedup
                | RecordKind::Message
                | RecordKind::Note
                | RecordKind::Change
                | RecordKind::Reply
                | RecordKind::MediaUse
                | RecordKind::Deleted,
            )
            | None => {
                return damaged("a row of unknown kind");
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if entries != meta.entries {
        return damaged(format!("{} rows were written, {entries} are there", meta.entries));
    }
    Ok(meta)
}

/// The messages of one conversation in one period, as they pass by.
struct ConversationCheck {
    prefix: Vec<u8>,
    head: Head,
    first: u64,
    last: u64,
    /// Those above what may be missing.
    above: u64,
}

impl ConversationCheck {
    fn begin(backend: &dyn Backend, period: u64, prefix: &[u8], first: u64) -> Result<Self, StoreError> {
        let head_key = key::head_of_prefix(prefix);
        match read::row(backend, Space::Period(period), &head_key)? {
            Some(head) => Ok(Self { prefix: prefix.to_vec(), head, first, last: 0, above: 0 }),
            None => damaged(format!("the head of {:?} is missing", key::conversation_of(&head_key))),
        }
    }

    fn pass(&mut self, seq: u64) {
        self.last = seq;
        self.above += u64::from(seq > self.head.whole_from);
    }

    /// From the first kept message, or from where losses were accepted, to the head: all must be there.
    fn end(self) -> Result<(), StoreError> {
        let from = self.head.whole_from.max(self.first.saturating_sub(1));
        if self.last > self.head.seq || self.above != self.head.seq.saturating_sub(from) {
            let conversation = key::conversation_of(&key::head_of_prefix(&self.prefix));
            return damaged(format!(
                "messages of {conversation:?} are missing: {} to {} should be there, {} are, the last is {}",
                from + 1,
                self.head.seq,
                self.above,
                self.last
            ));
        }
        Ok(())
    }
}

fn verify_period(backend: &dyn Backend, period: u64, dedup_filter: &DedupFilter, counts: &mut RecordCounts) -> Result<(), StoreError> {
    let mut meta = PeriodMeta::default();
    let (mut entries, mut dedups, mut heads, mut heads_that_may_stand_alone) = (0, 0, 0, 0);
    let (mut conversations, mut with_local_id) = (0, 0);
    let mut passing: Option<ConversationCheck> = None;
    try_scan(backend, Space::Period(period), (&[], &[RESERVED]), false, |key, value| {
        entries += 1;
        count(counts, key);
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => {
                meta = record::decode(key, value)?;
                entries -= 1;
            }
            Some(RecordKind::Dedup) => {
                dedups += 1;
                record::decode::<DedupEntry>(key, value)?;
                let Some((sender, local_id)) = key::split_dedup(key) else { return damaged("a dedup entry's key") };
                dedup_filter.insert(sender, local_id);
            }
            Some(RecordKind::Head) => {
                heads += 1;
                let head: Head = record::decode(key, value)?;
                heads_that_may_stand_alone += u64::from(head.whole_from >= head.seq);
            }
            Some(RecordKind::Message) => {
                let envelope = record::peek_message(key, value)?;
                with_local_id += u64::from(envelope.has_local_id);
                let Some((prefix, seq)) = key::split_message(key) else { return damaged("a message's key") };
                if envelope.commit > meta.commit {
                    return damaged(format!("commit {} is stored, the last is {}", envelope.commit, meta.commit));
                }
                if passing.as_ref().is_none_or(|passing| passing.prefix != prefix) {
                    conversations += 1;
                    let next = ConversationCheck::begin(backend, period, prefix, seq)?;
                    passing.replace(next).map_or(Ok(()), ConversationCheck::end)?;
                }
                passing.iter_mut().for_each(|passing| passing.pass(seq));
            }
            Some(RecordKind::Entry) => {
                record::decode::<EntryRecord>(key, value)?;
            }
            Some(RecordKind::Note) => drop(record::decode::<NoteRecord>(key, value)?),
            Some(RecordKind::Pins) => drop(record::decode::<Vec<Pin>>(key, value)?),
            Some(
                RecordKind::Children
                | RecordKind::Change
                | RecordKind::Reply
                | RecordKind::MediaUse
                | RecordKind::Deleted
                | RecordKind::Following,
            ) => record::check(key, value)?,
            _ => return damaged("a record of unknown kind"),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    passing.map_or(Ok(()), ConversationCheck::end)?;
    if entries != meta.entries {
        return damaged(format!("period {period}: {} records were written, {entries} are there", meta.entries));
    }
    if dedups != with_local_id {
        return damaged(format!("period {period}: {with_local_id} messages have a local id, {dedups} are known"));
    }
    if heads > conversations + heads_that_may_stand_alone {
        return damaged(format!("period {period}: all messages of {} conversations are missing", heads - conversations));
    }
    Ok(())
}
