//! Messages: sent, broadcast, taken back, changed, deleted, read, looked for.

use actix_web::{HttpMessage as _, HttpRequest, get, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::caller::note_reading;
use super::input::{Body, BrokerHandle, decode_cursor, decode_place, encode_cursor, encode_place, limit, number_cursor};
use super::response::{ApiResult, Problems, json};
use super::schemas::{Message, MessageDraft, SendMessage, numbers};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::broker::idempotency::IdempotencyKey;
use crate::model::{ConversationKind, Invalid, Limits, Refusal, Target, UserId};
use crate::protocol::result::message as results;
use crate::protocol::{
    DraftArgs, HandleArgs, HistoryQuery, ListRequest, MessageRequest, RawJson, Request, SearchAnchor, SearchConfigArgs, SearchRequest,
    encode_broadcast, listed_target,
};

/// A message to everyone online.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Broadcast {
    /// In whose name: a known user, who gets it, too.
    #[serde(rename = "fromUserID")]
    #[schema(example = "alice")]
    from_user_id: String,
    /// Kinds 1, 11 to 14 (by fileDownloadUrl) and 200.
    #[serde(deserialize_with = "super::input::object")]
    message: MessageDraft,
}

/// A broadcast that went out.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Broadcasted {
    message: Message,
    /// How many sessions it went to.
    session_count: usize,
}

/// A message that was accepted or changed.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct OneMessage {
    message: Message,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages {
    #[schema(value_type = Vec<Message>)]
    message_list: Vec<RawJson>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// In whose name; left out or the system's: the server's own.
pub(super) fn whom(broker: &Broker, field: &str, user: Option<&str>) -> Result<OnBehalfOf, Invalid> {
    match user {
        None => Ok(OnBehalfOf::System),
        Some(user) => Ok(OnBehalfOf::User(UserId::parse(field, user, &broker.config().limits)?)),
    }
}

/// Sends to everyone who is logged in with SDK 2.10 or later.
///
/// Kept nowhere, in no conversation, counted by nobody. All keys together have `api.broadcasts_per_second` (1) and
/// `api.broadcasts_per_day` (100).
#[utoipa::path(tag = "messages", request_body = Broadcast, security(("key" = ["broadcast"])),
    responses((status = 200, description = "It is in the outboxes of all of them.", body = Broadcasted), Problems))]
#[post("/broadcasts")]
pub(super) async fn send_broadcast(BrokerHandle(broker): BrokerHandle, Body(call): Body<Broadcast>) -> ApiResult {
    let config = broker.config();
    let from = UserId::parse("fromUserID", &call.from_user_id, &config.limits)?;
    let draft = DraftArgs::from(call.message).draft(None, &config.limits)?;
    draft.validate_broadcast(&config.limits)?;
    if broker.users().get(&from).await?.is_none() && !broker.context.is_system(&from) {
        return Err(Refusal::UserMissing(from.to_string()).into());
    }
    broker.server_api.charge_broadcast(&broker.context)?;
    let broadcast = broker.broadcast(&from, draft).await?;
    json(&json!({"message": encode_broadcast(&broadcast), "sessionCount": broadcast.sessions}))
}

/// Sends a message to a user, a room or a group.
///
/// It is on disk when this answers, if its kind is stored. Quotas of users and the moderator do not hold for it; membership and
/// mutes do, but not for the server's own user.
#[utoipa::path(tag = "messages", request_body = SendMessage, security(("key" = ["messages:write"])),
    responses((status = 200, description = "The message in its place.", body = OneMessage), Problems))]
#[post("/messages")]
pub(super) async fn send_message(request: HttpRequest, BrokerHandle(broker): BrokerHandle, Body(mut call): Body<SendMessage>) -> ApiResult {
    let from = whom(&broker, "fromUserID", call.from_user_id.as_deref())?;
    if call.message.local_message_id.is_none() {
        call.message.local_message_id = request.extensions().get::<IdempotencyKey>().map(local_id);
    }
    let limits = &broker.config().limits;
    let kind = ConversationKind::from_number("conversationType", call.conversation_type.into())?;
    let target = Target::parse("toConversationID", kind, &call.to_conversation_id, limits)?;
    let draft = DraftArgs::from(call.message).draft(call.config.map(Into::into), limits)?;
    json(&broker.call(from, Request::SendMessage { target, draft }).await?)
}

/// A call's key as the message's: the store recognises it, also across a restart.
fn local_id((name, key): &IdempotencyKey) -> String {
    let digest = Sha256::digest(format!("{name}\n{key}").as_bytes());
    format!("api-{}", URL_SAFE_NO_PAD.encode(&digest[..24]))
}

/// Which messages of one conversation, as one user sees it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessagesQuery {
    /// As this user sees it. Of rooms and groups it may be left out: as the server sees them.
    #[serde(rename = "userID")]
    user_id: Option<String>,
    /// The other user, the room or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 1 room, 2 group.
    #[param(required = true, schema_with = numbers::conversation_type)]
    conversation_type: u8,
    /// Most messages; 1 to 100, default 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Messages of a conversation, the newest first.
