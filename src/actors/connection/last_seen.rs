//! The commits up to which users had everything when their last sessions ended: for a login without a cursor.
//!
//! In memory only, and bounded: a user who left before the process began, or too many others ago, starts at the
//! present. A row per coming and going would be the most frequent write to the store's permanent part, for something
//! that history and cursors keep anyway.

use std::sync::{Mutex, PoisonError};

use crate::model::{TwoGenerationMap, UserId};

/// The most users remembered; each is some hundred bytes.
const USERS_MAX: usize = 131_072;

/// One broker's record of them.
#[derive(Debug)]
pub(crate) struct LastSeen(Mutex<TwoGenerationMap<UserId, u64>>);

impl Default for LastSeen {
    fn default() -> Self {
        Self(Mutex::new(TwoGenerationMap::new(USERS_MAX)))
    }
}

impl LastSeen {
    /// Notes that a user's last session ended when it had everything up to `commit`.
    pub(crate) fn note(&self, user: &UserId, commit: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(user.clone(), commit);
    }

    /// Returns the commit that was noted last.
    pub(crate) fn of(&self, user: &UserId) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(user).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_counts_and_the_oldest_are_forgotten() {
        let last_seen = LastSeen::default();
        let user = |n: usize| UserId::trusted(&format!("u{n}"));
        last_seen.note(&user(0), 1);
        last_seen.note(&user(0), 2);
        assert_eq!(last_seen.of(&user(0)), Some(2));
        (1..=USERS_MAX).for_each(|n| last_seen.note(&user(n), 3));
        assert_eq!((last_seen.of(&user(0)), last_seen.of(&user(USERS_MAX))), (None, Some(3)));
    }
}
