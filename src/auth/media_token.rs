//! Tokens in the URLs of files: short-lived, for one user, good for nothing else.

use std::fmt;
use std::sync::Arc;

use super::claims::{Claims, check_times};
use super::jwt::Hs256;
use super::{Secret, SecretError};
use crate::clock::Clock;
use crate::model::{Limits, Refusal, UserId};

/// Keeps keys of one secret apart by what they are for.
const PURPOSE: &[u8] = b"tidings media token 1";

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

    /// Issues a token for `user` that ends at `expires_at_ms` (Unix milliseconds).
    #[must_use]
    pub fn issue(&self, user: &UserId, expires_at_ms: u64) -> String {
        self.hs256.issue(user.as_str(), self.clock.wall_ms() / 1000, expires_at_ms / 1000)
    }

    /// Returns whose it is.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`].
    pub fn identify(&self, token: &str, limits: &Limits) -> Result<Claims, Refusal> {
        let opened = self.hs256.open(token).ok_or(Refusal::TokenInvalid)?;
        let user = UserId::parse("userID", &opened.user, limits).map_err(|_| Refusal::TokenInvalid)?;
        check_times(&opened, user, self.clock.wall_ms())
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
        let token = tokens.issue(&alice, 1_000_060_000);
        assert_eq!(tokens.identify(&token, &limits).unwrap().user, alice);
        let other = MediaTokens::random(clock.clone()).unwrap();
        assert_eq!(other.identify(&token, &limits).unwrap_err(), Refusal::TokenInvalid);
        assert_eq!(tokens.identify(&token[1..], &limits).unwrap_err(), Refusal::TokenInvalid);
        clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(tokens.identify(&token, &limits).unwrap_err(), Refusal::TokenExpired);
    }
}
