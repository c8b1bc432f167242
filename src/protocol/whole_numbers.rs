//! Whole numbers in JSON, however they are written: `1.0` and `1e0` are the integer 1 to JavaScript and to many encoders. Source:
//! ECMA-404, which has one kind of number; RFC 8259, 6: whole numbers below 2^53 mean the same to every reader.

use serde::de::IgnoredAny;

/// The least number that other readers may not tell from its neighbour.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Rewrites numbers that are whole and not written so; none where there is none. What is in texts stays, and so does what is no JSON.
pub(crate) fn with_whole_numbers(json: &str) -> Option<String> {
    let (mut rewritten, mut copied) = (String::new(), 0);
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let end = at + bytes[at..].iter().take_while(|byte| matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
                if let Some(whole) = whole(&json[at..end]) {
                    rewritten.push_str(&json[copied..at]);
                    rewritten.push_str(&whole.to_string());
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    (copied > 0).then(|| rewritten + &json[copied..])
}

/// Returns where what follows a text begins.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns the integer that a number with a fraction or an exponent is.
#[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
fn whole(number: &str) -> Option<i64> {
    if !number.contains(['.', 'e', 'E']) {
        return None;
    }
    // What JSON does not allow, such as `01.0` and `1.`, stays for the reader to refuse.
    serde_json::from_str::<IgnoredAny>(number).ok()?;
    let value: f64 = number.parse().ok()?;
    (value.fract() == 0.0 && value.abs() < WHOLE_MAX).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_are_written_as_integers_and_nothing_else_changes() {
        for (json, rewritten) in [
            (r#"{"id":77.0,"a":[1e2,-3.00,0.0]}"#, Some(r#"{"id":77,"a":[100,-3,0]}"#)),
            (r#"{"a":"1.0","b\"2.0":1.5,"c":12,"d":1E+1}"#, Some(r#"{"a":"1.0","b\"2.0":1.5,"c":12,"d":10}"#)),
            (r#"{"a":1,"b":2.5,"c":"3.0"}"#, None),
            ("[9007199254740992.0,1e300,01.0,1.,1.e2,.5,--1.0]", None),
            ("[9007199254740991.0]", Some("[9007199254740991]")),
            (r#"["unclosed 1.0"#, None),
            (r#"["\"#, None),
            ("", None),
        ] {
            assert_eq!(with_whole_numbers(json).as_deref(), rewritten, "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_the_same_and_any_text_is_borne(json in ".*", number in -1_000_000i64..1_000_000, text in ".*") {
            let _rewritten_or_not = with_whole_numbers(&json);
            let made = serde_json::json!({"number": number as f64, "text": text}).to_string();
            let read: serde_json::Value = serde_json::from_str(&with_whole_numbers(&made).unwrap()).unwrap();
            prop_assert_eq!(read, serde_json::json!({"number": number, "text": text}));
        }
    }
}
