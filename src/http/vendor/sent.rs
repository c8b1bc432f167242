//! What is done to messages that were sent: edited, confirmed, taken out of a room, looked up.

use serde_json::Value;

use super::body;
use super::call::{Call, Outcome, Success, fields};
use super::codes::{Fault, code};
use super::history::vendor_message;
use super::input::Input;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{ConversationKind, Refusal, Target, UserId};
use crate::protocol::result::message::{Messages, ReceiptsSent};
use crate::protocol::{Change, HandleArgs, MessageHandle, MessageRequest, RawJson, Request};

/// The most messages that one call asks for. Source: ZIM server API reference, `QueryMessagesByMsgSeq`.
const LOOKED_UP_MAX: usize = 20;

/// Reads a conversation's id: `ConvId`, or the name its neighbours have for it.
fn place(call: &Call<'_>, kind: ConversationKind) -> Result<Target, Fault> {
    let other = if kind == ConversationKind::Peer { "ToUserId" } else { "GroupId" };
    let field = if call.input.has("ConvId") { "ConvId" } else { other };
    Ok(Target::parse(field, kind, call.input.text(field)?, &call.broker.config().limits)?)
}

/// Reads the seqs of messages under one of two names.
fn seqs(input: &Input, names: [&str; 2]) -> Result<Vec<u64>, Fault> {
    let name = if input.has(names[0]) { names[0] } else { names[1] };
    let seqs = input.numbers(name)?;
    if seqs.is_empty() {
        return Err(input.wrong(names[0], "is empty"));
    }
    let one =
        |seq: &i64| u64::try_from(*seq).ok().filter(|seq| *seq > 0).ok_or_else(|| input.wrong(name, &format!("has {seq}, and no seq")));
    seqs.iter().map(one).collect()
}

/// Changes what a message says, as its sender may. The page has `SenderId` besides the editor: it is whose message it is.
async fn edit(call: &Call<'_>, kind: ConversationKind) -> Outcome {
    let from = call.operator().await?;
    let sender = match call.input.text_or_empty("SenderId")? {
        "" => from,
        sender => call.user_id("SenderId", sender)?,
    };
    let target = match place(call, kind)? {
        // The conversation is named by its other side as the editor sees it.
        Target::Peer(other) if other == sender => Target::Peer(call.operator().await?),
        target => target,
    };
    let seq = call.input.maybe_number("ConvMsgSeq")?;
    let seq = match seq {
        Some(seq) => seq,
        None => call.input.number("MsgSeq")?,
    };
    let content = body::read(&call.input.renamed("MsgType", "MessageType").renamed("MsgBody", "MessageBody"))?;
    let message = HandleArgs {
        message_seq: u64::try_from(seq).unwrap_or(0),
        conversation_id: target.id().to_owned(),
        conversation_type: Some(target.kind().number().into()),
        ..HandleArgs::default()
    };
    let request = MessageRequest::edit(&message, content.draft, &call.broker.config().limits)?;
    call.run(OnBehalfOf::User(sender), Request::Message(request)).await?;
    Ok(Success::default().noting(content.notes))
}

pub(super) async fn edit_peer(call: &Call<'_>) -> Outcome {
    edit(call, ConversationKind::Peer).await
}

pub(super) async fn edit_group(call: &Call<'_>) -> Outcome {
    edit(call, ConversationKind::Group).await
}

/// Says that `FromUserId` has read messages. Fails when none of them takes a receipt.
async fn confirm(call: &Call<'_>, kind: ConversationKind) -> Outcome {
    let from = call.operator().await?;
    let target = place(call, kind)?;
    let seqs = seqs(&call.input, ["ConvMsgSeq", "MsgSeq"])?;
    let (count, max) = (seqs.len(), call.broker.config().limits.receipts_max);
    if count > max {
        return Err(call.input.wrong("ConvMsgSeq", &format!("has {count} entries, the limit is {max}")));
    }
    let messages = seqs.iter().map(|seq| MessageHandle { seq: Some(*seq), id: None }).collect();
    let request = Request::Message(MessageRequest::Receipts { target, messages });
    let sent: ReceiptsSent = call.run(OnBehalfOf::User(from), request).await?.try_into()?;
    if sent.error_message_ids.len() == count {
        return Err(Refusal::NoReceipt("none of the messages takes a receipt of this user").into());
    }
    Ok(Success::default())
}

