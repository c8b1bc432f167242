//! Opening the files of a sled store: looks at format and mark, opens the databases, and makes what is not there yet. What
//! is in them is checked by `repair::verify`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use super::commit_mark::{self, CommitMarkFile, FoundMark};
use super::rewrite::rewrite_unsynced;
use super::room::make_room;
use super::sled::{Table, TableError};
use super::sled_backend::{OpenFiles, SledBackend};
use super::store_dir::{FORMAT, StoreDir};
use super::{CommitMark, Visit, try_visit};
use crate::private_files::sync_names;
use crate::store::error::{OpenError, StoreError};
use crate::store::format::key::{self, META};
use crate::store::format::record::{self, PeriodRow, PermanentMeta};

/// Where the store lies and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    /// Its directory; made if missing. Nothing else may lie in it.
    pub path: PathBuf,
    /// The page cache of each database, bytes. There is one database for rows and one per week kept, so at most
    /// `retention_days / 7 + 3`; only those in use fill theirs. Besides, sled keeps about 34 bytes per record.
    /// Measured with 10,000 busy conversations: 32 MiB carry nearly twice the appends of 9 MiB.
    pub cache_bytes: u64,
    /// Periods that lie wholly before this many days are deleted by [`Maintenance::sweep`](crate::store::Maintenance::sweep);
    /// 1 at least.
    pub retention_days: u64,
    /// How long a commit may wait for company, when many small ones would keep the disk busy; zero: never.
    pub gather: Duration,
    /// Open a damaged store all the same, with what can be read, after copying it to `<path>.damaged-<time>`.
    pub accept_data_loss: bool,
    /// How long to wait for another process to let go.
    pub lock_wait: Duration,
    /// A file of this many bytes is kept beside the databases and given up when the disk is too full to open them, so that a
    /// store can be read then; 0: none. It is laid in only where four times as much is free.
    pub ballast_bytes: u64,
    /// The filter of local ids, bytes per generation (there are two). 4 MiB serve 2 million sends a week.
    pub seen_bytes: usize,
}

impl SledOptions {
    /// Returns the defaults for a directory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            cache_bytes: 32 << 20,
            retention_days: 30,
            gather: Duration::from_millis(2),
            accept_data_loss: false,
            lock_wait: Duration::from_secs(5),
            ballast_bytes: 64 << 20,
            seen_bytes: 4 << 20,
        }
    }
}

/// What becomes of a store of an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormatPolicy {
    /// It is copied aside, and this version's from then on.
    Upgrade,
    /// It stays as it is.
    Keep,
}

/// What opening handed over, and what the store's mark says was acknowledged.
pub(crate) type OpenedBackend = (SledBackend, CommitMark);

/// Opens the store in `dir`, whose lock is held, or makes one there. A failed attempt hands the lock back.
pub(crate) fn open_backend(
    dir: &StoreDir,
    options: &SledOptions,
    policy: FormatPolicy,
    lock: File,
) -> Result<OpenedBackend, (OpenError, File)> {
    match open_files(dir, options, policy) {
        Ok(files) => {
            let mark = files.mark;
            Ok((SledBackend::new(dir.clone(), options.cache_bytes, files, lock), mark))
        }
        Err(error) => Err((error, lock)),
    }
}

/// Opens a store that nobody serves where it lies, which writes into it, and makes none.
pub(crate) fn open_alone(dir: &StoreDir, options: &SledOptions) -> Result<OpenedBackend, OpenError> {
    if !dir.is_there() {
        return Err(dir.missing());
    }
    let lock = dir.lock(options.lock_wait)?;
    open_backend(dir, options, FormatPolicy::Keep, lock).map_err(|(error, _)| error)
}

/// Says of which store it is that an error was met while it was opened.
pub(crate) fn open_error(dir: &StoreDir, error: StoreError) -> OpenError {
    match error {
        StoreError::Damaged(reason) => dir.damaged(reason),
        other => OpenError::Io { path: dir.root.display().to_string(), reason: other.to_string() },
    }
}

/// Says of which store, and of which database in it, that is.
pub(crate) fn table_error(dir: &StoreDir, name: &str, error: TableError) -> OpenError {
    match error {
        TableError::Damaged(reason) => dir.damaged(format!("{name}: {reason}")),
        TableError::Full(reason) | TableError::Io(reason) => {
            OpenError::Io { path: dir.root.display().to_string(), reason: format!("{name}: {reason}") }
        }
    }
}

