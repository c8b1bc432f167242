//! Both formats behind one door: the rules about users and time are the same for either.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::auth::claims::{Claims, Opened, check_lifetime, check_times};
use crate::auth::jwt::Hs256;
use crate::auth::media_token::MediaTokens;
use crate::auth::token04;
use crate::auth::token04::Token04Key;
use crate::auth::{Secret, SecretError, SecretSource};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{Limits, Refusal, UserId};

/// Longest token that is looked at, bytes. Our choice: 4 KiB, the frame limit before login.
const TOKEN_BYTES_MAX: usize = 4096;
/// Least lifetime a token must have left to begin a session, seconds. Source: ZIM guide "Authentication".
const LEFT_SECONDS_MIN: u64 = 30;

/// Why no token could be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Format 04 is off.
    #[error("auth.token04_secret is not set")]
    Token04Off,
    /// Longer than the longest lifetime of the format, or than the broker accepts.
    #[error("lifetime is {ttl_seconds} s, the limit of {limit} is {ttl_seconds_max} s")]
    LifetimeTooLong {
        /// What was asked for, seconds.
        ttl_seconds: u64,
        /// The longest, seconds: 2073600 (24 days) in format 04.
        ttl_seconds_max: u64,
        /// Whose limit it is: `format 04` or `auth.token_lifetime_max_seconds`.
        limit: &'static str,
    },
    /// The system gives no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(String),
}

/// Checks and issues user tokens. Cheap to clone; holds no state.
#[derive(Clone)]
pub struct Tokens {
    hs256: Hs256,
    token04: Option<Token04Key>,
    app_id: u32,
    /// `u64::MAX` for any.
    lifetime_max_s: u64,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("token04", &self.token04).field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Takes the keys: `secret` for JWT; `token04_secret` for format 04, which is off without one. Tokens may end at any
    /// time: see [`with_lifetime_max`](Self::with_lifetime_max).
    #[must_use]
    pub fn new(secret: &Secret, token04_secret: Option<Token04Key>, app_id: u32, clock: Arc<dyn Clock>) -> Self {
        Self { hs256: Hs256::new(secret), token04: token04_secret, app_id, lifetime_max_s: u64::MAX, clock }
    }

    /// Neither accepts nor makes tokens that end later than so many seconds from now; 0 allows any.
    #[must_use]
    pub fn with_lifetime_max(mut self, seconds: u64) -> Self {
        self.lifetime_max_s = if seconds == 0 { u64::MAX } else { seconds };
        self
    }

    /// Returns how far from now a token may end, seconds; `u64::MAX` for any.
    #[must_use]
    pub fn lifetime_max_seconds(&self) -> u64 {
        self.lifetime_max_s
    }

