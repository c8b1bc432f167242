//! Who calls, and that it is the first time. Source: ZIM server API reference, "Accessing server APIs".
//!
//! Two signatures, told apart by their length:
//! - 32 hexadecimal digits, the vendor's: MD5 of `AppId`, `SignatureNonce`, `ServerSecret` and `Timestamp`, one after the other. It covers
//!   neither action nor parameters, which is why a nonce is good for one call only. Numbers have one spelling: with `AppId=00` a
//!   nonce that began with `0` could be sent again without it.
//! - 64 hexadecimal digits, the broker's: HMAC-SHA-256 with `ServerSecret` of the query as it is sent, up to `&Signature=`, which comes last,
//!   a newline, and the body.

use std::fmt::Display;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::codes::{Fault, code};
use crate::broker::Broker;
use crate::broker::vendor_api::NonceError;
use crate::config::VendorSignature;
use crate::model::hex;

const VERSION: &str = "2.0";
/// The vendor's have 16.
const NONCE_BYTES_MAX: usize = 64;
/// Of SHA-256, in hex.
const HMAC_DIGITS: usize = 64;
const MARK: &str = "&Signature=";

/// The parameters that every call has.
pub(super) struct Signed<'a> {
    pub(super) action: &'a str,
    app_id: u32,
    nonce: &'a str,
    timestamp: u64,
    signature: &'a str,
    query: &'a str,
}

impl<'a> Signed<'a> {
    pub(super) fn read(pairs: &'a [(String, String)], query: &'a str) -> Result<Self, Fault> {
        let find = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let given = |name: &str, number: u32| match find(name) {
            "" => Err(Fault::new(number, format!("{name} is missing"))),
            value => Ok(value),
        };
        let action = given("Action", code::NO_ACTION)?;
        let app_id = canonical(given("AppId", code::APP_ID)?)
            .ok_or_else(|| Fault::new(code::APP_ID, "AppId is not a number from 0 to 4294967295 without leading zeros"))?;
        let timestamp = canonical(given("Timestamp", code::NO_TIMESTAMP)?)
            .ok_or_else(|| Fault::new(code::TIMESTAMP, "Timestamp is not a number of seconds without leading zeros"))?;
        let nonce = given("SignatureNonce", code::NO_NONCE)?;
        if nonce.len() > NONCE_BYTES_MAX {
            return Err(Fault::new(code::NO_NONCE, format!("SignatureNonce is {} bytes, the limit is {NONCE_BYTES_MAX}", nonce.len())));
        }
        let version = given("SignatureVersion", code::NO_VERSION)?;
        if version != VERSION {
            return Err(Fault::new(code::VERSION, format!("SignatureVersion is not {VERSION}")));
        }
        let signature = given("Signature", code::NO_SIGNATURE)?;
        Ok(Self { action, app_id, nonce, timestamp, signature, query })
    }

    /// Checks that the call is for this application, and in time.
    pub(super) fn check_caller(&self, broker: &Broker) -> Result<(), Fault> {
        let config = broker.config();
        if self.app_id != config.auth.app_id {
            return Err(Fault::new(code::APP_ID, "AppId is not this application's"));
        }
        let (now, tolerance) = (broker.context.clock.wall_ms() / 1000, config.vendor_api.timestamp_tolerance_seconds);
        if now.abs_diff(self.timestamp) > tolerance {
            return Err(Fault::new(code::EXPIRED, format!("Timestamp is off by more than {tolerance} s; it is {now}")));
        }
        Ok(())
    }

    /// Says whether its signature, if it is right, is one that covers the body.
    pub(super) fn covers_body(&self, broker: &Broker) -> bool {
        self.signature.len() == HMAC_DIGITS && broker.config().vendor_api.signature != VendorSignature::Md5
    }

    /// Checks that it is rightly signed and was not seen before.
    pub(super) fn check(&self, broker: &Broker, body: &[u8]) -> Result<(), Fault> {
        let config = broker.config();
        let vendor = &config.vendor_api;
        let wrong = || Fault::new(code::SIGNATURE, "Signature is wrong");
        let (md5, hmac) = match vendor.signature {
            VendorSignature::Md5 => (true, false),
            VendorSignature::HmacSha256 => (false, true),
            VendorSignature::Both => (true, true),
        };
        let right = match self.signature.len() {
            32 if md5 => md5_of(self.app_id, self.nonce, &vendor.server_secret, self.timestamp),
            HMAC_DIGITS if hmac => hmac_of(&vendor.server_secret, signed_part(self.query).ok_or_else(wrong)?, body),
            _ => return Err(wrong()),
        };
        let is_right = right.as_bytes().ct_eq(self.signature.to_ascii_lowercase().as_bytes());
        if vendor.server_secret.is_empty() || !bool::from(is_right) {
            return Err(wrong());
        }
        let until = self.timestamp.saturating_add(vendor.timestamp_tolerance_seconds);
        let now = broker.context.clock.wall_ms() / 1000;
        broker.vendor_api.nonces.take(self.nonce, until, now, vendor.nonces_max).map_err(|not_taken| match not_taken {
            NonceError::Used => Fault::new(code::SIGNATURE, "SignatureNonce was used before"),
            NonceError::Full => Fault::new(code::OVERLOAD, "vendor_api.nonces_max is reached"),
        })
    }
}

/// Returns what of a query is signed: all before the signature, which must be the last parameter.
fn signed_part(query: &str) -> Option<&str> {
    let (signed, signature) = query.rsplit_once(MARK)?;
    (!signature.contains('&')).then_some(signed)
}

/// Reads a number in the one spelling it has in decimal: no sign, no leading zeros.
fn canonical<T: FromStr + Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

fn md5_of(app_id: u32, nonce: &str, secret: &str, timestamp: u64) -> String {
    hex(&Md5::digest(format!("{app_id}{nonce}{secret}{timestamp}").as_bytes()))
}

fn hmac_of(secret: &str, query: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { unreachable!("HMAC takes keys of any length") };
    mac.update(query.as_bytes());
    mac.update(b"\n");
    mac.update(body);
    hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `md5sum` and `openssl dgst -sha256 -hmac`.
    #[test]
    fn both_signatures_are_what_other_tools_make() {
        assert_eq!(
            md5_of(1_234_567_890, "15215528852572ba", "0123456789abcdef0123456789abcdef", 1_615_186_943),
            "9c6f075d2add8ea7a8c9b83077f861c9"
        );
        assert_eq!(
            hmac_of("0123456789abcdef0123456789abcdef", "Action=DestroyRoom&RoomId=r", b"{}"),
            "aaa5a15a08eda92006958e3085584cfd25d0c8ee9acd0a4d4e652d1c636c0b2a"
        );
        // RFC 1321.
        assert_eq!(hex(&Md5::digest(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(canonical::<u32>("0"), Some(0));
        assert_eq!(canonical::<u32>("4294967295"), Some(u32::MAX));
        for other in ["00", "07", "+7", "-0", " 7", "7 ", "7.0", "4294967296", "", "٧"] {
            assert_eq!(canonical::<u32>(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_signature_comes_last() {
        assert_eq!(signed_part("Action=A&SignatureNonce=1&Signature=f"), Some("Action=A&SignatureNonce=1"));
        assert_eq!(signed_part("Action=A&Signature=f&RoomId=r"), None);
        assert_eq!(signed_part("Action=A"), None);
    }
}
