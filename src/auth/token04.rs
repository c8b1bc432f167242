//! The vendor's token format 04. Source: ZIM guide "Authentication", and the generators that the vendor publishes.
//!
//! `"04"` and, in base64: expiry (8 bytes), length and bytes of the IV, length and bytes of the ciphertext; numbers
//! big-endian. The ciphertext is AES-256-CBC with PKCS#7 padding over JSON.
//!
//! The format carries no signature: that the plaintext makes sense is all that proves it. Hence the plaintext is
//! held to exactly what the vendor's generators write (no other field, nothing twice, every type right, the expiry
//! outside equal to the one inside), and a wrong padding takes the same way as a wrong text, so that neither answer
//! nor time tells them apart: whoever could tell would be able to make tokens without the key.

use std::fmt;

use aes::Aes256;
use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _, ConstantTimeLess as _};

use super::claims::Opened;
use crate::model::from_object;

/// What a token of this format begins with.
pub(super) const PREFIX: &str = "04";
/// Longest lifetime, seconds. Source: ZIM guide "Authentication": 24 days.
pub(super) const TTL_SECONDS_MAX: u64 = 24 * 86_400;

const BLOCK: usize = 16;
/// One more than the longest padding, which is a block.
const PAD_MAX_AND_ONE: u8 = 17;
const _: () = assert!(PAD_MAX_AND_ONE as usize == BLOCK + 1);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Plaintext {
    app_id: u32,
    user_id: String,
    /// Any number; makes two tokens of one second differ.
    nonce: i64,
    /// When it was made, Unix seconds.
    ctime: u64,
    /// Unix seconds.
    expire: u64,
    /// The vendor's place for room privileges, which nothing here uses.
    #[serde(default)]
    payload: Option<String>,
}

/// The vendor's `ServerSecret`: the bytes of a text of 32. `Debug` masks it.
#[derive(Clone)]
pub struct Token04Key([u8; 32]);

impl fmt::Debug for Token04Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token04Key(***)")
    }
}

impl Token04Key {
    /// Returns the key of `auth.token04_secret`; `None` unless it has exactly 32 bytes, so also for the empty default.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        secret.as_bytes().try_into().ok().map(Self)
    }

    /// Returns what the token says, if it was made with this key for `app_id`.
    pub(super) fn open(&self, token: &str, app_id: u32) -> Option<Opened> {
        let packed = STANDARD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (expire, rest) = packed.split_first_chunk::<8>()?;
        let (iv, rest) = take_sized(rest)?;
        let (ciphertext, rest) = take_sized(rest)?;
        let iv: [u8; BLOCK] = iv.try_into().ok()?;
        if !rest.is_empty() || ciphertext.is_empty() || ciphertext.len() % BLOCK != 0 {
            return None;
        }

        let padded = cbc::Decryptor::<Aes256>::new(&self.0.into(), &iv.into()).decrypt_padded_vec::<NoPadding>(ciphertext).ok()?;
        let (length, is_padded) = unpad(&padded);
        // Read in either case: what follows takes as long for a wrong padding as for a wrong text.
        let plaintext: Option<Plaintext> = from_object(padded.get(..length)?).ok();
        let plaintext = plaintext.filter(|_| bool::from(is_padded))?;

        let lifetime = plaintext.expire.checked_sub(plaintext.ctime)?;
        let is_ours = plaintext.app_id == app_id && u64::from_be_bytes(*expire) == plaintext.expire;
        (is_ours && lifetime <= TTL_SECONDS_MAX).then_some(Opened {
            user: plaintext.user_id,
            expires_at_ms: plaintext.expire.saturating_mul(1000),
            not_before_ms: 0,
        })
    }

    /// Returns a token; times in Unix seconds. IV and nonce are random.
    pub(super) fn issue(&self, app_id: u32, user: &str, lifetime_s: (u64, u64), iv: [u8; BLOCK], nonce: i32) -> String {
        let (ctime, expire) = lifetime_s;
        let plaintext = Plaintext { app_id, user_id: user.to_owned(), nonce: nonce.into(), ctime, expire, payload: Some(String::new()) };
        let Ok(plaintext) = serde_json::to_vec(&plaintext) else {
            unreachable!("a struct of texts and numbers is JSON");
        };
        let ciphertext = cbc::Encryptor::<Aes256>::new(&self.0.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(&plaintext);
        let mut packed = expire.to_be_bytes().to_vec();
        push_sized(&mut packed, &iv);
        push_sized(&mut packed, &ciphertext);
        format!("{PREFIX}{}", STANDARD.encode(packed))
    }
}

