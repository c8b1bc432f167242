//! Which users follow whose presence, and when each last came or went.
//!
//! Shared by all user actors, each of which writes for its own user only. The users that someone follows are rows of
//! the store; here they stand while the follower is online, because only then it is told of anything. When a user came
//! or went is known as far as this process saw it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use crate::model::OnlineStatus;
use crate::model::{TwoGenerationMap, UserId};

/// Users whose last coming or going is remembered; each is some hundred bytes.
const SEEN_MAX: usize = 131_072;

/// A status, and since when, Unix milliseconds; 0 when that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) online: OnlineStatus,
    pub(crate) since_ms: u64,
}

#[derive(Debug)]
struct State {
    last: TwoGenerationMap<UserId, Status>,
    /// The followers of each user, and until when each follows, Unix milliseconds.
    followers: HashMap<UserId, HashMap<UserId, u64>>,
}

impl Default for State {
    fn default() -> Self {
        Self { last: TwoGenerationMap::new(SEEN_MAX), followers: HashMap::new() }
    }
}

/// One broker's table of statuses and followers.
#[derive(Debug, Default)]
pub(crate) struct StatusBoard(Mutex<State>);

impl StatusBoard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a user came or went; returns those who follow it now.
    pub(crate) fn note(&self, user: &UserId, status: Status) -> Vec<UserId> {
        let mut state = self.state();
        state.last.insert(user.clone(), status);
        let Some(followers) = state.followers.get_mut(user) else { return Vec::new() };
        followers.retain(|_, until_ms| *until_ms > status.since_ms);
        followers.keys().cloned().collect()
    }

    /// Returns the status of a user that was noted last.
    pub(crate) fn of(&self, user: &UserId) -> Status {
        let state = self.state();
        let seen = state.last.get(user).copied();
        seen.unwrap_or(Status { online: OnlineStatus::Offline, since_ms: 0 })
    }

    /// Makes a user follow others, until the given time each.
    pub(crate) fn follow(&self, me: &UserId, whom: &[(UserId, u64)]) {
        let mut state = self.state();
        for (user, until_ms) in whom {
            state.followers.entry(user.clone()).or_default().insert(me.clone(), *until_ms);
        }
    }

    /// Makes a user follow others no more.
    pub(crate) fn unfollow<'a>(&self, me: &UserId, whom: impl Iterator<Item = &'a UserId>) {
        let mut state = self.state();
        for user in whom {
            if let Some(followers) = state.followers.get_mut(user) {
                followers.remove(me);
                if followers.is_empty() {
                    state.followers.remove(user);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserId {
        UserId::trusted(&format!("u{n}"))
    }

    #[test]
    fn followers_hear_until_their_time_is_over_and_nothing_piles_up() {
        let board = StatusBoard::default();
        board.follow(&user(1), &[(user(9), 100)]);
        board.follow(&user(2), &[(user(9), 200), (user(8), 200)]);
        let status = |online, since_ms| Status { online, since_ms };
        let mut followers = board.note(&user(9), status(OnlineStatus::Online, 50));
        followers.sort();
        assert_eq!(followers, [user(1), user(2)]);
        assert_eq!(board.note(&user(9), status(OnlineStatus::Logout, 100)), [user(2)]);
        assert_eq!(board.of(&user(9)), status(OnlineStatus::Logout, 100));
        assert_eq!(board.of(&user(7)), status(OnlineStatus::Offline, 0));
        board.unfollow(&user(2), [user(9), user(8)].iter());
        assert!(board.state().followers.is_empty());
        (0..=SEEN_MAX).for_each(|n| drop(board.note(&user(n), status(OnlineStatus::Online, 1))));
        assert_eq!(board.of(&user(0)), status(OnlineStatus::Offline, 0), "the oldest are forgotten");
    }
}
