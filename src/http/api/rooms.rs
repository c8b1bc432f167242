//! Rooms, from outside.

use actix_web::{delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::input::{Body, BrokerHandle, PageQuery, RoomPath, encode_cursor, page_of};
use super::response::{ApiResult, Problems, done, json};
use super::schemas::{AttributesPatch, ErrorUser, Member, Room};
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{AttributeTerms, Invalid, Refusal, RoomId, RoomInfo, UserId};
use crate::protocol::result::room as results;
use crate::protocol::result::user::UserWire;
use crate::protocol::{Request, RoomRequest, error_users, room_change};

/// The most users of one call. Source: ZIM server API reference, `KickoutRoomUser`.
const KICKED_MAX: usize = 50;
/// The longest reason, bytes. Source: the same.
const REASON_BYTES_MAX: usize = 32;

/// A room to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewRoom {
    /// 1 to 128 bytes of letters, digits and punctuation.
    #[serde(rename = "roomID")]
    #[schema(min_length = 1, max_length = 128, pattern = r"^[A-Za-z0-9!#$%&()+:;<=.>?@\[\]^_{}|~-]+$", example = "lobby")]
    room_id: String,
    /// At most 64 bytes.
    #[serde(default)]
    room_name: String,
    /// How long it stands empty, seconds, at most 10,800; never less than `room.grace_seconds` before anybody came.
    #[serde(default)]
    #[schema(maximum = 10_800)]
    room_destroy_delay_time: u32,
    /// At most 20 pairs, keys of 16 bytes, values of 1,024.
    #[serde(default)]
    room_attributes: BTreeMap<String, String>,
}

/// Makes a room with nobody inside.
#[utoipa::path(tag = "rooms", request_body = NewRoom, security(("key" = ["rooms:write"])),
    responses((status = 200, description = "The room.", body = Room), Problems))]
#[post("/rooms")]
pub(super) async fn create_room(BrokerHandle(broker): BrokerHandle, Body(call): Body<NewRoom>) -> ApiResult {
    let info = RoomInfo::parse("room", &call.room_id, call.room_name, &broker.config().limits)?;
    let room = info.id.clone();
    broker.rooms().create(info, call.room_destroy_delay_time.into(), call.room_attributes).await?;
    json(&Room::of(&broker.rooms().about(&room).await?))
}

/// A page of rooms.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rooms {
    room_list: Vec<Room>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Every room there is, in the order of their ids.
#[utoipa::path(tag = "rooms", security(("key" = ["rooms:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Rooms), Problems))]
#[get("/rooms")]
pub(super) async fn list_rooms(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let limit = page.limit(&broker, usize::MAX)?;
    let after = page.cursor()?.map(|after| RoomId::trusted(&after));
    let (rooms, more) = page_of(broker.rooms().list(after.as_ref(), limit + 1).await?, limit);
    let next_cursor = rooms.last().filter(|_| more).map(|last| encode_cursor(last.info.id.as_str()));
    json(&Rooms { room_list: rooms.iter().map(Room::of).collect(), next_cursor })
}

/// One room.
#[utoipa::path(tag = "rooms", security(("key" = ["rooms:read"])), params(RoomPath),
    responses((status = 200, description = "The room.", body = Room), Problems))]
#[get("/rooms/{roomID}")]
pub(super) async fn get_room(BrokerHandle(broker): BrokerHandle, path: web::Path<RoomPath>) -> ApiResult {
    json(&Room::of(&broker.rooms().about(&path.room(&broker)?).await?))
}

/// Ends a room and its history, whoever is inside.
#[utoipa::path(tag = "rooms", security(("key" = ["rooms:write"])), params(RoomPath),
    responses((status = 200, description = "It is gone.", body = Object), Problems))]
#[delete("/rooms/{roomID}")]
pub(super) async fn destroy_room(BrokerHandle(broker): BrokerHandle, path: web::Path<RoomPath>) -> ApiResult {
    broker.rooms().destroy(&path.room(&broker)?).await?;
    done()
}

/// A page of a room's members.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomMembers {
    #[serde(rename = "roomID")]
    #[schema(value_type = String)]
    room_id: RoomId,
    #[schema(value_type = Vec<Member>)]
    member_list: Vec<UserWire>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Who is inside, in the order of their ids.
#[utoipa::path(tag = "rooms", security(("key" = ["rooms:read"])), params(RoomPath, PageQuery),
    responses((status = 200, description = "A page.", body = RoomMembers), Problems))]
