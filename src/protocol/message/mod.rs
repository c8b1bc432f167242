//! A message as JSON.
//!
//! Fields at their documented default are left out and filled in by the client, which keeps a frame small, and so is
//! what differs between receivers (direction, a peer message's conversationID): all receivers share these bytes.
//! `PROTOCOL.md`, "Message", lists the defaults. What one reader sees and another does not is its [`MessageView`],
//! which is added when that reader asks.

pub(crate) mod combined;
pub(crate) mod draft;
pub(crate) mod encoded;
pub(crate) mod level;
pub(crate) mod media;
pub(crate) mod reaction;
pub(crate) mod receipt;
pub(crate) mod vendor;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::{Value, json};

use self::combined::combine_id;
use self::media::put_media;
use self::reaction::Reaction;
use self::receipt::ReceiptStatus;
use crate::model::{ActorAt, Body, Broadcast, Conversation, Mentions, Message, Priority, Revoked, Tips, TipsChange, TipsUser, UserId};
use crate::protocol::result::group::muted_info;
use crate::protocol::{ClientLevel, RawJson};

/// About what a message's fields take beside its text, encoded.
const FIELDS_BYTES: usize = 384;

#[derive(Default, Serialize)]
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
    #[serde(rename = "conversationID", skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a str>,
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_server_message: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    /// The fields that few messages have; one flag for all of it when there is none.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    rest: Option<serde_json::Map<String, Value>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero_u16(value: &u16) -> bool {
    *value == 0
}

/// What one reader sees of a message beside the message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MessageView {
    /// The message that this one answers, as it is now.
    pub(crate) quoted: Option<Arc<Message>>,
    /// Whether that message was looked for and is not there, or not for this reader.
    pub(crate) quote_lost: bool,
    /// How many answers are below it.
    pub(crate) replied_count: u64,
    /// How users reacted to it.
    pub(crate) reactions: Vec<Reaction>,
    /// Whether it was read; none when nobody looked, which reads as waiting.
    pub(crate) receipt_status: Option<ReceiptStatus>,
    /// Who pinned it, and when.
    pub(crate) pinned: Option<ActorAt>,
    /// Whether the group's id is written, too, because the message is shown outside its conversation.
    pub(crate) alone: bool,
}

/// Encodes the message for clients of a level; returns `None` when they do not see it at all.
#[cfg(any(test, feature = "bench"))]
pub(crate) fn encode_message(message: &Message, level: ClientLevel) -> Option<ByteString> {
    encode_view(message, &MessageView::default(), level)
}

/// Encodes the message for the host and its backend, who see every message.
pub(crate) fn encode_for_host(message: &Message) -> Option<ByteString> {
    encode_view(message, &MessageView { alone: true, ..MessageView::default() }, ClientLevel::NEWEST)
}

/// Encodes the message with what its reader sees beside it.
pub(crate) fn encode_view(message: &Message, view: &MessageView, level: ClientLevel) -> Option<ByteString> {
    let command;
    let (mut kind, mut text, mut sub_type, mut searched_content) = (message.content.body.kind().number(), None, 0, "");
    let mut rest = serde_json::Map::new();
    match &message.content.body {
        Body::Text(content) | Body::Barrage(content) => text = Some(content.as_str()),
        Body::Command(bytes) => {
            command = BASE64.encode(bytes);
            text = Some(command.as_str());
        }
        body if !level.knows(body) => {
            if level == ClientLevel::Legacy || matches!(body, Body::Tips(_)) {
                return None;
            }
            kind = 0;
        }
        Body::Custom { message, sub_type: number, searched_content: searched } => {
            text = Some(message.as_str());
            sub_type = *number;
            searched_content = searched;
        }
        Body::Media(media) => put_media(&mut rest, media),
        Body::Combine(combine) => {
            rest.insert("title".into(), combine.title.clone().into());
            rest.insert("summary".into(), combine.summary.clone().into());
            rest.insert("combineID".into(), combine_id(&message.conversation, message.seq, &[]).into());
        }
        Body::Revoke(revoked) => put_revoked(&mut rest, revoked),
        Body::Tips(tips) => put_tips(&mut rest, tips),
    }
    let mentions = mentions_for(message, level)?;
    let (conversation_type, to_user_id, conversation_id) = address_of(message);
    put_fate(&mut rest, message, view, level);
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
        conversation_id: conversation_id.filter(|_| view.alone),
        sub_type,
        searched_content,
        extended_data: &message.content.extended_data,
        mentioned_user_ids: &mentions.users,
        is_mention_all: mentions.all,
        is_broadcast_message: false,
        is_server_message: message.content.options.server,
        priority: (message.priority != Priority::Low).then(|| message.priority.number()),
        rest: (!rest.is_empty()).then_some(rest),
    };
    // Room for all of it at once: growing costs more than encoding does.
    let mut json = Vec::with_capacity(FIELDS_BYTES + text.map_or(0, str::len) + message.content.extended_data.len());
    serde_json::to_writer(&mut json, &wire).expect("strings and numbers always serialize");
    Some(ByteString::try_from(json).expect("JSON is text"))
}

