//! Round trips, times and strangers' input.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::auth::claims::EXPIRY_MS_MAX;
use crate::clock::ManualClock;

/// A round second, so that a token's expiry falls on whole milliseconds.
const NOW_MS: u64 = 1_799_950_000_000;
const APP: u32 = 123_456_789;

/// See `jwt.rs` and `token04.rs`: both made by Python, for alice, until 1800000000.
const JWT_FROM_PYTHON: &str = "eyJ0eXAiOiAiSldUIiwgImFsZyI6ICJIUzI1NiJ9.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogMTgwMDAwMDAwMCwgIm5iZiI6IDE3MDAwMDAwMDAsICJuYW1lIjogIlpvXHUwMGViIn0.3PQv-oopq3kNeHq-72zC8eA5JsODOQ9Oh9FhXhSO1mQ";
const TOKEN04_FROM_PYTHON: &str = "04AAAAAGtJ0gAAEHE4ejFrMG0zeDdjNXY5YjIAcGk5/pOf8ItFxv5Mb63ktp+3o3WlZIIBE5IxBbOS9/pvMK6wCBoUs27W2N+veZbK2SvexW8cs0iXi0yL1TOOGdaHUxmQOy0fyvcwqJmPscVxtYMlQEK8ZUmoS1pPrKP1NYX7vV4HduaMbu0f1k/aAXo=";

fn user(id: &str) -> UserId {
    UserId::parse("userID", id, &Limits::default()).unwrap()
}

fn tokens() -> (Tokens, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let token04_secret = Token04Key::new("0123456789abcdefghijklmnopqrstuv");
    let secret = Secret::from_bytes("an HS256 key of the python test.");
    (Tokens::new(&secret, token04_secret, APP, clock.clone()), clock)
}

/// One of each format.
fn issued(tokens: &Tokens, id: &str, ttl_seconds: u64) -> [String; 2] {
    let user = user(id);
    [tokens.issue_jwt(&user, ttl_seconds).unwrap(), tokens.issue_token04(&user, ttl_seconds).unwrap()]
}

#[test]
fn both_formats_round_trip_and_name_their_end() {
    let (tokens, _) = tokens();
    let wanted = Claims { user: user("alice"), expires_at_ms: NOW_MS + 3_600_000 };
    for token in issued(&tokens, "alice", 3600) {
        assert_eq!(tokens.verify(&token, &user("alice")).unwrap(), wanted);
        assert_eq!(tokens.identify(&token, &Limits::default()).unwrap(), wanted);
    }
    for token in [JWT_FROM_PYTHON, TOKEN04_FROM_PYTHON] {
        assert_eq!(tokens.verify(token, &user("alice")).unwrap().expires_at_ms, 1_800_000_000_000);
    }
}

#[test]
fn a_token_of_another_user_looks_like_a_bad_one() {
    let (tokens, clock) = tokens();
    for token in issued(&tokens, "alice", 3600) {
        for other in ["bob", "alic", "alice2", "ALICE"] {
            assert_eq!(tokens.verify(&token, &user(other)), Err(Refusal::TokenInvalid));
        }
        assert_eq!(tokens.verify(&token[..token.len() - 2], &user("alice")), Err(Refusal::TokenInvalid));
        // Also once it has ended: whose it was is nobody else's business.
        clock.advance(Duration::from_secs(7200));
        assert_eq!(tokens.verify(&token, &user("bob")), Err(Refusal::TokenInvalid));
        clock.set_wall_ms(NOW_MS);
    }
}

#[test]
fn thirty_seconds_must_be_left_and_the_end_is_exclusive() {
    let (tokens, clock) = tokens();
    for token in issued(&tokens, "alice", 60) {
        let at = |ms: u64| {
            clock.set_wall_ms(NOW_MS + ms);
            (tokens.verify(&token, &user("alice")).err(), tokens.identify(&token, &Limits::default()).err())
        };
        let short = Some(Refusal::TokenTooShort { seconds_min: 30 });
        assert_eq!(at(0), (None, None));
        assert_eq!(at(30_000), (None, None));
        assert_eq!(at(30_001), (short.clone(), None));
        assert_eq!(at(59_999), (short, None));
        assert_eq!(at(60_000), (Some(Refusal::TokenExpired), Some(Refusal::TokenExpired)));
        assert_eq!(at(10_000_000), (Some(Refusal::TokenExpired), Some(Refusal::TokenExpired)));
        clock.set_wall_ms(NOW_MS);
    }
}

#[test]
fn a_token_for_later_is_accepted_five_seconds_early() {
    let (tokens, clock) = tokens();
    let not_before_ms = 1_700_000_000_000;
    clock.set_wall_ms(not_before_ms - 5000);
    assert!(tokens.verify(JWT_FROM_PYTHON, &user("alice")).is_ok());
    clock.set_wall_ms(not_before_ms - 5001);
    assert_eq!(tokens.verify(JWT_FROM_PYTHON, &user("alice")), Err(Refusal::TokenInvalid));
}

#[test]
fn an_endless_token_ends_within_javascripts_integers() {
    let (tokens, _) = tokens();
    let token = tokens.issue_jwt(&user("alice"), u64::MAX).unwrap();
    assert_eq!(tokens.verify(&token, &user("alice")).unwrap().expires_at_ms, EXPIRY_MS_MAX);
}

