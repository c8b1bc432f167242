//! Ids that increase.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::model::order_key::EPOCH_MS;

/// The bits of an id that count within a millisecond.
const COUNT_BITS: u32 = 20;
/// Those of them that say which node made it, when several brokers work together.
const SLOT_BITS: u32 = 10;

/// Returns the slot of the node that made an id, of brokers that work together.
#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
pub(crate) fn slot_of(id: u64) -> u16 {
    u16::try_from((id >> (COUNT_BITS - SLOT_BITS)) & ((1 << SLOT_BITS) - 1)).unwrap_or(0)
}

/// Makes ids that are unique in this broker and increase, also across restarts: time in the upper 44 bits, a
/// count in the lower 20, and never at or below the greatest id the store has seen. Where several brokers work together the upper 10
/// of the 20 say which one made it.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    clock: Arc<dyn Clock>,
    /// The slot of this node; none: it is alone.
    slot: Option<u16>,
    /// Time and count of the last one.
    last: AtomicU64,
}

impl IdGenerator {
    /// Makes a generator whose ids are above `last`.
    pub(crate) fn above(last: u64, clock: Arc<dyn Clock>) -> Self {
        Self { clock, slot: None, last: AtomicU64::new(last) }
    }

    /// Makes one of several whose ids never meet, above `last`.
    pub(crate) fn of_slot(slot: u16, last: u64, clock: Arc<dyn Clock>) -> Self {
        let ids = Self { clock, slot: Some(slot), last: AtomicU64::new(0) };
        ids.rise_above(last);
        ids
    }

    fn count_bits(&self) -> u32 {
        if self.slot.is_some() { COUNT_BITS - SLOT_BITS } else { COUNT_BITS }
    }

    /// Makes the next id greater than one that another node made.
    pub(crate) fn rise_above(&self, id: u64) {
        self.last.fetch_max(((id >> COUNT_BITS) + 1) << self.count_bits(), Ordering::Relaxed);
    }

    /// Returns the next id.
    pub(crate) fn next(&self) -> u64 {
        let first = self.take(1);
        self.id_of(first)
    }

    /// Returns the next ids, so many, of one moment.
    pub(crate) fn next_run(&self, count: usize) -> impl Iterator<Item = u64> {
        let first = self.take(count as u64);
        (first..).take(count).map(|number| self.id_of(number))
    }

    /// Takes so many numbers of time and count, and returns the first of them.
    fn take(&self, count: u64) -> u64 {
        let by_time = self.clock.wall_ms().saturating_sub(EPOCH_MS) << self.count_bits();
        let step = |last: u64| Some(by_time.max(last + 1) + count.saturating_sub(1));
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).expect("the step never declines");
        by_time.max(before + 1)
    }

    fn id_of(&self, number: u64) -> u64 {
        let bits = self.count_bits();
        match self.slot {
            None => number,
            Some(slot) => (number >> bits) << COUNT_BITS | u64::from(slot) << bits | (number & ((1 << bits) - 1)),
        }
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

    #[test]
    fn a_run_of_ids_is_of_one_moment_and_nobody_elses() {
        let clock = Arc::new(ManualClock::at(EPOCH_MS + 1_000_000));
        for ids in [IdGenerator::above(0, clock.clone()), IdGenerator::of_slot(7, 0, clock.clone())] {
            let before = ids.next();
            let run: Vec<u64> = ids.next_run(3).collect();
            assert!(run.is_sorted_by(|one, next| one < next) && run[0] > before && ids.next() > run[2], "{run:?}");
            assert!(run.iter().all(|id| crate::model::order_key::made_ms(*id) == EPOCH_MS + 1_000_000));
            assert_eq!(ids.next_run(0).count(), 0);
        }
    }

    #[test]
    fn ids_of_several_nodes_never_meet_and_rise_above_each_others() {
        let clock = Arc::new(ManualClock::at(EPOCH_MS + 1_000_000));
        let (one, other) = (IdGenerator::of_slot(0, 0, clock.clone()), IdGenerator::of_slot(1_023, 0, clock.clone()));
        let mut ids: Vec<u64> = (0..3_000).flat_map(|_| [one.next(), other.next()]).collect();
        assert!(ids.iter().step_by(2).all(|id| slot_of(*id) == 0) && ids.iter().skip(1).step_by(2).all(|id| slot_of(*id) == 1_023));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6_000);
        let greatest = ids[5_999];
        clock.set_wall_ms(EPOCH_MS);
        one.rise_above(greatest);
        assert!(one.next() > greatest, "though its clock is behind");
    }
}