/// Returns the mentions that clients of a level see; none where they do not see such a message at all.
fn mentions_for(message: &Message, level: ClientLevel) -> Option<&Mentions> {
    const NOBODY: &Mentions = &Mentions { users: Vec::new(), all: false };
    match &message.content.mentions {
        mentions if mentions.is_none() || level.knows_mentions() => Some(mentions),
        _ if level == ClientLevel::Legacy => None,
        _ => Some(NOBODY),
    }
}

/// Returns the kind of conversation, to whom a peer's message goes, and the id of a room or group.
fn address_of(message: &Message) -> (i8, Option<&str>, Option<&str>) {
    match &message.conversation {
        Conversation::Peer(one, other) => (0, Some(if *one == message.sender { other.as_str() } else { one.as_str() }), None),
        Conversation::Room(room, _) => (1, None, Some(room.as_str())),
        Conversation::Group(group) => (2, None, Some(group.as_str())),
    }
}

/// What a message stands for, where it is only named: in a reply. Source: ZIM API reference, `ZIMMessageRepliedInfo`.
fn lite(message: &Message, level: ClientLevel) -> Value {
    match &message.content.body {
        body if !level.knows(body) => json!({"type": 0}),
        Body::Text(text) | Body::Barrage(text) => json!({"type": message.content.body.kind().number(), "message": text}),
        Body::Custom { message, sub_type, searched_content } => {
            json!({"type": 200, "message": message, "subType": sub_type, "searchedContent": searched_content})
        }
        Body::Media(media) => {
            let mut lite = serde_json::Map::from_iter([("type".to_owned(), media.kind.message_kind().number().into())]);
            put_media(&mut lite, media);
            Value::Object(lite)
        }
        Body::Combine(combine) => json!({"type": 100, "title": combine.title, "summary": combine.summary}),
        body => json!({"type": body.kind().number()}),
    }
}

fn put_fate(rest: &mut serde_json::Map<String, Value>, message: &Message, view: &MessageView, level: ClientLevel) {
    if let Some(reply) = &message.content.options.reply {
        let (state, quoted) = match &view.quoted {
            Some(quoted) if matches!(quoted.content.body, Body::Revoke(_)) => (1, Some(quoted)),
            Some(quoted) => (0, Some(quoted)),
            None if view.quote_lost => (2, None),
            None => (0, None),
        };
        let mut info = json!({"state": state, "messageID": reply.id.to_string(), "messageSeq": reply.seq});
        if let Some(quoted) = quoted {
            info["senderUserID"] = quoted.sender.as_str().into();
            info["sentTime"] = quoted.timestamp_ms.into();
            info["messageInfo"] = lite(quoted, level);
        }
        rest.insert("repliedInfo".into(), info);
    }
    if view.replied_count > 0 {
        rest.insert("rootRepliedCount".into(), view.replied_count.into());
    }
    if let Some(edited) = &message.state.edited {
        rest.insert("editorUserID".into(), edited.by.as_str().into());
        rest.insert("editedTime".into(), edited.at_ms.into());
    }
    if let Some(pinned) = &view.pinned {
        rest.insert("pinnedUserID".into(), pinned.by.as_str().into());
        rest.insert("pinnedTime".into(), pinned.at_ms.into());
    }
    if !view.reactions.is_empty() {
        rest.insert("reactions".into(), json!(view.reactions));
    }
    if message.content.options.receipt {
        rest.insert("receiptStatus".into(), (view.receipt_status.unwrap_or(ReceiptStatus::Processing) as u8).into());
    }
}

fn put_revoked(rest: &mut serde_json::Map<String, Value>, revoked: &Revoked) {
    rest.insert("revokeType".into(), 0.into());
    rest.insert("revokeStatus".into(), revoked.revoked_as.number().into());
    rest.insert("revokeTimestamp".into(), revoked.stamp.at_ms.into());
    rest.insert("operatedUserID".into(), revoked.stamp.by.as_str().into());
    rest.insert("revokeExtendedData".into(), revoked.extended_data.clone().into());
    rest.insert("originalMessageType".into(), revoked.kind.into());
    rest.insert("originalTextMessageContent".into(), revoked.text.clone().into());
}

