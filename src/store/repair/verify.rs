//! The check at open: what was acknowledged is there, whole. Reads everything in the permanent space and in the last
//! two periods; older periods are checked record by record as they are read, or all of them at once when asked for.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::model::{GroupMember, MediaRecord, UserProfile};
use crate::store::backend::{Backend, CommitMark, Space};
use crate::store::engine::dedup_filter::DedupFilter;
use crate::store::engine::read::records::{self, try_scan};
use crate::store::error::StoreError;
use crate::store::format::key::{self, META, RESERVED};
use crate::store::format::key_parts;
use crate::store::format::record::{self, DedupEntry, Head, PeriodMeta, PeriodRow, PermanentMeta, SenderDedupEntry};
use crate::store::format::record_kind::RecordKind;
use crate::store::format::rows::{EntryRecord, FormerMember, GroupRecord, NoteRecord, Pin, RoomRecord};

/// What the check found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verified {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The counters of the permanent space.
    pub permanent: PermanentMeta,
}

/// How many records of each kind.
pub(crate) type RecordCounts = BTreeMap<RecordKind, u64>;

/// The last periods that are read at open: those whose local ids are known.
const PERIODS_AT_OPEN: usize = 2;

/// Checks a store against its mark and fills the filter of local ids.
pub(crate) fn verify(backend: &dyn Backend, mark: CommitMark, dedup_filter: &DedupFilter) -> Result<Verified, StoreError> {
    verify_last(backend, mark, dedup_filter, PERIODS_AT_OPEN, &mut RecordCounts::new())
}

/// Checks a store with every period of it, fills the filter of local ids, and counts what is there.
pub(crate) fn verify_all(
    backend: &dyn Backend,
    mark: CommitMark,
    dedup_filter: &DedupFilter,
    counts: &mut RecordCounts,
) -> Result<Verified, StoreError> {
    verify_last(backend, mark, dedup_filter, usize::MAX, counts)
}

