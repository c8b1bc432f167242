//! The objects of the server API: those of the wire protocol, and a few of an operator's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::maybe_object;
use crate::broker::{Broker, RoomSummary, SessionSummary};
use crate::model::{Ban, GroupInfo, UserProfile};

/// What is to be sent. Which fields a kind takes stands in the wire protocol; those it does not take are refused or of no
/// effect.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageDraft {
    /// 1 text, 2 command, 11 image, 12 file, 13 audio, 14 video, 20 barrage (rooms only), 100 combine, 200 custom.
    #[schema(minimum = 1, maximum = 200, example = 1)]
    r#type: u16,
    /// The text; of a command its bytes in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "hello")]
    message: Option<String>,
    /// Travels with the message; at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extended_data: Option<String>,
    /// The sender's own name for it, 1 to 64 of letters, digits, _ and -: sent again, it is recognised. Made from the
    /// Idempotency-Key where there is one.
    #[serde(rename = "localMessageID", default, skip_serializing_if = "Option::is_none")]
    pub(super) local_message_id: Option<String>,
    /// Of kind 200: the application's own number, at most 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 65_535)]
    sub_type: Option<u16>,
    /// Of kind 200: what a search finds it by, at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    searched_content: Option<String>,
    /// Whom it reminds.
    #[serde(rename = "mentionedUserIDs", default, skip_serializing_if = "Option::is_none")]
    mentioned_user_ids: Option<Vec<String>>,
    /// It reminds everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_mention_all: Option<bool>,
    /// Of kinds 11 to 14: a file that its sender uploaded here.
    #[serde(rename = "fileUID", default, skip_serializing_if = "Option::is_none")]
    file_uid: Option<String>,
    /// Of kinds 11 to 14: where the file lies elsewhere; http or https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://files.example/cat.jpg")]
    file_download_url: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::input::whole")]
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    file_size: Option<u64>,
    /// Of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    large_image_download_url: Option<String>,
    /// Of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thumbnail_download_url: Option<String>,
    /// Of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video_first_frame_download_url: Option<String>,
    /// Of an audio file, seconds, at most 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 4_294_967_295_u32)]
    audio_duration: Option<u32>,
    /// Of a video, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 4_294_967_295_u32)]
    video_duration: Option<u32>,
    /// Of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 4_294_967_295_u32)]
    original_image_width: Option<u32>,
    /// Of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 4_294_967_295_u32)]
    original_image_height: Option<u32>,
    /// Of kind 100: at most 20 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Of kind 100: at most 100 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// Of kind 100: what is put together, as message objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_list: Option<Vec<BTreeMap<String, Value>>>,
    /// Of kind 100: one that is passed on.
    #[serde(rename = "combineID", default, skip_serializing_if = "Option::is_none")]
    combine_id: Option<String>,
}

/// How it is to be sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SendConfig {
    /// 1 low, 2 medium, 3 high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3)]
    priority: Option<u8>,
    /// Those it goes to may confirm that they read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    has_receipt: Option<bool>,
    /// It is counted as unread by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disable_unread_message_count: Option<bool>,
}

/// A message in its place, as clients get it; fields at their default are left out. Some kinds have more: see the wire protocol.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct Message {
    /// The kind; 31 was taken back, 32 says what happened in a group.
    r#type: u16,
    /// Unique in this broker.
    #[schema(rename = "messageID")]
    message_id: String,
    /// Who sent it.
    #[schema(rename = "senderUserID")]
    sender_user_id: String,
    /// When it was accepted, Unix milliseconds.
    timestamp: u64,
    /// 0 peer, 1 room, 2 group, -1 broadcast.
    conversation_type: i8,
    /// Its place in its conversation from 1; not there for what is not stored.
    #[schema(nullable = false)]
    message_seq: Option<u64>,
    /// Increases within a conversation.
    order_key: u64,
    /// What it says.
    #[schema(nullable = false)]
    message: Option<String>,
    /// What its sender added.
    #[schema(nullable = false)]
    extended_data: Option<String>,
    /// The sender's own name for it.
    #[schema(nullable = false, rename = "localMessageID")]
    local_message_id: Option<String>,
    /// Of a conversation of two: who gets it.
    #[schema(nullable = false, rename = "toUserID")]
    to_user_id: Option<String>,
    /// Of kind 200: the application's own number.
    #[schema(nullable = false)]
    sub_type: Option<u16>,
    /// Of kind 200: what a search finds it by.
    #[schema(nullable = false)]
    searched_content: Option<String>,
    /// Whom it reminds.
    #[schema(nullable = false, rename = "mentionedUserIDs")]
    mentioned_user_ids: Option<Vec<String>>,
    /// It reminds everyone.
    #[schema(nullable = false)]
    is_mention_all: Option<bool>,
    /// It was broadcast.
    #[schema(nullable = false)]
    is_broadcast_message: Option<bool>,
    /// 1 low, 2 medium, 3 high.
    #[schema(nullable = false)]
    priority: Option<u8>,
    /// A file that was uploaded here.
    #[schema(nullable = false, rename = "fileUID")]
    file_uid: Option<String>,
    /// Where the file lies; of one that was uploaded here without a token, below the broker's address.
    #[schema(nullable = false)]
    file_download_url: Option<String>,
    /// When it was changed last, Unix milliseconds.
    #[schema(nullable = false)]
    edited_time: Option<u64>,
    /// Who changed it last.
    #[schema(nullable = false, rename = "editorUserID")]
    editor_user_id: Option<String>,
    /// Of kind 31: who took it back.
    #[schema(nullable = false, rename = "operatedUserID")]
    operated_user_id: Option<String>,
    /// Of kind 31: when, Unix milliseconds.
    #[schema(nullable = false)]
    revoke_timestamp: Option<u64>,
    /// Of kind 31: what those who saw it are told.
    #[schema(nullable = false)]
    revoke_extended_data: Option<String>,
    /// Of kind 31: the kind it had.
    #[schema(nullable = false)]
    original_message_type: Option<u16>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    /// Who.
    #[serde(rename = "userID")]
    user_id: String,
    /// Shown to others.
    user_name: String,
    /// Passed through, never fetched.
    user_avatar_url: String,
    /// The application's own.
    user_extended_data: String,
    /// Whether and why it may not log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ban: Option<UserBan>,
}

