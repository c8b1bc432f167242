//! Tokens in the URLs of files: short-lived, for one session of one user, good for nothing else.

use std::fmt;
use std::sync::Arc;

use super::claims::check_times;
use super::jwt::Hs256;
use super::{Secret, SecretError};
use crate::clock::Clock;
use crate::model::{Limits, Refusal, SessionId, UserId};

/// Keeps keys of one secret apart by what they are for.
const PURPOSE: &[u8] = b"tidings media token 2";

/// What a good one proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaClaims {
    /// Whose token it is.
    pub user: UserId,
    /// The session that it was given to.
    pub session: SessionId,
    /// When that was, Unix milliseconds.
    pub issued_ms: u64,
    /// When it ends, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// Makes and checks them, with a key of its own: a user's token is none of these, and none of these is a user's token.
#[derive(Clone)]
pub struct MediaTokens {
    hs256: Hs256,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for MediaTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaTokens").finish_non_exhaustive()
    }
}

impl MediaTokens {
    pub(super) fn derived(of: &Hs256, clock: Arc<dyn Clock>) -> Self {
        Self { hs256: of.derive(PURPOSE), clock }
    }

    /// Makes tokens with a key for this process alone: for a host that recognises users itself.
    ///
    /// # Errors
    /// [`SecretError::Random`].
    pub fn random(clock: Arc<dyn Clock>) -> Result<Self, SecretError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| SecretError::Random(error.to_string()))?;
        Ok(Self { hs256: Hs256::new(&Secret::from_bytes(key)), clock })
    }

    /// Issues a token.
    #[must_use]
    pub fn issue(&self, claims: &MediaClaims) -> String {
        let MediaClaims { user, session, issued_ms, expires_at_ms } = claims;
        self.hs256.issue(&format!("{issued_ms} {session} {user}"), issued_ms / 1000, expires_at_ms / 1000)
    }

    /// Returns whose it is, and which session's.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`].
    pub fn identify(&self, token: &str, limits: &Limits) -> Result<MediaClaims, Refusal> {
        let opened = self.hs256.open(token).ok_or(Refusal::TokenInvalid)?;
        let mut parts = opened.user.splitn(3, ' ');
        let (Some(issued), Some(session), Some(user)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Refusal::TokenInvalid);
        };
        let issued_ms = issued.parse().map_err(|_| Refusal::TokenInvalid)?;
        let user = UserId::parse("userID", user, limits).map_err(|_| Refusal::TokenInvalid)?;
        let session = SessionId::trusted(session);
        let claims = check_times(&opened, user, self.clock.wall_ms())?;
        Ok(MediaClaims { user: claims.user, session, issued_ms, expires_at_ms: claims.expires_at_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn it_is_good_for_its_user_until_it_ends_and_under_no_other_key() {
        let clock = Arc::new(ManualClock::at(1_000_000_000));
        let tokens = MediaTokens::derived(&Hs256::new(&Secret::from_bytes(*b"0123456789abcdef")), clock.clone());
        let (alice, limits) = (UserId::trusted("alice"), Limits::default());
        let claims = MediaClaims { user: alice, session: SessionId::trusted("s1"), issued_ms: 1_000_000_001, expires_at_ms: 1_000_060_000 };
        let token = tokens.issue(&claims);
        assert_eq!(tokens.identify(&token, &limits).unwrap(), claims);
        let other = MediaTokens::random(clock.clone()).unwrap();
        assert_eq!(other.identify(&token, &limits).unwrap_err(), Refusal::TokenInvalid);
        assert_eq!(tokens.identify(&token[1..], &limits).unwrap_err(), Refusal::TokenInvalid);
        clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(tokens.identify(&token, &limits).unwrap_err(), Refusal::TokenExpired);
    }
}