/// Reads as many of the last periods.
fn verify_last(
    backend: &dyn Backend,
    mark: CommitMark,
    dedup_filter: &DedupFilter,
    last: usize,
    counts: &mut RecordCounts,
) -> Result<Verified, StoreError> {
    let permanent = verify_permanent(backend, counts)?;
    let mut verified = Verified { permanent, ..Verified::default() };
    let mut whole = Vec::new();
    for period in backend.periods() {
        let counters: PeriodMeta = records::row(backend, Space::Period(period), META)?.unwrap_or_default();
        let row: PeriodRow = records::row(backend, Space::Permanent, &key::period(period))?.unwrap_or_default();
        if row.dropping {
            continue;
        }
        if counters.commit < row.commit {
            return damaged(format!("period {period}: its last commit is {}, but {} was acknowledged", counters.commit, row.commit));
        }
        whole.push(period);
        verified.commit = verified.commit.max(counters.commit);
        verified.message_id = verified.message_id.max(counters.message_id);
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

fn damaged<T>(reason: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::Damaged(reason.into()))
}

fn count(counts: &mut RecordCounts, key: &[u8]) {
    if let Some(kind) = RecordKind::of(key) {
        *counts.entry(kind).or_default() += 1;
    }
}

/// Reads a record as what it is; of some kinds only the checksum is looked at.
fn check_record(kind: RecordKind, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    match kind {
        RecordKind::Media => drop(record::decode::<MediaRecord>(key, value)?),
        RecordKind::User => drop(record::decode::<UserProfile>(key, value)?),
        RecordKind::Room => drop(record::decode::<RoomRecord>(key, value)?),
        RecordKind::Group => drop(record::decode::<GroupRecord>(key, value)?),
        RecordKind::Member => drop(record::decode::<GroupMember>(key, value)?),
        RecordKind::Membership => drop(record::decode::<Option<FormerMember>>(key, value)?),
        RecordKind::Period => drop(record::decode::<PeriodRow>(key, value)?),
        RecordKind::Head => drop(record::decode::<Head>(key, value)?),
        RecordKind::Entry => drop(record::decode::<EntryRecord>(key, value)?),
        RecordKind::Pins => drop(record::decode::<Vec<Pin>>(key, value)?),
        RecordKind::Note => drop(record::decode::<NoteRecord>(key, value)?),
        RecordKind::Dedup => drop(record::decode::<DedupEntry>(key, value)?),
        RecordKind::SenderDedup => drop(record::decode::<SenderDedupEntry>(key, value)?),
        RecordKind::Meta | RecordKind::Message | RecordKind::Children | RecordKind::HeldList | RecordKind::Peer | RecordKind::Following => {
            record::check(key, value)?;
        }
        RecordKind::Change | RecordKind::Reply | RecordKind::Removal | RecordKind::MediaUse | RecordKind::Deleted => {
            record::check(key, value)?;
        }
    }
    Ok(())
}

fn verify_permanent(backend: &dyn Backend, counts: &mut RecordCounts) -> Result<PermanentMeta, StoreError> {
    let mut counters = PermanentMeta::default();
    let mut entries = 0;
    try_scan(backend, Space::Permanent, (&[], &[RESERVED]), false, |key, value| {
        count(counts, key);
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => counters = record::decode(key, value)?,
            Some(kind) if kind.is_permanent() => {
                entries += 1;
                check_record(kind, key, value)?;
            }
            _ => return damaged("a row of unknown kind"),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if entries != counters.entries {
        return damaged(format!("{} rows were written, {entries} are there", counters.entries));
    }
    Ok(counters)
}

fn verify_period(backend: &dyn Backend, period: u64, dedup_filter: &DedupFilter, counts: &mut RecordCounts) -> Result<(), StoreError> {
    let mut check = PeriodCheck::new(backend, period, dedup_filter);
    try_scan(backend, Space::Period(period), (&[], &[RESERVED]), false, |key, value| {
        count(counts, key);
        check.visit(key, value)?;
        Ok(ControlFlow::Continue(()))
    })?;
    check.end()
}

/// One period's records as they pass by, in the order of keys: dedup entries, then heads, then messages.
struct PeriodCheck<'a> {
    backend: &'a dyn Backend,
    period: u64,
    dedup_filter: &'a DedupFilter,
    counters: PeriodMeta,
    entries: u64,
    dedups: u64,
    with_local_id: u64,
    heads: u64,
    /// Of these, heads whose messages may all be missing.
    lone_heads: u64,
    conversations: u64,
    current: Option<ConversationCheck>,
}

impl<'a> PeriodCheck<'a> {
    fn new(backend: &'a dyn Backend, period: u64, dedup_filter: &'a DedupFilter) -> Self {
        let (entries, dedups, with_local_id, heads, lone_heads, conversations) = (0, 0, 0, 0, 0, 0);
        let counters = PeriodMeta::default();
        Self { backend, period, dedup_filter, counters, entries, dedups, with_local_id, heads, lone_heads, conversations, current: None }
    }

    fn visit(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let Some(kind) = RecordKind::of(key).filter(|kind| kind.is_periodic()) else {
            return damaged("a record of unknown kind");
        };
        self.entries += u64::from(kind != RecordKind::Meta);
        match kind {
            RecordKind::Meta => self.counters = record::decode(key, value)?,
            RecordKind::Dedup => {
                check_record(kind, key, value)?;
                self.dedups += 1;
                let Some((sender, local_id, conversation)) = key::split_dedup(key) else { return damaged("a dedup entry's key") };
                self.dedup_filter.insert(&conversation, sender, local_id);
            }
            RecordKind::SenderDedup => {
                let entry: SenderDedupEntry = record::decode(key, value)?;
                self.dedups += 1;
                let Some((sender, local_id)) = key::split_sender_dedup(key) else { return damaged("a dedup entry's key") };
                self.dedup_filter.insert(&entry.conversation, sender, local_id);
            }
            RecordKind::Head => {
                let head: Head = record::decode(key, value)?;
                self.heads += 1;
                self.lone_heads += u64::from(head.whole_from >= head.seq);
            }
            RecordKind::Message => self.visit_message(key, value)?,
            kind => check_record(kind, key, value)?,
        }
        Ok(())
    }

    fn visit_message(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let envelope = record::peek_message(key, value)?;
        self.with_local_id += u64::from(envelope.has_local_id);
        let Some((prefix, seq)) = key::split_message(key) else { return damaged("a message's key") };
        if envelope.commit > self.counters.commit {
            return damaged(format!("commit {} is stored, the last is {}", envelope.commit, self.counters.commit));
        }
        if self.current.as_ref().is_none_or(|current| current.prefix != prefix) {
            self.conversations += 1;
            let next = ConversationCheck::begin(self.backend, self.period, prefix, seq)?;
            self.current.replace(next).map_or(Ok(()), ConversationCheck::end)?;
        }
        self.current.iter_mut().for_each(|current| current.pass(seq));
        Ok(())
    }

    /// Compares what passed by with what was counted.
    fn end(self) -> Result<(), StoreError> {
        let Self { period, entries, counters, dedups, with_local_id, .. } = self;
        self.current.map_or(Ok(()), ConversationCheck::end)?;
        if entries != counters.entries {
            return damaged(format!("period {period}: {} records were written, {entries} are there", counters.entries));
        }
        if dedups != with_local_id {
            return damaged(format!("period {period}: {with_local_id} messages have a local id, {dedups} are known"));
        }
        if self.heads > self.conversations + self.lone_heads {
            let missing = self.heads - self.conversations;
            let named = heads_without_messages(self.backend, period)?.join(", ");
            return damaged(format!("period {period}: all messages of {missing} conversations are missing, of {named}"));
        }
        Ok(())
    }
}

/// At most so many conversations are named that have lost all their messages.
const NAMED_MAX: usize = 10;

/// Names conversations with a head and no message, although there should be some.
fn heads_without_messages(backend: &dyn Backend, period: u64) -> Result<Vec<String>, StoreError> {
    let mut named = Vec::new();
    let heads = (&[RecordKind::Head.byte()][..], &[RecordKind::Head.byte() + 1][..]);
    try_scan(backend, Space::Period(period), heads, false, |key, value| {
        let head: Head = record::decode(key, value)?;
        let Some(conversation) = key::conversation_of(key).filter(|_| head.whole_from < head.seq) else {
            return Ok(ControlFlow::Continue(()));
        };
        let (from, to) = (key::message(&conversation, 0), key::message(&conversation, u64::MAX));
        let mut is_empty = true;
        try_scan(backend, Space::Period(period), (&from, &to), false, |_, _| {
            is_empty = false;
            Ok(ControlFlow::Break(()))
        })?;
        if is_empty {
            named.push(conversation.to_string());
        }
        Ok(if named.len() < NAMED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(named)
}

fn missing_messages_of(head_key: &[u8]) -> String {
    let conversation = key::conversation_of(head_key)
        .map_or_else(|| "a conversation whose key cannot be read".to_owned(), |conversation| conversation.to_string());
    format!("messages of {conversation} are missing")
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
        match records::row(backend, Space::Period(period), &head_key)? {
            Some(head) => Ok(Self { prefix: prefix.to_vec(), head, first, last: 0, above: 0 }),
            None => damaged(format!("{} is missing", key_parts::name_of(&head_key))),
        }
    }

    fn pass(&mut self, seq: u64) {
        self.last = seq;
        self.above += u64::from(seq > self.head.whole_from);
    }

    /// Checks that all are there from the first kept message, or from where losses were accepted, to the head.
    fn end(self) -> Result<(), StoreError> {
        let from = self.head.whole_from.max(self.first.saturating_sub(1));
        if self.last > self.head.seq || self.above != self.head.seq.saturating_sub(from) {
            return damaged(format!(
                "{}: {} to {} should be there, {} are, the last is {}",
                missing_messages_of(&key::head_of_prefix(&self.prefix)),
                from + 1,
                self.head.seq,
                self.above,
                self.last
            ));
        }
        Ok(())
    }
}
