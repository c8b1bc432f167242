//! Randomness as text that fits into a URL, a cookie and a header.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// The system gives no random bytes.
#[derive(Debug, Error)]
#[error("no random bytes from the system: {0}")]
pub struct RandomError(String);

/// 32 bytes as base64url.
pub(super) fn random_text() -> Result<String, RandomError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

pub(super) fn random<const BYTES: usize>() -> Result<[u8; BYTES], RandomError> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(|error| RandomError(error.to_string()))?;
    Ok(random)
}
