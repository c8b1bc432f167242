//! What a token says and until when it is believed: the rules that are the same for every format.

use crate::model::{Refusal, UserId};

/// How far the issuer's clock may be ahead of ours, milliseconds: for `nbf`, and for the longest lifetime.
const LEEWAY_MS: u64 = 5000;
/// The latest expiry that is told to others, milliseconds: the largest integer of a JavaScript number.
pub(super) const EXPIRY_MS_MAX: u64 = (1 << 53) - 1;

/// What a good token proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whose token it is.
    pub user: UserId,
    /// When it ends, Unix milliseconds; at most 2^53 - 1. A session ends with its token.
    pub expires_at_ms: u64,
}

/// What a token says, its origin proven; times not compared yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) user: String,
    pub(super) expires_at_ms: u64,
    pub(super) not_before_ms: u64,
}

/// `nbf` and `exp`; a token that is accepted ends after `now_ms`.
pub(super) fn check_times(opened: &Opened, user: UserId, now_ms: u64) -> Result<Claims, Refusal> {
    if now_ms.saturating_add(LEEWAY_MS) < opened.not_before_ms {
        return Err(Refusal::TokenInvalid);
    }
    let expires_at_ms = opened.expires_at_ms.min(EXPIRY_MS_MAX);
    if expires_at_ms <= now_ms {
        return Err(Refusal::TokenExpired);
    }
    Ok(Claims { user, expires_at_ms })
}

/// Checks that a token ends at most so many seconds from now. A key that leaked once is then good for no
/// longer than that.
pub(super) fn check_lifetime(claims: Claims, now_ms: u64, seconds_max: u64) -> Result<Claims, Refusal> {
    let latest = now_ms.saturating_add(LEEWAY_MS).saturating_add(seconds_max.saturating_mul(1000));
    if claims.expires_at_ms > latest {
        return Err(Refusal::TokenTooLong { seconds_max });
    }
    Ok(claims)
}