#[utoipa::path(tag = "messages", security(("key" = ["messages:read"])), params(MessagesQuery),
    responses((status = 200, description = "A page, newest first.", body = Messages), Problems))]
#[get("/messages")]
pub(super) async fn list_messages(request: HttpRequest, BrokerHandle(broker): BrokerHandle, query: web::Query<MessagesQuery>) -> ApiResult {
    note_reading(&request, query.user_id.as_deref(), Some((&query.conversation_id, query.conversation_type)));
    let limits = &broker.config().limits;
    if query.user_id.is_none() && query.conversation_type == 0 {
        return Err(Invalid::new("userID", "is missing: a peer conversation has two sides").into());
    }
    let count = limit(query.limit, &broker, limits.history_page_max)?;
    let before = number_cursor(query.cursor.as_deref().map(decode_cursor).transpose()?)?;
    let reader = whom(&broker, "userID", query.user_id.as_deref())?;
    let kind = ConversationKind::from_number("conversationType", query.conversation_type.into())?;
    let target = Target::parse("conversationID", kind, &query.conversation_id, limits)?;
    let wanted = HistoryQuery { target, count, backwards: true, anchor_seq: before, anchor_order_key: None };
    let page: results::Messages = broker.call_for(reader, Request::QueryHistory(wanted)).await?;
    let mut list = page.message_list;
    list.reverse();
    let oldest = list.last().and_then(RawJson::read::<StoredPlace>).map(|place| place.message_seq).filter(|seq| *seq > 1);
    // Some of the page may be hidden from this reader, so that less than a page says nothing.
    let more = list.len() == count || page.more;
    let next_cursor = oldest.filter(|_| more).map(|oldest| encode_cursor(&oldest.to_string()));
    json(&Messages { message_list: list, next_cursor })
}

/// Where a message is kept in its conversation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPlace {
    message_seq: u64,
}

/// Which message, and in whose name it is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Revoke {
    /// Who takes it back; of a group's it may be left out: the server.
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
    /// Told to those who saw it; at most 200 bytes.
    #[serde(default)]
    revoke_extended_data: String,
}

/// Takes a message back, whoever sent it and whenever.
#[utoipa::path(tag = "messages", request_body = Revoke, security(("key" = ["messages:write"])),
    responses((status = 200, description = "The message as it is now.", body = OneMessage), Problems))]
#[post("/messages/revoke")]
pub(super) async fn revoke_message(BrokerHandle(broker): BrokerHandle, Body(call): Body<Revoke>) -> ApiResult {
    let limits = &broker.config().limits;
    let message = named(limits, call.user_id.is_some(), (call.conversation_id, call.conversation_type), call.message_id)?;
    let by = whom(&broker, "userID", call.user_id.as_deref())?;
    let revoke = MessageRequest::revoke(&message, call.revoke_extended_data, limits)?;
    json(&broker.call(by, Request::Message(revoke)).await?)
}

/// Names a message of a conversation that the caller may mean; `has_user`: the call names whose side is meant.
pub(super) fn named(limits: &Limits, has_user: bool, (id, kind): (String, u8), message_id: String) -> Result<HandleArgs, Invalid> {
    let kind = ConversationKind::from_number("conversationType", kind.into())?;
    if !has_user && kind == ConversationKind::Peer {
        return Err(Invalid::new("userID", "is missing: a peer conversation has two sides"));
    }
    if kind == ConversationKind::Room {
        return Err(Invalid::new("conversationType", "is 1: messages of rooms are not changed"));
    }
    Target::parse("conversationID", kind, &id, limits)?;
    if message_id.is_empty() {
        return Err(Invalid::new("messageID", "is empty"));
    }
    let conversation_type = Some(kind.number().into());
    Ok(HandleArgs { message_id, conversation_id: id, conversation_type, ..HandleArgs::default() })
}

/// Which message, and what it says from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Edit {
    /// Its sender.
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
    /// What it says now; of the same kind.
    #[serde(deserialize_with = "super::input::object")]
    message: MessageDraft,
}

/// Changes what a message says, as its sender may for `limits.edit_seconds`.
#[utoipa::path(tag = "messages", request_body = Edit, security(("key" = ["messages:write"])),
    responses((status = 200, description = "The message as it is now.", body = OneMessage), Problems))]
#[post("/messages/edit")]
pub(super) async fn edit_message(BrokerHandle(broker): BrokerHandle, Body(call): Body<Edit>) -> ApiResult {
    let limits = &broker.config().limits;
    let message = named(limits, true, (call.conversation_id, call.conversation_type), call.message_id)?;
    let by = whom(&broker, "userID", Some(&call.user_id))?;
    let edit = MessageRequest::edit(&message, call.message.into(), limits)?;
    json(&broker.call(by, Request::Message(edit)).await?)
}

