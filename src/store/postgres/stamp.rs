//! Stamps: when a change became part of the store. They decide what is told to whoever was away, so they must rise, and all
//! processes that share a store must agree about them: their time is the database's, carried on between two samples by this
//! process's monotonic clock.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::options::StampTime;
use crate::clock::Clock;
use crate::model::order_key::{EPOCH_MS, next_order_key, order_key_at};

/// Milliseconds of a day, of which a stamp's is part of the key of a retry.
pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Milliseconds of a week, by which messages are partitioned.
pub(super) const WEEK_MS: u64 = 7 * DAY_MS;

/// Days in which a retry is looked for, besides today: a week, as with every other engine.
pub(super) const RETRY_DAYS: i32 = 7;

/// Returns a stamp's time, Unix milliseconds.
pub(super) fn ms_of(stamp: u64) -> u64 {
    (stamp >> 11) + EPOCH_MS
}

/// Returns the day of a stamp, since 1970-01-01.
pub(super) fn day_of(stamp: u64) -> i32 {
    i32::try_from(ms_of(stamp) / DAY_MS).unwrap_or(i32::MAX)
}

/// Returns the week of a stamp, since 1970-01-01.
pub(super) fn week_of(stamp: u64) -> i64 {
    i64::try_from(ms_of(stamp) / WEEK_MS).unwrap_or(i64::MAX)
}

/// Returns the first stamp of a week.
pub(super) fn week_begins(week: u64) -> u64 {
    order_key_at(week.saturating_mul(WEEK_MS))
}

/// The database's time at a moment of this process's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    database_ms: u64,
    at: Duration,
}

/// Makes stamps that rise.
#[derive(Debug)]
pub(super) struct StampClock {
    clock: Arc<dyn Clock>,
    pub(super) time: StampTime,
    sample: Mutex<Option<Sample>>,
    last: AtomicU64,
    open: Arc<Mutex<Open>>,
}

/// What stamps are being used: of each use its number, and the last stamp that was made before it.
#[derive(Debug, Default)]
struct Open {
    uses: Vec<(u64, u64)>,
    next: u64,
}

/// Stamps are being used that were made since it was begun: until it, and all its copies, are dropped no stamp of them is safe.
#[derive(Debug, Clone)]
pub(super) struct StampUse(#[expect(dead_code, reason = "it is there to be dropped")] Arc<EndsUse>);

#[derive(Debug)]
struct EndsUse {
    open: Arc<Mutex<Open>>,
    number: u64,
}

impl Drop for EndsUse {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).uses.retain(|(number, _)| *number != self.number);
    }
}

impl StampClock {
    /// Makes a clock whose stamps are above `floor`.
    pub(super) fn above(floor: u64, time: StampTime, clock: Arc<dyn Clock>) -> Self {
        Self { clock, time, sample: Mutex::new(None), last: AtomicU64::new(floor), open: Arc::default() }
    }

    /// Makes no stamp at or below a floor any more.
    pub(super) fn raise(&self, floor: u64) {
        self.last.fetch_max(floor, Ordering::AcqRel);
    }

    /// Returns the last stamp that was made, or is not made any more.
    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Begins to use stamps: those made from now on are not safe before the use ends.
    pub(super) fn begin_use(&self) -> StampUse {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.next += 1;
        let number = open.next;
        open.uses.push((number, self.last()));
        StampUse(Arc::new(EndsUse { open: self.open.clone(), number }))
    }

    /// Returns a stamp up to which none is in use or made any more. While none is in use it follows the time.
    pub(super) fn safe(&self) -> u64 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.uses.iter().map(|(_, before)| *before).min() {
            Some(before) => before,
            None => {
                self.raise(order_key_at(self.now_ms()).saturating_sub(1));
                self.last()
            }
        }
    }

    /// Takes the database's time, which was asked for at one moment and had arrived at another, of the monotonic clock. It is
    /// taken to be of the earlier one: a stamp must not be ahead of the database.
    pub(super) fn take_sample(&self, database_ms: u64, asked: Duration) {
        *self.sample.lock().unwrap_or_else(PoisonError::into_inner) = Some(Sample { database_ms, at: asked });
    }

    /// Returns the time that the next stamp would be of, Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        let sample = *self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.time, sample) {
            (StampTime::Database, Some(Sample { database_ms, at })) => {
                let since = self.clock.elapsed().saturating_sub(at);
                database_ms.saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            _ => self.clock.wall_ms(),
        }
    }

    /// Returns the stamp that would be next, without making it.
    pub(super) fn peek(&self) -> u64 {
        next_order_key(self.last.load(Ordering::Acquire), self.now_ms())
    }

    /// Returns the next stamp.
    pub(super) fn next(&self) -> u64 {
        let now_ms = self.now_ms();
        let before = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next_order_key(last, now_ms)));
        next_order_key(before.unwrap_or_else(|last| last), now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn stamps_follow_the_databases_time_and_never_fall() {
        let clock = Arc::new(ManualClock::at(EPOCH_MS + 50_000));
        let stamps = StampClock::above(7 << 11, StampTime::Database, clock.clone());
        assert_eq!(stamps.next(), 50_000 << 11, "its own time, before the database was asked");
        stamps.take_sample(EPOCH_MS + 90_000, clock.elapsed());
        clock.advance(Duration::from_millis(10));
        assert_eq!(stamps.next(), 90_010 << 11);
        clock.set_wall_ms(EPOCH_MS + 500_000);
        assert_eq!(stamps.next(), (90_010 << 11) + 1, "the wall clock has no say");
        stamps.take_sample(EPOCH_MS + 80_000, clock.elapsed());
        assert_eq!(stamps.next(), (90_010 << 11) + 2, "the database's clock stepped back");
    }

    #[test]
    fn what_is_in_use_is_not_safe_and_what_is_safe_is_not_made_any_more() {
        let clock = Arc::new(ManualClock::at(EPOCH_MS + 50_000));
        let stamps = StampClock::above(0, StampTime::Own, clock.clone());
        assert_eq!(stamps.safe(), (50_000 << 11) - 1);
        let first = stamps.begin_use();
        let one = stamps.next();
        let second = stamps.begin_use();
        let kept = first.clone();
        clock.advance(Duration::from_secs(1));
        let two = stamps.next();
        assert_eq!(stamps.safe(), (50_000 << 11) - 1);
        drop(first);
        assert!(stamps.safe() < one, "a copy is left");
        drop(kept);
        assert_eq!(stamps.safe(), one);
        drop(second);
        assert_eq!(stamps.safe(), two, "it is ahead of this millisecond's first");
        clock.set_wall_ms(EPOCH_MS + 40_000);
        assert_eq!(stamps.safe(), two, "it never falls");
        clock.set_wall_ms(EPOCH_MS + 60_000);
        let safe = stamps.safe();
        clock.set_wall_ms(EPOCH_MS + 55_000);
        assert!(safe > two && stamps.next() > safe);
        stamps.raise(90_000 << 11);
        assert_eq!(stamps.next(), (90_000 << 11) + 1);
    }

    #[test]
    fn days_and_weeks_are_counted_from_1970() {
        let stamp = 0;
        assert_eq!((day_of(stamp), week_of(stamp)), (19_723, 2817));
        let week_later = (WEEK_MS) << 11;
        assert_eq!((day_of(week_later), week_of(week_later)), (19_730, 2818));
    }
}
