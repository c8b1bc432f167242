//! What callers, the writer and the heartbeat share.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::counts::Counts;
use super::local_ids::LocalIds;
use super::stamp::StampClock;
use crate::clock::Clock;
use crate::store::error::StoreError;
use crate::store::types::{Done, StoreStats};

/// See the module's documentation.
pub(super) struct State {
    pub clock: Arc<dyn Clock>,
    pub stamps: StampClock,
    pub counts: Counts,
    /// Knows the local ids of the last days, once `filter_complete`.
    pub filter: LocalIds,
    filter_complete: AtomicBool,
    /// The stamp of the last change that is committed.
    commit: AtomicU64,
    message_id: AtomicU64,
    appended: AtomicU64,
    duplicates: AtomicU64,
    flushes: AtomicU64,
    waiting: AtomicU64,
    broken: RwLock<Option<StoreError>>,
    closed: AtomicBool,
    lost: watch::Sender<bool>,
}

impl State {
    pub(super) fn new(clock: Arc<dyn Clock>, stamps: StampClock, filter: LocalIds) -> Self {
        Self {
            clock,
            stamps,
            counts: Counts::default(),
            filter,
            filter_complete: AtomicBool::new(false),
            commit: AtomicU64::default(),
            message_id: AtomicU64::default(),
            appended: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            flushes: AtomicU64::default(),
            waiting: AtomicU64::default(),
            broken: RwLock::default(),
            closed: AtomicBool::new(false),
            lost: watch::channel(false).0,
        }
    }

    /// Returns the stamp of the last change that is committed.
    pub(super) fn last_commit(&self) -> u64 {
        self.commit.load(Ordering::Acquire)
    }

    /// Returns the greatest message id that is committed.
    pub(super) fn last_message_id(&self) -> u64 {
        self.message_id.load(Ordering::Acquire)
    }

    /// Begins where the database ends.
    pub(super) fn begin_at(&self, commit: u64, message_id: u64) {
        self.commit.fetch_max(commit, Ordering::AcqRel);
        self.message_id.fetch_max(message_id, Ordering::AcqRel);
    }

    /// Shows readers a batch that is committed.
    pub(super) fn publish(&self, commit: u64, message_id: u64, appended: u64, duplicates: u64) {
        self.appended.fetch_add(appended, Ordering::Relaxed);
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.begin_at(commit, message_id);
    }

    /// Counts retries, which need no commit.
    pub(super) fn count_duplicates(&self, duplicates: u64) {
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
    }

    pub(super) fn count_waiting(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_answered(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> StoreStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            appended: count(&self.appended),
            duplicates: count(&self.duplicates),
            flushes: count(&self.flushes),
            waiting: count(&self.waiting),
        }
    }

    /// Notes that the filter knows everything that a retry may repeat.
    pub(super) fn complete_filter(&self) {
        self.filter_complete.store(true, Ordering::Release);
    }

    /// Returns whether what the filter does not know is certainly new.
    pub(super) fn is_filter_complete(&self) -> bool {
        self.filter_complete.load(Ordering::Acquire)
    }

    /// Refuses writes until [`State::resume`]. That another process owns the store now stays so.
    pub(super) fn stop_writes(&self, error: StoreError) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*broken, Some(StoreError::Fenced)) {
            return;
        }
        if broken.is_none() {
            tracing::error!(%error, "store stopped accepting writes");
        }
        *broken = Some(error);
    }

    /// Accepts writes again.
    pub(super) fn resume(&self) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*broken, None | Some(StoreError::Fenced)) {
            *broken = None;
            tracing::info!("store accepts writes again");
        }
    }

    /// Notes that another process owns the store now: for good, as far as this one is concerned.
    pub(super) fn lose(&self) {
        if !self.lost.send_replace(true) {
            tracing::error!("another process owns the store now");
        }
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = Some(StoreError::Fenced);
    }

    /// Tells once another process owns the store.
    pub(super) fn losing(&self) -> watch::Receiver<bool> {
        self.lost.subscribe()
    }

    /// Returns `Err` while no write is accepted.
    pub(super) fn writable(&self) -> Result<(), StoreError> {
        if self.is_closed() {
            return Err(StoreError::closed());
        }
        self.writable_but_for_close()
    }

    /// The same for what was queued before the store was closed.
    pub(super) fn writable_but_for_close(&self) -> Result<(), StoreError> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    pub(super) fn close(&self) -> bool {
        self.closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Tells a caller the outcome. A callback that panics must not end the writer.
    pub(super) fn finish<T>(&self, done: Done<T>, result: Result<T, StoreError>) {
        self.count_answered();
        if panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("a callback given to the store panicked");
        }
    }
}
