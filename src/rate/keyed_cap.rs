//! At most so many within a second, per name. Names come and go: those of the past are forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::RetryAfter;

const WINDOW: Duration = Duration::from_secs(1);

/// Calls within the last second, by name. Holds the names of about two seconds.
#[derive(Debug, Default)]
pub(crate) struct KeyedCap(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    by_name: HashMap<String, VecDeque<Duration>>,
    swept: Duration,
}

impl KeyedCap {
    /// Takes one for `name` at `now`, when fewer than `max` were taken within the second before.
    ///
    /// # Errors
    /// [`RetryAfter`] when not; nothing was taken.
    pub(crate) fn check(&self, name: &str, now: Duration, max: usize) -> Result<(), RetryAfter> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Taken { by_name, swept } = &mut *taken;
        if *swept + WINDOW <= now {
            by_name.retain(|_, times| times.back().is_some_and(|at| *at + WINDOW > now));
            *swept = now;
        }
        let times = by_name.entry(name.to_owned()).or_default();
        while times.front().is_some_and(|at| *at + WINDOW <= now) {
            times.pop_front();
        }
        if times.len() < max {
            times.push_back(now);
            return Ok(());
        }
        Err(RetryAfter::of(times.front().map_or(WINDOW, |at| (*at + WINDOW).saturating_sub(now))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_cap_and_old_names_are_forgotten() {
        let cap = KeyedCap::default();
        let at = Duration::from_millis;
        assert!(cap.check("a", at(0), 2).is_ok() && cap.check("a", at(900), 2).is_ok());
        assert_eq!(cap.check("a", at(900), 2), Err(RetryAfter { ms: 100 }));
        assert!(cap.check("b", at(900), 2).is_ok());
        assert!(cap.check("a", at(1_000), 2).is_ok() && cap.check("a", at(1_000), 2).is_err());
        assert!(cap.check("c", at(5_000), 1).is_ok());
        assert_eq!(cap.0.lock().unwrap().by_name.len(), 1);
    }
}
