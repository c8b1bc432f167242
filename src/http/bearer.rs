//! The token of an `Authorization` header.

/// Returns what follows the scheme `Bearer`, whose case does not matter. Source: RFC 9110, 11.1.
pub(super) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}