pub(super) async fn confirm_peer(call: &Call<'_>) -> Outcome {
    confirm(call, ConversationKind::Peer).await
}

pub(super) async fn confirm_group(call: &Call<'_>) -> Outcome {
    confirm(call, ConversationKind::Group).await
}

/// Finds the message of a seq that a user sent.
async fn own(call: &Call<'_>, reader: OnBehalfOf, target: &Target, seq: u64, from: &UserId) -> Result<(), Fault> {
    let asked = crate::protocol::HistoryQuery {
        target: target.clone(),
        count: 1,
        backwards: true,
        anchor_seq: Some(seq + 1),
        anchor_order_key: None,
    };
    let found: Messages = call.run(reader, Request::QueryHistory(asked)).await?.try_into()?;
    let message: Value = found.message_list.last().and_then(RawJson::read).unwrap_or_default();
    if message["messageSeq"].as_u64() != Some(seq) {
        return Err(Refusal::MessageMissing.into());
    }
    if message["senderUserID"] != from.as_str() {
        return Err(Fault::new(code::NOT_THE_SENDER, format!("the message is not of FromUserId {from}")));
    }
    Ok(())
}

/// Takes a message out of a room. Done in the server's name, because those inside change nothing of what is said.
pub(super) async fn revoke_room(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let room = call.room()?;
    if !call.broker.config().room.history {
        return Err(Fault::new(code::ROOM_NOT_KEPT, "room.history is off: messages of rooms are not kept"));
    }
    let seq = u64::try_from(call.input.number("MsgSeq")?).ok().filter(|seq| *seq > 0);
    let seq = seq.ok_or_else(|| call.input.wrong("MsgSeq", "is no seq"))?;
    let payload = call.input.text_or_empty("Payload")?;
    let (bytes, max) = (payload.len(), call.broker.config().limits.revoke_extended_data_bytes_max);
    if bytes > max {
        return Err(call.input.wrong("Payload", &format!("is {bytes} bytes, the limit is {max}")));
    }
    let target = Target::Room(room);
    own(call, OnBehalfOf::System, &target, seq, &from).await?;
    let change = Change::Revoke { extended_data: payload.to_owned() };
    let message = MessageHandle { seq: Some(seq), id: None };
    call.run(OnBehalfOf::System, Request::Message(MessageRequest::Change { target, message, change })).await?;
    Ok(Success::default())
}

/// Looks messages up by their seqs; those that are not there, or not for `FromUserId`, are left out.
pub(super) async fn by_seq(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let kind = ConversationKind::from_number("ConvType", call.input.number("ConvType")?)?;
    if kind == ConversationKind::Room {
        return Err(call.input.wrong("ConvType", "is 1, it must be 0 or 2"));
    }
    let target = place(call, kind)?;
    let seqs = seqs(&call.input, ["MsgSeqList", "MsgSeqs"])?;
    let count = seqs.len();
    if count > LOOKED_UP_MAX {
        return Err(call.input.wrong("MsgSeqList", &format!("has {count} entries, the limit is {LOOKED_UP_MAX}")));
    }
    let reader = if kind == ConversationKind::Group { OnBehalfOf::System } else { OnBehalfOf::User(from) };
    let request = Request::Message(MessageRequest::BySeq { target, seqs });
    let found: Messages = call.run(reader, request).await?.try_into()?;
    let list: Vec<Value> = found.message_list.iter().filter_map(RawJson::read::<Value>).map(|message| vendor_message(&message)).collect();
    Ok(fields([("MessageList", list.into())]).into())
}
