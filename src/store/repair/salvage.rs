//! Making a damaged store openable with what can be read, once its owner accepts the loss.
//!
//! Every database is written anew from the records that pass their checks: those in its log, as `replay` reads it, and of
//! keys on which the log says nothing those that sled finds. Then the parts are made to agree: dedup entries without their
//! message go, heads are moved up to the last message found, and each head notes that messages up to it may be missing, so
//! that later opens do not complain again. Commits go on above the greatest ever acknowledged. What is missing is told. The
//! caller has copied the damaged store aside.
//!
//! One wrong bit of a log costs nothing, wherever it is: the checksum of its frame tells which bit it is. More than that cost
//! the records of which the newest word stands in the frames that are damaged and in no older one. That is one record for a
//! link. Of a page's records each stands in its link, too, but for the one that made sled write the page anew, as long as the
//! segment with the links was not given up for a newer one; after that it may be all of them, some 17.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::losses::{AcceptedLosses, Survey};
use super::reconcile::{read_permanent, reconcile_period, reconcile_permanent};
use super::replay::{Replayed, replay};
use crate::private_files::sync_names;
use crate::store::backend::commit_mark::{self, CommitMarkFile, FoundMark};
use crate::store::backend::counters::write_counters;
use crate::store::backend::log_file::LogFiles;
use crate::store::backend::open::{SledOptions, open_error, table_error};
use crate::store::backend::sled::{Table, TableError};
use crate::store::backend::store_dir::StoreDir;
use crate::store::backend::{CommitMark, Op, snapshots};
use crate::store::error::{OpenError, StoreError};
use crate::store::format::key::RESERVED;
use crate::store::format::record::{self, PERIOD_MS, PeriodMeta};
use crate::store::format::record_kind::RecordKind;

/// Records per commit.
const CHUNK: usize = 512;

/// Makes a damaged store openable; returns what was lost. `copy` is where the damaged store was copied to. `now_ms`, Unix
/// milliseconds, names the period to begin where none is left.
pub(crate) fn salvage(dir: &StoreDir, options: &SledOptions, copy: PathBuf, now_ms: u64) -> Result<AcceptedLosses, OpenError> {
    let io = |error: io::Error| dir.io(&error);
    let store = |error: StoreError| open_error(dir, error);
    let mark = match commit_mark::find(&dir.mark()).map_err(io)? {
        FoundMark::Mark(mark) => mark,
        FoundMark::Nothing | FoundMark::Unreadable => CommitMark::default(),
    };
    dir.delete_gone().map_err(io)?;

    let mut survey = Survey::default();
    let permanent = rebuild(dir, &dir.permanent(), options)?;
    let rooms = read_permanent(&permanent, &mut survey).map_err(store)?;
    let mut commit = mark.commit;
    let mut periods = BTreeMap::new();
    for period in dir.periods().map_err(io)? {
        let table = rebuild(dir, &dir.period(period), options)?;
        let meta = reconcile_period(&table, &rooms, &mut survey).map_err(store)?;
        commit = commit.max(meta.commit);
        periods.insert(period, (table, meta));
    }
    if periods.is_empty() {
        let period = now_ms / PERIOD_MS;
        let table = rebuild(dir, &dir.period(period), options)?;
        periods.insert(period, (table, PeriodMeta::default()));
    }
    let rows = reconcile_permanent(&permanent, periods.keys().copied().collect(), mark.rows).map_err(store)?;
    for (_, (table, meta)) in periods {
        // Every period's counter may say the same: the greatest counts.
        write_counters(&table, &PeriodMeta { commit, ..meta }).map_err(store)?;
        table.close().map_err(store)?;
    }
    write_counters(&permanent, &rows).map_err(store)?;
    permanent.close().map_err(store)?;

    drop(CommitMarkFile::create(&dir.mark(), CommitMark { commit, rows: rows.rows }).map_err(io)?);
    dir.write_format().map_err(io)?;
    Ok(survey.finish(copy, mark.commit))
}

/// Writes a database anew from what can be read of it, an empty one if nothing can, and opens it.
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
        read_damaged(path, &name, &new, options.cache_bytes).map_err(|error| open_error(dir, error))?;
        fs::remove_dir_all(path).map_err(io)?;
    }
    new.close().map_err(|error| open_error(dir, error))?;
    fs::rename(&new_path, path).map_err(io)?;
    sync_names(&dir.root).map_err(io)?;
    open(path)
}

/// Writes what can be read of a database into a new one: what its log says, and of keys on which that says nothing what sled
/// finds. The log comes first, because sled writes when it opens the database.
fn read_damaged(path: &Path, name: &str, new: &Table, cache_bytes: u64) -> Result<(), StoreError> {
    let log = LogFiles::open(path).map_err(StoreError::refused)?;
    let mut writer = ChunkWriter { table: new, ops: Vec::new() };
    let replayed = replay(&log, &mut |key, record| writer.put(key, record))?;
    let mut kept = replayed.records;
    match open_damaged(path, cache_bytes) {
        Ok(old) => {
            kept += copy_readable(&old, &replayed, &mut writer)?;
            drop(old.close());
        }
        Err(error) => tracing::warn!(database = name, ?error, "it cannot be opened; its log was read"),
    }
    writer.flush()?;
    tracing::warn!(database = name, records = kept, from_log = replayed.records, "kept what could be read");
    Ok(())
}

/// Writes records into a table, many at once.
struct ChunkWriter<'a> {
    table: &'a Table,
    ops: Vec<Op>,
}

impl ChunkWriter<'_> {
    fn put(&mut self, key: Vec<u8>, record: Vec<u8>) -> Result<(), StoreError> {
        self.ops.push(Op::Put(key, record));
        if self.ops.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let ops = std::mem::take(&mut self.ops);
        if ops.is_empty() { Ok(()) } else { self.table.commit(ops) }
    }
}

/// Opens a database; where that fails, once more without its snapshots, of which sled needs none. The copy that was taken
/// aside has them.
fn open_damaged(path: &Path, cache_bytes: u64) -> Result<Table, TableError> {
    Table::open(path, cache_bytes).or_else(|error| {
        tracing::warn!(database = %path.display(), ?error, "opening it again without its snapshots");
        snapshots::delete_all(path)?;
        Table::open(path, cache_bytes)
    })
}

/// Copies records that pass their checks and are not known yet, from the front until reading fails, then from the back;
/// returns how many.
fn copy_readable(old: &Table, known: &Replayed, writer: &mut ChunkWriter<'_>) -> Result<u64, StoreError> {
    let mut kept = 0;
    let mut reached = Vec::new();
    for backwards in [false, true] {
        let mut outcome = Ok(());
        let from = reached.clone();
        let scanned = old.scan(&from, &[RESERVED], backwards, &mut |key, value| {
            if !backwards {
                reached = key.to_vec();
            }
            if RecordKind::of(key).is_some() && record::check(key, value).is_ok() && !known.knows(key) {
                kept += 1;
                outcome = writer.put(key.to_vec(), value.to_vec());
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome?;
        match scanned {
            Ok(()) => break,
            Err(error) => tracing::warn!(%error, backwards, "reading a damaged database stopped"),
        }
    }
    Ok(kept)
}