fn put_tips(rest: &mut serde_json::Map<String, Value>, tips: &Tips) {
    let user = |user: &TipsUser| json!({"userID": user.id, "userName": user.name, "userAvatarUrl": ""});
    rest.insert("event".into(), tips.event.number().into());
    rest.insert("operatedUser".into(), user(&tips.operated));
    rest.insert("targetUserList".into(), tips.targets.iter().map(user).collect());
    if let Some(owner) = &tips.new_owner {
        let owner = json!({"userID": owner.id, "userName": owner.name, "memberNickname": "", "memberRole": 1});
        rest.insert("changeInfo".into(), json!({"type": 10, "groupNewOwner": owner}));
    }
    if let Some(change) = &tips.change {
        rest.insert("changeInfo".into(), tips_change(change));
    }
}

/// Encodes a change of the group. `groupDataFlag` has a bit for each of name (1), notice (2) and avatar (4). Our
/// choice: these bits, because the vendor does not name them. Source: ZIM guide "Receive tip messages".
fn tips_change(change: &TipsChange) -> Value {
    match change {
        TipsChange::Notice(notice) => json!({"type": 2, "groupDataFlag": 2, "groupNotice": notice}),
        TipsChange::Name(name) => json!({"type": 3, "groupDataFlag": 1, "groupName": name}),
        TipsChange::AvatarUrl(url) => json!({"type": 4, "groupDataFlag": 4, "groupAvatarUrl": url}),
        TipsChange::Mute(mute) => json!({"type": 5, "groupMutedInfo": muted_info(mute)}),
        TipsChange::Owner => json!({"type": 10, "memberRole": 1}),
        TipsChange::Role(role) => json!({"type": 11, "memberRole": role.number()}),
        TipsChange::MemberMute(until) => json!({"type": 12, "muteExpiredTime": until.0}),
    }
}

