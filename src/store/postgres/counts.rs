//! What the database was asked and how it answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::Error;

use crate::store::types::DatabaseStats;

/// Counters of one opened store.
#[derive(Debug, Default)]
pub(super) struct Counts {
    reads: AtomicU64,
    read_us: AtomicU64,
    commits: AtomicU64,
    commit_us: AtomicU64,
    reconnects: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Counts {
    /// A question was answered, or not.
    pub(super) fn read(&self, took: Duration) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read_us.fetch_add(micros(took), Ordering::Relaxed);
    }

    /// The writer's transaction ended.
    pub(super) fn commit(&self, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_us.fetch_add(micros(took), Ordering::Relaxed);
    }

    /// The writer has a connection again.
    pub(super) fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// The database refused, or did not answer. There are some two hundred codes.
    pub(super) fn error(&self, error: &Error) {
        let code = error.code().map_or("connection", |code| code.code()).to_owned();
        *self.errors.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// Returns what was counted.
    pub(super) fn stats(&self) -> DatabaseStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DatabaseStats {
            reads: count(&self.reads),
            read_time: Duration::from_micros(count(&self.read_us)),
            commits: count(&self.commits),
            commit_time: Duration::from_micros(count(&self.commit_us)),
            reconnects: count(&self.reconnects),
            errors: self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter().collect(),
            ..DatabaseStats::default()
        }
    }
}
