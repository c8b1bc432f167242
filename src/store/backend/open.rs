//! Opening the sled store: take the lock, look at format and mark, open the databases, check them, start the engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::store_dir::{Directory, FORMAT};
use crate::store::engine::{Engine, Engined, Start};
use crate::store::format::key::META;
use super::commit_mark;
use super::commit_mark::{Found, MarkFile};
use crate::store::format::record::PeriodRow;
use crate::store::engine::dedup_filter::Seen;
use super::sled::{SledBackend, Table, TableError};
use super::{Backend, Mark};
use crate::store::repair::verify;
use crate::store::repair::verify::Verified;
use crate::store::{OpenError, StoreError};
use crate::store::format::{key, record};
use crate::store::repair::salvage;
use crate::clock::Clock;
use crate::private_files::sync_names;

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
        let directory = Directory::new(options.path.clone());
        let lock = directory.lock(options.lock_wait)?;
        let opened = match open_checked(&directory, &options, lock) {
            Err((OpenError::Damaged { reason, .. }, Some(lock))) if options.accept_data_loss => {
                let copy = directory.copy_aside(clock.wall_ms()).map_err(|error| directory.io(&error))?;
                tracing::warn!(reason, copy = %copy.display(), "store is damaged; opening it with what can be read");
                salvage::salvage(&directory, &options, clock.wall_ms())?;
                open_checked(&directory, &options, lock)
            }
            other => other,
        };
        let (backend, start) = opened.map_err(|(error, _)| error)?;
        Ok(Self { engine: Engine::start(Box::new(backend), clock, options.retention_days, start) })
    }
}

/// A failed attempt hands the lock back, unless it is lost with what held it.
type Attempt<T> = Result<T, (OpenError, Option<File>)>;

fn open_checked(directory: &Directory, options: &SledOptions, lock: File) -> Attempt<(SledBackend, Start)> {
    let (mark, mark_file, permanent, periods) = match open_files(directory, options, Age::Ours) {
        Ok(opened) => opened,
        Err(error) => return Err((error, Some(lock))),
    };
    let backend = SledBackend::new(directory.clone(), options.cache_bytes, permanent, periods, mark_file, lock);
    let seen = Seen::new(options.seen_bytes);
    match verify::verify(&backend, mark, &seen) {
        Ok(Verified { commit, message_id, permanent }) => Ok((backend, Start { commit, message_id, permanent, seen })),
        Err(error) => {
            let lock = backend.take_lock();
            backend.close();
            Err((open_error(directory, error), lock))
        }
    }
}

pub(crate) fn open_error(directory: &Directory, error: StoreError) -> OpenError {
    match error {
        StoreError::Damaged(reason) => directory.damaged(reason),
        other => OpenError::Io { path: directory.root.display().to_string(), reason: other.to_string() },
    }
}

pub(crate) fn table_error(directory: &Directory, name: &str, error: TableError) -> OpenError {
    match error {
        TableError::Damaged(reason) => directory.damaged(format!("{name}: {reason}")),
        TableError::Io(reason) => OpenError::Io { path: directory.root.display().to_string(), reason: format!("{name}: {reason}") },
    }
}

type Opened = (Mark, MarkFile, Table, BTreeMap<u64, Table>);

/// What becomes of a store of an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// It is copied aside, and this version's from then on.
    Ours,
    /// It stays as it is.
    Kept,
}

/// An older version must refuse it from now on, by its format, before it meets what it does not know. It finds the copy:
/// taken while nobody has the files open.
fn migrate(directory: &Directory) -> Result<(), OpenError> {
    let Some(found) = directory.read_format()?.filter(|found| *found < FORMAT) else { return Ok(()) };
    let copy = directory.keep_copy(&format!("format-{found}")).map_err(|error| OpenError::Io {
        path: directory.root.display().to_string(),
        reason: format!("it has format {found} and cannot be copied before it is brought to format {FORMAT}: {error}"),
    })?;
    tracing::info!(found, format = FORMAT, copy = %copy.display(), "store is brought to this version's format");
    directory.write_format().map_err(|error| directory.io(&error))
}