impl User {
    pub(super) fn of(profile: &UserProfile, now_ms: u64) -> Self {
        Self {
            user_id: profile.id.to_string(),
            user_name: profile.name.clone(),
            user_avatar_url: profile.avatar_url.clone(),
            user_extended_data: profile.extended_data.clone(),
            ban: profile.ban.as_ref().filter(|ban| ban.holds(now_ms)).map(|ban| UserBan::of(profile.id.as_str(), ban)),
        }
    }
}

/// That a user may not log in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserBan {
    /// Who.
    #[serde(rename = "userID")]
    user_id: String,
    /// For operators.
    reason: String,
    /// Since when, Unix milliseconds.
    create_time: u64,
    /// Until when, Unix milliseconds; 0: for good.
    end_time: u64,
}

impl UserBan {
    pub(super) fn of(user: &str, ban: &Ban) -> Self {
        Self { user_id: user.to_owned(), reason: ban.reason.clone(), create_time: ban.since_ms, end_time: ban.until_ms }
    }
}

/// A user with what is known of it at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserNow {
    #[serde(flatten)]
    user: User,
    /// 0 online, 1 offline.
    online_status: u8,
    /// When it last came or went, Unix milliseconds; 0: not since the broker's start.
    last_update_time: u64,
    /// Its sessions.
    session_count: usize,
}

impl UserNow {
    pub(super) fn of(broker: &Broker, profile: &UserProfile) -> Self {
        let users = broker.users();
        let (online, last_update_time) = users.online(&profile.id);
        Self {
            user: User::of(profile, broker.core.clock.wall_ms()),
            online_status: u8::from(!online),
            last_update_time,
            session_count: users.sessions(Some(&profile.id)).len(),
        }
    }
}

/// A session that is logged in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    /// Which.
    #[serde(rename = "sessionID")]
    session_id: String,
    /// Whose.
    #[serde(rename = "userID")]
    user_id: String,
    /// On which device.
    #[serde(rename = "deviceID")]
    device_id: String,
    /// When its connection began, Unix milliseconds.
    connect_time: u64,
    /// How long nothing came from it, milliseconds.
    silent_ms: u64,
    /// Bytes that wait to be read by it.
    outbox_bytes: usize,
    /// Messages that were dropped for it.
    dropped: u64,
}

impl Session {
    pub(super) fn of(session: &SessionSummary, now_ms: u64) -> Self {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            session_id: session.session.to_string(),
            user_id: session.user.to_string(),
            device_id: session.device.to_string(),
            connect_time: now_ms.saturating_sub(ms(session.age)),
            silent_ms: ms(session.silent),
            outbox_bytes: session.outbox_bytes,
            dropped: session.dropped,
        }
    }
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    /// Which.
    #[serde(rename = "roomID")]
    room_id: String,
    /// What it is called.
    room_name: String,
    /// How many are inside.
    online_member_count: usize,
    /// How long it stands empty, seconds.
    room_destroy_delay_time: u64,
    /// When it began, Unix milliseconds.
    create_time: u64,
}

impl Room {
    pub(super) fn of(room: &RoomSummary) -> Self {
        Self {
            room_id: room.info.id.to_string(),
            room_name: room.info.name.clone(),
            online_member_count: room.members,
            room_destroy_delay_time: room.destroy_delay_seconds,
            create_time: room.created_ms,
        }
    }
}

