//! The tables of a store on disk as a backend: which space is which database, the mark beside them, the lock around them.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::commit_mark::CommitMarkFile;
use super::rewrite::note_unsynced;
use super::sled::{Table, TableError};
use super::store_dir::StoreDir;
use super::{Backend, CommitMark, Op, Space, Visit};
use crate::private_files::sync_names;
use crate::store::error::StoreError;

/// What opening a store's files brought.
pub(crate) struct OpenFiles {
    /// What was acknowledged.
    pub(crate) mark: CommitMark,
    pub(crate) mark_file: CommitMarkFile,
    pub(crate) permanent: Table,
    pub(crate) periods: BTreeMap<u64, Table>,
}

/// The tables of a store that is open.
struct Tables {
    permanent: Arc<Table>,
    periods: BTreeMap<u64, Arc<Table>>,
}

/// The databases of a store, its mark and its lock.
pub(crate) struct SledBackend {
    dir: StoreDir,
    /// Per table.
    cache_bytes: u64,
    /// None once closed.
    tables: RwLock<Option<Tables>>,
    mark: Mutex<CommitMarkFile>,
    /// Held, never read.
    lock: Mutex<Option<File>>,
}

impl SledBackend {
    /// Puts together what was opened one by one.
    pub(crate) fn new(dir: StoreDir, cache_bytes: u64, files: OpenFiles, lock: File) -> Self {
        let OpenFiles { mark_file, permanent, periods, .. } = files;
        let tables = RwLock::new(Some(Tables::of(permanent, periods)));
        Self { dir, cache_bytes, tables, mark: Mutex::new(mark_file), lock: Mutex::new(Some(lock)) }
    }

    /// Closes the databases and takes those that `open` opens in their place. Readers wait meanwhile. Where opening fails there
    /// are none, until this is called again.
    pub(crate) fn reopen(&self, open: impl FnOnce() -> Result<OpenFiles, StoreError>) -> Result<CommitMark, StoreError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = tables.take() {
            // They failed before; that is why they are closed.
            drop(tables.close());
        }
        let OpenFiles { mark, mark_file, permanent, periods } = open()?;
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = mark_file;
        *tables = Some(Tables::of(permanent, periods));
        Ok(mark)
    }

    /// Leaves a note for the next start when the disk did not keep what was written.
    fn noted<T>(&self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        written.inspect_err(|error| {
            if matches!(error, StoreError::Unsynced(_)) {
                note_unsynced(&self.dir);
            }
        })
    }

    /// Returns a space's table; none: there is no such period.
    fn table(&self, space: Space) -> Result<Option<Arc<Table>>, StoreError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let tables = tables.as_ref().ok_or_else(StoreError::closed)?;
        Ok(match space {
            Space::Permanent => Some(Arc::clone(&tables.permanent)),
            Space::Period(period) => tables.periods.get(&period).cloned(),
        })
    }

    fn change_periods<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Arc<Table>>) -> T) -> Result<T, StoreError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        Ok(change(&mut tables.as_mut().ok_or_else(StoreError::closed)?.periods))
    }

    /// Gives the lock back: opening goes on with it after a failed check.
    pub(crate) fn take_lock(&self) -> Option<File> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Closes a table when nobody reads it any more; a reader still at it closes it by dropping it.
fn close_table(table: Arc<Table>) -> Result<(), StoreError> {
    Arc::into_inner(table).map_or(Ok(()), Table::close)
}

impl Tables {
    fn of(permanent: Table, periods: BTreeMap<u64, Table>) -> Self {
        let periods = periods.into_iter().map(|(period, table)| (period, Arc::new(table))).collect();
        Self { permanent: Arc::new(permanent), periods }
    }

    /// Closes all; the first failure is returned.
    fn close(self) -> Result<(), StoreError> {
        let Self { permanent, periods } = self;
        periods.into_values().chain([permanent]).map(close_table).fold(Ok(()), Result::and)
    }
}

impl Backend for SledBackend {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.table(space)?.map_or(Ok(None), |table| table.get(key))
    }

    fn size(&self, space: Space, key: &[u8]) -> Result<Option<usize>, StoreError> {
        self.table(space)?.map_or(Ok(None), |table| table.size(key))
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], backwards: bool, visit: Visit<'_>) -> Result<(), StoreError> {
        self.table(space)?.map_or(Ok(()), |table| table.scan(from, to, backwards, visit))
    }

    fn commit(&self, space: Space, ops: Vec<Op>) -> Result<(), StoreError> {
        let table = self.table(space)?.ok_or_else(|| StoreError::Unavailable(format!("{space:?} does not exist")))?;
        self.noted(table.commit(ops))
    }

    fn write_mark(&self, mark: CommitMark) -> Result<(), StoreError> {
        let written = self.mark.lock().unwrap_or_else(PoisonError::into_inner).write(mark);
        self.noted(written.map_err(|error| StoreError::of_write(&error)))
    }

    fn sync_mark(&self) -> Result<(), StoreError> {
        let synced = self.mark.lock().unwrap_or_else(PoisonError::into_inner).sync();
        self.noted(synced.map_err(|error| StoreError::Unsynced(error.to_string())))
    }

    fn noted_time(&self) -> Result<Option<u64>, StoreError> {
        self.dir.noted_time().map_err(StoreError::refused)
    }

    fn note_time(&self, now_ms: u64) -> Result<(), StoreError> {
        self.dir.note_time(now_ms).map_err(StoreError::refused)
    }

    fn periods(&self) -> Vec<u64> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.as_ref().map(|tables| tables.periods.keys().copied().collect()).unwrap_or_default()
    }

    fn create_period(&self, period: u64) -> Result<(), StoreError> {
        let opened = Table::open(&self.dir.period(period), self.cache_bytes);
        let table = self.noted(opened.map_err(|error| match error {
            TableError::Full(reason) => StoreError::Full(reason),
            TableError::Io(reason) => StoreError::Unsynced(reason),
            // It was made just now: the disk did not show what it had taken.
            TableError::Damaged(reason) => StoreError::Unsynced(reason),
        }))?;
        self.noted(sync_names(&self.dir.root).map_err(|error| StoreError::of_write(&error)))?;
        self.change_periods(|periods| periods.insert(period, Arc::new(table))).map(|_| ())
    }

    fn drop_period(&self, period: u64) -> Result<(), StoreError> {
        if let Some(table) = self.change_periods(|periods| periods.remove(&period))? {
            // What is in it is deleted: that it cannot be flushed is no matter.
            drop(close_table(table));
        }
        self.dir.delete_period(period).map_err(StoreError::refused)
    }

    fn close(&self) -> Result<(), StoreError> {
        let tables = self.tables.write().unwrap_or_else(PoisonError::into_inner).take();
        let closed = tables.map_or(Ok(()), |tables| tables.close().and(self.sync_mark()));
        drop(self.take_lock());
        self.noted(closed)
    }
}
