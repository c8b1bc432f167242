//! What a call says: `WEBHOOKS.md` describes it. Pure.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::sign;
use super::spool::Envelope;
use super::vendor::{object, vendor_message, vendor_of};
use crate::hooks::{Event, EventDetails, ReviewRequest};
use crate::model::{Conversation, MediaRecord, Message, MessageClass, Target, hex};
use crate::protocol::{code_of, encode_for_host};

/// The vendor's part of a body.
#[derive(Debug, Clone)]
pub(super) struct Vendor {
    pub(super) secret: String,
    pub(super) app_id: u32,
    /// Whether a call has nobody else's signature: then what the vendor has no callback for is not told.
    pub(super) is_alone: bool,
}

/// What makes one body differ from another that says the same.
#[derive(Debug, Clone)]
pub(super) struct EventMeta {
    /// The `webhook-id`, where the event itself has none.
    pub(super) id: String,
    pub(super) at_ms: u64,
    pub(super) nonce: String,
}

impl EventMeta {
    /// Makes that of a question, which is asked under an id of its own.
    ///
    /// # Errors
    /// The system has no random bytes, in words.
    pub(super) fn of_question(at_ms: u64) -> Result<Self, String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let nonce = hex(&random);
        Ok(Self { id: format!("req_{nonce}"), at_ms, nonce })
    }
}

/// Returns the name of an event under `webhooks.events`; none for what is never told.
pub(super) fn name_of(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::MessageAccepted(message) => match message.content.body.class() {
            MessageClass::Storable => "message.sent",
            MessageClass::Command => "command.sent",
            MessageClass::Barrage => "barrage.sent",
        },
        Event::MessageRefused { .. } => "message.refused",
        Event::MessageRevoked { .. } => "message.revoked",
        Event::MessageEdited { .. } => "message.edited",
        Event::RoomCreated(_) => "room.created",
        Event::RoomEntered { .. } => "room.entered",
        Event::RoomLeft { .. } => "room.left",
        Event::RoomDestroyed(_) => "room.destroyed",
        Event::GroupCreated { .. } => "group.created",
        Event::GroupJoined { .. } => "group.joined",
        Event::GroupLeft { .. } => "group.left",
        Event::GroupKicked { .. } => "group.kicked",
        Event::GroupDismissed { .. } => "group.dismissed",
        Event::SessionStarted { .. } => "user.login",
        Event::SessionEnded { .. } => "user.logout",
        Event::Lagged { .. } => return None,
    })
}

/// Returns what an event is told in order with: its conversation, or its user.
fn line_of(event: &Event) -> String {
    match event {
        Event::MessageAccepted(message)
        | Event::MessageRefused { message, .. }
        | Event::MessageRevoked { message, .. }
        | Event::MessageEdited { message, .. } => match &message.conversation {
            Conversation::Peer(one, other) => format!("p {one} {other}"),
            Conversation::Room(room, _) => format!("r {room}"),
            Conversation::Group(group) => format!("g {group}"),
        },
        Event::RoomCreated(room) | Event::RoomDestroyed(room) | Event::RoomEntered { room, .. } | Event::RoomLeft { room, .. } => {
            format!("r {room}")
        }
        Event::GroupCreated { group, .. }
        | Event::GroupJoined { group, .. }
        | Event::GroupLeft { group, .. }
        | Event::GroupKicked { group, .. }
        | Event::GroupDismissed { group, .. } => format!("g {group}"),
        Event::SessionStarted { user, .. } | Event::SessionEnded { user, .. } => format!("u {user}"),
        Event::Lagged { .. } => String::new(),
    }
}

