//! Who a caller is: user tokens, and the keys that make them; the keys of backends that use the server API.
//!
//! Two formats, one key each, so a token can never choose its algorithm: a JWT signed with HS256, and the vendor's
//! format 04 while `auth.token04_secret` is set. [`Tokens`] checks and issues both; time comes from its
//! [`Clock`](crate::clock::Clock). A token that does not prove the caller's identity gets one answer whatever is
//! wrong with it.

mod api_keys;
mod jwt;
mod media_token;
mod secret;
mod token04;
mod tokens;

pub use api_keys::{ApiKey, ApiKeyError, ApiKeyFile, ApiKeyRing, Scope};
pub use media_token::MediaTokens;
pub use secret::{Secret, SecretError, SecretSource};
pub use token04::Token04Key;
pub use tokens::{Claims, IssueError, Tokens};

/// Reads a struct from JSON that must be an object. Serde alone also fills a struct from an array, in the order of its
/// fields, and a token has one spelling only.
fn from_object<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}
