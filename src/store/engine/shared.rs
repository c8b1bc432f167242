//! What callers and the writer share.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::dedup_filter::DedupFilter;
use crate::clock::Clock;
use crate::store::backend::Backend;
use crate::store::error::StoreError;
use crate::store::format::record::PermanentMeta;
use crate::store::types::{Done, StoreStats};

/// See the module's documentation.
pub(crate) struct Shared {
    pub backend: Arc<dyn Backend>,
    pub clock: Arc<dyn Clock>,
    pub retention_days: u64,
    /// Knows the local ids of the last two periods.
    pub dedup_filter: DedupFilter,
    commit: AtomicU64,
    message_id: AtomicU64,
    appended: AtomicU64,
    duplicates: AtomicU64,
    flushes: AtomicU64,
    waiting: AtomicU64,
    /// Why no write is accepted.
    broken: RwLock<Option<StoreError>>,
}

/// Where an engine begins.
pub(crate) struct Start {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The permanent space's counters.
    pub permanent: PermanentMeta,
    /// Knows the local ids of the last two periods.
    pub dedup_filter: DedupFilter,
}

/// What was found when the databases were opened again.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The permanent space's counters.
    pub permanent: PermanentMeta,
}

/// Opens the databases again after the disk was full, and checks them. [`StoreError::Full`]: it still is, and nothing was done.
pub(crate) type Recover = Box<dyn Fn(&DedupFilter) -> Result<Recovered, StoreError> + Send>;

/// What a batch that is durable now brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchCounts {
    /// The last commit in it.
    pub commit: u64,
    /// The greatest message id so far.
    pub message_id: u64,
    /// Messages in it.
    pub appended: u64,
}

impl Shared {
    pub(crate) fn new(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>, retention_days: u64, start: Start) -> Self {
        Self {
            backend,
            clock,
            retention_days,
            dedup_filter: start.dedup_filter,
            commit: AtomicU64::new(start.commit),
            message_id: AtomicU64::new(start.message_id),
            appended: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            flushes: AtomicU64::default(),
            waiting: AtomicU64::default(),
            broken: RwLock::default(),
        }
    }

    /// Returns the last durable commit: readers see nothing after it.
    pub(crate) fn last_commit(&self) -> u64 {
        self.commit.load(Ordering::Acquire)
    }

    /// Returns the greatest durable message id.
    pub(crate) fn last_message_id(&self) -> u64 {
        self.message_id.load(Ordering::Acquire)
    }

    /// Counts a job that was handed over.
    pub(crate) fn count_waiting(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a job whose outcome was told.
    pub(crate) fn count_answered(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts retries, which need no flush.
    pub(crate) fn count_duplicates(&self, duplicates: u64) {
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
    }

    /// Shows readers a batch that is durable now.
    pub(crate) fn publish(&self, batch: BatchCounts) {
        self.appended.fetch_add(batch.appended, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.message_id.fetch_max(batch.message_id, Ordering::AcqRel);
        self.commit.fetch_max(batch.commit, Ordering::AcqRel);
    }

    /// Returns what was counted.
    pub(crate) fn stats(&self) -> StoreStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            appended: count(&self.appended),
            duplicates: count(&self.duplicates),
            flushes: count(&self.flushes),
            waiting: count(&self.waiting),
        }
    }

    /// Refuses every later write. The first reason stays, until [`Shared::resume`].
    pub(crate) fn stop_writes(&self, error: &StoreError) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if broken.is_none() {
            *broken = Some(if error.stops_writes() { error.clone() } else { StoreError::Unavailable(error.to_string()) });
            tracing::error!(%error, "store stopped accepting writes");
        }
    }

    /// Accepts writes again, after what is on disk: a write that was refused may have reached it all the same.
    pub(crate) fn resume(&self, commit: u64, message_id: u64) {
        self.message_id.fetch_max(message_id, Ordering::AcqRel);
        self.commit.fetch_max(commit, Ordering::AcqRel);
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = None;
        tracing::info!(commit, "store accepts writes again");
    }

    /// Returns `Err` while no write is accepted.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// Tells a caller the outcome. A callback that panics must not end the writer.
    pub(crate) fn finish<T>(&self, done: Done<T>, result: Result<T, StoreError>) {
        self.count_answered();
        if panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a callback given to the store panicked");
        }
    }
}
