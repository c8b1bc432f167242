//! Where users were in the store's order when their last sessions ended: for a login without a cursor.
//!
//! In memory only, and bounded: who left before the process began, or too many others ago, starts at now. A row per
//! coming and going would be the most frequent write to the store's permanent part, for something that history and
//! cursors keep anyway.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use crate::model::UserId;

/// Users remembered at most; each is some hundred bytes.
const USERS_MAX: usize = 131_072;

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<UserId, u64>,
    older: HashMap<UserId, u64>,
}

/// One broker's memory of them. When the newer half is full, the older one is forgotten whole.
#[derive(Debug, Default)]
pub(crate) struct LastSeen(Mutex<Halves>);

impl LastSeen {
    /// A user's last session ended when it had everything up to `commit`.
    pub(crate) fn note(&self, user: &UserId, commit: u64) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.newer.len() >= USERS_MAX / 2 && !halves.newer.contains_key(user) {
            halves.older = mem::take(&mut halves.newer);
        }
        halves.newer.insert(user.clone(), commit);
    }

    /// What was noted last.
    pub(crate) fn of(&self, user: &UserId) -> Option<u64> {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.newer.get(user).or_else(|| halves.older.get(user)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_counts_and_the_oldest_are_forgotten() {
        let left = LastSeen::default();
        let user = |n: usize| UserId::trusted(&format!("u{n}"));
        left.note(&user(0), 1);
        left.note(&user(0), 2);
        assert_eq!(left.of(&user(0)), Some(2));
        (1..=USERS_MAX).for_each(|n| left.note(&user(n), 3));
        assert_eq!((left.of(&user(0)), left.of(&user(USERS_MAX))), (None, Some(3)));
        let halves = left.0.lock().unwrap();
        assert!(halves.newer.len() + halves.older.len() <= USERS_MAX);
    }
}
