//! Who sent barrages of one priority lately, and what each may have of them.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use super::ONE;
use crate::model::UserId;

/// Fairness is judged over this time, or longer when what the priority keeps has not one barrage for each sender.
const WINDOW_MIN: Duration = Duration::from_millis(100);
const WINDOW_MAX: Duration = Duration::from_secs(10);
/// Senders told apart per window; the others share one place.
pub(super) const SENDERS_MAX: usize = 4096;
/// A window's map that was larger than this gives its memory back when few used it.
pub(super) const IDLE_CAPACITY_MAX: usize = 64;

/// Who was seen in one window, and how many barrages of each were admitted.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub seen: HashMap<UserId, u32>,
    /// How many were admitted of all senders beyond [`SENDERS_MAX`].
    pub others: u32,
    /// How many were admitted of all.
    admitted: u64,
}

/// The senders of one priority, in this window and the one before.
///
/// A window is 100 ms, or as long as the priority's rate takes to pay one barrage for each sender (at most 10 s): with 20
/// barrages per 100 ms and 200 senders, twenty of them who try without pause would else take everything.
///
/// Memory: two windows of at most 4096 senders.
#[derive(Debug, Clone, Default)]
pub(super) struct Senders {
    pub window: Window,
    pub previous: Window,
    /// `None` before the first barrage.
    window_start: Option<Duration>,
    /// What the priority gets, tenths of barrages per second: what it keeps, or more if more was admitted in the window
    /// before.
    rate_tenths: u64,
    /// Senders in `window` or `previous`.
    pub count: u64,
}

impl Senders {
    /// Begins a new window if the present one is over. The priority keeps `kept_tenths` (tenths of barrages per second)
    /// of a budget of `per_second`; after a pause it is taken to get all of it, until a window has shown.
    pub(super) fn turn(&mut self, now: Duration, kept_tenths: u64, per_second: u64) {
        let length = self.window_length();
        let age = self.window_start.map(|start| now.saturating_sub(start));
        if age.is_some_and(|age| age < length) {
            return;
        }
        mem::swap(&mut self.window, &mut self.previous);
        self.window.clear();
        if let (Some(start), true) = (self.window_start, age.is_some_and(|age| age < length * 2)) {
            self.window_start = Some(start + length);
            self.rate_tenths = kept_tenths.max(tenths_per_second(self.previous.admitted, length));
        } else {
            self.previous.clear();
            self.window_start = Some(now);
            self.rate_tenths = per_second * 10;
        }
        self.count = self.previous.seen.len() as u64;
    }

    fn window_length(&self) -> Duration {
        let one_each = (self.count * ONE * 10).checked_div(self.rate_tenths).map_or(WINDOW_MAX, Duration::from_nanos);
        one_each.clamp(WINDOW_MIN, WINDOW_MAX)
    }

    /// Returns how many of this sender were admitted in this window; from now on it counts as seen.
    pub(super) fn admitted_of(&mut self, sender: &UserId) -> u32 {
        if let Some(admitted) = self.window.seen.get(sender) {
            return *admitted;
        }
        if self.window.seen.len() >= SENDERS_MAX {
            return self.window.others;
        }
        self.window.seen.insert(sender.clone(), 0);
        self.count += u64::from(!self.previous.seen.contains_key(sender));
        0
    }

    pub(super) fn count_admitted(&mut self, sender: &UserId) {
        let admitted = self.window.seen.get_mut(sender).unwrap_or(&mut self.window.others);
        *admitted = admitted.saturating_add(1);
        self.window.admitted += 1;
    }

    /// Returns which part of its share a sender had that was admitted so often in this window: 0 to [`ONE`], which is the
    /// whole share or more. The share is an equal part of what the priority gets in a window, or got in this one already.
    pub(super) fn used_share(&self, admitted: u32) -> u64 {
        if admitted == 0 {
            return 0;
        }
        let expected = u128::from(self.rate_tenths) * self.window_length().as_nanos() / 10;
        let expected = expected.max(u128::from(self.window.admitted) * u128::from(ONE));
        let used = u128::from(admitted) * u128::from(self.count) * u128::from(ONE);
        if used >= expected { ONE } else { u64::try_from(used * u128::from(ONE) / expected).unwrap_or(ONE) }
    }
}

/// Returns the rate of so many in so long.
fn tenths_per_second(admitted: u64, length: Duration) -> u64 {
    u64::try_from(u128::from(admitted) * u128::from(ONE) * 10 / length.as_nanos()).unwrap_or(u64::MAX)
}

impl Window {
    fn clear(&mut self) {
        let used = self.seen.len();
        self.seen.clear();
        (self.others, self.admitted) = (0, 0);
        if self.seen.capacity() > IDLE_CAPACITY_MAX && used < self.seen.capacity() / 8 {
            self.seen.shrink_to(used);
        }
    }
}
