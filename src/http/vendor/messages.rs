//! Sending, and taking back.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, MessageContent};
use super::call::{Call, Outcome, Success, failed, fields, partly};
use super::codes::{Fault, code};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{ConversationKind, Draft, Refusal, Target, UserId};
use crate::protocol::result::message::{Messages, OneMessage};
use crate::protocol::{HandleArgs, ListRequest, MessageHandle, MessageRequest, RawJson, Request, SendConfigArgs};

/// The most receivers of one call. Source: ZIM server API reference, `SendPeerMessage`.
const RECEIVERS_MAX: usize = 100;

/// Reads how a message is sent.
fn send_config(call: &Call<'_>, content: &MessageContent) -> Result<SendConfigArgs, Fault> {
    let options = call.input.object("SendMsgOptions")?;
    if options.has("TargetOption") {
        return Err(options.wrong("TargetOption", "is not supported: a message to a group is for all of it"));
    }
    Ok(SendConfigArgs {
        has_receipt: Some(content.has_receipt),
        disable_unread_message_count: Some(options.flag("NoUnread")?),
        priority: call.input.maybe_number("Priority")?,
        is_notify_mentioned_users: None,
        push_config: content.push.clone(),
    })
}

/// The part of a message that says where it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MessagePlace {
    #[serde(rename = "messageID")]
    id: String,
    #[serde(rename = "messageSeq")]
    seq: Option<u64>,
}

impl MessagePlace {
    fn of(sent: &OneMessage) -> Self {
        sent.message.as_ref().and_then(RawJson::read).unwrap_or_default()
    }

    fn id(&self) -> Value {
        self.id.parse::<u64>().ok().into()
    }
}

