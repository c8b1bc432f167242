//! Rooms.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Call, Outcome, Success, errors_of, failed, fields, partly};
use super::codes::{Fault, code, code_of};
use super::input::Input;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{AttributeTerms, Refusal, RoomId, RoomInfo, UserId};
use crate::protocol::result::room::{RoomMemberCount, RoomMembers, RoomMembersFound};
use crate::protocol::result::user::UserWire;
use crate::protocol::{Request, RoomRequest, RoomStart, room_change, user_list};

/// The most users that one call puts out. Source: ZIM server API reference, `KickoutRoomUser`.
const KICKED_MAX: usize = 50;
/// The longest reason, bytes. Source: ZIM server API reference, `KickoutRoomUser`.
const REASON_BYTES_MAX: usize = 32;
/// The most members of one page. Source: ZIM server API reference, `QueryRoomUserList`.
const PAGE_MAX: usize = 500;
/// The most users that one call asks about. Source: ZIM server API reference, `QueryRoomMembers`.
const ASKED_MAX: usize = 10;
/// What stands before the place where a page ends: the end itself is `0`, and that may be a user's id, too.
const NEXT: char = '>';

pub(super) async fn create(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let limits = &call.broker.config().limits;
    let info = RoomInfo::parse("room", call.input.text("RoomId")?, call.input.text_or_empty("RoomName")?.to_owned(), limits)?;
    let delay = call.input.maybe_number("DestroyDelayTime")?.unwrap_or(0);
    let delay = u64::try_from(delay).map_err(|_| call.input.wrong("DestroyDelayTime", "is negative"))?;
    let (mut attributes, mut until_left) = (BTreeMap::new(), Vec::new());
    for attribute in call.input.objects("Attributes")? {
        let key = attribute.text("Key")?.to_owned();
        if attribute.flag("AutoDelete")? {
            until_left.push(key.clone());
        }
        attributes.insert(key, attribute.text_or_empty("Value")?.to_owned());
    }
    let start = RoomStart { destroy_delay_seconds: delay, attributes, until_left };
    call.broker.rooms().create_for(Some(from), info, start).await?;
    Ok(Success::default())
}

pub(super) async fn destroy(call: &Call<'_>) -> Outcome {
    call.broker.rooms().destroy(&call.room()?).await?;
    Ok(Success::default())
}

pub(super) async fn attributes(call: &Call<'_>) -> Outcome {
    call.operator().await?;
    let room = call.broker.rooms().about(&call.room()?).await?;
    let one = |(key, value): (String, crate::model::RoomAttribute)| json!({"Key": key, "Value": value.value, "AutoDelete": u8::from(value.until_left)});
    let list: Vec<Value> = room.attributes.into_iter().map(one).collect();
    Ok(fields([("AttributeSeq", room.attributes_version.into()), ("Attributes", list.into())]).into())
}

/// Changes attributes one after the other, as they stand there; with `StopOnError` none after the first that fails.
pub(super) async fn change_attributes(call: &Call<'_>) -> Outcome {
    let from = call.operator().await?;
    let room = call.room()?;
    let changes = call.input.objects("Attributes")?;
    let (count, max) = (changes.len(), 2 * call.broker.config().limits.room_attributes_max.max(1));
    if count == 0 || count > max {
        return Err(call.input.wrong("Attributes", &format!("has {count} entries, the range is 1 to {max}")));
    }
    let is_inside = is_inside(call, &room, &from).await?;
    let (mut errors, mut done, mut first) = (Vec::new(), 0, None);
    for change in &changes {
        match change_attribute(call, &room, is_inside.then_some(&from), change).await {
            Ok(()) => done += 1,
            Err(fault) => {
                errors.push(json!({"Key": change.text_or_empty("Key").unwrap_or_default(), "SubCode": fault.code}));
                first.get_or_insert(fault.message);
                if call.input.flag("StopOnError")? || change.flag("StopOnError")? {
                    break;
                }
            }
        }
    }
    let outcome = partly("ErrKeyList", errors, done, serde_json::Map::new());
    outcome.map_err(|fault| Fault { message: first.unwrap_or_default(), ..fault })
}

async fn change_attribute(call: &Call<'_>, room: &RoomId, inside: Option<&UserId>, change: &Input) -> Result<(), Fault> {
    let until_left = change.flag("AutoDelete")?;
    let (set, delete) = match change.number("Action")? {
        0 => (Some(BTreeMap::from([(change.text("Key")?.to_owned(), change.text_or_empty("Value")?.to_owned())])), None),
        1 => (None, Some(vec![change.text("Key")?.to_owned()])),
        other => return Err(change.wrong("Action", &format!("is {other}, it must be 0 or 1"))),
    };
    if until_left && inside.is_none() {
        let why = change.wrong("AutoDelete", "is 1, but FromUserId is not in the room, so it cannot leave it");
        return Err(Fault { code: code::NOT_IN_ROOM, ..why });
    }
    let changes = vec![room_change(set, delete, &call.broker.config().limits)?];
    let terms = AttributeTerms { force: true, take_over: true, until_left };
    let request = RoomRequest::ChangeAttributes { room: room.clone(), changes, terms, batch: false };
    let whom = inside.map_or(OnBehalfOf::System, |user| OnBehalfOf::User(user.clone()));
    call.run(whom, Request::Room(request)).await?;
    Ok(())
}

