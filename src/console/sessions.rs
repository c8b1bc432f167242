//! Who is signed in to the console. Kept in memory, by the hash of what the browser holds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::file::hash;
use super::random::{RandomError, random_text};

/// Sessions at a time; the one that was not used for longest ends for one more. Our choice: a few people, a few browsers.
const SESSIONS_MAX: usize = 32;

/// What names a session here: the hash of its id.
pub(crate) type SessionKey = [u8; 32];

/// What a browser is given when it signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    /// For the cookie.
    pub(crate) id: String,
    /// For the page, which sends it with whatever is not only read.
    pub(crate) csrf: String,
}

/// A session that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveSession {
    pub(crate) key: SessionKey,
    pub(crate) csrf: String,
}

/// How long a session may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasts {
    pub(super) idle: Duration,
    pub(super) in_all: Duration,
}

#[derive(Debug)]
struct Session {
    csrf: String,
    began: Duration,
    used: Duration,
}

impl Session {
    fn holds(&self, now: Duration, lasts: Lasts) -> bool {
        now < self.used + lasts.idle && now < self.began + lasts.in_all
    }
}

/// Every session.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<SessionKey, Session>>);

impl Sessions {
    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, now: Duration, lasts: Lasts) -> Result<Opened, RandomError> {
        let opened = Opened { id: random_text()?, csrf: random_text()? };
        let mut sessions = self.locked();
        sessions.retain(|_, session| session.holds(now, lasts));
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(hash(&opened.id), Session { csrf: opened.csrf.clone(), began: now, used: now });
        Ok(opened)
    }

    /// Returns the session of this id, if it holds; it counts as used.
    pub(super) fn find(&self, id: &str, now: Duration, lasts: Lasts) -> Option<LiveSession> {
        let key = hash(id);
        let mut sessions = self.locked();
        match sessions.get_mut(&key) {
            Some(session) if session.holds(now, lasts) => {
                session.used = now;
                Some(LiveSession { key, csrf: session.csrf.clone() })
            }
            Some(_) => {
                sessions.remove(&key);
                None
            }
            None => None,
        }
    }

    /// Returns whether it holds; it does not count as used.
    pub(super) fn holds(&self, key: &SessionKey, now: Duration, lasts: Lasts) -> bool {
        self.locked().get(key).is_some_and(|session| session.holds(now, lasts))
    }

    pub(super) fn close(&self, key: &SessionKey) {
        self.locked().remove(key);
    }

    pub(super) fn close_all(&self) {
        self.locked().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Lasts = Lasts { idle: Duration::from_secs(10), in_all: Duration::from_secs(25) };
    const AT: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_last_in_any_case() {
        let sessions = Sessions::default();
        let one = sessions.open(AT(0), LASTS).unwrap();
        let key = sessions.find(&one.id, AT(9), LASTS).unwrap().key;
        assert!(sessions.holds(&key, AT(18), LASTS), "used at 9");
        assert!(sessions.find(&one.id, AT(18), LASTS).is_some() && sessions.find(&one.id, AT(24), LASTS).is_some());
        assert_eq!(sessions.find(&one.id, AT(25), LASTS), None, "in all");
        let two = sessions.open(AT(30), LASTS).unwrap();
        assert_eq!(sessions.find(&two.id, AT(40), LASTS), None, "idle");
        assert_ne!(one.id, two.id);
    }

    #[test]
    fn looking_whether_it_holds_is_no_use() {
        let sessions = Sessions::default();
        let one = sessions.open(AT(0), LASTS).unwrap();
        assert!(sessions.holds(&hash(&one.id), AT(9), LASTS));
        assert!(!sessions.holds(&hash(&one.id), AT(10), LASTS));
    }

    #[test]
    fn the_least_used_gives_way() {
        let sessions = Sessions::default();
        let first = sessions.open(AT(0), LASTS).unwrap();
        let second = sessions.open(AT(0), LASTS).unwrap();
        assert!(sessions.find(&first.id, AT(1), LASTS).is_some());
        for _ in 2..=SESSIONS_MAX {
            sessions.open(AT(1), LASTS).unwrap();
        }
        assert_eq!(sessions.find(&second.id, AT(2), LASTS), None);
        assert!(sessions.find(&first.id, AT(2), LASTS).is_some());
    }
}