pub(super) async fn send_peer(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let receivers = call.user_ids("ToUserId", RECEIVERS_MAX)?;
    let is_unaware = call.input.flag("SenderUnaware")?;
    let content = body::read(&call.input)?;
    // What is wrong for all is said once.
    let config = send_config(call, &content)?;
    // What is wrong with the message is said of each.
    let draft = content.draft.draft(Some(config), &call.broker.config().limits);
    let draft = draft.map(|mut draft| {
        draft.content.options.unaware = is_unaware;
        draft
    });
    let outcomes = join_all(receivers.iter().map(|to| send_to(call, &from, to, &draft))).await;
    let (mut sent, mut errors, mut refused) = (Vec::new(), Vec::new(), None);
    for (to, outcome) in receivers.iter().zip(outcomes) {
        match outcome {
            Ok(place) => sent.push(json!({"UserId": to, "MsgId": place.id().to_string(), "MsgSeq": place.seq})),
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

async fn send_to(call: &Call<'_>, from: &UserId, to: &str, draft: &Result<Draft, Refusal>) -> Result<MessagePlace, Fault> {
    call.user_id("ToUserId", to)?;
    let target = Target::parse("toConversationID", ConversationKind::Peer, to, &call.broker.config().limits)?;
    let request = Request::SendMessage { target, draft: draft.clone()? };
    let sent: OneMessage = call.run(OnBehalfOf::User(from.clone()), request).await?.try_into()?;
    let place = MessagePlace::of(&sent);
    if draft.as_ref().is_ok_and(|draft| draft.content.options.unaware) && place.seq.is_some() {
        // Neither is it in its sender's history.
        let target = Target::parse("toConversationID", ConversationKind::Peer, to, &call.broker.config().limits)?;
        let gone = ListRequest::Delete { target, messages: vec![MessageHandle { seq: place.seq, id: None }] };
        call.run(OnBehalfOf::User(from.clone()), Request::List(gone)).await?;
    }
    Ok(place)
}

/// Sends to a room or group whose sender need not be inside. Source: ZIM server API reference, `SendGroupMessage` and
/// `SendRoomMessage`, which ask only that it is registered.
async fn send_into(call: &Call<'_>, target: Target, content: MessageContent) -> Result<MessagePlace, Fault> {
    let from = call.operator().await?;
    let config = send_config(call, &content)?;
    let draft = content.draft.draft(Some(config), &call.broker.config().limits)?;
    let sent: OneMessage = call.run(OnBehalfOf::Outsider(from), Request::SendMessage { target, draft }).await?.try_into()?;
    Ok(MessagePlace::of(&sent))
}

pub(super) async fn send_group(call: &Call<'_>) -> Outcome {
    let mut content = body::read(&call.input)?;
    let notes = std::mem::take(&mut content.notes);
    let place = send_into(call, Target::Group(call.group()?), content).await?;
    Ok(Success::from(fields([("MsgId", place.id()), ("MsgSeq", place.seq.into()), ("AuditInfos", json!([]))])).noting(notes))
}

pub(super) async fn send_room(call: &Call<'_>) -> Outcome {
    let mut content = body::read(&call.input)?;
    if content.has_receipt {
        return Err(Fault::new(code::ROOM_RECEIPT, "MessageBody.HasReceipt is 1: there are no receipts in rooms"));
    }
    if call.input.flag("SenderUnaware")? {
        content.notes.push("SenderUnaware: the sender's devices see the message if they are in the room".to_owned());
    }
    let notes = std::mem::take(&mut content.notes);
    send_into(call, Target::Room(call.room()?), content).await?;
    Ok(Success::from(fields([("AuditInfos", json!([]))])).noting(notes))
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
    let draft = content.draft.draft(None, &config.limits)?;
    draft.validate_broadcast(&config.limits)?;
    broker.server_api.charge_broadcast(&broker.context).map_err(|refusal| match refusal {
        Refusal::RateLimited { .. } => Fault::new(code::BROADCAST_RATE, refusal.to_string()),
        other => other.into(),
    })?;
    broker.broadcast(&from, draft).await?;
    Ok(Success::default().noting(content.notes))
}

/// The part of a message that says whose it is, and of when.
#[derive(Debug, Deserialize)]
struct Sent {
    #[serde(rename = "senderUserID")]
    sender: String,
    /// Unix milliseconds.
    #[serde(default)]
    timestamp: u64,
}

/// Takes a message back: only for its sender, and in time.
async fn revoke(call: &Call<'_>, place: &Target, from: UserId) -> Outcome {
    let seq = u64::try_from(call.input.number("MsgSeq")?).unwrap_or(0);
    let reader = if matches!(place, Target::Group(_)) { OnBehalfOf::System } else { OnBehalfOf::User(from.clone()) };
    let asked = MessageRequest::BySeq { target: place.clone(), seqs: vec![seq] };
    let found: Messages = call.run(reader, Request::Message(asked)).await?.try_into()?;
    let Some(message) = found.message_list.first().and_then(RawJson::read::<Sent>) else {
        return Err(Refusal::MessageMissing.into());
    };
    if message.sender != from.as_str() {
        return Err(Fault::new(code::NOT_THE_SENDER, format!("the message is not of FromUserId {from}")));
    }
    let limits = &call.broker.config().limits;
    let seconds = limits.revoke_seconds;
    let age_ms = call.broker.context.clock.wall_ms().saturating_sub(message.timestamp);
    if age_ms / 1000 > seconds {
        return Err(Refusal::RevokeTooLate { seconds }.into());
    }
    let message = HandleArgs {
        message_seq: seq,
        conversation_id: place.id().to_owned(),
        conversation_type: Some(place.kind().number().into()),
        ..HandleArgs::default()
    };
    let payload = call.input.text_or_empty("Payload")?;
    let request = || MessageRequest::revoke(&message, payload.to_owned(), limits).map(Request::Message);
    match (call.run(OnBehalfOf::User(from), request()?).await, place) {
        // Who sent it from outside, or has left since.
        (Err(Refusal::NotInGroup(_)), Target::Group(group)) => call.run(OnBehalfOf::OwnerOf(group.clone()), request()?).await?,
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
