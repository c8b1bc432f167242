//! A message as JSON, and many messages as one event frame.
//!
//! Fields at their documented default are left out and filled in by the client (design 5.2), and so is what
//! differs between receivers (direction, a peer message's conversationID): all receivers share these bytes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;
use serde::Serialize;

use super::Variant;
use crate::model::{Body, Broadcast, Conversation, Mentions, Message, Priority, UserId};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMessage<'a> {
    #[serde(rename = "type")]
    kind: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(rename = "localMessageID", skip_serializing_if = "str::is_empty")]
    local_message_id: &'a str,
    #[serde(rename = "messageID")]
    message_id: &'a str,
    #[serde(rename = "senderUserID")]
    sender_user_id: &'a str,
    timestamp: u64,
    conversation_type: i8,
    #[serde(skip_serializing_if = "is_zero")]
    message_seq: u64,
    order_key: u64,
    #[serde(rename = "toUserID", skip_serializing_if = "Option::is_none")]
    to_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero_u16")]
    sub_type: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    searched_content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    extended_data: &'a str,
    #[serde(rename = "mentionedUserIDs", skip_serializing_if = "<[UserId]>::is_empty")]
    mentioned_user_ids: &'a [UserId],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_mention_all: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_broadcast_message: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero_u16(value: &u16) -> bool {
    *value == 0
}

/// The message as clients of a variant see it; `None` when they do not see it at all.
pub(crate) fn encode_message(message: &Message, variant: Variant) -> Option<ByteString> {
    let command;
    let (mut kind, mut text, mut sub_type, mut searched_content) = (message.body.kind().number(), None, 0, "");
    match &message.body {
        Body::Text(content) | Body::Barrage(content) => text = Some(content.as_str()),
        Body::Command(bytes) => {
            command = BASE64.encode(bytes);
            text = Some(command.as_str());
        }
        Body::Custom { .. } if variant == Variant::Ancient => return None,
        Body::Custom { .. } if !variant.knows_custom() => kind = 0,
        Body::Custom { message, sub_type: number, searched_content: searched } => {
            text = Some(message.as_str());
            sub_type = *number;
            searched_content = searched;
        }
    }
    let mentions = match &message.mentions {
        mentions if mentions.is_none() || variant.knows_mentions() => mentions,
        _ if variant == Variant::Ancient => return None,
        _ => &Mentions { users: Vec::new(), all: false },
    };
    let (conversation_type, to_user_id) = match &message.conversation {
        Conversation::Peer(one, other) => (0, Some(if *one == message.sender { other.as_str() } else { one.as_str() })),
        Conversation::Room(..) => (1, None),
        Conversation::Group(_) => (2, None),
    };
    let wire = WireMessage {
        kind,
        message: text,
        local_message_id: message.local_id.as_ref().map_or("", |id| id.as_str()),
        message_id: &message.id.to_string(),
        sender_user_id: message.sender.as_str(),
        timestamp: message.timestamp_ms,
        conversation_type,
        message_seq: message.seq,
        order_key: message.order_key,
        to_user_id,
        sub_type,
        searched_content,
        extended_data: &message.extended_data,
        mentioned_user_ids: &mentions.users,
        is_mention_all: mentions.all,
        is_broadcast_message: false,
        priority: (message.priority != Priority::Low).then(|| message.priority.number()),
    };
    Some(serde_json::to_string(&wire).expect("strings and numbers always serialize").into())
}

/// The event of a message to everyone online, the same for all who know broadcasts. Source: spec S59, Q27.
pub(crate) fn broadcast_event(broadcast: &Broadcast) -> ByteString {
    let (mut message, mut sub_type, mut searched_content) = ("", 0, "");
    match &broadcast.body {
        Body::Text(text) | Body::Barrage(text) => message = text,
        Body::Custom { message: text, sub_type: number, searched_content: searched } => {
            (message, sub_type, searched_content) = (text, *number, searched);
        }
        // Not accepted as a broadcast.
        Body::Command(_) => {}
    }
    let wire = WireMessage {
        kind: broadcast.body.kind().number(),
        message: Some(message),
        local_message_id: "",
        message_id: &broadcast.id.to_string(),
        sender_user_id: broadcast.sender.as_str(),
        timestamp: broadcast.timestamp_ms,
        conversation_type: -1,
        message_seq: 0,
        order_key: broadcast.order_key,
        to_user_id: None,
        sub_type,
        searched_content,
        extended_data: &broadcast.extended_data,
        mentioned_user_ids: &[],
        is_mention_all: false,
        is_broadcast_message: true,
        priority: None,
    };
    super::encode_event("broadcastMessageReceived", &serde_json::json!({"message": wire}))
}

