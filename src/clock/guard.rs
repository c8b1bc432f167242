//! By which time things may be deleted: never by a clock that may be wrong.
//!
//! What was deleted because a clock stood sixty days ahead does not come back when it is set right. So whatever is deleted
//! because it is old asks here. The guard begins with a time that is known to be right (the newest one that the store noted
//! before this start) and counts on from there by the monotonic clock. While the calendar stands further from that than an
//! allowed jump, nothing is deleted. Within one run the guard never moves its beginning by itself, so all small jumps together
//! stay within the allowed one; an operator can move it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::Clock;

const HOUR_MS: u64 = 3_600_000;

/// The calendar disagrees with what the store noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the clock stands {} hours {} what it should be by the newest time in the store; nothing is deleted for its age until it agrees, \
     or until `tidings store accept-clock` says that it is right",
    self.hours(),
    if self.wall_ms > self.expected_ms { "after" } else { "before" }
)]
pub struct ClockDoubt {
    /// Where the calendar stands, Unix milliseconds.
    pub wall_ms: u64,
    /// Where it should stand, Unix milliseconds.
    pub expected_ms: u64,
}

impl ClockDoubt {
    /// Returns by how many whole hours the two differ.
    #[must_use]
    pub fn hours(&self) -> u64 {
        self.wall_ms.abs_diff(self.expected_ms) / HOUR_MS
    }

    /// Compares a calendar with what it should be; none: they agree.
    #[must_use]
    pub fn between(wall_ms: u64, expected_ms: u64, jump_max: Duration) -> Option<Self> {
        let differs = wall_ms.abs_diff(expected_ms) > u64::try_from(jump_max.as_millis()).unwrap_or(u64::MAX);
        differs.then_some(Self { wall_ms, expected_ms })
    }
}

/// A moment whose time is known to be right.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall_ms: u64,
    at: Duration,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct ClockGuard {
    clock: Arc<dyn Clock>,
    jump_max: Duration,
    anchor: Mutex<Anchor>,
}

impl ClockGuard {
    /// Begins with a time noted before this start; with the calendar's own where there is none.
    pub(crate) fn new(clock: Arc<dyn Clock>, noted_ms: Option<u64>, jump_max: Duration) -> Self {
        let anchor = Anchor { wall_ms: noted_ms.unwrap_or_else(|| clock.wall_ms()), at: clock.elapsed() };
        Self { clock, jump_max, anchor: Mutex::new(anchor) }
    }

    /// Returns the time by which things may be deleted, Unix milliseconds.
    ///
    /// # Errors
    /// [`ClockDoubt`]: nothing may be.
    pub(crate) fn deletion_time(&self) -> Result<u64, ClockDoubt> {
        let Anchor { wall_ms: begun_ms, at } = *self.anchor();
        let since = self.clock.elapsed().saturating_sub(at);
        let expected_ms = begun_ms.saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let wall_ms = self.clock.wall_ms();
        ClockDoubt::between(wall_ms, expected_ms, self.jump_max).map_or(Ok(wall_ms), Err)
    }

    /// Takes a time that an operator noted as right, if the calendar agrees with it; returns whether it does.
    pub(crate) fn accept(&self, noted_ms: u64) -> bool {
        let wall_ms = self.clock.wall_ms();
        let agrees = ClockDoubt::between(wall_ms, noted_ms, self.jump_max).is_none();
        if agrees {
            *self.anchor() = Anchor { wall_ms, at: self.clock.elapsed() };
        }
        agrees
    }

    fn anchor(&self) -> std::sync::MutexGuard<'_, Anchor> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const NOW_MS: u64 = 1_732_270_000_000;
    const HOUR: Duration = Duration::from_secs(3600);

    fn guard(noted_ms: Option<u64>) -> (Arc<ManualClock>, ClockGuard) {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        (clock.clone(), ClockGuard::new(clock, noted_ms, HOUR))
    }

    #[test]
    fn a_clock_is_believed_up_to_the_allowed_jump_in_both_directions() {
        for (noted_ms, believed) in [
            (NOW_MS - HOUR_MS, true),
            (NOW_MS - HOUR_MS - 1, false),
            (NOW_MS + HOUR_MS, true),
            (NOW_MS + HOUR_MS + 1, false),
            (0, false),
            (u64::MAX, false),
        ] {
            assert_eq!(guard(Some(noted_ms)).1.deletion_time().is_ok(), believed, "{noted_ms}");
        }
        assert_eq!(guard(None).1.deletion_time(), Ok(NOW_MS));
    }

    #[test]
    fn many_small_jumps_are_no_more_than_one_large_one() {
        let (clock, guard) = guard(Some(NOW_MS));
        clock.advance(100 * HOUR);
        assert_eq!(guard.deletion_time(), Ok(NOW_MS + 100 * HOUR_MS));
        for jump in 1..=4u64 {
            clock.set_wall_ms(NOW_MS + 100 * HOUR_MS + jump * HOUR_MS / 3);
            assert_eq!(guard.deletion_time().is_ok(), jump <= 3, "{jump}");
        }
        clock.set_wall_ms(NOW_MS + 100 * HOUR_MS);
        assert!(guard.deletion_time().is_ok(), "it agrees again");
    }

    #[test]
    fn an_operator_moves_the_beginning_but_only_to_where_the_clock_is() {
        let (clock, guard) = guard(Some(NOW_MS - 1000 * HOUR_MS));
        let doubt = guard.deletion_time().unwrap_err();
        assert_eq!(doubt.hours(), 1000);
        assert!(doubt.to_string().contains("1000 hours after"), "{doubt}");
        assert!(!guard.accept(NOW_MS + 2 * HOUR_MS));
        assert!(guard.deletion_time().is_err());
        assert!(guard.accept(NOW_MS - HOUR_MS));
        assert_eq!(guard.deletion_time(), Ok(NOW_MS));
        clock.set_wall_ms(0);
        assert!(guard.deletion_time().unwrap_err().to_string().contains("before"));
    }
}