/// Which messages are deleted for one user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Delete {
    /// For whom; others keep theirs.
    #[serde(rename = "userID")]
    user_id: String,
    /// The other user, or the group.
    #[serde(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: u8,
    /// At most 100; left out: all of the conversation.
    #[serde(rename = "messageIDs", default)]
    #[schema(min_items = 1, max_items = 100)]
    message_ids: Option<Vec<String>>,
}

/// Where messages were deleted.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct Deleted {
    #[schema(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: u8,
}

/// Deletes messages for one user.
#[utoipa::path(tag = "messages", request_body = Delete, security(("key" = ["messages:write"])),
    responses((status = 200, description = "They are gone from this user's history.", body = Deleted), Problems))]
#[post("/messages/delete")]
pub(super) async fn delete_messages(BrokerHandle(broker): BrokerHandle, Body(call): Body<Delete>) -> ApiResult {
    let limits = &broker.config().limits;
    let of = OnBehalfOf::User(UserId::parse("userID", &call.user_id, limits)?);
    let target = listed_target(&call.conversation_id, call.conversation_type.into(), limits)?;
    let request = match call.message_ids {
        None => ListRequest::Clear { target },
        Some(ids) => {
            let handle = |message_id: String| HandleArgs { message_id, ..HandleArgs::default() };
            ListRequest::delete(target, &ids.into_iter().map(handle).collect::<Vec<_>>(), limits)?
        }
    };
    json(&broker.call(of, Request::List(request)).await?)
}

/// What is looked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Search {
    /// In whose messages.
    #[serde(rename = "userID")]
    user_id: String,
    /// In one conversation only; with conversationType.
    #[serde(rename = "conversationID", default)]
    conversation_id: Option<String>,
    /// 0 peer, 2 group.
    #[serde(default)]
    #[schema(schema_with = numbers::listed_type)]
    conversation_type: Option<u8>,
    /// All of these; at most 5.
    #[serde(default)]
    keywords: Vec<String>,
    /// Of one of these senders.
    #[serde(rename = "senderUserIDs", default)]
    sender_user_ids: Vec<String>,
    /// Of one of these kinds.
    #[serde(default)]
    message_types: Vec<u16>,
    /// From then on, Unix milliseconds.
    #[serde(default)]
    start_time: u64,
    /// Until then, Unix milliseconds; 0: now.
    #[serde(default)]
    end_time: u64,
    /// Most messages; 1 to 100, default 100.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// Looks for messages that a user may read, the newest first.
///
/// One call looks at `limits.search_messages_max` messages; with `nextCursor` it goes on, also after an empty page.
#[utoipa::path(tag = "messages", request_body = Search, security(("key" = ["messages:read"])),
    responses((status = 200, description = "What was found, newest first.", body = Messages), Problems))]
#[post("/messages/search")]
pub(super) async fn search_messages(request: HttpRequest, BrokerHandle(broker): BrokerHandle, Body(call): Body<Search>) -> ApiResult {
    note_reading(&request, Some(&call.user_id), call.conversation_id.as_deref().zip(call.conversation_type));
    let limits = &broker.config().limits;
    let of = OnBehalfOf::User(UserId::parse("userID", &call.user_id, limits)?);
    let count = limit(call.limit, &broker, limits.search_page_max)?;
    let after = call.cursor.as_deref().map(search_anchor).transpose()?;
    let search = SearchConfigArgs {
        keywords: call.keywords,
        sender_user_ids: call.sender_user_ids,
        message_types: call.message_types,
        start_time: call.start_time,
        end_time: call.end_time,
        ..SearchConfigArgs::default()
    };
    let place = match (call.conversation_id, call.conversation_type) {
        (None, None) => None,
        (Some(id), Some(kind)) => Some((id, kind)),
        _ => return Err(Invalid::new("conversationType", "and conversationID go together").into()),
    };
    let search = search.search(limits)?;
    let target = place.map(|(id, kind)| listed_target(&id, kind.into(), limits)).transpose()?;
    let request = SearchRequest::Messages { target, search, ascending: false, count, after };
    let page: results::FoundMessages = broker.call_for(of, Request::Search(request)).await?;
    let next = page.next_message.flatten().and_then(|next| next.read::<SearchPlace>());
    json(&Messages { message_list: page.message_list, next_cursor: next.as_ref().and_then(encode_place) })
}

/// Where a search goes on.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SearchPlace {
    #[serde(rename = "messageID")]
    message_id: String,
    order_key: u64,
}

/// Reads where a search goes on from the cursor that it gave.
fn search_anchor(cursor: &str) -> Result<SearchAnchor, Invalid> {
    let SearchPlace { message_id, order_key } = decode_place(cursor)?;
    match message_id.parse() {
        Ok(id) if order_key > 0 => Ok(SearchAnchor { order_key, id }),
        _ => Err(Invalid::new("cursor", "is not a nextCursor of this list")),
    }
}
