//! When the database answered last, and whether this node is to own nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// When the database answered last, microseconds of the monotonic clock; 0: it did not yet.
    answered_us: AtomicU64,
    /// Whether this node drains, by whoever's word.
    pub(super) drains: AtomicBool,
}

impl Contact {
    /// Notes that the database answered.
    pub(super) fn answered(&self, now: Duration) {
        self.answered_us.fetch_max(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns how long the database has not answered.
    pub(super) fn without_database(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_micros(self.answered_us.load(Ordering::Relaxed)))
    }
}
