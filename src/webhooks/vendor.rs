//! What the vendor's callbacks say of an event: names, fields and types as its pages have them. Pure. Source: ZIM server API,
//! "Callbacks"; `WEBHOOKS.md` lists them.

use serde_json::{Map, Value, json};

use crate::hooks::{Event, EventDetails, SessionDetails, SessionEnd};
use crate::model::{Attributes, Body, Conversation, Message, MessageClass, RoomAttribute};
use crate::protocol::code_of;
use crate::protocol::message::vendor::vendor_body;

/// Returns the fields of an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// Returns the fields that a message has before and after it is sent. `conversation`: its type and id, as its sender names it.
pub(super) fn vendor_message(conversation: (u8, &str), wire: &Value) -> Map<String, Value> {
    object(json!({
        "from_user_id": wire["senderUserID"], "conv_id": conversation.1, "conv_type": conversation.0, "msg_type": wire["type"],
        "msg_body": vendor_body(wire), "payload": wire["extendedData"].as_str().unwrap_or_default(),
    }))
}

/// Returns where a message went: type and id.
fn conversation_of(message: &Message) -> (u8, &str) {
    match &message.conversation {
        Conversation::Peer(one, other) => (0, if *one == message.sender { other.as_str() } else { one.as_str() }),
        Conversation::Room(room, _) => (1, room.as_str()),
        Conversation::Group(group) => (2, group.as_str()),
    }
}

/// Returns what `send_msg` says of a message; none for a kind that it never tells.
fn send_msg(message: &Message, wire: &Value, send_result: u32) -> Option<Map<String, Value>> {
    let body = &message.content.body;
    if body.class() != MessageClass::Storable || matches!(body, Body::Tips(_) | Body::Revoke(_)) {
        return None;
    }
    let conversation = conversation_of(message);
    let mut fields = vendor_message(conversation, wire);
    let id = if send_result == 0 { message.id.to_string() } else { String::new() };
    fields.extend(object(json!({
        "event": "send_msg", "msg_id": id, "msg_seq": message.seq, "msg_time": message.timestamp_ms, "send_result": send_result,
    })));
    if let Body::Custom { sub_type, .. } = body {
        fields.insert("sub_msg_type".into(), (*sub_type).into());
    }
    if message.content.options.server {
        fields.insert("source".into(), 1.into());
        if conversation.0 == 0 {
            // Our choice: one call for each receiver of a batch, because each message is told when it is on disk.
            fields.insert("user_list".into(), json!([{"UserId": conversation.1, "MsgId": id, "MsgSeq": message.seq}]));
            fields.insert("conv_id".into(), "".into());
        }
    }
    Some(fields)
}

fn room_attributes<'a>(attributes: impl Iterator<Item = (&'a String, &'a RoomAttribute)>) -> Value {
    let one = |(key, attribute): (&String, &RoomAttribute)| json!({"key": key, "value": attribute.value, "auto_delete": u8::from(attribute.until_left)});
    attributes.map(one).collect()
}

fn group_attributes(attributes: &Attributes) -> Value {
    attributes.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Returns what `user_action` says of a session, when it began and when it ended at `now_ms`. Which system a client runs on is
/// not known here: `os` is empty.
fn user_action(details: &EventDetails, is_over: bool, now_ms: u64) -> Value {
    let nothing = SessionDetails { name: String::new(), began_ms: now_ms, is_back: false, end: None };
    let session = if let EventDetails::Session(session) = details { session } else { &nothing };
    let (action, reason) = match (is_over, session.end) {
        (false, _) => (0, ""),
        (true, Some(SessionEnd::LoggedOut)) => (1, "logout"),
        (true, Some(SessionEnd::Replaced)) => (1, "replaced"),
        (true, Some(SessionEnd::Lost) | None) => (2, "lost"),
    };
    json!({
        "event": "user_action", "user_name": session.name, "os": "", "action": action, "login_time": session.began_ms,
        "relogin": if session.is_back { "1" } else { "0" }, "logout_time": if is_over { now_ms } else { 0 }, "logout_reason": reason,
    })
}

/// Returns the fields of an event for which the vendor has a callback.
pub(super) fn vendor_of(event: &Event, details: &EventDetails, data: &Value, now_ms: u64) -> Option<Map<String, Value>> {
    let mut fields = match event {
        Event::MessageAccepted(message) => return send_msg(message, &data["message"], 0),
        Event::MessageRefused { message, refusal } => return send_msg(message, &data["message"], code_of(refusal)),
        Event::SessionStarted { user, session } | Event::SessionEnded { user, session } => {
            let mut fields = user_action(details, matches!(event, Event::SessionEnded { .. }), now_ms);
            (fields["user_id"], fields["session_id"]) = (json!(user), json!(session));
            fields
        }
        Event::RoomCreated(room) => json!({"event": "room_create", "room_id": room}),
        Event::RoomEntered { room, user } => json!({"event": "room_enter", "room_id": room, "operator_account": user}),
        Event::RoomLeft { room, user, kicked } => json!({
            "event": "room_exit", "room_id": room, "exit_type": if *kicked { "Kickout" } else { "Quit" }, "exit_user_ids": [user],
        }),
        Event::RoomDestroyed(room) => json!({"event": "room_destroy", "room_id": room}),
        Event::GroupCreated { group, owner, users } => json!({
            "event": "group_create", "group_id": group, "operator_account": owner, "owner_account": owner, "user_ids": users,
        }),
        Event::GroupJoined { group, users, by } => json!({
            "event": "group_join", "group_id": group, "operator_account": by, "new_user_ids": users,
            "join_type": if users.contains(by) { "Apply" } else { "Invited" },
        }),
        Event::GroupLeft { group, user } => json!({
            "event": "group_exit", "group_id": group, "exit_type": "Quit", "operator_account": user, "exit_user_ids": [user],
        }),
        Event::GroupKicked { group, users, by } => json!({
            "event": "group_exit", "group_id": group, "exit_type": "Kickout", "operator_account": by, "exit_user_ids": users,
        }),
        Event::GroupDismissed { group, by } => json!({"event": "group_destroy", "group_id": group, "operator_account": by}),
        Event::MessageRevoked { .. } | Event::MessageEdited { .. } | Event::Lagged { .. } => return None,
    };
    let more = match details {
        EventDetails::RoomCreated { by, name, attributes } => {
            json!({"operator_account": by, "room_name": name, "attributes": room_attributes(attributes.iter())})
        }
        EventDetails::RoomLeft { by } => json!({"operator_account": by}),
        // Our choice: nobody, when a room ends by itself.
        EventDetails::RoomDestroyed { by, users } => {
            json!({"operator_account": by.as_ref().map_or("", |by| by.as_str()), "user_ids": users})
        }
        EventDetails::GroupCreated { name, attributes } => json!({"group_name": name, "attributes": group_attributes(attributes)}),
        EventDetails::GroupDismissed { owner, users } => json!({"owner_account": owner, "user_ids": users}),
        EventDetails::Session(_) | EventDetails::Nothing => json!({}),
    };
    let mut all = object(fields.take());
    all.extend(object(more));
    Some(all)
}