#[test]
fn no_token_may_end_later_than_the_longest_lifetime() {
    let (any, clock) = tokens();
    let limited = any.clone().with_lifetime_max(3600);
    for (fits, too_long) in issued(&any, "alice", 3600).into_iter().zip(issued(&any, "alice", 3606)) {
        assert_eq!(limited.verify(&fits, &user("alice")).err(), None);
        let refused = Refusal::TokenTooLong { seconds_max: 3600 };
        assert_eq!(limited.verify(&too_long, &user("alice")), Err(refused.clone()));
        assert_eq!(limited.identify(&too_long, &Limits::default()), Err(refused));
        // It is good once its end is near enough.
        clock.advance(Duration::from_secs(6));
        assert_eq!(limited.verify(&too_long, &user("alice")).err(), None);
        clock.set_wall_ms(NOW_MS);
    }
    assert!(limited.issue_jwt(&user("alice"), 3600).is_ok() && limited.issue_token04(&user("alice"), 3600).is_ok());
    let refused = limited.issue_jwt(&user("alice"), 3601).unwrap_err();
    assert_eq!(refused.to_string(), "lifetime is 3601 s, the limit of auth.token_lifetime_max_seconds is 3600 s");
    assert_eq!(limited.issue_token04(&user("alice"), 3601).unwrap_err(), refused);
}

#[test]
fn format_04_is_off_without_its_key_and_bound_to_its_app() {
    let (tokens, clock) = tokens();
    let without = Tokens::new(&Secret::from_bytes("an HS256 key of the python test."), None, APP, clock);
    assert_eq!(without.verify(TOKEN04_FROM_PYTHON, &user("alice")), Err(Refusal::TokenInvalid));
    assert_eq!(without.issue_token04(&user("alice"), 60), Err(IssueError::Token04Off));
    assert!(without.verify(JWT_FROM_PYTHON, &user("alice")).is_ok());
    let other_app = Tokens { app_id: APP + 1, ..tokens };
    assert_eq!(other_app.verify(TOKEN04_FROM_PYTHON, &user("alice")), Err(Refusal::TokenInvalid));
}

#[test]
fn format_04_lives_24_days_at_most() {
    let (tokens, _) = tokens();
    assert!(tokens.issue_token04(&user("alice"), 2_073_600).is_ok());
    let refused = tokens.issue_token04(&user("alice"), 2_073_601).unwrap_err();
    assert_eq!(refused.to_string(), "lifetime is 2073601 s, the limit of format 04 is 2073600 s");
}

#[test]
fn two_tokens_of_one_moment_differ_in_format_04() {
    let (tokens, _) = tokens();
    let one = tokens.issue_token04(&user("alice"), 60).unwrap();
    assert_ne!(one, tokens.issue_token04(&user("alice"), 60).unwrap());
}

#[test]
fn a_token_above_4_kib_is_not_looked_at() {
    let (tokens, _) = tokens();
    // The same signer, so that length alone can be the reason.
    let fits = tokens.hs256.issue(&"u".repeat(2900), 0, NOW_MS);
    let too_long = tokens.hs256.issue(&"u".repeat(3100), 0, NOW_MS);
    assert!(fits.len() <= 4096 && too_long.len() > 4096);
    assert!(tokens.open_any(&fits).is_some());
    assert!(tokens.open_any(&too_long).is_none());
    // A user id that no limit allows proves nothing either.
    assert_eq!(tokens.identify(&fits, &Limits::default()), Err(Refusal::TokenInvalid));
}

#[test]
fn nothing_printed_holds_a_key() {
    let (tokens, _) = tokens();
    let printed = format!("{tokens:?}");
    assert!(!printed.contains("0123456789") && !printed.contains("python"), "{printed}");
}

proptest! {
    #[test]
    fn random_text_is_refused_and_never_panics(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let (tokens, _) = tokens();
        let encoded = URL_SAFE_NO_PAD.encode(&bytes);
        let texts = [
            text.clone(),
            format!("04{text}"),
            format!("04{}", STANDARD.encode(&bytes)),
            format!("{text}.{encoded}.{encoded}"),
            format!("{encoded}.{encoded}.{encoded}"),
        ];
        for text in texts {
            prop_assert_eq!(tokens.verify(&text, &user("alice")), Err(Refusal::TokenInvalid));
            prop_assert_eq!(tokens.identify(&text, &Limits::default()), Err(Refusal::TokenInvalid));
        }
    }

    /// Well packed, so that the bytes get as far as the cipher and the padding.
    #[test]
    fn random_ciphertext_is_refused_and_never_panics(iv in any::<[u8; 16]>(), blocks in 1_u8..8, seed in any::<[u8; 16]>()) {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let (tokens, _) = tokens();
        let mut packed = 1_800_000_000_u64.to_be_bytes().to_vec();
        packed.extend([0, 16]);
        packed.extend(iv);
        packed.extend((u16::from(blocks) * 16).to_be_bytes());
        for block in 0..blocks {
            packed.extend(seed.map(|byte| byte.wrapping_mul(block | 1)));
        }
        let token = format!("04{}", STANDARD.encode(packed));
        prop_assert_eq!(tokens.verify(&token, &user("alice")), Err(Refusal::TokenInvalid));
    }

    #[test]
    fn every_user_id_round_trips(id in "[A-Za-z0-9!#$%&()+\\-:;<=.>?@\\[\\]^_{}|~]{1,32}", ttl in 30_u64..2_073_600) {
        let (tokens, _) = tokens();
        for token in issued(&tokens, &id, ttl) {
            let claims = tokens.verify(&token, &user(&id)).unwrap();
            prop_assert_eq!(claims.expires_at_ms, NOW_MS + ttl * 1000);
        }
    }
}