/// A group, as in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    /// Which.
    #[serde(rename = "groupID")]
    group_id: String,
    /// What it is called.
    group_name: String,
    /// Passed through, never fetched.
    group_avatar_url: String,
    /// How many are in it.
    member_count: usize,
    /// When it was made, Unix milliseconds.
    create_time: u64,
}

impl Group {
    pub(super) fn of((info, members): &(GroupInfo, usize)) -> Self {
        Self {
            group_id: info.id.to_string(),
            group_name: info.name.clone(),
            group_avatar_url: info.avatar_url.clone(),
            member_count: *members,
            create_time: info.created_ms,
        }
    }
}

/// A user as others see it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct Member {
    /// Who.
    #[schema(rename = "userID")]
    user_id: String,
    /// Shown to others.
    user_name: String,
    /// Passed through, never fetched.
    user_avatar_url: String,
}

/// A member of a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct GroupMember {
    /// Who.
    #[schema(rename = "userID")]
    user_id: String,
    /// Shown to others.
    user_name: String,
    /// Passed through, never fetched.
    user_avatar_url: String,
    /// What it is called in this group.
    member_nickname: String,
    /// 1 owner, 2 admin, 3 member, 101 and above the application's own.
    member_role: u32,
    /// Until when it may not speak, Unix milliseconds; 0 it may, -1 for good.
    mute_expired_time: i64,
}

/// Someone of whom it was not done.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct ErrorUser {
    /// Who.
    #[schema(rename = "userID")]
    user_id: String,
    /// The number of the reason.
    reason: u32,
}

/// A conversation in a user's list.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(super) struct Conversation {
    /// The other user, or the group.
    #[schema(rename = "conversationID")]
    conversation_id: String,
    /// 0 peer, 2 group.
    r#type: u8,
    /// Its place in the list.
    order_key: u64,
    /// What it is called.
    #[schema(nullable = false)]
    conversation_name: Option<String>,
    /// Passed through, never fetched.
    #[schema(nullable = false)]
    conversation_avatar_url: Option<String>,
    /// How many messages the user has not read.
    #[schema(nullable = false)]
    unread_message_count: Option<u32>,
    /// 2: the user is not told of messages.
    #[schema(nullable = false)]
    notification_status: Option<u8>,
    /// It stands before the others.
    #[schema(nullable = false)]
    is_pinned: Option<bool>,
    /// Since when, Unix milliseconds.
    #[schema(nullable = false)]
    pinned_time: Option<u64>,
    /// Of a group: the user is not in it any more.
    #[schema(nullable = false)]
    is_disabled: Option<bool>,
    /// The latest.
    #[schema(nullable = false)]
    last_message: Option<Message>,
}

/// Settings of a new group.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GroupSettings {
    /// At most 300 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_notice: Option<String>,
    /// At most 10 pairs, keys of 16 bytes, values of 1,024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_attributes: Option<BTreeMap<String, String>>,
    /// 0: as many as the configuration allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_member_count: Option<u32>,
    /// 0 anyone joins, 1 by application, 2 nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 2)]
    join_mode: Option<u8>,
    /// 0 everyone invites, 1 owner and admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1)]
    invite_mode: Option<u8>,
    /// 0 who is invited is in, 1 must agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1)]
    be_invite_mode: Option<u8>,
}

/// Attributes to set and to delete; first the one, then the other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributesPatch {
    /// Keys and values.
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
    /// Keys.
    #[serde(default)]
    pub(super) delete: Vec<String>,
}

/// Users by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserIds {
    /// Who.
    #[serde(rename = "userIDs")]
    #[schema(min_items = 1, max_items = 100)]
    pub(super) user_ids: Vec<String>,
}

/// The arguments of a send, as the protocol takes them.
pub(super) fn send_args(draft: &MessageDraft, config: Option<&SendConfig>, to: &str, kind: i64) -> Value {
    json!({"message": draft, "toConversationID": to, "conversationType": kind, "config": config.cloned().unwrap_or_default()})
}

/// Where a message goes to, or is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SendMessage {
    /// In whose name, who need not be online; left out: the server's own user (`users.system`), to whom every room and group is
    /// open.
    #[serde(rename = "fromUserID", default)]
    pub(super) from_user_id: Option<String>,
    /// A user, room or group.
    #[serde(rename = "toConversationID")]
    #[schema(example = "bob")]
    pub(super) to_conversation_id: String,
    /// 0 peer, 1 room, 2 group.
    #[schema(minimum = 0, maximum = 2, example = 0)]
    pub(super) conversation_type: u8,
    /// What.
    #[serde(deserialize_with = "super::input::object")]
    pub(super) message: MessageDraft,
    /// How.
    #[serde(default, deserialize_with = "maybe_object")]
    pub(super) config: Option<SendConfig>,
}
