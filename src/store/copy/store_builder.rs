//! A store in the making, from records that come one by one.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use crate::private_files::sync_names;
use crate::store::backend::commit_mark::CommitMarkFile;
use crate::store::backend::counters::{count_entries, read_counters, write_counters};
use crate::store::backend::open::{SledOptions, open_error, table_error};
use crate::store::backend::sled::Table;
use crate::store::backend::store_dir::StoreDir;
use crate::store::backend::{CommitMark, Op, Space};
use crate::store::error::{OpenError, StoreError};
use crate::store::format::key;
use crate::store::format::record::{PeriodMeta, PermanentMeta};

/// Changes and bytes of one commit.
const CHUNK: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;

/// A store in the making. Its format is written last: without it the rest is not a store yet.
pub(crate) struct StoreBuilder<'a> {
    dir: StoreDir,
    options: &'a SledOptions,
    periods: BTreeMap<u64, Table>,
    permanent: Table,
    /// Where the changes that wait belong.
    space: Space,
    ops: Vec<Op>,
    bytes: usize,
    /// Held, never read.
    _lock: std::fs::File,
}

impl<'a> StoreBuilder<'a> {
    /// Begins in a folder where nothing is.
    pub(crate) fn begin(options: &'a SledOptions) -> Result<Self, OpenError> {
        let dir = StoreDir::new(options.path.clone());
        let io = |error: io::Error| dir.io(&error);
        if options.path.exists() && std::fs::read_dir(&options.path).map_err(io)?.next().is_some() {
            return Err(OpenError::NotEmpty { path: options.path.display().to_string() });
        }
        let lock = dir.lock(options.lock_wait)?;
        let permanent = open_table(&dir, options, "permanent", &dir.permanent())?;
        let (periods, ops) = (BTreeMap::new(), Vec::new());
        Ok(Self { dir, options, periods, permanent, space: Space::Permanent, ops, bytes: 0, _lock: lock })
    }

    fn open_error(&self, error: StoreError) -> OpenError {
        open_error(&self.dir, error)
    }

    /// Makes a period, if it is not there.
    pub(crate) fn create_period(&mut self, period: u64) -> Result<(), OpenError> {
        self.flush()?;
        if !self.periods.contains_key(&period) {
            let table = open_table(&self.dir, self.options, &format!("period-{period}"), &self.dir.period(period))?;
            self.periods.insert(period, table);
        }
        Ok(())
    }

    /// Deletes a period, if it is there.
    pub(crate) fn drop_period(&mut self, period: u64) -> Result<(), OpenError> {
        self.flush()?;
        if let Some(table) = self.periods.remove(&period) {
            drop(table.close());
            self.dir.delete_period(period).map_err(|error| self.dir.io(&error))?;
        }
        Ok(())
    }

    /// Makes a period, if only as an empty database, where the permanent space lists it.
    pub(crate) fn create_listed_period(&mut self, period: u64) -> Result<(), OpenError> {
        self.flush()?;
        let listed = self.permanent.get(&key::period(period)).map_err(|error| self.open_error(error))?.is_some();
        if listed { self.create_period(period) } else { Ok(()) }
    }

    /// Takes a change; changes of one key count in their order.
    pub(crate) fn change(&mut self, space: Space, op: Op) -> Result<(), OpenError> {
        if space != self.space {
            self.flush()?;
            self.space = space;
        }
        self.bytes += match &op {
            Op::Put(key, value) => key.len() + value.len(),
            Op::Delete(key) => key.len(),
        };
        self.ops.push(op);
        if self.ops.len() >= CHUNK || self.bytes >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), OpenError> {
        self.bytes = 0;
        let ops = std::mem::take(&mut self.ops);
        if ops.is_empty() {
            return Ok(());
        }
        if let Space::Period(period) = self.space
            && !self.periods.contains_key(&period)
        {
            self.create_period(period)?;
        }
        let table = match self.space {
            Space::Permanent => &self.permanent,
            Space::Period(period) => match self.periods.get(&period) {
                Some(table) => table,
                None => return Err(self.dir.damaged(format!("period-{period} is missing"))),
            },
        };
        // In one batch the last of several changes of a key must win, and a deletion looks at what is there.
        apart(ops).into_iter().try_for_each(|ops| table.commit(ops)).map_err(|error| self.open_error(error))
    }

    /// Makes the counters fit what is there.
    pub(crate) fn recount(&mut self) -> Result<(), OpenError> {
        self.flush()?;
        let recount = || {
            for table in self.periods.values() {
                let counters: PeriodMeta = read_counters(table)?;
                write_counters(table, &PeriodMeta { entries: count_entries(table)?, ..counters })?;
            }
            let counters: PermanentMeta = read_counters(&self.permanent)?;
            write_counters(&self.permanent, &PermanentMeta { entries: count_entries(&self.permanent)?, ..counters })
        };
        recount().map_err(|error| self.open_error(error))
    }

    /// Returns what the store's counters say was committed last.
    pub(crate) fn counted_mark(&self) -> Result<CommitMark, OpenError> {
        let counted = || {
            let mut commit = 0;
            for table in self.periods.values() {
                commit = read_counters::<PeriodMeta>(table)?.commit.max(commit);
            }
            Ok(CommitMark { commit, rows: read_counters::<PermanentMeta>(&self.permanent)?.rows })
        };
        counted().map_err(|error| self.open_error(error))
    }

    /// Closes it, and makes it a store with this mark. What is in it is not checked here.
    pub(crate) fn finish(mut self, mark: CommitMark) -> Result<(), OpenError> {
        self.flush()?;
        let Self { dir, periods, permanent, _lock: lock, .. } = self;
        let mut tables = periods.into_values().chain([permanent]);
        tables.try_for_each(Table::close).map_err(|error| open_error(&dir, error))?;
        let io = |error: io::Error| dir.io(&error);
        drop(CommitMarkFile::create(&dir.mark(), mark).map_err(io)?);
        sync_names(&dir.root).map_err(io)?;
        dir.write_format().map_err(io)?;
        drop(lock);
        Ok(())
    }
}

fn open_table(dir: &StoreDir, options: &SledOptions, name: &str, path: &Path) -> Result<Table, OpenError> {
    let table = Table::open(path, options.cache_bytes).map_err(|error| table_error(dir, name, error))?;
    sync_names(&dir.root).map_err(|error| dir.io(&error))?;
    Ok(table)
}

/// Cuts a list of changes so that no part names a key twice.
fn apart(ops: Vec<Op>) -> Vec<Vec<Op>> {
    let (mut parts, mut keys) = (vec![Vec::new()], HashSet::new());
    for op in ops {
        let (Op::Put(key, _) | Op::Delete(key)) = &op;
        if !keys.insert(key.clone()) {
            keys = HashSet::from([key.clone()]);
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(op);
        }
    }
    parts
}
