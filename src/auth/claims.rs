//! What a token says and until when it is believed: the rules that are the same for every format.

use crate::model::{Refusal, UserId};

/// How far the issuer's clock may be ahead of ours, seconds; for `nbf` alone.
const LEEWAY_SECONDS: u64 = 5;
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
    pub(super) expires_at_s: u64,
    pub(super) not_before_s: u64,
}

/// `nbf` and `exp`; a token that is accepted ends after `now_ms`.
pub(super) fn check_times(opened: &Opened, user: UserId, now_ms: u64) -> Result<Claims, Refusal> {
    if (now_ms / 1000).saturating_add(LEEWAY_SECONDS) < opened.not_before_s {
        return Err(Refusal::TokenInvalid);
    }
    let expires_at_ms = opened.expires_at_s.saturating_mul(1000).min(EXPIRY_MS_MAX);
    if expires_at_ms <= now_ms {
        return Err(Refusal::TokenExpired);
    }
    Ok(Claims { user, expires_at_ms })
}
