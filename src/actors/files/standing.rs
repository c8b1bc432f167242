//! Who was put out while its tokens live on: files are asked for beside the session, so that its end alone ends nothing here.
//!
//! Kept in memory: what must last, a ban, stands in the user's row. After a restart a token of a session that was put out is good
//! again until it ends, `media.token_seconds` at most.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::auth::MediaClaims;
use crate::model::{Refusal, SessionId, UserId};

/// Users and sessions of which is known that they were put out. Beyond, the one put out first is forgotten.
const KNOWN_MAX: usize = 65_536;

/// What a user showed to be let in.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// The token that a session was given for files.
    OfSession(MediaClaims),
    /// Its own token, with which it could log in.
    OfUser,
}

#[derive(Debug, Clone, Copy)]
struct PutOut {
    at_ms: u64,
    /// It has not logged in since.
    is_out: bool,
}

#[derive(Debug, Default)]
struct Known {
    users: HashMap<UserId, PutOut>,
    sessions: HashMap<SessionId, PutOut>,
}

/// Users and sessions that were put out.
#[derive(Debug)]
pub(crate) struct Standing {
    known: Mutex<Known>,
    /// How often that changed.
    changes: watch::Sender<u64>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { known: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Standing {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a user out until it logs in again: none of its tokens is good until then, and those for files never again.
    pub(in crate::actors) fn put_out(&self, user: &UserId, now_ms: u64) {
        note(&mut self.known().users, user, now_ms);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Puts one session of a user out.
    pub(in crate::actors) fn put_out_session(&self, session: &SessionId, now_ms: u64) {
        note(&mut self.known().sessions, session, now_ms);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Notes that a user logged in.
    pub(in crate::actors) fn let_in(&self, user: &UserId) {
        if let Some(put_out) = self.known().users.get_mut(user) {
            put_out.is_out = false;
        }
    }

    /// Returns the moment that a token issued now says, Unix milliseconds: after the user was put out last.
    pub(in crate::actors) fn issue_ms(&self, user: &UserId, now_ms: u64) -> u64 {
        self.known().users.get(user).map_or(now_ms, |put_out| now_ms.max(put_out.at_ms + 1))
    }

    /// # Errors
    /// [`Refusal::TokenInvalid`]: the user or the session was put out.
    pub(crate) fn check(&self, user: &UserId, proof: &Proof) -> Result<(), Refusal> {
        let known = self.known();
        let is_old = |put_out: &PutOut| matches!(proof, Proof::OfSession(claims) if claims.issued_ms <= put_out.at_ms);
        let is_out = known.users.get(user).is_some_and(|put_out| put_out.is_out || is_old(put_out));
        let is_session_out = matches!(proof, Proof::OfSession(claims) if known.sessions.contains_key(&claims.session));
        if is_out || is_session_out { Err(Refusal::TokenInvalid) } else { Ok(()) }
    }

    /// Tells when somebody is put out.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Forgets whose tokens for files have all ended, and who may log in and did.
    pub(in crate::actors) fn forget(&self, now_ms: u64, token_seconds: u64) {
        let has_ended = |put_out: &PutOut| now_ms.saturating_sub(put_out.at_ms) > token_seconds * 1000;
        let mut known = self.known();
        known.users.retain(|_, put_out| put_out.is_out || !has_ended(put_out));
        known.sessions.retain(|_, put_out| !has_ended(put_out));
    }
}

fn note<K: Hash + Eq + Clone>(known: &mut HashMap<K, PutOut>, who: &K, at_ms: u64) {
    if known.len() >= KNOWN_MAX
        && !known.contains_key(who)
        && let Some(oldest) = known.iter().min_by_key(|(_, put_out)| put_out.at_ms).map(|(who, _)| who.clone())
    {
        known.remove(&oldest);
    }
    known.insert(who.clone(), PutOut { at_ms, is_out: true });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_session(session: &str, issued_ms: u64) -> Proof {
        let (user, session) = (UserId::trusted("alice"), SessionId::trusted(session));
        Proof::OfSession(MediaClaims { user, session, issued_ms, expires_at_ms: u64::MAX })
    }

    #[test]
    fn who_was_put_out_has_nothing_until_it_logs_in_and_old_tokens_never_again() {
        let (standing, alice) = (Standing::default(), UserId::trusted("alice"));
        let may = |proof: &Proof| standing.check(&alice, proof).is_ok();
        let (old, user) = (of_session("s1", 1000), Proof::OfUser);
        assert!(may(&old) && may(&user));
        let mut changes = standing.changes();
        standing.put_out(&alice, 1000);
        assert!(changes.has_changed().unwrap() && *changes.borrow_and_update() == 1);
        assert!(!may(&old) && !may(&user) && standing.check(&UserId::trusted("bob"), &user).is_ok());
        standing.let_in(&alice);
        // Within the same millisecond, too.
        let new = of_session("s2", standing.issue_ms(&alice, 1000));
        assert!(!may(&old) && may(&user) && may(&new));
        standing.put_out_session(&SessionId::trusted("s2"), 2000);
        assert!(!may(&new) && may(&user));
        standing.forget(61_000, 60);
        assert!(!may(&old));
        standing.forget(63_000, 60);
        assert!(may(&old), "it has ended by now");
    }

    #[test]
    fn no_more_are_known_than_may_be() {
        let standing = Standing::default();
        for n in 0..=KNOWN_MAX as u64 {
            note(&mut standing.known().sessions, &SessionId::trusted(&format!("s{n}")), n);
        }
        assert_eq!(standing.known().sessions.len(), KNOWN_MAX);
        assert!(!standing.known().sessions.contains_key(&SessionId::trusted("s0")));
    }
}