async fn found(call: &Call<'_>, room: &RoomId, users: Vec<UserId>) -> Result<RoomMembersFound, Refusal> {
    call.ask(Request::Room(RoomRequest::QueryMembers { room: room.clone(), users })).await?.try_into()
}

async fn is_inside(call: &Call<'_>, room: &RoomId, user: &UserId) -> Result<bool, Fault> {
    match found(call, room, vec![user.clone()]).await {
        Ok(found) => Ok(!found.member_list.is_empty()),
        Err(Refusal::NoneInRoom) => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn list(call: &Call<'_>) -> Outcome {
    let room = call.room()?;
    let limit = call.limit(PAGE_MAX)?;
    let is_backwards = match call.input.maybe_number("Mode")?.unwrap_or(0) {
        0 => false,
        1 => true,
        other => return Err(call.input.wrong("Mode", &format!("is {other}, it must be 0 or 1"))),
    };
    let next = match call.input.text_or_empty("NextFlag")? {
        "" | "0" => String::new(),
        given => given.strip_prefix(NEXT).ok_or_else(|| call.input.wrong("NextFlag", "is not one of this list's"))?.to_owned(),
    };
    let asked = Request::Room(RoomRequest::QueryOnlineMemberCount { room: room.clone() });
    let RoomMemberCount { count: total, .. } = call.ask(asked).await?.try_into()?;
    if total == 0 {
        return Err(Fault::new(code::ROOM_EMPTY, format!("nobody is in room {room}")));
    }
    let (members, next) = if is_backwards {
        // A room tells of its members in one order only; the other one is made of all of them.
        let (mut all, _) = inside(call, &room, usize::MAX, String::new()).await?;
        all.reverse();
        all.retain(|member| next.is_empty() || member.user_id.as_str() < next.as_str());
        let more = all.len() > limit;
        all.truncate(limit);
        let last = all.last().filter(|_| more).map(|member| member.user_id.to_string());
        (all, last.unwrap_or_default())
    } else {
        inside(call, &room, limit, next).await?
    };
    let list: Vec<Value> = members.iter().map(|member| json!({"UserId": member.user_id, "UserName": member.user_name})).collect();
    let next = if next.is_empty() { "0".to_owned() } else { format!("{NEXT}{next}") };
    Ok(fields([("Count", total.into()), ("NextFlag", next.into()), ("UserList", list.into())]).into())
}

/// Returns so many members in the order of their ids, and where the next ones begin.
async fn inside(call: &Call<'_>, room: &RoomId, limit: usize, mut next: String) -> Result<(Vec<UserWire>, String), Fault> {
    let mut members = Vec::new();
    loop {
        let count = (limit - members.len()).min(call.broker.config().limits.room_member_page_max);
        let asked = Request::Room(RoomRequest::QueryMemberList { room: room.clone(), count, next });
        let page: RoomMembers = call.ask(asked).await?.try_into()?;
        members.extend(page.member_list);
        next = page.next_flag;
        if next.is_empty() || members.len() >= limit {
            return Ok((members, next));
        }
    }
}

pub(super) async fn members(call: &Call<'_>) -> Outcome {
    let room = call.room()?;
    let ids = call.user_ids("UserId", ASKED_MAX)?;
    let (mut known, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        let user = call.user_id("UserId", &id)?;
        if call.is_known(&user).await? { known.push(id) } else { errors.push(failed(&id, code::USER_UNKNOWN)) }
    }
    let mut list = Vec::new();
    if !known.is_empty() {
        let limits = &call.broker.config().limits;
        match found(call, &room, user_list("userIDs", &known, limits.room_member_query_max, limits)?).await {
            Ok(found) => {
                list.extend(found.member_list.iter().map(member));
                errors.extend(errors_of(&found.error_user_list));
            }
            Err(Refusal::NoneInRoom) => errors.extend(known.iter().map(|user| failed(user, code::NOT_IN_ROOM))),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let count = list.len();
    partly("ErrorList", errors, count, fields([("UserList", list.into())]))
}

fn member(user: &UserWire) -> Value {
    json!({"user_id": user.user_id, "user_name": user.user_name, "avatar": user.user_avatar_url, "extra": null})
}

pub(super) async fn kick(call: &Call<'_>) -> Outcome {
    let room = call.room()?;
    let ids = call.user_ids("UserId", KICKED_MAX)?;
    let reason = call.input.text_or_empty("CustomReason")?;
    if reason.len() > REASON_BYTES_MAX {
        return Err(call.input.wrong("CustomReason", &format!("is {} bytes, the limit is {REASON_BYTES_MAX}", reason.len())));
    }
    let users = ids.iter().map(|id| call.user_id("UserId", id)).collect::<Result<Vec<_>, _>>()?;
    let missing = call.broker.rooms().kick(&room, users, reason).await?;
    let errors: Vec<Value> = missing.iter().map(|user| failed(user.as_str(), code_of(&Refusal::NoneInRoom))).collect();
    partly("ErrorList", errors, 1, serde_json::Map::new())
}