/// Returns how many bytes are left without the PKCS#7 padding, and whether that is right; if not, all are left. Takes the
/// same time whatever the bytes are. `padded` is one block or more.
fn unpad(padded: &[u8]) -> (usize, Choice) {
    let all = padded.len();
    let tail = &padded[all.saturating_sub(BLOCK)..];
    let pad = tail.last().copied().unwrap_or_default();
    let mut is_padded = !pad.ct_eq(&0) & pad.ct_lt(&PAD_MAX_AND_ONE);
    for (from_end, byte) in (0..).zip(tail.iter().rev()) {
        let is_outside = !u8::ct_lt(&from_end, &pad);
        is_padded &= is_outside | byte.ct_eq(&pad);
    }
    let length = u64::conditional_select(&(all as u64), &(all as u64).wrapping_sub(pad.into()), is_padded);
    (usize::try_from(length).unwrap_or(all), is_padded)
}

/// Appends a length of two bytes and the bytes, of which there are fewer than 65536: the longest user id is 128.
fn push_sized(packed: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("what is packed is a token's, far below 65536 bytes");
    packed.extend(length.to_be_bytes());
    packed.extend(bytes);
}

/// Splits a length of two bytes and as many bytes off the front.
fn take_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: u32 = 123_456_789;
    const IV: [u8; 16] = *b"q8z1k0m3x7c5v9b2";

    /// Made by Python with `PyCryptodome`, in the form of the vendor's generators (no spaces, with payload).
    const FROM_PYTHON: &str = "04AAAAAGtJ0gAAEHE4ejFrMG0zeDdjNXY5YjIAcGk5/pOf8ItFxv5Mb63ktp+3o3WlZIIBE5IxBbOS9/pvMK6wCBoUs27W2N+veZbK2SvexW8cs0iXi0yL1TOOGdaHUxmQOy0fyvcwqJmPscVxtYMlQEK8ZUmoS1pPrKP1NYX7vV4HduaMbu0f1k/aAXo=";
    /// The same with spaces, without payload, and with a whole block of padding.
    const FROM_PYTHON_SPACED: &str = "04AAAAAGtJ0gAAEHE4ejFrMG0zeDdjNXY5YjIAcDyHrkQL/hZVO6mZqLPLTqYDUGI26azC+fdFYjBsV8IKdODSe5yyngIx/WbKmc+rCkhbocFtTI25GDetv2k0cyQnQOECaEJlqc9o2FkOTBCQRYhShq6ylluisAd+88hDxEsU8GlBFnVmCP9clL57Ghg=";

    fn key() -> Token04Key {
        Token04Key::new("0123456789abcdefghijklmnopqrstuv").unwrap()
    }

    /// Encrypts any text under an outer expiry, as someone with the key could.
    fn sealed(expire: u64, plaintext: &[u8]) -> String {
        let ciphertext = cbc::Encryptor::<Aes256>::new(&key().0.into(), &IV.into()).encrypt_padded_vec::<Pkcs7>(plaintext);
        packed(expire, &ciphertext)
    }

    fn packed(expire: u64, ciphertext: &[u8]) -> String {
        let mut packed = expire.to_be_bytes().to_vec();
        push_sized(&mut packed, &IV);
        push_sized(&mut packed, ciphertext);
        format!("04{}", STANDARD.encode(packed))
    }

    #[test]
    fn a_token_made_by_other_code_is_accepted_and_made_the_same() {
        let alice = Opened { user: "alice".into(), expires_at_ms: 1_800_000_000_000, not_before_ms: 0 };
        assert_eq!(key().open(FROM_PYTHON, APP).unwrap(), alice);
        assert_eq!(key().open(FROM_PYTHON_SPACED, APP).unwrap(), alice);
        let own = key().issue(APP, "alice", (1_799_900_000, 1_800_000_000), IV, -2_018_374_655);
        assert_eq!(own, FROM_PYTHON);
    }

    #[test]
    fn another_app_or_key_is_refused() {
        assert!(key().open(FROM_PYTHON, APP + 1).is_none());
        assert!(key().open(FROM_PYTHON, 0).is_none());
        let other = Token04Key::new("1123456789abcdefghijklmnopqrstuv").unwrap();
        assert!(other.open(FROM_PYTHON, APP).is_none());
        assert!(Token04Key::new("").is_none() && Token04Key::new(&"x".repeat(33)).is_none());
    }

    #[test]
    fn every_other_byte_makes_it_invalid() {
        let packed = STANDARD.decode(&FROM_PYTHON[2..]).unwrap();
        for at in 0..packed.len() {
            for flip in 1..=255 {
                let mut bytes = packed.clone();
                bytes[at] ^= flip;
                let token = format!("04{}", STANDARD.encode(&bytes));
                assert!(key().open(&token, APP).is_none(), "byte {at} ^ {flip}");
            }
            assert!(key().open(&format!("04{}", STANDARD.encode(&packed[..at])), APP).is_none(), "cut at {at}");
        }
        let longer = [packed.as_slice(), &[0]].concat();
        assert!(key().open(&format!("04{}", STANDARD.encode(longer)), APP).is_none());
        for bad in ["", "04", "05", &FROM_PYTHON[2..], &FROM_PYTHON[..FROM_PYTHON.len() - 1]] {
            assert!(key().open(bad, APP).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_plaintext_is_held_to_what_generators_write() {
        let good = r#"{"app_id":123456789,"user_id":"alice","nonce":1,"ctime":1000,"expire":2000,"payload":""}"#;
        assert!(key().open(&sealed(2000, good.as_bytes()), APP).is_some());
        assert!(key().open(&sealed(2001, good.as_bytes()), APP).is_none(), "the expiry outside differs");
        let refused = [
            ("\"alice\"", "7"),
            ("\"user_id\":\"alice\",", ""),
            ("\"user_id\":\"alice\"", "\"user_id\":\"bob\",\"user_id\":\"alice\""),
            ("123456789", "\"123456789\""),
            ("123456789", "4418424085"),
            ("\"nonce\":1", "\"nonce\":\"1\""),
            ("\"ctime\":1000,", ""),
            ("\"ctime\":1000", "\"ctime\":2001"),
            ("\"expire\":2000", "\"expire\":\"2000\""),
            ("\"expire\":2000", "\"expire\":2000.0"),
            ("\"payload\":\"\"", "\"r_id\":\"\""),
            ("}", "} x"),
        ];
        for (from, to) in refused {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert!(key().open(&sealed(2000, bad.as_bytes()), APP).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_array_in_place_of_the_object_is_refused() {
        for bad in [r#"[123456789,"alice",1,1000,2000,""]"#, "", "{", "null"] {
            assert!(key().open(&sealed(2000, bad.as_bytes()), APP).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_lifetime_of_24_days_is_the_longest() {
        let token = |lifetime| key().issue(APP, "alice", (1000, 1000 + lifetime), IV, 1);
        assert!(key().open(&token(TTL_SECONDS_MAX), APP).is_some());
        assert!(key().open(&token(TTL_SECONDS_MAX + 1), APP).is_none());
    }

    #[test]
    fn padding_is_recognised_like_the_library_does() {
        use aes::cipher::block_padding::Padding as _;
        let library = |bytes: [u8; 16]| Pkcs7::unpad(&aes::Block::from(bytes)).map(<[u8]>::len).ok();
        for last in 0..=255_u8 {
            for fill in [last, last ^ 1, 0, 16] {
                for at in 0..16 {
                    let mut block = [last; 16];
                    block[at] = fill;
                    let (length, is_padded) = unpad(&block);
                    assert_eq!(bool::from(is_padded).then_some(length), library(block), "{block:?}");
                    assert!(bool::from(is_padded) || length == 16);
                }
            }
        }
    }

    #[test]
    fn a_wrong_padding_is_refused() {
        let ciphertext = STANDARD.decode(&FROM_PYTHON[2..]).unwrap()[28..].to_vec();
        let without_last = &ciphertext[..ciphertext.len() - 16];
        assert!(key().open(&packed(1_800_000_000, without_last), APP).is_none());
        assert!(key().open(&packed(1_800_000_000, &[]), APP).is_none());
        assert!(key().open(&packed(1_800_000_000, &ciphertext[1..]), APP).is_none());
    }
}
