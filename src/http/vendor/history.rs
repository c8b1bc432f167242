//! Messages that were sent, the newest first.

use serde_json::{Value, json};

use super::call::{Call, Outcome, fields};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::Target;
use crate::protocol::message::vendor::vendor_body;
use crate::protocol::result::message::Messages;
use crate::protocol::{HistoryQuery, RawJson, Request};

/// Messages of one page, when nothing is asked for. Source: ZIM server API reference, `QueryPeerMsg`, `QueryGroupMsg`.
const LIMIT: i64 = 10;
/// The most messages of one page. Source: the same.
const LIMIT_MAX: i64 = 100;

pub(super) async fn peer(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let to = call.user_id("ToUserId", call.input.text("ToUserId")?)?;
    page(call, OnBehalfOf::User(from), Target::Peer(to)).await
}

pub(super) async fn group(call: &Call<'_>) -> Outcome {
    let group = call.group()?;
    page(call, OnBehalfOf::System, Target::Group(group)).await
}

async fn page(call: &Call<'_>, reader: OnBehalfOf, target: Target) -> Outcome {
    let limits = &call.broker.config().limits;
    let limit = match call.input.maybe_number("Limit")?.unwrap_or(LIMIT) {
        asked if asked <= 0 => LIMIT,
        asked => asked.min(LIMIT_MAX),
    };
    let count = usize::try_from(limit).unwrap_or(1).min(limits.history_page_max);
    let anchor_seq = Some(call.next()?).filter(|next| *next > 0);
    let empty_too = call.input.flag("WithEmptyMsg")?;
    let wanted = HistoryQuery { target, count, backwards: true, anchor_seq, anchor_order_key: None };
    let page: Messages = call.run(reader, Request::QueryHistory(wanted)).await?.try_into()?;
    // The vendor's words are made of the wire's, which a message is kept in.
    let messages: Vec<Value> = page.message_list.iter().filter_map(RawJson::read).collect();
    let oldest = messages.first().and_then(|message| message["messageSeq"].as_u64()).filter(|seq| *seq > 1);
    // Some of a page may be hidden from its reader, so that less than a page says nothing.
    let more = messages.len() == count || page.more;
    let list: Vec<Value> = messages.iter().rev().filter(|message| empty_too || message["type"] != 31).map(vendor_message).collect();
    Ok(fields([("Next", oldest.filter(|_| more).unwrap_or(0).into()), ("List", list.into())]).into())
}

/// Returns a message in the vendor's words.
pub(super) fn vendor_message(message: &Value) -> Value {
    let kind = message["type"].as_u64().unwrap_or(0);
    let revoked = kind == 31;
    let mut told = json!({
        "Sender": message["senderUserID"],
        "MsgType": if revoked { message["originalMessageType"].clone() } else { kind.into() },
        "MsgId": message["messageID"].as_str().and_then(|id| id.parse::<u64>().ok()),
        "MsgSeq": message["messageSeq"],
        "MsgTime": message["timestamp"],
        "Payload": message["extendedData"].as_str().unwrap_or_default(),
        "IsEmpty": if revoked { 2 } else { 0 },
        "MsgBody": if revoked { String::new() } else { vendor_body(message) },
    });
    if kind == 200 {
        told["SubMsgType"] = message["subType"].as_u64().unwrap_or(0).into();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_empty() {
        let told = vendor_message(&json!({"type": 31, "originalMessageType": 1, "messageID": "18446744073709551615", "messageSeq": 4}));
        assert_eq!((&told["IsEmpty"], &told["MsgType"], &told["MsgBody"]), (&json!(2), &json!(1), &json!("")));
        assert_eq!(told["MsgId"], json!(u64::MAX));
    }
}