/// A message encoded for every variant that differs.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    full: ByteString,
    /// Only for messages that some clients see differently; equal texts share their bytes.
    older: Option<Box<[Option<ByteString>; OLDER]>>,
}

/// Variants below the newest.
const OLDER: usize = Variant::ALL.len() - 1;

impl Encoded {
    /// Encodes once per variant that differs for this message.
    pub(crate) fn new(message: &Message) -> Self {
        let full = encode_message(message, Variant::Full).expect("the newest clients see every kind");
        let differs = matches!(message.body, Body::Custom { .. }) || !message.mentions.is_none();
        let older = differs.then(|| {
            let mut above: Option<ByteString> = Some(full.clone());
            let mut older = [const { None }; OLDER];
            for (slot, variant) in older.iter_mut().zip(Variant::ALL).rev() {
                let text = encode_message(message, variant);
                if text != above {
                    above = text;
                }
                slot.clone_from(&above);
            }
            Box::new(older)
        });
        Self { full, older }
    }

    /// What a variant sees, if anything.
    pub(crate) fn of(&self, variant: Variant) -> Option<&ByteString> {
        match self.older.as_ref().and_then(|older| older.get(variant.index())) {
            Some(older) => older.as_ref(),
            None => Some(&self.full),
        }
    }
}

/// What an event says besides its messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Info {
    /// The cursor: every commit up to it that concerns the receiver was handed over with this event or before it.
    pub(crate) cursor: Option<u64>,
    /// Sent while the receiver was away.
    pub(crate) offline: bool,
}

