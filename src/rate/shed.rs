//! Which barrages a room admits. Pure: time is passed in, nothing is read from outside.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use super::DropReason;
use crate::model::{Priority, UserId};

/// One barrage in the bucket's units. A bucket gains `per_second` units each nanosecond, so refilling is exact.
const ONE: u64 = 1_000_000_000;
/// Fairness is judged over this time, or longer when the budget of this time has not one barrage for each sender.
const WINDOW_MIN: Duration = Duration::from_millis(100);
const WINDOW_MAX: Duration = Duration::from_secs(10);
/// Senders told apart per window; the others share one place.
const SENDERS_MAX: usize = 4096;
/// A window's map that was larger than this gives its memory back when few used it.
const IDLE_CAPACITY_MAX: usize = 64;

/// What one sender did in a window.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The weight of the highest priority it wished for.
    weight: u64,
    /// How many were admitted, of whatever priority.
    admitted: u32,
}

/// Who was seen in a window, and how many barrages of each were admitted.
#[derive(Debug, Clone, Default)]
struct Window {
    seen: HashMap<UserId, Seen>,
    /// All senders beyond [`SENDERS_MAX`].
    others: Seen,
}

/// A room's budget of barrages.
///
/// A bucket holds `burst` and gains `per_second`; each admitted barrage takes one. As it gets short:
/// - priorities are refused from the lowest: low leaves 40 % of the bucket, medium 20 %, high nothing;
/// - below 90 % (low), 75 % (medium) or 60 % (high) a sender that had its fair share for a priority in this window is
///   refused, so that one flooder does not silence the others, and what is left over goes to higher priorities first;
/// - the last fifth above a priority's reserve is for senders that had nothing in this window. Without it a flooder that
///   tries often enough takes each barrage the moment it comes in, while still within its share.
///
/// A share is the window's budget divided between all who were seen in this window or the one before, each with the
/// weight of the highest priority it wished for, times the weight of the barrage at hand: 1 for low, 2 for medium, 4 for
/// high. Without the weights a lasting overload would leave each barrage the same chance, whatever it wished; without
/// the shares one flooder of high priority would leave the others nothing.
///
/// A window is 100 ms, or as long as the budget takes to pay one barrage for each sender (at most 10 s): with 20 barrages per
/// 100 ms and 200 senders, twenty of them who try without pause would else take everything.
///
/// Source: design P6. Memory: two windows of at most 4096 senders.
#[derive(Debug, Clone)]
pub(crate) struct BarrageBudget {
    per_second: u64,
    capacity: u64,
    level: u64,
    refilled_at: Duration,
    window: Window,
    previous: Window,
    /// Senders in `window` or `previous`.
    senders: u64,
    /// The same, each with its weight.
    weights: u64,
    window_start: Duration,
}

