//! Sending, and taking back.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::body::{self, MessageContent};
use super::call::{Call, Outcome, Success, failed, fields, partly};
use super::codes::{Fault, code};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{Refusal, Target, UserId};
use crate::protocol::Request;

/// The most receivers of one call. Source: ZIM server API reference, `SendPeerMessage`.
const RECEIVERS_MAX: usize = 100;

/// Makes the arguments of a send.
fn args(call: &Call<'_>, content: &MessageContent, to: &str, kind: u8) -> Result<Value, Fault> {
    let options = call.input.object("SendMsgOptions")?;
    if options.has("TargetOption") {
        return Err(options.wrong("TargetOption", "is not supported: a message to a group is for all of it"));
    }
    let mut config = json!({"hasReceipt": content.has_receipt, "disableUnreadMessageCount": options.flag("NoUnread")?});
    if let Some(priority) = call.input.maybe_number("Priority")? {
        config["priority"] = priority.into();
    }
    Ok(json!({"message": content.message, "toConversationID": to, "conversationType": kind, "config": config}))
}

/// Returns the id and the place of a message that was sent.
fn message_place(sent: &Value) -> (Value, Value) {
    let seq = sent["message"]["messageSeq"].clone();
    let id = sent["message"]["messageID"].as_str().and_then(|id| id.parse::<u64>().ok());
    (id.into(), seq)
}

pub(super) async fn send_peer(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let receivers = call.user_ids("ToUserId", RECEIVERS_MAX)?;
    if call.input.flag("SenderUnaware")? {
        return Err(call.input.wrong("SenderUnaware", "is 1: what is sent in a user's name is in its history, too"));
    }
    let content = body::read(&call.input)?;
    // What is wrong for all is said once.
    args(call, &content, "", 0)?;
    let outcomes = join_all(receivers.iter().map(|to| send_to(call, &from, to, &content))).await;
    let (mut sent, mut errors, mut refused) = (Vec::new(), Vec::new(), None);
    for (to, outcome) in receivers.iter().zip(outcomes) {
        match outcome {
            Ok(answer) => {
                let (id, seq) = message_place(&answer);
                sent.push(json!({"UserId": to, "MsgId": id.to_string(), "MsgSeq": seq}));
            }
            Err(fault) => {
                errors.push(failed(to, fault.code));
                refused.get_or_insert(fault);
            }
        }
    }
    let count = sent.len();
    let lists = fields([("SuccList", sent.into()), ("AuditInfos", json!([]))]);
    match (partly("ErrorList", errors, count, lists), refused) {
        (Ok(done), _) => Ok(done.noting(content.notes)),
        (Err(fault), Some(first)) => Err(Fault { message: first.message, ..fault }),
        (Err(fault), None) => Err(fault),
    }
}

async fn send_to(call: &Call<'_>, from: &UserId, to: &str, content: &MessageContent) -> Result<Value, Fault> {
    call.user_id("ToUserId", to)?;
    Ok(call.run(OnBehalfOf::User(from.clone()), "sendMessage", &args(call, content, to, 0)?).await?)
}

/// Sends to a room or group whose sender need not be inside. Source: ZIM server API reference, `SendGroupMessage` and
/// `SendRoomMessage`, which ask only that it is registered.
async fn send_into(call: &Call<'_>, to: &str, kind: u8, content: &MessageContent) -> Result<Value, Fault> {
    let from = call.operator().await?;
    Ok(call.run(OnBehalfOf::Outsider(from), "sendMessage", &args(call, content, to, kind)?).await?)
}

pub(super) async fn send_group(call: &Call<'_>) -> Outcome {
    let content = body::read(&call.input)?;
    let (id, seq) = message_place(&send_into(call, call.group()?.as_str(), 2, &content).await?);
    Ok(Success::from(fields([("MsgId", id), ("MsgSeq", seq), ("AuditInfos", json!([]))])).noting(content.notes))
}