/// Opens the files of a store.
pub(crate) fn open_files(dir: &StoreDir, options: &SledOptions, policy: FormatPolicy) -> Result<OpenFiles, OpenError> {
    let io = |error: io::Error| dir.io(&error);
    if policy == FormatPolicy::Upgrade {
        make_room(dir)?;
        rewrite_unsynced(dir).map_err(io)?;
    }
    if dir.read_format()?.is_none() {
        make_new(dir)?;
    }
    let mark = match commit_mark::find(&dir.mark()).map_err(io)? {
        FoundMark::Mark(mark) => mark,
        FoundMark::Nothing => return Err(dir.damaged("commit.mark is missing")),
        FoundMark::Unreadable => return Err(dir.damaged("commit.mark cannot be read")),
    };
    let mark_file = CommitMarkFile::open(&dir.mark()).map_err(io)?;
    if mark != CommitMark::default() && !dir.permanent().join("db").exists() {
        return Err(dir.damaged("permanent is missing"));
    }
    if policy == FormatPolicy::Upgrade {
        upgrade_format(dir)?;
    }
    let open = |name: &str, path: PathBuf| Table::open(&path, options.cache_bytes).map_err(|error| table_error(dir, name, error));
    let permanent = open("permanent", dir.permanent())?;
    dir.delete_gone().map_err(io)?;
    let periods = open_periods(dir, &permanent, mark, open)?;
    dir.seal().map_err(io)?;
    Ok(OpenFiles { mark, mark_file, permanent, periods })
}

/// Begins a store where there is none. The format is written last: without it the rest is not a store yet.
fn make_new(dir: &StoreDir) -> Result<(), OpenError> {
    let io = |error: io::Error| dir.io(&error);
    let was_used = match commit_mark::find(&dir.mark()).map_err(io)? {
        FoundMark::Mark(mark) => mark != CommitMark::default(),
        FoundMark::Nothing | FoundMark::Unreadable => false,
    };
    if was_used || dir.permanent().exists() || !dir.periods().map_err(io)?.is_empty() {
        return Err(dir.damaged("format is missing"));
    }
    CommitMarkFile::create(&dir.mark(), CommitMark::default()).map_err(io)?;
    sync_names(&dir.root).map_err(io)?;
    dir.write_format().map_err(io)
}

/// Brings a store of an older version to this one's format, so that the older one refuses it before it meets what it does
/// not know. It finds the copy, which is taken while nobody has the files open.
fn upgrade_format(dir: &StoreDir) -> Result<(), OpenError> {
    let Some(found) = dir.read_format()?.filter(|found| *found < FORMAT) else { return Ok(()) };
    let copy = dir.keep_copy(&format!("format-{found}")).map_err(|error| OpenError::Io {
        path: dir.root.display().to_string(),
        reason: format!("it has format {found} and cannot be copied before it is brought to format {FORMAT}: {error}"),
    })?;
    tracing::info!(found, format = FORMAT, copy = %copy.display(), "store is brought to this version's format");
    dir.write_format().map_err(|error| dir.io(&error))
}

/// Opens the periods that the permanent database lists.
///
/// A directory that is not listed was being made when the last run ended: whatever is in it, nothing of that was ever
/// acknowledged, because a period is listed before its first message is. That holds only while the list itself is whole.
fn open_periods(
    dir: &StoreDir,
    permanent: &Table,
    mark: CommitMark,
    open: impl Fn(&str, PathBuf) -> Result<Table, OpenError>,
) -> Result<BTreeMap<u64, Table>, OpenError> {
    let on_disk = dir.periods().map_err(|error| dir.io(&error))?;
    let listed = listed_periods(permanent).map_err(|error| open_error(dir, error))?;
    for (period, row) in &listed {
        if !on_disk.contains(period) && !row.dropping {
            return Err(dir.damaged(format!("period-{period} is missing")));
        }
    }
    let mut periods = BTreeMap::new();
    for period in on_disk {
        if listed.contains_key(&period) {
            if !dir.period(period).join("db").exists() {
                return Err(dir.damaged(format!("period-{period} is missing")));
            }
            periods.insert(period, open(&format!("period-{period}"), dir.period(period))?);
            continue;
        }
        let rows = rows_written(permanent).map_err(|error| open_error(dir, error))?;
        let is_written_to = || match open(&format!("period-{period}"), dir.period(period)) {
            Ok(table) => {
                let meta = table.get(META).map_err(|error| open_error(dir, error));
                drop(table.close());
                meta.map(|meta| meta.is_some())
            }
            Err(OpenError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        };
        if rows < mark.rows || is_written_to()? {
            return Err(dir.damaged(format!("period-{period} is not in the list of periods")));
        }
        tracing::warn!(period, "deleted a period that was being made when the last run ended");
        dir.delete_period(period).map_err(|error| dir.io(&error))?;
    }
    Ok(periods)
}

/// Returns how many batches were written to the permanent database.
fn rows_written(permanent: &Table) -> Result<u64, StoreError> {
    let Some(record) = permanent.get(META)? else { return Ok(0) };
    Ok(record::decode::<PermanentMeta>(META, &record)?.rows)
}

fn listed_periods(permanent: &Table) -> Result<BTreeMap<u64, PeriodRow>, StoreError> {
    let (from, to) = key::periods();
    let mut listed = BTreeMap::new();
    let scan = |visit: Visit<'_>| permanent.scan(&from, &to, false, visit);
    try_visit(scan, |key, value| {
        let row = record::decode(key, value)?;
        listed.extend(key::split_period(key).map(|period| (period, row)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(listed)
}
