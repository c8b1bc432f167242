//! What the engine needs from a place that keeps bytes: the line between rules and disk.
//!
//! All rules (order, dedup, fences, counters) live above this trait, so the memory store and the sled store cannot
//! differ in them, and a test can make any write fail.

pub(crate) mod commit_mark;
pub(crate) mod counters;
pub(crate) mod log_file;
pub(crate) mod log_mend;
pub(crate) mod log_segment;
pub(crate) mod memory;
pub(crate) mod open;
pub(crate) mod rewrite;
pub(crate) mod room;
pub(crate) mod sled;
pub(crate) mod sled_backend;
pub(crate) mod snapshots;
pub(crate) mod store_dir;
pub(crate) mod working_copy;

use std::ops::ControlFlow;

use crate::store::error::StoreError;

/// One ordered set of keys. A batch lies within one space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    /// Users, rooms, groups, members, and what must outlive the periods.
    Permanent,
    /// Messages, dedup entries and heads of one stretch of time.
    Period(u64),
}

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Insert or replace.
    Put(Vec<u8>, Vec<u8>),
    /// Remove; a missing key is no error.
    Delete(Vec<u8>),
}

/// What was made durable last, kept apart from the database so that a database that lost its end is recognised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CommitMark {
    /// The last append's commit.
    pub commit: u64,
    /// The number of batches written to [`Space::Permanent`].
    pub rows: u64,
}

/// Sees one key and value of a scan; `Break` ends it.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// A place that keeps bytes. Keys begin with a byte below [`RESERVED`](super::format::key::RESERVED).
pub(crate) trait Backend: Send + Sync + 'static {
    /// Returns the value of a key. A period that does not exist (any more) is empty.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns how long the value of a key is, bytes, without reading the value where that is more work.
    fn size(&self, space: Space, key: &[u8]) -> Result<Option<usize>, StoreError> {
        Ok(self.get(space, key)?.map(|value| value.len()))
    }

    /// Visits keys from `from` (inclusive) to `to` (exclusive), in key order or against it. The visitor must not call the
    /// backend: it may be locked.
    fn scan(&self, space: Space, from: &[u8], to: &[u8], backwards: bool, visit: Visit<'_>) -> Result<(), StoreError>;

    /// Applies a batch whole or not at all, and returns when it survives power loss. One thread calls it.
    fn commit(&self, space: Space, ops: Vec<Op>) -> Result<(), StoreError>;

    /// Keeps the mark: it survives the process at once, and a power loss after [`Backend::sync_mark`]. Called after the commits it
    /// speaks of.
    fn write_mark(&self, mark: CommitMark) -> Result<(), StoreError>;

    /// Makes the last mark durable.
    fn sync_mark(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns the time that was noted last as right, Unix milliseconds.
    fn noted_time(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Notes that a time is right. Any thread calls it.
    fn note_time(&self, _now_ms: u64) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns the periods that exist, ascending.
    fn periods(&self) -> Vec<u64>;

    /// Makes an empty period, durable on return.
    fn create_period(&self, period: u64) -> Result<(), StoreError>;

    /// Deletes a period with all that is in it.
    fn drop_period(&self, period: u64) -> Result<(), StoreError>;

    /// Flushes and releases files. Every later call fails with [`StoreError::Unavailable`]; of this one only the first says
    /// whether the flush failed.
    fn close(&self) -> Result<(), StoreError>;
}

/// Runs a scan whose visitor may fail: the first error ends the scan and is returned.
pub(crate) fn try_visit(
    scan: impl FnOnce(Visit<'_>) -> Result<(), StoreError>,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    scan(&mut |key, value| match visit(key, value) {
        Ok(flow) => flow,
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    })?;
    outcome
}
