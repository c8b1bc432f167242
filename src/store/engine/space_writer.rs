//! Commits batches to spaces with their counters, and shows them to whoever observes.
//!
//! A space's counters are a record of it and part of every batch, so a database that lost a page is recognised: fewer
//! records are there than were counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::read::records;
use super::shared::Shared;
use super::write_observer::{ObservedUntil, WriteObserver};
use crate::store::backend::{Backend, CommitMark, Op, Space};
use crate::store::error::StoreError;
use crate::store::format::key::{self, META};
use crate::store::format::record::{self, PERIOD_MS, PeriodMeta, PeriodRow, PermanentMeta};

/// Keys of a space and what they become; none: deleted. A later change of a key takes the place of an earlier one.
pub(crate) type RecordChanges = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Adds a record that is put.
pub(crate) fn put<T: Serialize>(changes: &mut RecordChanges, key: Vec<u8>, value: &T) {
    let record = record::encode(&key, value);
    changes.insert(key, Some(record));
}

/// See the module's documentation.
pub(crate) struct SpaceWriter {
    pub shared: Arc<Shared>,
    permanent: PermanentMeta,
    periods: HashMap<u64, PeriodMeta>,
    observer: Option<Box<dyn WriteObserver>>,
    /// Marks written since the last one that is durable.
    marks_unsynced: u32,
}

impl SpaceWriter {
    /// Begins with the counters of the permanent space; those of periods are read when needed.
    pub(crate) fn new(shared: Arc<Shared>, permanent: PermanentMeta) -> Self {
        Self { shared, permanent, periods: HashMap::new(), observer: None, marks_unsynced: 0 }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    /// Returns the period that appends go to, and begins it if need be. Never an older one than before, wherever the clock
    /// stands.
    pub(crate) fn current_period(&mut self) -> Result<u64, StoreError> {
        let newest = self.backend().periods().last().copied();
        let now = self.shared.clock.wall_ms() / PERIOD_MS;
        if let Some(newest) = newest.filter(|newest| *newest >= now) {
            return Ok(newest);
        }
        let before = newest.map(|newest| self.counters(newest)).transpose()?.unwrap_or_default();
        self.backend().create_period(now)?;
        if let Some(observer) = &mut self.observer {
            observer.period_created(now);
        }
        let mut rows = RecordChanges::new();
        put(&mut rows, key::period(now), &PeriodRow::default());
        if let Some(newest) = newest {
            put(&mut rows, key::period(newest), &PeriodRow { dropping: false, commit: before.commit });
        }
        self.write_rows_alone(rows)?;
        // What is not in the list may be deleted by the next start: the mark must say how long the list was.
        self.sync_mark()?;
        self.periods.insert(now, PeriodMeta { entries: 0, ..before });
        if newest.is_some() {
            self.shared.dedup_filter.rotate();
        }
        tracing::debug!(period = now, "store began a period");
        Ok(now)
    }

    /// Returns a period's counters.
    pub(crate) fn counters(&mut self, period: u64) -> Result<PeriodMeta, StoreError> {
        if let Some(counters) = self.periods.get(&period) {
            return Ok(*counters);
        }
        let counters = records::row(self.backend(), Space::Period(period), META)?.unwrap_or_default();
        self.periods.insert(period, counters);
        Ok(counters)
    }

    /// Commits a batch of a period with its counters. [`SpaceWriter::write_mark`] must follow.
    pub(crate) fn write_period(&mut self, period: u64, mut ops: Vec<Op>, counters: PeriodMeta) -> Result<(), StoreError> {
        ops.push(Op::Put(META.to_vec(), record::encode(META, &counters)));
        self.commit(Space::Period(period), ops)?;
        self.periods.insert(period, counters);
        Ok(())
    }

    /// Commits rows with the permanent space's counters. [`SpaceWriter::write_mark`] must follow.
    pub(crate) fn write_rows(&mut self, rows: RecordChanges) -> Result<(), StoreError> {
        let mut ops = Vec::with_capacity(rows.len() + 1);
        let entries = self.resolve(Space::Permanent, self.permanent.entries, rows, &mut ops)?;
        let counters = PermanentMeta { rows: self.permanent.rows + 1, entries };
        ops.push(Op::Put(META.to_vec(), record::encode(META, &counters)));
        self.commit(Space::Permanent, ops)?;
        self.permanent = counters;
        Ok(())
    }

    /// Commits rows, and the mark behind them.
    pub(crate) fn write_rows_alone(&mut self, rows: RecordChanges) -> Result<(), StoreError> {
        self.write_rows(rows)?;
        self.write_mark(self.shared.progress.last_commit())
    }

    /// Writes down what is durable now. [`SpaceWriter::sync_mark`] makes that durable itself, in its time.
    pub(crate) fn write_mark(&mut self, commit: u64) -> Result<(), StoreError> {
        self.backend().write_mark(CommitMark { commit, rows: self.permanent.rows })?;
        self.marks_unsynced += 1;
        Ok(())
    }

    /// Returns how many marks were written since the last one that is durable.
    pub(crate) fn marks_unsynced(&self) -> u32 {
        self.marks_unsynced
    }

    /// Makes the last mark durable.
    pub(crate) fn sync_mark(&mut self) -> Result<(), StoreError> {
        self.marks_unsynced = 0;
        self.backend().sync_mark()
    }

    /// Makes changes operations, and returns how many entries the space has after them.
    pub(crate) fn resolve(&self, space: Space, mut entries: u64, changes: RecordChanges, ops: &mut Vec<Op>) -> Result<u64, StoreError> {
        for (key, value) in changes {
            let is_there = self.backend().get(space, &key)?.is_some();
            match (is_there, &value) {
                (false, Some(_)) => entries += 1,
                (true, None) => entries -= 1,
                (true, Some(_)) => {}
                (false, None) => continue,
            }
            ops.push(match value {
                Some(value) => Op::Put(key, value),
                None => Op::Delete(key),
            });
        }
        Ok(entries)
    }

    /// Deletes a period.
    pub(crate) fn drop_period(&mut self, period: u64) -> Result<(), StoreError> {
        if let Some(observer) = &mut self.observer {
            observer.period_dropped(period);
        }
        self.backend().drop_period(period)?;
        self.periods.remove(&period);
        Ok(())
    }

    fn commit(&mut self, space: Space, ops: Vec<Op>) -> Result<(), StoreError> {
        if let Some(observer) = &mut self.observer {
            observer.batch(space, &ops);
        }
        self.backend().commit(space, ops)
    }

    /// Shows an observer every batch from now on; returns the last commit before.
    pub(crate) fn begin_observing(&mut self, mut observer: Box<dyn WriteObserver>) -> Result<u64, StoreError> {
        if self.observer.is_some() {
            return Err(StoreError::Unavailable("another backup is under way".into()));
        }
        let commit = self.shared.progress.last_commit();
        observer.begin(commit);
        self.observer = Some(observer);
        Ok(commit)
    }

    /// Drops the observer; returns up to where it saw everything.
    pub(crate) fn end_observing(&mut self) -> Result<ObservedUntil, StoreError> {
        let observer = self.observer.take();
        self.shared.writable()?;
        if observer.is_none() {
            return Err(StoreError::Unavailable("no backup is under way".into()));
        }
        let (commit, message_id) = (self.shared.progress.last_commit(), self.shared.progress.last_message_id());
        Ok(ObservedUntil { commit, rows: self.permanent.rows, message_id })
    }
}
