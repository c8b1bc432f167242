//! Quotas of backends: calls per key, and broadcasts by all of them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;

use super::send_gate::{GateClock, governor_quota};
use super::{GateQuota, RetryAfter};
use crate::clock::Clock;

type Limiter = RateLimiter<String, DashMapStateStore<String>, GateClock, NoOpMiddleware<Nanos>>;

/// Calls per name. Bounded by the number of names, which the operator gives out.
pub(crate) struct CallGate {
    limiter: ArcSwap<(GateQuota, Limiter)>,
    clock: Arc<dyn Clock>,
}

impl CallGate {
    pub(crate) fn new(quota: GateQuota, clock: Arc<dyn Clock>) -> Self {
        Self { limiter: ArcSwap::from_pointee((quota, limiter(quota, &clock))), clock }
    }

    /// Changes the quota. When it differs everyone begins with a full bucket.
    pub(crate) fn set(&self, quota: GateQuota) {
        if self.limiter.load().0 != quota {
            self.limiter.store(Arc::new((quota, limiter(quota, &self.clock))));
        }
    }

    /// Takes one call from the quota.
    ///
    /// # Errors
    /// [`RetryAfter`] when it is used up; nothing was taken.
    pub(crate) fn check(&self, name: &str) -> Result<(), RetryAfter> {
        let checked = self.limiter.load().1.check_key(&name.to_owned());
        checked.map_err(|refused| RetryAfter::of(refused.wait_time_from(GateClock::new(self.clock.clone()).now())))
    }
}

fn limiter(quota: GateQuota, clock: &Arc<dyn Clock>) -> Limiter {
    RateLimiter::new(governor_quota(quota), DashMapStateStore::default(), GateClock::new(clock.clone()))
}

impl fmt::Debug for CallGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallGate").field("names", &self.limiter.load().1.len()).finish_non_exhaustive()
    }
}

/// At most so many within any window of time: counted, not spread, so that a day's worth never exceeds a day's limit.
#[derive(Debug)]
pub(crate) struct RollingCap {
    window: Duration,
    taken: Mutex<VecDeque<Duration>>,
}

impl RollingCap {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, taken: Mutex::default() }
    }

    /// Takes one at `now`, when fewer than `max` were taken within the window.
    ///
    /// # Errors
    /// [`RetryAfter`] when not; nothing was taken.
    pub(crate) fn check(&self, now: Duration, max: usize) -> Result<(), RetryAfter> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|at| *at + self.window <= now) {
            taken.pop_front();
        }
        if taken.len() < max {
            taken.push_back(now);
            return Ok(());
        }
        // The limit may have been lowered since: the one that makes room is not always the oldest.
        let frees = taken.len().checked_sub(max.max(1)).and_then(|n| taken.get(n)).map_or(self.window, |at| *at + self.window - now);
        Err(RetryAfter::of(frees))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn each_name_has_its_own_quota() {
        let clock = Arc::new(ManualClock::at(0));
        let gate = CallGate::new(GateQuota::per_second(2, 3), clock.clone());
        assert_eq!((0..10).take_while(|_| gate.check("one").is_ok()).count(), 3);
        assert_eq!(gate.check("one"), Err(RetryAfter { ms: 500 }));
        assert!(gate.check("two").is_ok());
        clock.advance(Duration::from_millis(500));
        assert!(gate.check("one").is_ok() && gate.check("one").is_err());
        gate.set(GateQuota::per_second(2, 3));
        assert!(gate.check("one").is_err(), "the same quota");
        gate.set(GateQuota::per_second(2, 2));
        assert_eq!((0..10).take_while(|_| gate.check("one").is_ok()).count(), 2);
    }

    #[test]
    fn no_window_holds_more_than_the_cap() {
        let cap = RollingCap::new(Duration::from_secs(10));
        let at = Duration::from_secs;
        assert!(cap.check(at(0), 2).is_ok() && cap.check(at(9), 2).is_ok());
        assert_eq!(cap.check(at(9), 2), Err(RetryAfter { ms: 1_000 }));
        assert!(cap.check(at(10), 2).is_ok());
        assert_eq!(cap.check(at(10), 2), Err(RetryAfter { ms: 9_000 }));
        assert_eq!(cap.check(at(10), 1), Err(RetryAfter { ms: 10_000 }), "lowered: the newest must go, too");
    }
}