impl BarrageBudget {
    /// A full bucket. A `burst` of 0 admits nothing; a `per_second` of 0 nothing after the burst.
    #[must_use]
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let capacity = u64::from(burst) * ONE;
        Self {
            per_second: u64::from(per_second),
            capacity,
            level: capacity,
            refilled_at: Duration::ZERO,
            window: Window::default(),
            previous: Window::default(),
            senders: 0,
            weights: 0,
            window_start: Duration::ZERO,
        }
    }

    /// Changes the budget; what is left of the bucket stays, as far as it fits the new one.
    pub(crate) fn set(&mut self, per_second: u32, burst: u32) {
        self.per_second = u64::from(per_second);
        self.capacity = u64::from(burst) * ONE;
        self.level = self.level.min(self.capacity);
    }

    /// Takes one barrage from the budget at `now`, the elapsed time of one clock. Never more than
    /// `per_second * seconds + burst` in any span of time.
    ///
    /// # Errors
    /// [`DropReason::OverBudget`] or [`DropReason::Unfair`]; nothing was taken.
    pub(crate) fn admit(&mut self, now: Duration, sender: &UserId, priority: Priority) -> Result<(), DropReason> {
        self.refill(now);
        self.turn_window(now);
        let admitted = self.admitted_of(sender, priority);
        let reserve = self.capacity / 10 * reserve_tenths(priority);
        let needed = |reserve: u64| (reserve + ONE).min(self.capacity).max(ONE);
        if self.level < needed(reserve) {
            return Err(DropReason::OverBudget);
        }
        if self.level < self.capacity / 100 * free_percent(priority) {
            if self.senders > 1 && !self.is_within_share(admitted, priority) {
                return Err(DropReason::Unfair);
            }
            if admitted > 0 && self.level < needed(reserve + self.capacity / 5) {
                return Err(DropReason::OverBudget);
            }
        }
        self.level -= ONE;
        self.count_admitted(sender);
        Ok(())
    }

    fn refill(&mut self, now: Duration) {
        let passed = u64::try_from(now.saturating_sub(self.refilled_at).as_nanos()).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(passed.saturating_mul(self.per_second)).min(self.capacity);
        self.refilled_at = self.refilled_at.max(now);
    }

    fn turn_window(&mut self, now: Duration) {
        let length = self.window_length();
        let age = now.saturating_sub(self.window_start);
        if age < length {
            return;
        }
        mem::swap(&mut self.window, &mut self.previous);
        self.window.clear();
        if age < length * 2 {
            self.window_start += length;
        } else {
            self.previous.clear();
            self.window_start = now;
        }
        self.senders = self.previous.seen.len() as u64;
        self.weights = self.previous.seen.values().map(|seen| seen.weight).sum();
    }

    fn window_length(&self) -> Duration {
        let one_each = (self.senders * ONE).checked_div(self.per_second).map_or(WINDOW_MAX, Duration::from_nanos);
        one_each.clamp(WINDOW_MIN, WINDOW_MAX)
    }

    /// Whether a sender that had so many may have one more, of this priority. Everyone may have one.
    fn is_within_share(&self, admitted: u32, priority: Priority) -> bool {
        let length = u64::try_from(self.window_length().as_nanos()).unwrap_or(u64::MAX);
        let budget = self.per_second.saturating_mul(length) / ONE;
        // Multiplied out rather than divided: a share of 1.9 must not become 1 for one priority and stay 1 for another.
        let (had, share) = (u64::from(admitted) + 1, budget.saturating_mul(weight(priority)));
        admitted == 0 || had.saturating_mul(self.weights) <= share
    }

    /// How many of this sender were admitted in this window; from now on it counts as seen.
    fn admitted_of(&mut self, sender: &UserId, priority: Priority) -> u32 {
        let is_new = !self.window.seen.contains_key(sender);
        if is_new && self.window.seen.len() >= SENDERS_MAX {
            return self.window.others.admitted;
        }
        let before = self.previous.seen.get(sender).map(|seen| seen.weight);
        let seen = self.window.seen.entry(sender.clone()).or_default();
        let weight = weight(priority).max(seen.weight);
        self.weights += weight.max(before.unwrap_or(0)) - seen.weight.max(before.unwrap_or(0));
        self.senders += u64::from(is_new && before.is_none());
        seen.weight = weight;
        seen.admitted
    }

    fn count_admitted(&mut self, sender: &UserId) {
        let seen = self.window.seen.get_mut(sender).unwrap_or(&mut self.window.others);
        seen.admitted = seen.admitted.saturating_add(1);
    }
}

impl Window {
    fn clear(&mut self) {
        let used = self.seen.len();
        self.seen.clear();
        self.others = Seen::default();
        if self.seen.capacity() > IDLE_CAPACITY_MAX && used < self.seen.capacity() / 8 {
            self.seen.shrink_to(used);
        }
    }
}

/// How much more of the budget a priority is worth than the lowest.
fn weight(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 1,
        Priority::Medium => 2,
        Priority::High => 4,
    }
}

/// How full the bucket must be, percent, for a priority to pass without a look at shares.
fn free_percent(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 90,
        Priority::Medium => 75,
        Priority::High => 60,
    }
}

