//! Ids that increase.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::model::order_key::EPOCH_MS;

/// Returns when an id was made, Unix milliseconds, unless the clock stepped back.
pub(crate) fn made_ms(id: u64) -> u64 {
    (id >> 20) + EPOCH_MS
}

/// Makes ids that are unique in this broker and increase, also across restarts: time in the upper 44 bits, a
/// count in the lower 20, and never at or below the greatest id the store has seen.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    clock: Arc<dyn Clock>,
    last: AtomicU64,
}

impl IdGenerator {
    /// Makes a generator whose ids are above `last`.
    pub(crate) fn above(last: u64, clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: AtomicU64::new(last) }
    }

    /// Returns the next id.
    pub(crate) fn next(&self) -> u64 {
        let by_time = self.clock.wall_ms().saturating_sub(EPOCH_MS) << 20;
        let step = |last: u64| Some(by_time.max(last + 1));
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).expect("the step never declines");
        by_time.max(before + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn ids_increase_when_the_clock_stands_steps_back_and_across_a_restart() {
        let clock = Arc::new(ManualClock::at(EPOCH_MS + 1_000_000));
        let ids = IdGenerator::above(0, clock.clone());
        let mut last = 0;
        for step in 0..1_000 {
            if step == 500 {
                clock.set_wall_ms(EPOCH_MS);
            }
            let id = ids.next();
            assert!(id > last);
            last = id;
        }
        let restarted = IdGenerator::above(last, clock.clone());
        assert!(restarted.next() > last);
        clock.advance(Duration::from_secs(3600));
        assert!(restarted.next() > last);
    }
}
