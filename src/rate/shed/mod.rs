//! Which barrages a room admits. Pure: time is passed in, nothing is read from outside.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use crate::model::{Priority, UserId};
use crate::rate::DropReason;

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
struct SenderUse {
    /// The weight of the highest priority it wished for.
    weight: u64,
    /// How many were admitted, of whatever priority.
    admitted: u32,
}

/// Who was seen in a window, and how many barrages of each were admitted.
#[derive(Debug, Clone, Default)]
struct Window {
    seen: HashMap<UserId, SenderUse>,
    /// All senders beyond [`SENDERS_MAX`].
    others: SenderUse,
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
/// Memory: two windows of at most 4096 senders.
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
    /// Returns a full bucket. A `burst` of 0 admits nothing; a `per_second` of 0 nothing after the burst.
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

    /// Returns whether a sender that had so many may have one more, of this priority. Everyone may have one.
    fn is_within_share(&self, admitted: u32, priority: Priority) -> bool {
        let length = u64::try_from(self.window_length().as_nanos()).unwrap_or(u64::MAX);
        let budget = self.per_second.saturating_mul(length) / ONE;
        // Multiplied out rather than divided: a share of 1.9 must not become 1 for one priority and stay 1 for another.
        let (had, share) = (u64::from(admitted) + 1, budget.saturating_mul(weight(priority)));
        admitted == 0 || had.saturating_mul(self.weights) <= share
    }

    /// Returns how many of this sender were admitted in this window; from now on it counts as seen.
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
        self.others = SenderUse::default();
        if self.seen.capacity() > IDLE_CAPACITY_MAX && used < self.seen.capacity() / 8 {
            self.seen.shrink_to(used);
        }
    }
}

/// Returns how much more of the budget a priority is worth than the lowest.
fn weight(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 1,
        Priority::Medium => 2,
        Priority::High => 4,
    }
}

/// Returns how full the bucket must be, percent, for a priority to pass without a look at shares.
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
mod tests;
