//! How far a store's writer is, what it counted, and who is told: the same in every engine that has a writer of its own.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::error::StoreError;
use crate::store::types::{Done, StoreStats};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    commit: AtomicU64,
    message_id: AtomicU64,
    appended: AtomicU64,
    duplicates: AtomicU64,
    flushes: AtomicU64,
    waiting: AtomicU64,
}

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

impl Progress {
    /// Begins behind what is durable already: the last commit and the greatest message id.
    pub(crate) fn from(commit: u64, message_id: u64) -> Self {
        Self { commit: commit.into(), message_id: message_id.into(), ..Self::default() }
    }

    /// Returns the last durable commit: readers see nothing after it.
    pub(crate) fn last_commit(&self) -> u64 {
        self.commit.load(Ordering::Acquire)
    }

    /// Returns the greatest durable message id.
    pub(crate) fn last_message_id(&self) -> u64 {
        self.message_id.load(Ordering::Acquire)
    }

    /// Goes on from what is durable, if that is further.
    pub(crate) fn reach(&self, commit: u64, message_id: u64) {
        self.message_id.fetch_max(message_id, Ordering::AcqRel);
        self.commit.fetch_max(commit, Ordering::AcqRel);
    }

    /// Shows readers a batch that is durable now.
    pub(crate) fn publish(&self, batch: BatchCounts) {
        self.appended.fetch_add(batch.appended, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.reach(batch.commit, batch.message_id);
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

    /// Tells a caller the outcome. A callback that panics must not end the writer.
    pub(crate) fn finish<T>(&self, done: Done<T>, result: Result<T, StoreError>) {
        self.count_answered();
        if panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a callback given to the store panicked");
        }
    }
}
