//! Making a damaged store openable with what can be read, once its owner accepts the loss.
//!
//! Every database is written anew from the records that pass their checks. Then the parts are made to agree: dedup
//! entries without their message go, heads are moved up to the last message found, and each head notes that messages
//! up to it may be missing, so that later opens do not complain again. Commits go on above the greatest ever
//! acknowledged. The caller has copied the damaged store aside.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use crate::model::{GroupMember, Message};
use crate::private_files::sync_names;
use crate::store::backend::commit_mark;
use crate::store::backend::commit_mark::{CommitMarkFile, FoundMark};
use crate::store::backend::open::{SledOptions, open_error, table_error};
use crate::store::backend::sled::Table;
use crate::store::backend::store_dir::StoreDir;
use crate::store::backend::{CommitMark, Op};
use crate::store::engine::writer::PERIOD_MS;
use crate::store::format::key;
use crate::store::format::key::{META, RESERVED, RecordKind};
use crate::store::format::record;
use crate::store::format::record::{DedupEntry, Head, PeriodMeta, PeriodRow, PermanentMeta};
use crate::store::{FormerMember, OpenError, SINGLE_NODE_EPOCH, StoreError};

/// Records per commit.
const CHUNK: usize = 512;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// See the module's documentation.
pub(crate) fn salvage(dir: &StoreDir, options: &SledOptions, now_ms: u64) -> Result<(), OpenError> {
    let io = |error: io::Error| dir.io(&error);
    let store = |error: StoreError| open_error(dir, error);
    let mark = match commit_mark::find(&dir.mark()).map_err(io)? {
        FoundMark::Mark(mark) => mark,
        FoundMark::Nothing | FoundMark::Unreadable => CommitMark::default(),
    };
    dir.delete_gone().map_err(io)?;

    let mut commit = mark.commit;
    let mut periods = BTreeMap::new();
    for period in dir.periods().map_err(io)? {
        let table = rebuild(dir, &dir.period(period), options)?;
        let meta = reconcile_period(&table).map_err(store)?;
        commit = commit.max(meta.commit);
        periods.insert(period, (table, meta));
    }
    if periods.is_empty() {
        let period = now_ms / PERIOD_MS;
        let table = rebuild(dir, &dir.period(period), options)?;
        periods.insert(period, (table, PeriodMeta::default()));
    }
    let permanent = rebuild(dir, &dir.permanent(), options)?;
    let rows = reconcile_permanent(&permanent, periods.keys().copied().collect(), mark.rows).map_err(store)?;
    for (_, (table, meta)) in periods {
        // Every period's counter may say the same: the greatest counts.
        write_meta(&table, &PeriodMeta { commit, ..meta }).map_err(store)?;
        table.close();
    }
    write_meta(&permanent, &rows).map_err(store)?;
    permanent.close();

    drop(CommitMarkFile::create(&dir.mark(), CommitMark { commit, rows: rows.rows }).map_err(io)?);
    dir.write_format().map_err(io)?;
    tracing::warn!(commit, "store was made openable");
    Ok(())
}

/// Writes a database anew from what can be read of it; an empty one if nothing can.
fn rebuild(dir: &StoreDir, path: &Path, options: &SledOptions) -> Result<Table, OpenError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let io = |error: io::Error| dir.io(&error);
    let new_path = path.with_extension("new");
    if new_path.exists() {
        fs::remove_dir_all(&new_path).map_err(io)?;
    }
    let open = |path: &Path| Table::open(path, options.cache_bytes).map_err(|error| table_error(dir, &name, error));
    let new = open(&new_path)?;
    if path.exists() {
        match Table::open(path, options.cache_bytes) {
            Ok(old) => {
                let kept = copy_readable(&old, &new).map_err(|error| open_error(dir, error))?;
                tracing::warn!(database = name, records = kept, "kept what could be read");
                old.close();
            }
            Err(error) => tracing::warn!(database = name, ?error, "nothing can be read"),
        }
        fs::remove_dir_all(path).map_err(io)?;
    }
    new.close();
    fs::rename(&new_path, path).map_err(io)?;
    sync_names(&dir.root).map_err(io)?;
    open(path)
}