pub(super) async fn send_room(call: &Call<'_>) -> Outcome {
    let mut content = body::read(&call.input)?;
    if content.has_receipt {
        return Err(Fault::new(code::ROOM_RECEIPT, "MessageBody.HasReceipt is 1: there are no receipts in rooms"));
    }
    if call.input.flag("SenderUnaware")? {
        content.notes.push("SenderUnaware: the sender's devices see the message if they are in the room".to_owned());
    }
    send_into(call, call.room()?.as_str(), 1, &content).await?;
    Ok(Success::from(fields([("AuditInfos", json!([]))])).noting(content.notes))
}

pub(super) async fn send_to_all(call: &Call<'_>) -> Outcome {
    let (broker, config) = (call.broker, call.broker.config());
    let from = call.operator().await?;
    let mut content = body::read(&call.input)?;
    match call.input.maybe_number("PushType")?.unwrap_or(0) {
        0 => {}
        1 => content.notes.push("PushType: nothing is pushed to who is offline".to_owned()),
        2 => return Err(call.input.wrong("PushType", "is 2: nothing is pushed to who is offline")),
        other => return Err(call.input.wrong("PushType", &format!("is {other}, the range is 0 to 2"))),
    }
    let args = json!({"message": content.message, "toConversationID": config.users.system, "conversationType": 0});
    let Request::SendMessage { draft, .. } = Request::decode("sendMessage", &args.to_string(), &config.limits)? else {
        return Err(Refusal::Unsupported("this".into()).into());
    };
    draft.validate_broadcast(&config.limits)?;
    broker.server_api.charge_broadcast(&config, broker.context.clock.elapsed()).map_err(|refusal| match refusal {
        Refusal::RateLimited { .. } => Fault::new(code::BROADCAST_RATE, refusal.to_string()),
        other => other.into(),
    })?;
    broker.broadcast(&from, draft).await?;
    Ok(Success::default().noting(content.notes))
}

/// Takes a message back: only for its sender, and in time.
async fn revoke(call: &Call<'_>, place: &Target, from: UserId) -> Outcome {
    let seq = call.input.number("MsgSeq")?;
    let (id, kind) = (place.id(), place.kind().number());
    let asked = json!({"conversationID": id, "conversationType": kind, "messageSeqs": [seq.max(0)]});
    let reader = if matches!(place, Target::Group(_)) { OnBehalfOf::System } else { OnBehalfOf::User(from.clone()) };
    let found = call.run(reader, "queryMessages", &asked).await?;
    let message = &found["messageList"][0];
    if message.is_null() {
        return Err(Refusal::MessageMissing.into());
    }
    if message["senderUserID"] != from.as_str() {
        return Err(Fault::new(code::NOT_THE_SENDER, format!("the message is not of FromUserId {from}")));
    }
    let seconds = call.broker.config().limits.revoke_seconds;
    let age_ms = call.broker.context.clock.wall_ms().saturating_sub(message["timestamp"].as_u64().unwrap_or(0));
    if age_ms / 1000 > seconds {
        return Err(Refusal::RevokeTooLate { seconds }.into());
    }
    let message = json!({"messageSeq": seq, "conversationID": id, "conversationType": kind});
    let args = json!({"message": message, "config": {"revokeExtendedData": call.input.text_or_empty("Payload")?}});
    match (call.run(OnBehalfOf::User(from), "revokeMessage", &args).await, place) {
        // Who sent it from outside, or has left since.
        (Err(Refusal::NotInGroup(_)), Target::Group(group)) => call.run(OnBehalfOf::OwnerOf(group.clone()), "revokeMessage", &args).await?,
        (revoked, _) => revoked?,
    };
    let pushed = call.input.object("OfflinePush")?.flag("Enable")?;
    let notes = if pushed { vec!["OfflinePush: nothing is pushed to who is offline".to_owned()] } else { Vec::new() };
    Ok(Success::default().noting(notes))
}

pub(super) async fn revoke_peer(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let to = call.user_id("ToUserId", call.input.text("ToUserId")?)?;
    revoke(call, &Target::Peer(to), from).await
}

pub(super) async fn revoke_group(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let group = call.group()?;
    revoke(call, &Target::Group(group), from).await
}
