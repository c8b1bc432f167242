//! Opening the sled store: take the lock, look at format and mark, open the databases, check them, start the engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::commit_mark;
use super::commit_mark::{CommitMarkFile, FoundMark};
use super::sled::{SledBackend, Table, TableError};
use super::store_dir::{FORMAT, StoreDir};
use super::{Backend, CommitMark};
use crate::clock::Clock;
use crate::private_files::sync_names;
use crate::store::engine::dedup_filter::DedupFilter;
use crate::store::engine::{Engine, Engined, Start};
use crate::store::format::key::META;
use crate::store::format::record::PeriodRow;
use crate::store::format::{key, record};
use crate::store::repair::salvage;
use crate::store::repair::verify;
use crate::store::repair::verify::Verified;
use crate::store::{OpenError, StoreError};

/// Where the store lies and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    /// Its directory; made if missing. Nothing else may lie in it.
    pub path: PathBuf,
    /// The page cache of each database, bytes. There is one database for rows and one per week kept, so at most
    /// `retention_days / 7 + 3`; only those in use fill theirs. Besides, sled keeps about 34 bytes per record.
    /// Measured with 10,000 busy conversations: 32 MiB carry nearly twice the appends of 9 MiB.
    pub cache_bytes: u64,
    /// Periods that lie wholly before this many days are deleted by [`crate::store::Store::sweep`]; 1 at least.
    pub retention_days: u64,
    /// Open a damaged store all the same, with what can be read, after copying it to `<path>.damaged-<time>`.
    pub accept_data_loss: bool,
    /// How long to wait for another process to let go.
    pub lock_wait: Duration,
    /// The filter of local ids, bytes per generation (there are two). 4 MiB serve 2 million sends a week.
    pub seen_bytes: usize,
}

impl SledOptions {
    /// The defaults for a directory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            cache_bytes: 32 << 20,
            retention_days: 30,
            accept_data_loss: false,
            lock_wait: Duration::from_secs(5),
            seen_bytes: 4 << 20,
        }
    }
}

/// Keeps all rules of [`crate::store::Store`] on a local disk.
pub struct SledStore {
    engine: Engine,
}

impl Engined for SledStore {
    fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens a store, or makes one, and checks that what was acknowledged is there. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; a damaged store is not changed.
    pub fn open(options: SledOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let dir = StoreDir::new(options.path.clone());
        let lock = dir.lock(options.lock_wait)?;
        let opened = match open_checked(&dir, &options, lock) {
            Err((OpenError::Damaged { reason, .. }, Some(lock))) if options.accept_data_loss => {
                let copy = dir.copy_aside(clock.wall_ms()).map_err(|error| dir.io(&error))?;
                tracing::warn!(reason, copy = %copy.display(), "store is damaged; opening it with what can be read");
                salvage::salvage(&dir, &options, clock.wall_ms())?;
                open_checked(&dir, &options, lock)
            }
            other => other,
        };
        let (backend, start) = opened.map_err(|(error, _)| error)?;
        Ok(Self { engine: Engine::start(Box::new(backend), clock, options.retention_days, start) })
    }
}

/// A failed attempt hands the lock back, unless it is lost with what held it.
type Attempt<T> = Result<T, (OpenError, Option<File>)>;

fn open_checked(dir: &StoreDir, options: &SledOptions, lock: File) -> Attempt<(SledBackend, Start)> {
    let (mark, mark_file, permanent, periods) = match open_files(dir, options, FormatPolicy::Ours) {
        Ok(opened) => opened,
        Err(error) => return Err((error, Some(lock))),
    };
    let backend = SledBackend::new(dir.clone(), options.cache_bytes, permanent, periods, mark_file, lock);
    let dedup_filter = DedupFilter::new(options.seen_bytes);
    match verify::verify(&backend, mark, &dedup_filter) {
        Ok(Verified { commit, message_id, permanent }) => Ok((backend, Start { commit, message_id, permanent, dedup_filter })),
        Err(error) => {
            let lock = backend.take_lock();
            backend.close();
            Err((open_error(dir, error), lock))
        }
    }
}

pub(crate) fn open_error(dir: &StoreDir, error: StoreError) -> OpenError {
    match error {
        StoreError::Damaged(reason) => dir.damaged(reason),
        other => OpenError::Io { path: dir.root.display().to_string(), reason: other.to_string() },
    }
}

pub(crate) fn table_error(dir: &StoreDir, name: &str, error: TableError) -> OpenError {
    match error {
        TableError::Damaged(reason) => dir.damaged(format!("{name}: {reason}")),
        TableError::Io(reason) => OpenError::Io { path: dir.root.display().to_string(), reason: format!("{name}: {reason}") },
    }
}