    /// Returns the keys of `config`; the JWT key is made and kept in the data directory when none is configured.
    ///
    /// # Errors
    /// [`SecretError`] when the file of the made one cannot be read or written.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<(Self, SecretSource), SecretError> {
        let (secret, source) = Secret::open(config)?;
        Ok((Self::with(&secret, config, clock), source))
    }

    /// Returns the keys of `config`; none when no JWT key is configured and none was made yet.
    ///
    /// # Errors
    /// [`SecretError`] when the file of the made one cannot be read.
    pub fn find(config: &Config, clock: Arc<dyn Clock>) -> Result<Option<Self>, SecretError> {
        Ok(Secret::find(config)?.map(|secret| Self::with(&secret, config, clock)))
    }

    fn with(secret: &Secret, config: &Config, clock: Arc<dyn Clock>) -> Self {
        let token04_secret = Token04Key::new(&config.auth.token04_secret);
        let tokens = Self::new(secret, token04_secret, config.auth.app_id, clock);
        tokens.with_lifetime_max(config.auth.token_lifetime_max_seconds)
    }

    /// Returns the tokens in the URLs of files, with a key made of the one for JWT: they stay good over a restart.
    #[must_use]
    pub fn media(&self) -> MediaTokens {
        MediaTokens::derived(&self.hs256, self.clock.clone())
    }

    /// Checks a token with which `user` wants to begin or renew a session.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`] when it is not a token of `user` made with one of our keys, whatever the reason;
    /// [`Refusal::TokenExpired`]; [`Refusal::TokenTooShort`] with less than 30 s left; [`Refusal::TokenTooLong`].
    pub fn verify(&self, token: &str, user: &UserId) -> Result<Claims, Refusal> {
        let opened = self.open_any(token).filter(|opened| opened.user == user.as_str()).ok_or(Refusal::TokenInvalid)?;
        let now_ms = self.clock.wall_ms();
        let claims = check_lifetime(check_times(&opened, user.clone(), now_ms)?, now_ms, self.lifetime_max_s)?;
        if claims.expires_at_ms - now_ms < LEFT_SECONDS_MIN * 1000 {
            return Err(Refusal::TokenTooShort { seconds_min: LEFT_SECONDS_MIN });
        }
        Ok(claims)
    }

    /// Checks a token that comes without a user's name, in `Authorization: Bearer`. Good to its last moment.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`], also for a user id outside the limits; [`Refusal::TokenExpired`]; [`Refusal::TokenTooLong`].
    pub fn identify(&self, token: &str, limits: &Limits) -> Result<Claims, Refusal> {
        let opened = self.open_any(token).ok_or(Refusal::TokenInvalid)?;
        let user = UserId::parse("userID", &opened.user, limits).map_err(|_| Refusal::TokenInvalid)?;
        let now_ms = self.clock.wall_ms();
        check_lifetime(check_times(&opened, user, now_ms)?, now_ms, self.lifetime_max_s)
    }

    /// Returns a JWT for `user` that begins now. An id outside the limits makes a token that nothing accepts.
    ///
    /// # Errors
    /// [`IssueError::LifetimeTooLong`].
    pub fn issue_jwt(&self, user: &UserId, ttl_seconds: u64) -> Result<String, IssueError> {
        self.check_accepted(ttl_seconds)?;
        let now = self.now_s();
        Ok(self.hs256.issue(user.as_str(), now, now.saturating_add(ttl_seconds)))
    }

    /// Returns a token of format 04 for `user` that begins now; at most 2073600 s (24 days).
    ///
    /// # Errors
    /// [`IssueError`]: the format is off, the lifetime too long, or the system gives no random bytes.
    pub fn issue_token04(&self, user: &UserId, ttl_seconds: u64) -> Result<String, IssueError> {
        let key = self.token04.as_ref().ok_or(IssueError::Token04Off)?;
        if ttl_seconds > token04::TTL_SECONDS_MAX {
            let ttl_seconds_max = token04::TTL_SECONDS_MAX;
            return Err(IssueError::LifetimeTooLong { ttl_seconds, ttl_seconds_max, limit: "format 04" });
        }
        self.check_accepted(ttl_seconds)?;
        let (mut iv, mut nonce) = ([0; 16], [0; 4]);
        for random in [iv.as_mut_slice(), &mut nonce] {
            getrandom::fill(random).map_err(|error| IssueError::Random(error.to_string()))?;
        }
        let now = self.now_s();
        let times = (now, now.saturating_add(ttl_seconds));
        Ok(key.issue(self.app_id, user.as_str(), times, iv, i32::from_be_bytes(nonce)))
    }

    fn check_accepted(&self, ttl_seconds: u64) -> Result<(), IssueError> {
        let ttl_seconds_max = self.lifetime_max_s;
        if ttl_seconds > ttl_seconds_max {
            return Err(IssueError::LifetimeTooLong { ttl_seconds, ttl_seconds_max, limit: "auth.token_lifetime_max_seconds" });
        }
        Ok(())
    }

    /// Opens a token of either format: its first characters choose the format, and each format has a key of its own.
    fn open_any(&self, token: &str) -> Option<Opened> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        // No JWT begins so: `04` does not decode to JSON.
        if token.starts_with(token04::PREFIX) {
            return self.token04.as_ref()?.open(token, self.app_id);
        }
        self.hs256.open(token)
    }

    fn now_s(&self) -> u64 {
        self.clock.wall_ms() / 1000
    }
}

#[cfg(test)]
mod tests;
