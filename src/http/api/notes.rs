//! What users say of messages without a word: reactions, receipts, pins.

use actix_web::{HttpRequest, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::note_reading;
use super::input::{Body, BrokerHandle};
use super::messages::{OneMessage, named, whom};
use super::response::{ApiResult, Problems, json};
use super::schemas::{Message, numbers};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{Invalid, Refusal, UserId};
use crate::protocol::result::message as results;
use crate::protocol::{Change, HandleArgs, MessageHandle, MessageRequest, RawJson, Request, listed_target};

/// One message, as a user sees its conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct React {
    /// Who reacts.
    #[serde(rename = "userID")]
    user_id: String,
    /// The other user, or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: u8,
    /// Which.
    #[serde(rename = "messageID")]
    message_id: String,
    /// What for, 1 to 32 bytes.
    #[schema(min_length = 1, max_length = 32)]
    reaction_type: String,
    /// False: it is taken back.
    #[serde(default = "yes")]
    is_added: bool,
}

fn yes() -> bool {
    true
}

/// A message of a kind of reaction.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Reacted {
    /// The reaction as it is now: its kind, how many users, and which.
    reaction: std::collections::BTreeMap<String, serde_json::Value>,
}

/// Makes of a named message what a change needs.
fn change(message: &HandleArgs, change: Change, limits: &crate::model::Limits) -> Result<MessageRequest, Refusal> {
    let target = listed_target(&message.conversation_id, message.conversation_type.unwrap_or(0), limits)?;
    let id = message.message_id.parse().map_err(|_| Invalid::new("messageID", "is not an id of this broker"))?;
    Ok(MessageRequest::Change { target, message: MessageHandle { seq: None, id: Some(id) }, change })
}

/// Adds a user's reaction to a message, or takes it back.
#[utoipa::path(tag = "messages", request_body = React, security(("key" = ["messages:write"])),
    responses((status = 200, description = "The reaction as it is now.", body = Reacted), Problems))]
#[post("/messages/reactions")]
pub(super) async fn react_to_message(BrokerHandle(broker): BrokerHandle, Body(call): Body<React>) -> ApiResult {
    let limits = &broker.config().limits;
    let (bytes, max) = (call.reaction_type.len(), limits.reaction_bytes_max);
    if bytes == 0 || bytes > max {
        return Err(Invalid::new("reactionType", format!("is {bytes} bytes, the range is 1 to {max}")).into());
    }
    let message = named(limits, true, (call.conversation_id, call.conversation_type), call.message_id)?;
    let by = whom(&broker, "userID", Some(&call.user_id))?;
    let request = change(&message, Change::React { reaction: call.reaction_type, add: call.is_added }, limits)?;
    json(&broker.call(by, Request::Message(request)).await?)
}

/// Which messages a user has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Receipts {
    /// Who has read them.
    #[serde(rename = "userID")]
    user_id: String,
    /// The other user, or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: u8,
    /// At most 10.
    #[serde(rename = "messageIDs")]
    #[schema(min_items = 1, max_items = 10)]
    message_ids: Vec<String>,
}

/// Those that take no receipt.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Confirmed {
    /// Not there, not for this user, its own, or sent without asking for a receipt.
    #[serde(rename = "errorMessageIDs")]
    error_message_ids: Vec<String>,
}

/// Says that a user has read messages, which their senders hear.
#[utoipa::path(tag = "messages", request_body = Receipts, security(("key" = ["messages:write"])),
    responses((status = 200, description = "Those of which it could not be said.", body = Confirmed), Problems))]
#[post("/messages/receipts")]
pub(super) async fn confirm_messages(BrokerHandle(broker): BrokerHandle, Body(call): Body<Receipts>) -> ApiResult {
    let limits = &broker.config().limits;
    let (count, count_max) = (call.message_ids.len(), limits.receipts_max);
    if count == 0 || count > count_max {
        return Err(Invalid::new("messageIDs", format!("has {count} entries, the range is 1 to {count_max}")).into());
    }
    let target = listed_target(&call.conversation_id, call.conversation_type.into(), limits)?;
    let handle = |(n, id): (usize, &String)| match id.parse() {
        Ok(id) => Ok(MessageHandle { seq: None, id: Some(id) }),
        Err(_) => Err(Invalid::new(format!("messageIDs[{n}]"), "is not an id of this broker")),
    };
    let messages = call.message_ids.iter().enumerate().map(handle).collect::<Result<_, _>>()?;
    let by = OnBehalfOf::User(UserId::parse("userID", &call.user_id, limits)?);
    let sent: results::ReceiptsSent = broker.call_for(by, Request::Message(MessageRequest::Receipts { target, messages })).await?;
    json(&Confirmed { error_message_ids: sent.error_message_ids })
}

/// One message, and whether it is pinned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Pin {
    /// In whose name; of a group's it may be left out: the server.
    #[serde(rename = "userID", default)]
    user_id: Option<String>,
    /// The other user, or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: u8,
    /// Which.
    #[serde(rename = "messageID")]
    message_id: String,
    /// Whether it is from now on.
    is_pinned: bool,
    /// True: it is refused where there are as many pinned as there may be; else the oldest gives way.
    #[serde(default)]
    disable_auto_replace: bool,
}

/// Pins a message for everyone in its conversation, or not any more.
#[utoipa::path(tag = "messages", request_body = Pin, security(("key" = ["messages:write"])),
    responses((status = 200, description = "The message as it is now.", body = OneMessage), Problems))]
#[post("/messages/pin")]
pub(super) async fn pin_message(BrokerHandle(broker): BrokerHandle, Body(call): Body<Pin>) -> ApiResult {
    let limits = &broker.config().limits;
    let message = named(limits, call.user_id.is_some(), (call.conversation_id, call.conversation_type), call.message_id)?;
    let by = whom(&broker, "userID", call.user_id.as_deref())?;
    let pin = Change::Pin { pinned: call.is_pinned, may_replace: !call.disable_auto_replace };
    json(&broker.call(by, Request::Message(change(&message, pin, limits)?)).await?)
}

/// A conversation, as one user sees it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PinsQuery {
    /// As this user sees it. Of groups it may be left out: as the server sees them.
    #[serde(rename = "userID")]
    user_id: Option<String>,
    /// The other user, or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[param(required = true, schema_with = numbers::listed_type)]
    conversation_type: u8,
}

/// Pinned messages.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pinned {
    #[schema(value_type = Vec<Message>)]
    message_list: Vec<RawJson>,
}

/// The pinned messages of a conversation, the latest pinned first.
#[utoipa::path(tag = "messages", security(("key" = ["messages:read"])), params(PinsQuery),
    responses((status = 200, description = "All of them.", body = Pinned), Problems))]
#[get("/messages/pinned")]
pub(super) async fn list_pinned_messages(
    request: HttpRequest,
    BrokerHandle(broker): BrokerHandle,
    query: web::Query<PinsQuery>,
) -> ApiResult {
    note_reading(&request, query.user_id.as_deref(), Some((&query.conversation_id, query.conversation_type)));
    let limits = &broker.config().limits;
    if query.user_id.is_none() && query.conversation_type == 0 {
        return Err(Invalid::new("userID", "is missing: a peer conversation has two sides").into());
    }
    let reader = whom(&broker, "userID", query.user_id.as_deref())?;
    let target = listed_target(&query.conversation_id, query.conversation_type.into(), limits)?;
    let found: results::Messages = broker.call_for(reader, Request::Message(MessageRequest::Pinned { target })).await?;
    json(&Pinned { message_list: found.message_list })
}