fn message_json(message: &Message) -> Value {
    encode_for_host(message).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn data_of(event: &Event) -> Value {
    match event {
        Event::MessageAccepted(message) => json!({"message": message_json(message)}),
        Event::MessageRefused { message, refusal } => {
            json!({"message": message_json(message), "code": code_of(refusal), "reason": refusal.to_string()})
        }
        Event::MessageRevoked { message, by } | Event::MessageEdited { message, by } => {
            json!({"message": message_json(message), "operatorUserID": by})
        }
        Event::RoomCreated(room) | Event::RoomDestroyed(room) => json!({"roomID": room}),
        Event::RoomEntered { room, user } => json!({"roomID": room, "userID": user}),
        Event::RoomLeft { room, user, kicked } => json!({"roomID": room, "userID": user, "kicked": kicked}),
        Event::GroupCreated { group, owner, users } => json!({"groupID": group, "operatorUserID": owner, "userIDs": users}),
        Event::GroupJoined { group, users, by } | Event::GroupKicked { group, users, by } => {
            json!({"groupID": group, "operatorUserID": by, "userIDs": users})
        }
        Event::GroupLeft { group, user } => json!({"groupID": group, "operatorUserID": user, "userIDs": [user]}),
        Event::GroupDismissed { group, by } => json!({"groupID": group, "operatorUserID": by}),
        Event::SessionStarted { user, session } | Event::SessionEnded { user, session } => json!({"userID": user, "sessionID": session}),
        Event::Lagged { missed } => json!({"missed": missed}),
    }
}

fn signed(vendor: &Vendor, id: &str, timestamp: u64, nonce: &str) -> Map<String, Value> {
    object(json!({
        "appid": vendor.app_id.to_string(), "nonce": nonce, "request_id": id, "signature": sign::vendor(&vendor.secret, timestamp, nonce),
    }))
}

/// Returns an event, ready to be queued. A message's id is made of its own, so that what is told twice is known to be the same.
pub(super) fn envelope_of(event: &Event, details: &EventDetails, meta: EventMeta, vendor: Option<&Vendor>) -> Option<Envelope> {
    let name = name_of(event)?;
    let id = match event {
        Event::MessageAccepted(message) => format!("msg_{}", message.id),
        _ => meta.id,
    };
    let (timestamp, data) = (meta.at_ms / 1000, data_of(event));
    let mut body = Map::new();
    if let Some(vendor) = vendor {
        match vendor_of(event, details, &data, meta.at_ms) {
            Some(fields) => body.extend(fields),
            None if vendor.is_alone => return None,
            None => {}
        }
        body.extend(signed(vendor, &id, timestamp, &meta.nonce));
    }
    body.insert("type".into(), name.into());
    body.insert("timestamp".into(), timestamp.into());
    body.insert("data".into(), data);
    let body = Bytes::from(Value::Object(body).to_string());
    Some(Envelope { id, event: name.to_owned(), line: line_of(event), at_ms: meta.at_ms, body })
}

/// Returns the question whether a message may go out.
pub(super) fn question(request: &ReviewRequest, meta: &EventMeta, vendor: Option<&Vendor>) -> Bytes {
    let timestamp = meta.at_ms / 1000;
    let wire = message_json(&unsent(request, meta.at_ms));
    let mut body = vendor_message((request.target.kind().number(), request.target.id()), &wire);
    body.insert("sub_msg_type".into(), wire["subType"].as_u64().unwrap_or(0).into());
    if let Some(vendor) = vendor {
        body.extend(signed(vendor, &meta.id, timestamp, &meta.nonce));
    }
    let ours = json!({
        "event": "before_send_msg", "request_id": meta.id, "msg_id": "", "type": "message.before_send", "timestamp": timestamp,
        "data": {"message": wire, "edit": request.edit},
    });
    body.extend(object(ours));
    Bytes::from(Value::Object(body).to_string())
}

/// Returns the question for the first picture of a video, which the broker hands out below `path`.
pub(super) fn first_frame_question(video: &MediaRecord, path: &str, meta: &EventMeta, vendor: Option<&Vendor>) -> Bytes {
    let timestamp = meta.at_ms / 1000;
    let seconds = video.duration_ms.map(|ms| ms as f64 / 1000.0);
    let mut body = object(json!({
        "type": "video.first_frame", "timestamp": timestamp,
        "data": {
            "fileUID": video.file.to_string(), "userID": video.owner, "fileName": video.name, "fileSize": video.bytes,
            "mimeType": video.mime, "videoDuration": seconds, "downloadPath": path,
        },
    }));
    if let Some(vendor) = vendor {
        body.extend(signed(vendor, &meta.id, timestamp, &meta.nonce));
    }
    Bytes::from(Value::Object(body).to_string())
}

/// Returns the message as it would be; what it gets when it is accepted is missing.
fn unsent(request: &ReviewRequest, now_ms: u64) -> Message {
    let conversation = match &request.target {
        Target::Peer(other) => Conversation::peer(&request.sender, other),
        Target::Room(room) => Conversation::Room(room.clone(), 0),
        Target::Group(group) => Conversation::Group(group.clone()),
    };
    request.draft.clone().into_message(0, request.sender.clone(), conversation, 0, now_ms)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Webhooks;
    use crate::hooks::Origin;
    use crate::model::{Body, Content, Draft, GroupId, Refusal, RoomId, SessionId, UserId};

    fn user(id: &str) -> UserId {
        UserId::trusted(id)
    }

    fn meta() -> EventMeta {
        EventMeta { id: "evt_1".into(), at_ms: 1_732_270_000_999, nonce: "n".into() }
    }

    fn request() -> ReviewRequest {
        let mut draft = Draft::text("hi");
        draft.content.extended_data = "e".into();
        ReviewRequest { sender: user("alice"), target: Target::Peer(user("bob")), draft, origin: Origin::Client, edit: false }
    }

    fn vendor() -> Vendor {
        Vendor { secret: "secret".into(), app_id: 5, is_alone: false }
    }

    fn parsed(body: &Bytes) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    fn message() -> Arc<Message> {
        Arc::new(Message { id: 42, seq: 7, order_key: 99, ..unsent(&request(), 1_732_270_000_999) })
    }

    #[test]
    fn a_message_is_told_under_its_own_id_with_the_vendors_fields_if_wanted() {
        let event = Event::MessageAccepted(message());
        let plain = envelope_of(&event, &EventDetails::Nothing, meta(), None).unwrap();
        assert_eq!((plain.id.as_str(), plain.event.as_str(), plain.line.as_str()), ("msg_42", "message.sent", "p alice bob"));
        let wire = json!({"type": 1, "message": "hi", "messageID": "42", "senderUserID": "alice", "timestamp": 1_732_270_000_999_u64,
                          "conversationType": 0, "messageSeq": 7, "orderKey": 99, "toUserID": "bob", "extendedData": "e"});
        let expected = json!({"type": "message.sent", "timestamp": 1_732_270_000, "data": {"message": wire}});
        assert_eq!(parsed(&plain.body), expected);
        let mut both = parsed(&envelope_of(&event, &EventDetails::Nothing, meta(), Some(&vendor())).unwrap().body);
        let signature = both["signature"].take();
        assert_eq!(signature, sign::vendor("secret", 1_732_270_000, "n"));
        let fields = json!({
            "type": "message.sent", "timestamp": 1_732_270_000, "data": {"message": wire}, "appid": "5", "nonce": "n", "signature": null,
            "request_id": "msg_42", "event": "send_msg", "from_user_id": "alice", "conv_id": "bob", "conv_type": 0, "msg_id": "42",
            "payload": "e", "msg_type": 1, "msg_body": "hi", "msg_seq": 7, "msg_time": 1_732_270_000_999_u64,
            "send_result": 0,
        });
        assert_eq!(both, fields);
    }

    #[test]
    fn the_question_holds_the_vendors_fields_and_our_message() {
        let body = parsed(&question(&request(), &meta(), None));
        let wire = json!({"type": 1, "message": "hi", "messageID": "0", "senderUserID": "alice", "timestamp": 1_732_270_000_999_u64,
                          "conversationType": 0, "orderKey": 0, "toUserID": "bob", "extendedData": "e"});
        let expected = json!({
            "type": "message.before_send", "event": "before_send_msg", "timestamp": 1_732_270_000, "request_id": "evt_1",
            "from_user_id": "alice", "conv_id": "bob", "conv_type": 0, "msg_id": "", "payload": "e", "msg_type": 1, "sub_msg_type": 0,
            "msg_body": "hi", "data": {"message": wire, "edit": false},
        });
        assert_eq!(body, expected);
        let body = parsed(&question(&request(), &meta(), Some(&vendor())));
        assert_eq!((&body["appid"], &body["nonce"]), (&json!("5"), &json!("n")));
        assert_eq!(body["signature"], sign::vendor("secret", 1_732_270_000, "n"));
    }

    #[test]
    fn every_event_has_a_name_that_can_be_chosen_and_a_line() {
        let (room, group, session) = (RoomId::trusted("r"), GroupId::trusted("g"), SessionId::trusted("s"));
        let (by, users) = (user("alice"), vec![user("bob")]);
        let with = |body: Body| Arc::new(Message { content: Content::of(body), ..(*message()).clone() });
        let events = [
            (Event::MessageAccepted(message()), "p alice bob"),
            (Event::MessageAccepted(with(Body::Command(vec![1].into()))), "p alice bob"),
            (Event::MessageAccepted(with(Body::Barrage("b".into()))), "p alice bob"),
            (Event::MessageRefused { message: message(), refusal: Refusal::NotLoggedIn }, "p alice bob"),
            (Event::MessageRevoked { message: message(), by: by.clone() }, "p alice bob"),
            (Event::MessageEdited { message: message(), by: by.clone() }, "p alice bob"),
            (Event::RoomCreated(room.clone()), "r r"),
            (Event::RoomEntered { room: room.clone(), user: by.clone() }, "r r"),
            (Event::RoomLeft { room: room.clone(), user: by.clone(), kicked: false }, "r r"),
            (Event::RoomDestroyed(room), "r r"),
            (Event::GroupCreated { group: group.clone(), owner: by.clone(), users: users.clone() }, "g g"),
            (Event::GroupJoined { group: group.clone(), users: users.clone(), by: by.clone() }, "g g"),
            (Event::GroupLeft { group: group.clone(), user: by.clone() }, "g g"),
            (Event::GroupKicked { group: group.clone(), users, by: by.clone() }, "g g"),
            (Event::GroupDismissed { group, by: by.clone() }, "g g"),
            (Event::SessionStarted { user: by.clone(), session: session.clone() }, "u alice"),
            (Event::SessionEnded { user: by, session }, "u alice"),
        ];
        let names: Vec<&str> = events.iter().map(|(event, _)| name_of(event).unwrap()).collect();
        assert_eq!(names, Webhooks::EVENTS);
        for (event, line) in &events {
            let envelope = envelope_of(event, &EventDetails::Nothing, meta(), Some(&vendor())).unwrap();
            assert_eq!(envelope.line, *line);
            assert_eq!(parsed(&envelope.body)["type"], envelope.event.as_str());
        }
        assert!(name_of(&Event::Lagged { missed: 1 }).is_none());
        let alone = Vendor { is_alone: true, ..vendor() };
        let told = |(event, _): &&(Event, &str)| envelope_of(event, &EventDetails::Nothing, meta(), Some(&alone)).is_some();
        let names: Vec<&str> = events.iter().filter(told).filter_map(|(event, _)| name_of(event)).collect();
        let without = ["command.sent", "barrage.sent", "message.revoked", "message.edited"];
        assert_eq!(names, Webhooks::EVENTS.into_iter().filter(|name| !without.contains(name)).collect::<Vec<_>>());
    }
}
