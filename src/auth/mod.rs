//! Who a caller is: user tokens, and the keys that make them; the keys of backends that use the server API.
//!
//! Two formats, one key each, so a token can never choose its algorithm: a JWT signed with HS256, and the vendor's
//! format 04 while `auth.token04_secret` is set. [`Tokens`] checks and issues both; time comes from its
//! [`Clock`](crate::clock::Clock). A token that does not prove the caller's identity gets one answer whatever is
//! wrong with it.

mod api_keys;
mod claims;
mod demo_key;
mod jwt;
mod media_token;
mod scope;
mod secret;
mod token04;
mod tokens;

pub use api_keys::{ApiKey, ApiKeyError, ApiKeyFile, ApiKeyRing, ROTATION_GRACE_SECONDS};
pub use claims::Claims;
pub use demo_key::DemoKey;
pub use media_token::{MediaClaims, MediaTokens};
pub use scope::Scope;
pub use secret::{Secret, SecretError, SecretSource};
pub use token04::Token04Key;
pub use tokens::{IssueError, Tokens};