type Opened = (CommitMark, CommitMarkFile, Table, BTreeMap<u64, Table>);

/// What becomes of a store of an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormatPolicy {
    /// It is copied aside, and this version's from then on.
    Ours,
    /// It stays as it is.
    Kept,
}

/// An older version must refuse it from now on, by its format, before it meets what it does not know. It finds the copy:
/// taken while nobody has the files open.
fn upgrade_format(dir: &StoreDir) -> Result<(), OpenError> {
    let Some(found) = dir.read_format()?.filter(|found| *found < FORMAT) else { return Ok(()) };
    let copy = dir.keep_copy(&format!("format-{found}")).map_err(|error| OpenError::Io {
        path: dir.root.display().to_string(),
        reason: format!("it has format {found} and cannot be copied before it is brought to format {FORMAT}: {error}"),
    })?;
    tracing::info!(found, format = FORMAT, copy = %copy.display(), "store is brought to this version's format");
    dir.write_format().map_err(|error| dir.io(&error))
}

/// A store that nobody serves, as it is.
pub(crate) fn open_alone(dir: &StoreDir, options: &SledOptions) -> Result<(SledBackend, CommitMark), OpenError> {
    if !dir.is_there() {
        return Err(dir.missing());
    }
    let lock = dir.lock(options.lock_wait)?;
    let (mark, mark_file, permanent, periods) = open_files(dir, options, FormatPolicy::Kept)?;
    Ok((SledBackend::new(dir.clone(), options.cache_bytes, permanent, periods, mark_file, lock), mark))
}

fn open_files(dir: &StoreDir, options: &SledOptions, age: FormatPolicy) -> Result<Opened, OpenError> {
    let io = |error: std::io::Error| dir.io(&error);
    let found = commit_mark::find(&dir.mark()).map_err(io)?;
    if dir.read_format()?.is_none() {
        make_new(dir, &found)?;
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
    if age == FormatPolicy::Ours {
        upgrade_format(dir)?;
    }
    let open = |name: &str, path: PathBuf| Table::open(&path, options.cache_bytes).map_err(|error| table_error(dir, name, error));
    let permanent = open("permanent", dir.permanent())?;
    dir.delete_gone().map_err(io)?;
    let periods = open_periods(dir, &permanent, open)?;
    dir.seal().map_err(io)?;
    Ok((mark, mark_file, permanent, periods))
}

/// Begins a store where there is none. The format is written last: without it the rest is not a store yet.
fn make_new(dir: &StoreDir, found: &FoundMark) -> Result<(), OpenError> {
    let io = |error: std::io::Error| dir.io(&error);
    let was_used = match found {
        FoundMark::Mark(mark) => *mark != CommitMark::default(),
        FoundMark::Nothing | FoundMark::Unreadable => false,
    };
    if was_used || dir.permanent().exists() || !dir.periods().map_err(io)?.is_empty() {
        return Err(dir.damaged("format is missing"));
    }
    CommitMarkFile::create(&dir.mark(), CommitMark::default()).map_err(io)?;
    sync_names(&dir.root).map_err(io)?;
    dir.write_format().map_err(io)
}

/// Opens the periods that the permanent database lists.
fn open_periods(
    dir: &StoreDir,
    permanent: &Table,
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
        let is_listed = listed.contains_key(&period);
        if is_listed && !dir.period(period).join("db").exists() {
            return Err(dir.damaged(format!("period-{period} is missing")));
        }
        let table = open(&format!("period-{period}"), dir.period(period))?;
        if is_listed {
            periods.insert(period, table);
        } else if table.get(META).map_err(|error| open_error(dir, error))?.is_none() {
            // Made just before a crash, and never written to.
            table.close();
            dir.delete_period(period).map_err(|error| dir.io(&error))?;
        } else {
            return Err(dir.damaged(format!("period-{period} is not in the list of periods")));
        }
    }
    Ok(periods)
}

fn listed_periods(permanent: &Table) -> Result<BTreeMap<u64, PeriodRow>, StoreError> {
    let (from, to) = key::periods();
    let mut listed = BTreeMap::new();
    let mut outcome = Ok(());
    permanent.scan(&from, &to, false, &mut |key, value| match (record::decode(key, value), key::split_period(key)) {
        (Ok(row), Some(period)) => {
            listed.insert(period, row);
            std::ops::ControlFlow::Continue(())
        }
        (Ok(_), None) => std::ops::ControlFlow::Continue(()),
        (Err(error), _) => {
            outcome = Err(error);
            std::ops::ControlFlow::Break(())
        }
    })?;
    outcome.map(|()| listed)
}
