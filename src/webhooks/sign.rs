//! How a backend knows that a call is the broker's. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Digest as _;
use sha2::Sha256;

/// Returns the key of a configured secret: what `whsec_…` holds, or the text itself.
pub(super) fn key_of(secret: &str) -> Vec<u8> {
    let decoded = secret.strip_prefix("whsec_").and_then(|encoded| BASE64.decode(encoded).ok());
    decoded.unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// Returns the header `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over id, timestamp and body, joined by points.
/// Source: Standard Webhooks.
pub(super) fn standard(key: &[u8], id: &str, timestamp: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// Returns the vendor's: SHA-1, in hexadecimal, over secret, timestamp and nonce, sorted as texts and joined.
/// Source: ZIM server API, `Callbacks`.
pub(super) fn vendor(secret: &str, timestamp: u64, nonce: &str) -> String {
    let timestamp = timestamp.to_string();
    let mut parts = [secret, timestamp.as_str(), nonce];
    parts.sort_unstable();
    let digest = sha1::Sha1::digest(parts.concat().as_bytes());
    crate::model::hex(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification and its libraries.
    #[test]
    fn the_standards_own_example_is_signed_as_it_says() {
        let key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = standard(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_without_the_prefix_is_the_key() {
        assert_eq!(key_of("a secret of mine"), b"a secret of mine");
    }

    /// The vendor's own example: `printf 1234121470820198secret | sha1sum`.
    #[test]
    fn the_vendors_own_example_is_signed_as_it_says() {
        assert_eq!(vendor("secret", 1_470_820_198, "123412"), "5bd59fd62953a8059fb7eaba95720f66d19e4517");
    }

    /// `printf 123sortedsecret1470820198 | sha1sum` and the like: figures first, then letters.
    #[test]
    fn the_vendors_parts_are_sorted_as_texts() {
        let expected = |joined: &str| sha1::Sha1::digest(joined.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(vendor("secret", 1_470_820_198, "123"), expected("1231470820198secret"));
        assert_eq!(vendor("0secret", 1_470_820_198, "9"), expected("0secret14708201989"));
        // echo -n abc | sha1sum
        assert_eq!(expected("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
