//! Which barrages a room admits. Pure: time is passed in, nothing is read from outside.

mod senders;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]
mod tests;

use std::cell::LazyCell;
use std::ops::Deref;
use std::time::Duration;

use crate::model::{Priority, UserId};
use crate::rate::DropReason;

use senders::Senders;

/// One barrage in a bucket's units. A budget gains `per_second` units each nanosecond, so refilling is exact.
const ONE: u64 = 1_000_000_000;

/// What is left of one part of the budget.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    level: u64,
    capacity: u64,
}

/// What a room's budget knows of one priority.
#[derive(Debug, Clone, Default)]
struct Class {
    /// What higher priorities cannot take: nothing for the highest.
    kept: Bucket,
    senders: Senders,
}

/// A room's budget of barrages.
///
/// It gains `per_second` and holds `burst`; each admitted barrage takes one. Low and medium priority each keep a tenth
/// of both, so that none is silenced; what they do not use of it goes to the others. The rest is in common and goes
/// by **strict priority**: low leaves 40 % of it, medium 20 %, high nothing. So at any lasting overload the common part
/// settles where the highest priority that wants more than there is gets what is left, those above it get all they want, and
/// those below it what they keep.
///
/// Within a priority it goes **fairly between senders**. In the fifth above what a priority leaves, a sender must leave
/// the more, the more of its share it had in this window: nothing when it had none yet, the whole fifth when it had all.
/// So a flooder does not silence the others, and gets what they leave. Of what a priority keeps the same holds, over all
/// of it. A share is an equal part of what the priority gets: see [`Senders::used_share`].
///
/// A budget of less than four at once is too small to be parted: all of it is in common.
#[derive(Debug, Clone)]
pub(crate) struct BarrageBudget {
    per_second: u64,
    refilled_at: Duration,
    common: Bucket,
    /// By priority as in [`Priority::ALL`]: low, medium, high.
    classes: [Class; 3],
}

impl BarrageBudget {
    /// Returns a full budget. A `burst` of 0 admits nothing; a `per_second` of 0 nothing after the burst.
    #[must_use]
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let mut budget = Self { per_second: 0, refilled_at: Duration::ZERO, common: Bucket::default(), classes: Default::default() };
        budget.set(per_second, burst);
        budget.fill(u64::MAX);
        budget
    }

    /// Changes the budget; what is left of each part stays, as far as it fits the new one.
    pub(crate) fn set(&mut self, per_second: u32, burst: u32) {
        let kept = (burst / 10).max((burst / 4).min(1));
        self.per_second = u64::from(per_second);
        for (priority, class) in Priority::ALL.iter().zip(&mut self.classes) {
            class.kept.resize(if *priority == Priority::High { 0 } else { kept });
        }
        self.common.resize(burst - 2 * kept);
    }

    /// Takes one barrage from the budget at `now`, the elapsed time of one clock. Never more than
    /// `per_second * seconds + burst` in any span of time.
    ///
    /// # Errors
    /// [`DropReason::OverBudget`] or [`DropReason::Unfair`]; nothing was taken.
    pub(crate) fn admit(&mut self, now: Duration, sender: &UserId, priority: Priority) -> Result<(), DropReason> {
        self.refill(now);
        let class = &mut self.classes[rank(priority)];
        class.senders.turn(now, self.per_second * kept_tenths(priority), self.per_second);
        let admitted = class.senders.admitted_of(sender);
        // Only a budget that gets short asks for it, and then perhaps for each of its parts.
        let used = LazyCell::new(|| class.senders.used_share(admitted));
        let band = self.common.band();
        // A single barrage is kept for whoever had none: a flooder would find it each time.
        let may_take_kept = admitted == 0 || class.kept.capacity > ONE;
        let from_common = self.common.take(band * bands_left(priority), band, &used);
        if from_common.is_ok() || (may_take_kept && class.kept.take(0, class.kept.capacity, &used).is_ok()) {
            class.senders.count_admitted(sender);
            return Ok(());
        }
        match from_common {
            Err(Short::ForThisSender) if class.senders.count > 1 && *used == ONE => Err(DropReason::Unfair),
            _ => Err(DropReason::OverBudget),
        }
    }

    fn refill(&mut self, now: Duration) {
        let passed = u64::try_from(now.saturating_sub(self.refilled_at).as_nanos()).unwrap_or(u64::MAX);
        self.refilled_at = self.refilled_at.max(now);
        self.fill(passed.saturating_mul(self.per_second));
    }

    /// Adds so many units: a tenth to each part that is kept, as far as it has room, the rest to the common part.
    fn fill(&mut self, units: u64) {
        let mut rest = units;
        for class in &mut self.classes {
            rest -= class.kept.add(units / 10);
        }
        self.common.add(rest);
    }
}

/// Why a bucket does not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Short {
    /// It has nothing for anybody.
    ForAll,
    /// It has something for a sender that had less of its share.
    ForThisSender,
}

impl Bucket {
    fn resize(&mut self, barrages: u32) {
        self.capacity = u64::from(barrages) * ONE;
        self.level = self.level.min(self.capacity);
    }

    /// Adds up to so many units; returns how many had room.
    fn add(&mut self, units: u64) -> u64 {
        let added = units.min(self.capacity - self.level);
        self.level += added;
        added
    }

    /// Returns what stands between one priority and the next: a fifth, or as near to three barrages
    /// as a small bucket allows, of which the highest line is that of one barrage below full.
    fn band(self) -> u64 {
        (self.capacity / 5).max((3 * ONE).min(self.capacity.saturating_sub(ONE) / 3))
    }

    /// Takes one barrage and leaves `reserve`, and of the `band` above it all for a sender that had its share, up to half
    /// but at least two barrages for a sender that had part of it, nothing for one that had none (`used` of [`ONE`]; asked
    /// only where it decides). A full bucket pays always.
    fn take(&mut self, reserve: u64, band: u64, used: &impl Deref<Target = u64>) -> Result<(), Short> {
        let needed = |left: u64| (left.saturating_add(ONE)).min(self.capacity).max(ONE);
        if self.level < needed(reserve) {
            return Err(Short::ForAll);
        }
        if self.level < needed(reserve + band) {
            let part = match **used {
                0 => 0,
                ONE => band,
                used => u64::try_from(u128::from(band / 2) * u128::from(used) / u128::from(ONE)).unwrap_or(band).max(band.min(2 * ONE)),
            };
            if self.level < needed(reserve + part) {
                return Err(Short::ForThisSender);
            }
        }
        self.level -= ONE;
        Ok(())
    }
}

/// Returns the place of a priority in [`Priority::ALL`].
fn rank(priority: Priority) -> usize {
    match priority {
        Priority::Low => 0,
        Priority::Medium => 1,
        Priority::High => 2,
    }
}

/// Tenths of the budget that a priority has whatever the others want.
fn kept_tenths(priority: Priority) -> u64 {
    match priority {
        Priority::Low | Priority::Medium => 1,
        Priority::High => 8,
    }
}

/// Bands of the common part that a priority leaves to the higher ones.
fn bands_left(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 2,
        Priority::Medium => 1,
        Priority::High => 0,
    }
}