/// A store that nobody serves, as it is.
pub(crate) fn open_alone(directory: &Directory, options: &SledOptions) -> Result<(SledBackend, Mark), OpenError> {
    if !directory.is_there() {
        return Err(directory.missing());
    }
    let lock = directory.lock(options.lock_wait)?;
    let (mark, mark_file, permanent, periods) = open_files(directory, options, Age::Kept)?;
    Ok((SledBackend::new(directory.clone(), options.cache_bytes, permanent, periods, mark_file, lock), mark))
}

fn open_files(directory: &Directory, options: &SledOptions, age: Age) -> Result<Opened, OpenError> {
    let io = |error: std::io::Error| directory.io(&error);
    let found = commit_mark::find(&directory.mark()).map_err(io)?;
    if directory.read_format()?.is_none() {
        make_new(directory, &found)?;
    }
    let mark = match commit_mark::find(&directory.mark()).map_err(io)? {
        Found::Mark(mark) => mark,
        Found::Nothing => return Err(directory.damaged("commit.mark is missing")),
        Found::Unreadable => return Err(directory.damaged("commit.mark cannot be read")),
    };
    let mark_file = MarkFile::open(&directory.mark()).map_err(io)?;
    if mark != Mark::default() && !directory.permanent().join("db").exists() {
        return Err(directory.damaged("permanent is missing"));
    }
    if age == Age::Ours {
        migrate(directory)?;
    }
    let open = |name: &str, path: PathBuf| Table::open(&path, options.cache_bytes).map_err(|error| table_error(directory, name, error));
    let permanent = open("permanent", directory.permanent())?;
    directory.delete_gone().map_err(io)?;
    let periods = open_periods(directory, &permanent, open)?;
    directory.seal().map_err(io)?;
    Ok((mark, mark_file, permanent, periods))
}

/// Begins a store where there is none. The format is written last: without it the rest is not a store yet.
fn make_new(directory: &Directory, found: &Found) -> Result<(), OpenError> {
    let io = |error: std::io::Error| directory.io(&error);
    let was_used = match found {
        Found::Mark(mark) => *mark != Mark::default(),
        Found::Nothing | Found::Unreadable => false,
    };
    if was_used || directory.permanent().exists() || !directory.periods().map_err(io)?.is_empty() {
        return Err(directory.damaged("format is missing"));
    }
    MarkFile::create(&directory.mark(), Mark::default()).map_err(io)?;
    sync_names(&directory.root).map_err(io)?;
    directory.write_format().map_err(io)
}

/// Opens the periods that the permanent database lists.
fn open_periods(
    directory: &Directory,
    permanent: &Table,
    open: impl Fn(&str, PathBuf) -> Result<Table, OpenError>,
) -> Result<BTreeMap<u64, Table>, OpenError> {
    let on_disk = directory.periods().map_err(|error| directory.io(&error))?;
    let listed = listed_periods(permanent).map_err(|error| open_error(directory, error))?;
    for (period, row) in &listed {
        if !on_disk.contains(period) && !row.dropping {
            return Err(directory.damaged(format!("period-{period} is missing")));
        }
    }
    let mut periods = BTreeMap::new();
    for period in on_disk {
        let is_listed = listed.contains_key(&period);
        if is_listed && !directory.period(period).join("db").exists() {
            return Err(directory.damaged(format!("period-{period} is missing")));
        }
        let table = open(&format!("period-{period}"), directory.period(period))?;
        if is_listed {
            periods.insert(period, table);
        } else if table.get(META).map_err(|error| open_error(directory, error))?.is_none() {
            // Made just before a crash, and never written to.
            table.close();
            directory.delete_period(period).map_err(|error| directory.io(&error))?;
        } else {
            return Err(directory.damaged(format!("period-{period} is not in the list of periods")));
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