#[get("/rooms/{roomID}/members")]
pub(super) async fn list_room_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<RoomPath>,
    page: web::Query<PageQuery>,
) -> ApiResult {
    let room = path.room(&broker)?;
    let count = page.limit(&broker, broker.config().limits.room_member_page_max)?;
    let request = RoomRequest::QueryMemberList { room, count, next: page.cursor()?.unwrap_or_default() };
    let list: results::RoomMembers = broker.call_for(OnBehalfOf::System, Request::Room(request)).await?;
    let next_cursor = Some(list.next_flag).filter(|next| !next.is_empty()).map(|next| encode_cursor(&next));
    json(&RoomMembers { room_id: list.room_id, member_list: list.member_list, next_cursor })
}

/// Who is put out, and what they are told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomKick {
    /// At most 50.
    #[serde(rename = "userIDs")]
    #[schema(min_items = 1, max_items = 50)]
    user_ids: Vec<String>,
    /// Told to them; at most 32 bytes.
    #[serde(default)]
    reason: String,
}

/// Of whom it was not done.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct RoomKicked {
    #[schema(rename = "roomID")]
    room_id: String,
    error_user_list: Vec<ErrorUser>,
}

/// Checked ids of a list within its bounds.
pub(super) fn users(broker: &Broker, field: &str, ids: &[String], max: usize) -> Result<Vec<UserId>, Invalid> {
    if ids.is_empty() || ids.len() > max {
        return Err(Invalid::new(field, format!("has {} entries, the range is 1 to {max}", ids.len())));
    }
    let limits = &broker.config().limits;
    ids.iter().enumerate().map(|(n, id)| UserId::parse(&format!("{field}[{n}]"), id, limits)).collect()
}

/// Puts members out of a room.
#[utoipa::path(tag = "rooms", request_body = RoomKick, security(("key" = ["rooms:write"])), params(RoomPath),
    responses((status = 200, description = "Those who were not inside.", body = RoomKicked), Problems))]
#[post("/rooms/{roomID}/kick")]
pub(super) async fn kick_room_members(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<RoomPath>,
    Body(call): Body<RoomKick>,
) -> ApiResult {
    let room = path.room(&broker)?;
    let users = users(&broker, "userIDs", &call.user_ids, KICKED_MAX)?;
    if call.reason.len() > REASON_BYTES_MAX {
        return Err(Invalid::too_long("reason", call.reason.len(), REASON_BYTES_MAX).into());
    }
    let missing = broker.rooms().kick(&room, users, &call.reason).await?;
    let missing: Vec<_> = missing.into_iter().map(|user| (user, Refusal::NotInRoom(room.to_string()))).collect();
    json(&json!({"roomID": room, "errorUserList": error_users(&missing)}))
}

/// A room's attributes.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the answer")]
pub(super) struct RoomAttributes {
    #[schema(rename = "roomID")]
    room_id: String,
    room_attributes: BTreeMap<String, String>,
}

async fn attributes_now(broker: &Broker, room: RoomId) -> ApiResult {
    json(&broker.call(OnBehalfOf::System, Request::Room(RoomRequest::QueryAttributes { room })).await?)
}

/// What the members of a room agreed on.
#[utoipa::path(tag = "rooms", security(("key" = ["rooms:read"])), params(RoomPath),
    responses((status = 200, description = "Keys and values.", body = RoomAttributes), Problems))]
#[get("/rooms/{roomID}/attributes")]
pub(super) async fn get_room_attributes(BrokerHandle(broker): BrokerHandle, path: web::Path<RoomPath>) -> ApiResult {
    attributes_now(&broker, path.room(&broker)?).await
}

/// Sets and deletes attributes of a room, whoever owns them; all or none.
#[utoipa::path(tag = "rooms", request_body = AttributesPatch, security(("key" = ["rooms:write"])), params(RoomPath),
    responses((status = 200, description = "As they are now.", body = RoomAttributes), Problems))]
#[patch("/rooms/{roomID}/attributes")]
pub(super) async fn change_room_attributes(
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<RoomPath>,
    Body(call): Body<AttributesPatch>,
) -> ApiResult {
    let room = path.room(&broker)?;
    let limits = &broker.config().limits;
    let mut changes = Vec::new();
    if !call.set.is_empty() {
        changes.push(room_change(Some(call.set), None, limits)?);
    }
    if !call.delete.is_empty() {
        changes.push(room_change(None, Some(call.delete), limits)?);
    }
    if changes.is_empty() {
        return Err(Invalid::new("body", "has neither set nor delete").into());
    }
    let terms = AttributeTerms { force: true, take_over: false, until_left: false };
    let request = RoomRequest::ChangeAttributes { room: room.clone(), changes, terms, batch: true };
    broker.call(OnBehalfOf::System, Request::Room(request)).await?;
    attributes_now(&broker, room).await
}
