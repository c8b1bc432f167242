//! Requests as frames: `{"id":1,"op":"…","args":{…}}`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::request::Operation;
use crate::model::{Invalid, Limits, Refusal};

/// A frame that was understood as far as its id.
#[derive(Debug)]
pub(crate) struct RequestFrame<'a> {
    /// Chosen by the client; the reply carries it.
    pub(crate) id: u64,
    /// The name of the operation, whatever the client wrote.
    pub(crate) name: Cow<'a, str>,
    /// Whether it asks for a login, well or badly: its sender must be told why it is refused.
    pub(crate) is_login: bool,
    /// The operation, or why it is refused.
    pub(crate) op: Result<Operation, Refusal>,
}

/// A frame that is not a request; too many of them close the session with 4503.
#[derive(Debug)]
pub(crate) struct Malformed {
    /// Names what is wrong.
    pub(crate) refusal: Refusal,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(deserialize_with = "whole")]
    id: u64,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
}

/// The greatest id that JavaScript can tell from its neighbours.
const ID_MAX: u64 = (1 << 53) - 1;

/// Reads an integer that may be written with a fraction of zero: some encoders have one kind of number.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Whole;
    impl Visitor<'_> for Whole {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number of 0 or more")
        }

        fn visit_u64<E>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
            if number.fract() == 0.0 && (0.0..=ID_MAX as f64).contains(&number) {
                return Ok(number as u64);
            }
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
    deserializer.deserialize_any(Whole)
}

/// Reads one frame.
pub(crate) fn decode<'a>(frame: &'a str, limits: &Limits) -> Result<RequestFrame<'a>, Malformed> {
    // serde would also fill a struct from an array, by position.
    if !frame.trim_start().starts_with('{') {
        return Err(Malformed { refusal: Invalid::new("frame", "is not a JSON object").into() });
    }
    let deserializer = &mut serde_json::Deserializer::from_str(frame);
    let envelope: Envelope<'_> = match serde_path_to_error::deserialize(deserializer) {
        Ok(envelope) => envelope,
        Err(error) => {
            let field = match error.path().to_string() {
                path if path == "." => "frame".to_owned(),
                path => path,
            };
            let reason = format!("is not understood: {}", error.into_inner());
            return Err(Malformed { refusal: Invalid::new(field, reason).into() });
        }
    };
    if envelope.id > ID_MAX {
        return Err(Malformed { refusal: Invalid::new("id", format!("is {}, the limit is {ID_MAX}", envelope.id)).into() });
    }
    let args = envelope.args.map_or("{}", RawValue::get);
    let op = Operation::decode(&envelope.op, args, limits);
    Ok(RequestFrame { id: envelope.id, is_login: envelope.op == "login", name: envelope.op, op })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::code_of;

    fn refusal(frame: &str) -> Refusal {
        match decode(frame, &Limits::default()) {
            Err(malformed) => malformed.refusal,
            Ok(request) => request.op.unwrap_err(),
        }
    }

    #[test]
    fn what_is_not_a_request_is_malformed() {
        for frame in [
            "",
            "nonsense",
            "[]",
            "{}",
            r#"{"id":"x","op":"ping"}"#,
            r#"{"id":1}"#,
            r#"[1,"ping",{}]"#,
            r#"{"id":-1,"op":"ping"}"#,
            r#"{"id":9007199254740992,"op":"ping"}"#,
        ] {
            assert!(decode(frame, &Limits::default()).is_err(), "{frame}");
        }
    }

    #[test]
    fn an_unknown_op_names_op_and_one_of_the_vendors_is_unsupported() {
        let unknown = refusal(r#"{"id":1,"op":"fly"}"#);
        assert_eq!(code_of(&unknown), 6_000_001);
        assert!(unknown.to_string().starts_with("op "), "{unknown}");
        assert_eq!(code_of(&refusal(r#"{"id":1,"op":"callInvite","args":{}}"#)), 6_000_013);
    }

    #[test]
    fn a_wrong_argument_type_names_the_field() {
        let wrong =
            refusal(r#"{"id":1,"op":"queryHistoryMessage","args":{"conversationID":"b","conversationType":0,"config":{"count":"x"}}}"#);
        assert_eq!(code_of(&wrong), 6_000_001);
        assert!(wrong.to_string().contains("config.count"), "{wrong}");
        assert!(refusal(r#"{"id":1,"op":"joinRoom","args":["r"]}"#).to_string().contains("args"));
        let missing = refusal(r#"{"id":1,"op":"joinRoom","args":{}}"#);
        assert!(missing.to_string().contains("roomID"), "{missing}");
    }
}
