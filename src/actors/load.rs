//! Feels how far behind the broker is, ten times a second, and says what is shed for it.
//!
//! Three readings: how long an actor waits for its turn on the actors' thread, how long a socket waited for its
//! writer, and how full the store's queue is. The rule is [`PressureGauge`]; who sheds asks [`LoadMonitor`].

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::rate::Pressure;

/// The level of the moment, and what the writers report between two beats.
#[derive(Debug, Default)]
pub(crate) struct LoadMonitor {
    pub(super) level: AtomicU8,
    write_late_us: AtomicU64,
    /// What the writers reported up to the last beat.
    last_write_late_us: AtomicU64,
    turn_late_us: AtomicU64,
}

impl LoadMonitor {
    /// What is shed now.
    pub(crate) fn level(&self) -> Pressure {
        Pressure::of_number(self.level.load(Ordering::Relaxed))
    }

    /// A socket waited so long for its writer.
    pub(crate) fn wrote_late(&self, late: Duration) {
        self.write_late_us.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long a socket waited for its writer lately, at most.
    pub(crate) fn write_late(&self) -> Duration {
        Duration::from_micros(self.last_write_late_us.load(Ordering::Relaxed))
    }

    /// How long an actor waited for its turn at the last beat.
    pub(crate) fn turn_late(&self) -> Duration {
        Duration::from_micros(self.turn_late_us.load(Ordering::Relaxed))
    }

    pub(super) fn note_turn(&self, late: Duration) {
        self.turn_late_us.store(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn take_write_late(&self) -> Duration {
        let late = self.write_late_us.swap(0, Ordering::Relaxed);
        self.last_write_late_us.store(late, Ordering::Relaxed);
        Duration::from_micros(late)
    }
}