/// Encodes a message to everyone online: the same for all whose clients know broadcasts.
pub(crate) fn encode_broadcast(broadcast: &Broadcast) -> RawJson {
    let (mut message, mut sub_type, mut searched_content) = (None, 0, "");
    let mut rest = serde_json::Map::new();
    match &broadcast.body {
        Body::Text(text) => message = Some(text.as_str()),
        Body::Custom { message: text, sub_type: number, searched_content: searched } => {
            (message, sub_type, searched_content) = (Some(text.as_str()), *number, searched);
        }
        Body::Media(media) => put_media(&mut rest, media),
        // These are not accepted as a broadcast.
        Body::Barrage(_) | Body::Command(_) | Body::Combine(_) | Body::Tips(_) | Body::Revoke(_) => {}
    }
    let wire = WireMessage {
        kind: broadcast.body.kind().number(),
        message,
        message_id: &broadcast.id.to_string(),
        sender_user_id: broadcast.sender.as_str(),
        timestamp: broadcast.timestamp_ms,
        conversation_type: -1,
        order_key: broadcast.order_key,
        sub_type,
        searched_content,
        extended_data: &broadcast.extended_data,
        is_broadcast_message: true,
        is_server_message: true,
        rest: (!rest.is_empty()).then_some(rest),
        ..WireMessage::default()
    };
    RawJson::of(&wire)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{ActorAt, Combine, Content, Draft, FileUid, LocalMessageId, Media, MediaKind, RevokedAs, TipsEvent, UserId};
    use crate::protocol::Encoded;

    fn message(body: Body) -> Message {
        let draft = Draft { local_id: Some(LocalMessageId::trusted("l-1")), ..Draft::of(body) };
        let (alice, bob) = (UserId::trusted("alice"), UserId::trusted("bob"));
        let conversation = Conversation::peer(&bob, &alice);
        Message { seq: 7, ..draft.into_message(42, alice, conversation, 99, 1_732_270_000_000) }
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_peer_text_carries_what_its_receivers_cannot_derive_and_no_defaults() {
        let encoded = encode_message(&message(Body::Text("hi \"you\"".into())), ClientLevel::Since2_15).unwrap();
        assert_eq!(
            value(&encoded),
            json!({"type":1,"message":"hi \"you\"","localMessageID":"l-1","messageID":"42","senderUserID":"alice",
                   "timestamp":1_732_270_000_000_u64,"conversationType":0,"messageSeq":7,"orderKey":99,"toUserID":"bob"})
        );
    }

    #[test]
    fn command_bytes_travel_as_base64_whatever_they_are() {
        let bytes: Vec<u8> = (0..=255).collect();
        let encoded = encode_message(&message(Body::Command(Bytes::from(bytes.clone()))), ClientLevel::Since2_15).unwrap();
        assert_eq!(BASE64.decode(value(&encoded)["message"].as_str().unwrap()).unwrap(), bytes);
    }

    #[test]
    fn a_custom_message_is_unknown_to_2_7_and_nothing_to_1_x() {
        let custom = message(Body::Custom { message: "{}".into(), sub_type: 5, searched_content: "poll".into() });
        let encoded = Encoded::new(&custom);
        assert_eq!(encoded.of(ClientLevel::Legacy), None);
        let unknown = value(encoded.of(ClientLevel::Since2_0).unwrap());
        assert_eq!((&unknown["type"], &unknown["message"], &unknown["subType"]), (&json!(0), &Value::Null, &Value::Null));
        let full = value(encoded.of(ClientLevel::Since2_15).unwrap());
        assert_eq!((&full["type"], &full["subType"], &full["searchedContent"]), (&json!(200), &json!(5), &json!("poll")));
    }

    /// Checks the kind in which each level sees each message, none where it sees nothing.
    #[test]
    fn every_kind_with_and_without_mentions_is_seen_by_each_version_as_the_table_says() {
        let custom = Body::Custom { message: "{}".into(), sub_type: 5, searched_content: String::new() };
        let combine = Combine {
            title: "t".into(),
            summary: "s".into(),
            children: Vec::new(),
            copied_from: String::new(),
            uploaded: None,
            held: None,
        };
        let who = || TipsUser { id: UserId::trusted("alice"), name: String::new() };
        let tips = Tips { event: TipsEvent::Joined, operated: who(), targets: vec![who()], new_owner: None, change: None };
        let stamp = ActorAt { by: UserId::trusted("alice"), at_ms: 5 };
        let revoked = Revoked { stamp, revoked_as: RevokedAs::Sender, extended_data: String::new(), kind: 1, text: "t".into() };
        let file = |kind| Body::Media(Box::new(Media::kept(kind, FileUid::from_bits(1), 1000)));
        let table: [(Body, [Option<u64>; 6]); 11] = [
            (file(MediaKind::Image), [Some(11); 6]),
            (file(MediaKind::File), [Some(12); 6]),
            (file(MediaKind::Audio), [Some(13); 6]),
            (file(MediaKind::Video), [Some(14); 6]),
            (Body::Text("t".into()), [Some(1); 6]),
            (Body::Barrage("b".into()), [Some(20); 6]),
            (Body::Command(Bytes::from_static(b"c")), [Some(2); 6]),
            (custom, [None, Some(0), Some(200), Some(200), Some(200), Some(200)]),
            (Body::Combine(combine), [None, Some(0), Some(0), Some(0), Some(100), Some(100)]),
            (Body::Tips(Box::new(tips)), [None, None, None, None, None, Some(32)]),
            (Body::Revoke(revoked), [None, Some(31), Some(31), Some(31), Some(31), Some(31)]),
        ];
        for (body, row) in table {
            for named in [false, true] {
                let mentions = Mentions { users: if named { vec![UserId::trusted("bob")] } else { Vec::new() }, all: named };
                let content = Content { mentions, ..Content::of(body.clone()) };
                let encoded = Encoded::new(&Message { content, ..message(body.clone()) });
                for (level, kind) in ClientLevel::ALL.into_iter().zip(row) {
                    let seen = encoded.of(level).map(|text| value(text));
                    let what = format!("{:?}, mentions {named}, {level:?}", body.kind());
                    let kind = kind.filter(|_| !(named && level == ClientLevel::Legacy));
                    assert_eq!(seen.as_ref().map(|seen| seen["type"].as_u64().unwrap()), kind, "{what}");
                    let Some(seen) = seen else { continue };
                    if kind == Some(0) {
                        assert!(seen["message"].is_null() && seen["title"].is_null(), "{what}: unknown, without content");
                    }
                    let sees_names = named && level >= ClientLevel::Since2_14;
                    let wanted = if sees_names { (json!(["bob"]), json!(true)) } else { (Value::Null, Value::Null) };
                    assert_eq!((&seen["mentionedUserIDs"], &seen["isMentionAll"]), (&wanted.0, &wanted.1), "{what}");
                }
            }
        }
    }
}
