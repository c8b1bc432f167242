//! What is said once in a while of each of many things.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Things that are remembered at a time: strangers name them.
const NAMES_MAX: usize = 1024;

/// Says whether a thing was said within the last while. Bounded: beyond [`NAMES_MAX`] things nothing more is said until one of
/// them is old.
#[derive(Debug)]
pub(crate) struct OnceInAWhile {
    every: Duration,
    said: Mutex<HashMap<String, Duration>>,
}

impl OnceInAWhile {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, said: Mutex::default() }
    }

    /// Returns whether it is to be said now, and remembers that it was.
    pub(crate) fn is_due(&self, name: &str, now: Duration) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(name).is_some_and(|at| now.saturating_sub(*at) < self.every) {
            return false;
        }
        if said.len() >= NAMES_MAX {
            said.retain(|_, at| now.saturating_sub(*at) < self.every);
        }
        if said.len() >= NAMES_MAX && !said.contains_key(name) {
            return false;
        }
        said.insert(name.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_said_once_a_minute_and_no_more_than_so_many() {
        let once = OnceInAWhile::new(Duration::from_secs(60));
        let at = Duration::from_secs;
        assert!(once.is_due("a", at(10)) && !once.is_due("a", at(69)) && once.is_due("b", at(69)));
        assert!(once.is_due("a", at(70)) && !once.is_due("a", at(71)));
        for n in 2..NAMES_MAX {
            assert!(once.is_due(&n.to_string(), at(100)), "{n}");
        }
        assert!(!once.is_due("one more", at(100)));
        assert!(once.is_due("one more", at(130)), "what is old is forgotten");
    }
}
