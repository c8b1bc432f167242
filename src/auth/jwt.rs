//! JSON web tokens, HS256 only (RFC 7515, 7518, 7519).
//!
//! Our choice: written here and not `jsonwebtoken`, because one algorithm, one key and three claims are a hundred lines over
//! `hmac`, which is needed anyway, and what is not here (other algorithms, key ids, optional claims) cannot be confused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::Secret;
use super::claims::Opened;
use crate::model::from_object;

#[derive(Deserialize, Serialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    /// Extensions that a reader must understand: none is.
    #[serde(default, skip_serializing)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize, Serialize)]
struct Payload {
    sub: String,
    exp: NumericDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<NumericDate>,
    /// Unix seconds; written, never read.
    #[serde(default, skip_deserializing)]
    iat: u64,
}

/// Seconds since 1970, as RFC 7519 has them: whole, or with a fraction or an exponent.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum NumericDate {
    Whole(u64),
    Broken(f64),
}

impl NumericDate {
    /// Returns it in milliseconds, cut to whole ones; `None` before 1970. What is beyond the numbers is the last of them.
    fn ms(&self) -> Option<u64> {
        match *self {
            Self::Whole(seconds) => Some(seconds.saturating_mul(1000)),
            Self::Broken(seconds) if seconds < 0.0 => None,
            Self::Broken(seconds) => {
                Some(Duration::try_from_secs_f64(seconds).map_or(u64::MAX, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
            }
        }
    }
}

/// A key that is ready to sign.
#[derive(Clone)]
pub(super) struct Hs256(Hmac<Sha256>);

impl Hs256 {
    pub(super) fn new(secret: &Secret) -> Self {
        match Hmac::new_from_slice(secret.as_bytes()) {
            Ok(keyed) => Self(keyed),
            Err(_) => unreachable!("hmac takes a key of any length"),
        }
    }

    /// Returns a key of its own for another purpose: none of its tokens is one of this key's.
    pub(super) fn derive(&self, purpose: &[u8]) -> Self {
        Self::new(&Secret::from_bytes(self.0.clone().chain_update(purpose).finalize().into_bytes().to_vec()))
    }

    /// Returns what the token says, if this key signed it. The signature is compared in constant time, and before anything
    /// that it covers is believed.
    pub(super) fn open(&self, token: &str) -> Option<Opened> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        // The engine accepts neither padding nor stray bits, so one token has one spelling.
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.0.clone().chain_update(signed).verify_slice(&signature).ok()?;

        let header: Header = from_object(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.alg != "HS256" || !header.typ.as_deref().is_none_or(is_token_type) || header.crit.is_some() {
            return None;
        }
        let payload: Payload = from_object(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let not_before_ms = payload.nbf.map_or(Some(0), |nbf| nbf.ms())?;
        Some(Opened { user: payload.sub, expires_at_ms: payload.exp.ms()?, not_before_ms })
    }

    /// Returns a token for `user`; times in Unix seconds.
    pub(super) fn issue(&self, user: &str, issued_at_s: u64, expires_at_s: u64) -> String {
        let header = Header { alg: "HS256".to_owned(), typ: Some("JWT".to_owned()), crit: None };
        let payload = Payload { sub: user.to_owned(), exp: NumericDate::Whole(expires_at_s), nbf: None, iat: issued_at_s };
        let signed = format!("{}.{}", part(&header), part(&payload));
        let signature = self.0.clone().chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Returns whether a token says that it is one: `JWT`, or an access token of RFC 9068. Media types are the same in either
/// case, and `application/` may stand before them (RFC 7515, 4.1.9).
fn is_token_type(typ: &str) -> bool {
    let short = typ.split_at_checked("application/".len()).filter(|(kind, _)| kind.eq_ignore_ascii_case("application/"));
    let short = short.map_or(typ, |(_, rest)| rest);
    ["JWT", "at+jwt"].iter().any(|known| known.eq_ignore_ascii_case(short))
}

fn part(value: &impl Serialize) -> String {
    match serde_json::to_vec(value) {
        Ok(json) => URL_SAFE_NO_PAD.encode(json),
        Err(_) => unreachable!("structs of texts and numbers are JSON"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's hmac and json modules, with another order of fields, spaces and an escaped name.
    const FROM_PYTHON: &str = "eyJ0eXAiOiAiSldUIiwgImFsZyI6ICJIUzI1NiJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogMTgwMDAwMDAwMCwgIm5iZiI6IDE3MDAwMDAwMDAsICJuYW1lIjogIlpvXHUwMGViIn0.3PQv-oopq3kNeHq-72zC8eA5JsODOQ9Oh9FhXhSO1mQ";

    fn key() -> Hs256 {
        Hs256::new(&Secret::from_bytes("an HS256 key of the python test."))
    }

    /// Signs any two parts, as someone with the key but without sense could.
    fn signed(header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = key().0.chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_token_made_by_other_code_is_accepted() {
        let opened = key().open(FROM_PYTHON).unwrap();
        assert_eq!(opened, Opened { user: "alice".into(), expires_at_ms: 1_800_000_000_000, not_before_ms: 1_700_000_000_000 });
    }

    /// RFC 7515, A.1: its token carries no `sub`, so the check stops after the signature; the one with the last
    /// character changed stops at it. Both are refused, hence the signature is looked at by itself.
    #[test]
    fn the_signature_of_the_rfcs_example_is_reproduced() {
        let rfc_key =
            URL_SAFE_NO_PAD.decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow").unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = Hs256::new(&Secret::from_bytes(rfc_key)).0.chain_update(signed).finalize().into_bytes();
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn an_issued_token_has_the_documented_form() {
        let token = key().issue("alice", 1_700_000_000, 1_700_086_400);
        let parts: Vec<_> = token.split('.').map(|p| URL_SAFE_NO_PAD.decode(p).unwrap()).collect();
        assert_eq!(parts[0], br#"{"alg":"HS256","typ":"JWT"}"#);
        assert_eq!(parts[1], br#"{"sub":"alice","exp":1700086400,"iat":1700000000}"#);
        assert_eq!(key().open(&token).unwrap().user, "alice");
    }

    #[test]
    fn every_other_byte_makes_it_invalid() {
        for at in 0..FROM_PYTHON.len() {
            for other in [b'A', b'B', b'_', b'.', b'=', b' ', 0, 0x7f] {
                let mut bytes = FROM_PYTHON.as_bytes().to_vec();
                if bytes[at] != other {
                    bytes[at] = other;
                    assert!(key().open(std::str::from_utf8(&bytes).unwrap()).is_none(), "byte {at}");
                }
            }
            assert!(key().open(&FROM_PYTHON[..at]).is_none(), "cut at {at}");
        }
        assert!(key().open(&format!("{FROM_PYTHON}=")).is_none());
        let other = Hs256::new(&Secret::from_bytes("an HS256 key of the python test!"));
        assert!(other.open(FROM_PYTHON).is_none());
    }

    #[test]
    fn only_the_header_hs256_is_accepted() {
        let payload = r#"{"sub":"alice","exp":1800000000}"#;
        for good in [
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#"{"alg":"HS256","kid":"1"}"#,
            r#"{"alg":"HS256","typ":"at+jwt"}"#,
            r#"{"alg":"HS256","typ":"application/at+JWT"}"#,
        ] {
            assert!(key().open(&signed(good, payload)).is_some(), "{good}");
        }
        let refused = [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"none","alg":"HS256"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWE"}"#,
            r#"{"alg":"HS256","typ":"text/jwt"}"#,
            r#"{"alg":"HS256","typ":1}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"["HS256"]"#,
            "{}",
            "",
        ];
        for bad in refused {
            assert!(key().open(&signed(bad, payload)).is_none(), "{bad}");
        }
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(payload));
        assert!(key().open(&unsigned).is_none());
    }

    #[test]
    fn sub_and_exp_are_required_and_typed() {
        let header = r#"{"alg":"HS256"}"#;
        let refused = [
            r#"{"sub":"alice"}"#,
            r#"{"exp":1800000000}"#,
            r#"{"sub":"alice","exp":"1800000000"}"#,
            r#"{"sub":"alice","exp":-1}"#,
            r#"{"sub":"alice","exp":-0.5}"#,
            r#"{"sub":"alice","exp":[1800000000]}"#,
            r#"{"sub":"alice","exp":null}"#,
            r#"{"sub":7,"exp":1800000000}"#,
            r#"{"sub":null,"exp":1800000000}"#,
            r#"{"sub":"alice","sub":"bob","exp":1800000000}"#,
            r#"{"sub":"alice","exp":1800000000,"nbf":"0"}"#,
            r#"{"sub":"alice","exp":1800000000} {}"#,
            r#"["alice",1800000000]"#,
        ];
        for bad in refused {
            assert!(key().open(&signed(header, bad)).is_none(), "{bad}");
        }
        let extra = r#"{"sub":"alice","exp":18446744073709551615,"iat":"whenever","roles":[1]}"#;
        assert_eq!(key().open(&signed(header, extra)).unwrap().expires_at_ms, u64::MAX);
    }

    #[test]
    fn times_may_have_a_fraction() {
        let times = |exp: &str, nbf: &str| {
            let opened = key().open(&signed(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"alice","exp":{exp},"nbf":{nbf}}}"#))).unwrap();
            (opened.expires_at_ms, opened.not_before_ms)
        };
        assert_eq!(times("1800000000.5", "1700000000.25"), (1_800_000_000_500, 1_700_000_000_250));
        assert_eq!(times("1.8e9", "0.0"), (1_800_000_000_000, 0));
        assert_eq!(times("1e300", "null"), (u64::MAX, 0));
    }
}