/// Tenths of the bucket that a priority leaves to the higher ones.
fn reserve_tenths(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 4,
        Priority::Medium => 2,
        Priority::High => 0,
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn user(n: usize) -> UserId {
        UserId::trusted(&format!("u{n}"))
    }

    /// Runs 5 s in steps of 0.1 ms; `flooder` tries at each step, each of `others` `each` times per 103.7 ms, so that
    /// they fall on every part of a window. Returns admitted: of the flooder, of the others; and how many these tried.
    fn flood(budget: &mut BarrageBudget, others: u32, each: u32, priority: Priority) -> (u32, u32, u32) {
        let (mut flooder, mut honest, mut tried) = (0, 0, 0);
        for step in 0..50_000 {
            let now = MS * step / 10;
            flooder += u32::from(budget.admit(now, &user(0), priority).is_ok());
            for other in (1..=others).filter(|other| (step + other * 37).is_multiple_of(1037 / each)) {
                let admitted = budget.admit(now, &user(other as usize), priority).is_ok();
                // In the first windows the budget cannot know that there are others.
                if step >= 2000 {
                    tried += 1;
                    honest += u32::from(admitted);
                }
            }
        }
        (flooder, honest, tried)
    }

    /// Many senders, each of all three priorities in turn, at twice and twenty times what the room passes on.
    #[test]
    fn under_lasting_overload_a_higher_priority_passes_more() {
        for overload in [2_usize, 20] {
            let mut budget = BarrageBudget::new(1000, 1000);
            let (mut admitted, mut offered) = ([0_u32; 3], [0_u32; 3]);
            for step in 0..10_000 * overload {
                let now = Duration::from_millis(1) * u32::try_from(step / overload).unwrap();
                let priority = Priority::ALL[(step / 30 + step) % 3];
                let at = usize::from(priority.number()) - 1;
                offered[at] += 1;
                admitted[at] += u32::from(budget.admit(now, &user(step % 30), priority).is_ok());
            }
            let share = |at: usize| f64::from(admitted[at]) / f64::from(offered[at]);
            assert!(share(2) > 2.0 * share(1), "{overload} times: {admitted:?} of {offered:?}");
            assert!(share(1) >= 0.9 * share(0), "{overload} times: {admitted:?} of {offered:?}");
        }
    }

    #[test]
    fn a_flooder_does_not_silence_a_sender_of_one_barrage_per_window() {
        for (per_second, burst, others) in [(200, 50, 1), (200, 50, 10), (1000, 10, 1), (100, 100, 5), (50, 10, 2)] {
            for priority in Priority::ALL {
                let (flooder, honest, tried) = flood(&mut BarrageBudget::new(per_second, burst), others, 1, priority);
                assert_eq!(honest, tried, "{per_second}/s, burst {burst}, {others} others, {priority:?}");
                let left = (per_second * 5 + burst).saturating_sub(honest);
                assert!(flooder >= left * 7 / 10, "what the others leave is not wasted: {flooder} of {left}");
            }
        }
    }

    #[test]
    fn a_flooder_leaves_the_others_their_whole_share() {
        // 20 per window and six senders: three each.
        let (flooder, honest, tried) = flood(&mut BarrageBudget::new(200, 50), 5, 3, Priority::Low);
        assert!(honest * 100 >= tried * 98, "{honest} of {tried}");
        assert!(flooder >= 200, "{flooder}");
    }

    #[test]
    fn when_there_is_not_one_per_window_for_everyone_flooders_still_get_no_more_than_others() {
        // 20 flooders without pause and 40 who try every 100 ms share 10 per second: in windows of 100 ms the flooders take all.
        let mut budget = BarrageBudget::new(10, 10);
        let (mut flooders, mut honest) = (0, 0);
        for step in 0..60_000u32 {
            let now = MS * step;
            (0..20).for_each(|n| flooders += u32::from(budget.admit(now, &user(n), Priority::Low).is_ok()));
            for n in (20..60).filter(|n| (step + *n as u32 * 7).is_multiple_of(100)) {
                honest += u32::from(budget.admit(now, &user(n), Priority::Low).is_ok());
            }
        }
        assert!(honest >= flooders, "{honest} of 40 honest senders, {flooders} of 20 flooders");
    }

    #[test]
    fn a_sender_alone_has_the_budget_to_itself() {
        let mut budget = BarrageBudget::new(10, 10);
        let at_once = (0..100).filter(|_| budget.admit(Duration::ZERO, &user(0), Priority::High).is_ok()).count();
        assert_eq!(at_once, 8, "all but the fifth that is kept for whoever comes next");
        assert!(budget.admit(Duration::ZERO, &user(1), Priority::High).is_ok());
        let (admitted, _, _) = flood(&mut BarrageBudget::new(200, 50), 0, 1, Priority::Low);
        assert!((1000..=1050).contains(&admitted), "{admitted}");
    }

    #[test]
    fn what_low_leaves_medium_may_use_and_what_medium_leaves_high_may_use() {
        let mut budget = BarrageBudget::new(0, 100);
        let mut admitted =
            |priority, from: usize| (from..from + 100).filter(|n| budget.admit(Duration::ZERO, &user(*n), priority).is_ok()).count();
        assert_eq!(admitted(Priority::Low, 0), 60);
        assert_eq!(admitted(Priority::Medium, 100), 20);
        assert_eq!(admitted(Priority::Low, 200), 0);
        assert_eq!(admitted(Priority::High, 300), 20);
        assert_eq!(admitted(Priority::High, 400), 0);
    }

    #[test]
    fn at_overload_higher_priorities_get_the_larger_share() {
        let mut budget = BarrageBudget::new(100, 50);
        let mut admitted = [0u32; 3];
        for step in 0..30_000usize {
            // 3000 barrages per second, thirty times the budget, of 300 senders.
            let priority = Priority::ALL[step % 3];
            admitted[step % 3] += u32::from(budget.admit(MS * step as u32 / 3, &user(step % 300), priority).is_ok());
        }
        let [low, medium, high] = admitted;
        assert!(high >= medium && medium >= low, "{admitted:?}");
        assert!(low + medium + high >= 1000, "{admitted:?}");
    }

    #[test]
    fn the_smallest_budgets_admit_every_priority_and_none_admits_nothing() {
        for burst in 1..5 {
            for priority in Priority::ALL {
                assert!(BarrageBudget::new(1, burst).admit(MS, &user(0), priority).is_ok(), "{burst} {priority:?}");
            }
        }
        assert_eq!(BarrageBudget::new(10, 0).admit(MS, &user(0), Priority::High), Err(DropReason::OverBudget));
    }

    #[test]
    fn the_reason_says_whether_the_room_or_the_sender_is_over() {
        let mut budget = BarrageBudget::new(20, 100);
        assert!(budget.admit(Duration::ZERO, &user(1), Priority::Low).is_ok());
        while budget.level >= budget.capacity / 10 * 9 {
            assert!(budget.admit(Duration::ZERO, &user(0), Priority::Low).is_ok());
        }
        assert_eq!(budget.admit(Duration::ZERO, &user(0), Priority::Low), Err(DropReason::Unfair));
        assert!(budget.admit(Duration::ZERO, &user(2), Priority::Low).is_ok());
        for n in 3..100 {
            let _verdict = budget.admit(Duration::ZERO, &user(n), Priority::Low);
        }
        assert_eq!(budget.admit(Duration::ZERO, &user(100), Priority::Low), Err(DropReason::OverBudget));
    }

    #[test]
    fn senders_kept_in_memory_are_bounded_and_forgotten() {
        let mut budget = BarrageBudget::new(1_000_000, 1_000_000);
        for n in 0..3 * SENDERS_MAX {
            let _verdict = budget.admit(MS, &user(n), Priority::Low);
        }
        assert_eq!(budget.window.seen.len(), SENDERS_MAX);
        assert_eq!(budget.window.others.admitted as usize, 2 * SENDERS_MAX);
        for second in [60, 120, 180] {
            let _verdict = budget.admit(Duration::from_secs(second), &user(0), Priority::Low);
        }
        assert_eq!((budget.senders, budget.weights), (1, 1));
        assert!(budget.window.seen.capacity() + budget.previous.seen.capacity() <= 4 * IDLE_CAPACITY_MAX);
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        for (per_second, burst) in [(u32::MAX, u32::MAX), (u32::MAX, 1), (1, u32::MAX), (0, 0)] {
            let mut budget = BarrageBudget::new(per_second, burst);
            for now in [Duration::ZERO, Duration::MAX, MS, Duration::MAX] {
                for n in 0..5 {
                    let _verdict = budget.admit(now, &user(n % 2), Priority::Low);
                }
            }
        }
    }

    /// Steps of time in microseconds, sender, priority.
    fn arrivals() -> impl Strategy<Value = Vec<(u64, usize, usize)>> {
        prop::collection::vec((prop_oneof![Just(0u64), 0u64..2_000, 0u64..300_000], 0usize..8, 0usize..3), 0..400)
    }

    proptest! {
        #[test]
        fn never_admits_more_than_rate_and_burst_allow(per_second in 0u32..500, burst in 0u32..100, arrivals in arrivals()) {
            let mut budget = BarrageBudget::new(per_second, burst);
            let (mut now, mut admitted) = (0u64, Vec::new());
            for (step, sender, priority) in arrivals {
                now += step;
                if budget.admit(Duration::from_micros(now), &user(sender), Priority::ALL[priority]).is_ok() {
                    admitted.push(now);
                }
            }
            // In any span, not only from the beginning.
            for (first, from) in admitted.iter().enumerate().step_by(7) {
                for (last, to) in admitted.iter().enumerate().skip(first).step_by(3) {
                    let allowed = u64::from(per_second) * (to - from) / 1_000_000 + u64::from(burst);
                    prop_assert!((last - first + 1) as u64 <= allowed, "{} in {} us", last - first + 1, to - from);
                }
            }
        }

        #[test]
        fn what_a_priority_is_granted_a_higher_one_is_granted_too(burst in 1u32..100, arrivals in arrivals()) {
            let mut budget = BarrageBudget::new(50, burst);
            let mut now = Duration::ZERO;
            for (step, sender, priority) in arrivals {
                now += Duration::from_micros(step);
                let granted = Priority::ALL.map(|priority| budget.clone().admit(now, &user(sender), priority).is_ok());
                prop_assert!(granted.is_sorted(), "low, medium, high: {:?}", granted);
                let _verdict = budget.admit(now, &user(sender), Priority::ALL[priority]);
            }
        }

        #[test]
        fn under_budget_nothing_is_refused(senders in prop::collection::vec((0usize..8, 0usize..3, 0u64..20), 1..300), burst in 1u32..50) {
            // 100 per second, and never two within 10 ms.
            let mut budget = BarrageBudget::new(100, burst);
            let mut now = 0;
            for (sender, priority, pause) in senders {
                now += 10 + pause;
                let admitted = budget.admit(Duration::from_millis(now), &user(sender), Priority::ALL[priority]);
                prop_assert_eq!(admitted, Ok(()));
            }
        }
    }
}