/// Copies records that pass their checks: from the front until reading fails, then from the back.
fn copy_readable(old: &Table, new: &Table) -> Result<u64, StoreError> {
    let mut kept = 0;
    let mut reached = Vec::new();
    for backwards in [false, true] {
        let mut chunk = Vec::new();
        let mut outcome = Ok(());
        let from = reached.clone();
        let scanned = old.scan(&from, &[RESERVED], backwards, &mut |key, value| {
            if !backwards {
                reached = key.to_vec();
            }
            if RecordKind::of(key).is_some() && record::check(key, value).is_ok() {
                kept += 1;
                chunk.push(Op::Put(key.to_vec(), value.to_vec()));
            }
            if chunk.len() < CHUNK {
                return ControlFlow::Continue(());
            }
            outcome = new.commit(std::mem::take(&mut chunk));
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome?;
        new.commit(chunk)?;
        match scanned {
            Ok(()) => break,
            Err(error) => tracing::warn!(%error, backwards, "reading a damaged database stopped"),
        }
    }
    Ok(kept)
}

/// All records of a table that is whole.
fn for_each(table: &Table, mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    table.scan(&[], &[RESERVED], false, &mut |key, value| {
        outcome = visit(key, value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

fn write_meta<T: serde::Serialize>(table: &Table, meta: &T) -> Result<(), StoreError> {
    table.commit(vec![Op::Put(META.to_vec(), record::encode(META, meta))])
}

fn commit_all(table: &Table, ops: Vec<Op>) -> Result<(), StoreError> {
    ops.chunks(CHUNK).try_for_each(|chunk| table.commit(chunk.to_vec()))
}

fn count(table: &Table) -> Result<u64, StoreError> {
    let mut entries = 0;
    for_each(table, |key, _| {
        entries += u64::from(key != META);
        Ok(())
    })?;
    Ok(entries)
}

/// Makes the records of a period agree; its counters.
fn reconcile_period(table: &Table) -> Result<PeriodMeta, StoreError> {
    let mut meta = PeriodMeta::default();
    let mut heads: BTreeMap<Vec<u8>, Head> = BTreeMap::new();
    let mut dedups: BTreeMap<Vec<u8>, DedupEntry> = BTreeMap::new();
    let mut ops = Vec::new();
    for_each(table, |key, value| {
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => meta = record::decode(key, value)?,
            Some(RecordKind::Head) => drop(heads.insert(key.to_vec(), record::decode(key, value)?)),
            Some(RecordKind::Dedup) => drop(dedups.insert(key.to_vec(), record::decode(key, value)?)),
            Some(RecordKind::Message) => {
                let (message, envelope) = record::decode_message(key, value)?;
                meta.commit = meta.commit.max(envelope.commit);
                meta.message_id = meta.message_id.max(message.id);
                let none = Head { seq: 0, order_key: 0, epoch: SINGLE_NODE_EPOCH, commit: 0, whole_from: 0 };
                let head = heads.entry(key::head(&message.conversation)).or_insert(none);
                if message.seq > head.seq {
                    *head = Head { seq: message.seq, order_key: message.order_key, commit: envelope.commit, ..*head };
                }
                // What a message says of itself is enough to know its local id again.
                if let Some(local_id) = &message.local_id {
                    let dedup_key = key::dedup(&message.sender, local_id);
                    let known = DedupEntry {
                        conversation: message.conversation.clone(),
                        seq: message.seq,
                        content: dedups.get(&dedup_key).map_or_else(|| content_of(&message), |known| known.content),
                    };
                    if dedups.remove(&dedup_key).as_ref() != Some(&known) {
                        let record = record::encode(&dedup_key, &known);
                        ops.push(Op::Put(dedup_key, record));
                    }
                }
            }
            Some(
                RecordKind::Entry
                | RecordKind::Following
                | RecordKind::Pins
                | RecordKind::Children
                | RecordKind::Note
                | RecordKind::Change
                | RecordKind::Reply
                | RecordKind::MediaUse
                | RecordKind::Deleted,
            ) => {}
            _ => ops.push(Op::Delete(key.to_vec())),
        }
        Ok(())
    })?;
    // Those left have no message.
    ops.extend(dedups.into_keys().map(Op::Delete));
    for (key, head) in heads {
        let record = record::encode(&key, &Head { whole_from: head.seq, ..head });
        ops.push(Op::Put(key, record));
    }
    commit_all(table, ops)?;
    meta.entries = count(table)?;
    Ok(meta)
}

/// What a message says of its own content. One that was changed since is not recognised by it any more.
fn content_of(message: &Message) -> (u64, u64) {
    record::content_of(&message.conversation, &message.body, &message.extended_data, &message.mentions, &message.terms)
}

/// Makes rows agree with each other and with the periods that exist; their counters.
fn reconcile_permanent(table: &Table, periods: Vec<u64>, rows_acknowledged: u64) -> Result<PermanentMeta, StoreError> {
    let mut meta = PermanentMeta::default();
    let (mut memberships, mut wanted) = (Pairs::new(), Pairs::new());
    let mut ops = Vec::new();
    for_each(table, |key, value| {
        match RecordKind::of(key) {
            Some(RecordKind::Meta) => meta = record::decode(key, value)?,
            Some(RecordKind::Membership) => {
                if record::decode::<Option<FormerMember>>(key, value)?.is_none() {
                    memberships.insert(key.to_vec(), value.to_vec());
                }
            }
            Some(RecordKind::Member) => {
                let member: GroupMember = record::decode(key, value)?;
                let group = key::split_member(key).ok_or_else(|| StoreError::Damaged("a member's key".into()))?;
                let membership = key::membership(&member.user, &group);
                let record = record::encode(&membership, &None::<FormerMember>);
                wanted.insert(membership, record);
            }
            Some(RecordKind::Head) => {
                let head: Head = record::decode(key, value)?;
                ops.push(Op::Put(key.to_vec(), record::encode(key, &Head { whole_from: head.seq, ..head })));
            }
            Some(RecordKind::Period) => ops.push(Op::Delete(key.to_vec())),
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
                ops.push(Op::Delete(key.to_vec()));
            }
            Some(
                RecordKind::Entry
                | RecordKind::Following
                | RecordKind::Pins
                | RecordKind::Media
                | RecordKind::User
                | RecordKind::Room
                | RecordKind::Group
                | RecordKind::Peer
                | RecordKind::Removal,
            ) => {}
        }
        Ok(())
    })?;
    ops.extend(memberships.into_keys().filter(|key| !wanted.contains_key(key)).map(Op::Delete));
    ops.extend(wanted.into_iter().map(|(key, value)| Op::Put(key, value)));
    commit_all(table, ops)?;
    let rows = periods.into_iter().map(key::period);
    commit_all(table, rows.map(|key| Op::Put(key.clone(), record::encode(&key, &PeriodRow::default()))).collect())?;
    Ok(PermanentMeta { rows: meta.rows.max(rows_acknowledged), entries: count(table)? })
}
