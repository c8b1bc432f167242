//! Where time comes from: the only place that reads the system's clock.
//!
//! Everything that depends on time takes a [`Clock`], so that each rule about time is tested by moving a
//! [`ManualClock`] and not by waiting.

pub(crate) mod guard;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use guard::ClockDoubt;

/// Two kinds of time, both behind one trait so that a test moves them together.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the calendar's time, Unix milliseconds. May step back.
    fn wall_ms(&self) -> u64;
    /// Time since some fixed moment; never steps back. For intervals.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Returns a clock whose `elapsed` begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn wall_ms(&self) -> u64 {
        // A clock set before 1970 counts as 1970: order keys keep increasing by their own rule.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    elapsed_ms: AtomicU64,
}

impl ManualClock {
    /// Returns a clock that stands at `wall_ms`.
    #[must_use]
    pub fn at(wall_ms: u64) -> Self {
        Self { wall_ms: AtomicU64::new(wall_ms), elapsed_ms: AtomicU64::new(0) }
    }

    /// Moves both kinds of time forward.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.elapsed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the calendar alone, as an administrator or a time server does; may go back.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }
}