/// One event frame for several messages of one conversation, oldest first.
pub(crate) fn message_event<'a>(
    event: &str,
    from_conversation_id: &str,
    messages: impl Iterator<Item = &'a ByteString>,
    info: Info,
) -> Option<ByteString> {
    let mut messages = messages.peekable();
    messages.peek()?;
    let mut frame = String::with_capacity(512);
    frame.push_str("{\"event\":\"");
    frame.push_str(event);
    frame.push_str("\",\"data\":{\"messageList\":[");
    for (n, message) in messages.enumerate() {
        if n > 0 {
            frame.push(',');
        }
        frame.push_str(message);
    }
    frame.push_str("],\"fromConversationID\":");
    // Ids consist of characters that JSON leaves alone, but for these two.
    frame.push_str(&serde_json::to_string(from_conversation_id).expect("a string always serializes"));
    write!(frame, ",\"info\":{{\"isOfflineMessage\":{}}}", info.offline).expect("writing to a String cannot fail");
    if let Some(commit) = info.cursor {
        write!(frame, ",\"cursor\":\"{commit}\"").expect("writing to a String cannot fail");
    }
    frame.push_str("}}");
    Some(frame.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{GroupId, LocalMessageId, UserId};

    fn message(body: Body) -> Message {
        Message {
            id: 42,
            local_id: Some(LocalMessageId::trusted("l-1")),
            sender: UserId::trusted("alice"),
            conversation: Conversation::peer(&UserId::trusted("bob"), &UserId::trusted("alice")),
            seq: 7,
            order_key: 99,
            timestamp_ms: 1_732_270_000_000,
            priority: Priority::Low,
            extended_data: String::new(),
            mentions: Mentions::default(),
            body,
        }
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_peer_text_carries_what_its_receivers_cannot_derive_and_no_defaults() {
        let encoded = encode_message(&message(Body::Text("hi \"you\"".into())), Variant::Full).unwrap();
        assert_eq!(
            value(&encoded),
            json!({"type":1,"message":"hi \"you\"","localMessageID":"l-1","messageID":"42","senderUserID":"alice",
                   "timestamp":1_732_270_000_000_u64,"conversationType":0,"messageSeq":7,"orderKey":99,"toUserID":"bob"})
        );
    }

    #[test]
    fn command_bytes_travel_as_base64_whatever_they_are() {
        let bytes: Vec<u8> = (0..=255).collect();
        let encoded = encode_message(&message(Body::Command(Bytes::from(bytes.clone()))), Variant::Full).unwrap();
        assert_eq!(BASE64.decode(value(&encoded)["message"].as_str().unwrap()).unwrap(), bytes);
    }

    #[test]
    fn a_custom_message_is_unknown_to_2_7_and_nothing_to_1_x() {
        let custom = message(Body::Custom { message: "{}".into(), sub_type: 5, searched_content: "poll".into() });
        let encoded = Encoded::new(&custom);
        assert_eq!(encoded.of(Variant::Ancient), None);
        let unknown = value(encoded.of(Variant::NoCustom).unwrap());
        assert_eq!((&unknown["type"], &unknown["message"], &unknown["subType"]), (&json!(0), &Value::Null, &Value::Null));
        let full = value(encoded.of(Variant::Full).unwrap());
        assert_eq!((&full["type"], &full["subType"], &full["searchedContent"]), (&json!(200), &json!(5), &json!("poll")));
    }

    /// The whole table of spec 1.6 that concerns a message's bytes.
    #[test]
    fn every_kind_with_and_without_mentions_is_seen_by_each_version_as_the_table_says() {
        let custom = || Body::Custom { message: "{}".into(), sub_type: 5, searched_content: String::new() };
        for body in [Body::Text("t".into()), Body::Barrage("b".into()), Body::Command(Bytes::from_static(b"c")), custom()] {
            let kind = u64::from(body.kind().number());
            for named in [false, true] {
                let mentions = Mentions { users: if named { vec![UserId::trusted("bob")] } else { Vec::new() }, all: named };
                let encoded = Encoded::new(&Message { mentions, ..message(body.clone()) });
                for variant in Variant::ALL {
                    let seen = encoded.of(variant).map(|text| value(text));
                    let what = format!("kind {kind}, mentions {named}, {variant:?}");
                    if variant == Variant::Ancient && (named || kind == 200) {
                        assert_eq!(seen, None, "{what}");
                        continue;
                    }
                    let seen = seen.expect(&what);
                    let is_unknown = kind == 200 && variant == Variant::NoCustom;
                    assert_eq!(seen["type"], if is_unknown { 0 } else { kind }, "{what}");
                    assert_eq!(seen["message"].is_null(), is_unknown, "{what}");
                    let sees_names = named && variant >= Variant::NoTips;
                    let wanted = if sees_names { (json!(["bob"]), json!(true)) } else { (Value::Null, Value::Null) };
                    assert_eq!((&seen["mentionedUserIDs"], &seen["isMentionAll"]), (&wanted.0, &wanted.1), "{what}");
                }
            }
        }
    }

    #[test]
    fn an_event_holds_its_messages_in_order_and_nothing_makes_no_event() {
        let one = encode_message(&message(Body::Text("1".into())), Variant::Full).unwrap();
        let group = Message { conversation: Conversation::Group(GroupId::trusted("g")), ..message(Body::Text("2".into())) };
        let two = encode_message(&group, Variant::Full).unwrap();
        let frame = message_event("receiveGroupMessage", "g", [&one, &two].into_iter(), Info { cursor: Some(17), offline: false }).unwrap();
        let event = value(&frame);
        assert_eq!(event["event"], "receiveGroupMessage");
        assert_eq!(event["data"]["messageList"][1]["message"], "2");
        assert_eq!(event["data"]["fromConversationID"], "g");
        assert_eq!(event["data"]["cursor"], "17");
        assert_eq!(message_event("receiveGroupMessage", "g", [].into_iter(), Info::default()), None);
    }
}
