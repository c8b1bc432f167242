//! What operations answer: the frames of replies and errors, and, by subject, the result objects in them.

pub(crate) mod conversation;

pub(crate) mod group;
pub(crate) mod message;
mod outcome;
pub(crate) mod room;
pub(crate) mod session;
pub(crate) mod user;

pub(crate) use outcome::{Outcome, RawJson};

use bytestring::ByteString;
use serde::Serialize;

use crate::model::Refusal;
use crate::protocol::code_of;

fn to_frame(value: &impl Serialize) -> ByteString {
    serde_json::to_string(value).expect("wire objects have string keys and finite numbers").into()
}

#[derive(Serialize)]
struct ReplyFrame<'a, T> {
    id: u64,
    result: &'a T,
}

/// Encodes a reply: `{"id":…,"result":…}`.
pub(crate) fn encode_reply(id: u64, result: &impl Serialize) -> ByteString {
    to_frame(&ReplyFrame { id, result })
}

#[derive(Serialize)]
struct ErrorFrame<'a> {
    id: Option<u64>,
    error: WireError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireError<'a> {
    code: u32,
    message: &'a str,
    temporary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// Encodes a refusal: `{"id":…,"error":{…}}`.
pub(crate) fn encode_error(id: Option<u64>, refusal: &Refusal) -> ByteString {
    let retry_after_ms = match refusal {
        Refusal::RateLimited { retry_after_ms } => Some(*retry_after_ms),
        _ => None,
    };
    let error = WireError { code: code_of(refusal), message: &refusal.to_string(), temporary: refusal.is_temporary(), retry_after_ms };
    to_frame(&ErrorFrame { id, error })
}

#[derive(Serialize)]
struct EventFrame<'a, T> {
    event: &'a str,
    data: &'a T,
}

/// Encodes an event: `{"event":…,"data":…}`.
pub(crate) fn encode_event(event: &str, data: &impl Serialize) -> ByteString {
    to_frame(&EventFrame { event, data })
}
