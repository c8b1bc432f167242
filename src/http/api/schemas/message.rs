//! Messages, and what a send says.

use serde::Deserialize;
use utoipa::ToSchema;

use super::numbers;
use crate::http::api::input::maybe_object;
use crate::model::PushConfig;
use crate::protocol::{ChildArgs, DraftArgs, SendConfigArgs};

/// What is to be sent. Which fields a kind takes stands in the wire protocol; those it does not take are refused or of no
/// effect.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct MessageDraft {
    /// 1 text, 2 command, 11 image, 12 file, 13 audio, 14 video, 20 barrage (rooms only), 100 combine, 200 custom.
    #[schema(schema_with = numbers::sendable_type)]
    r#type: u16,
    /// The text; of a command its bytes in base64.
    #[serde(default)]
    #[schema(example = "hello")]
    message: Option<String>,
    /// Travels with the message; at most 1,024 bytes.
    #[serde(default)]
    extended_data: Option<String>,
    /// The sender's own name for it, 1 to 64 of letters, digits, _ and -: sent again to the same conversation, it is recognised.
    /// Made from the Idempotency-Key where there is one.
    #[serde(rename = "localMessageID", default)]
    pub(in crate::http::api) local_message_id: Option<String>,
    /// Of kind 200: the application's own number, at most 200.
    #[serde(default)]
    #[schema(maximum = 65_535)]
    sub_type: Option<u16>,
    /// Of kind 200: what a search finds it by, at most 64 bytes.
    #[serde(default)]
    searched_content: Option<String>,
    /// Whom it reminds.
    #[serde(rename = "mentionedUserIDs", default)]
    mentioned_user_ids: Option<Vec<String>>,
    /// It reminds everyone.
    #[serde(default)]
    is_mention_all: Option<bool>,
    /// Of kinds 11 to 14: a file that its sender uploaded here.
    #[serde(rename = "fileUID", default)]
    file_uid: Option<String>,
    /// Of kinds 11 to 14: where the file lies elsewhere; http or https.
    #[serde(default)]
    #[schema(example = "https://files.example/cat.jpg")]
    file_download_url: Option<String>,
    /// What it is called.
    #[serde(default)]
    file_name: Option<String>,
    /// Bytes.
    #[serde(default, deserialize_with = "crate::http::api::input::whole")]
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    file_size: Option<u64>,
    /// Of an image.
    #[serde(default)]
    large_image_download_url: Option<String>,
    /// Of an image.
    #[serde(default)]
    thumbnail_download_url: Option<String>,
    /// Of a video.
    #[serde(default)]
    video_first_frame_download_url: Option<String>,
    /// Of an audio file, seconds, at most 300.
    #[serde(default)]
    #[schema(maximum = 4_294_967_295_u32)]
    audio_duration: Option<u32>,
    /// Of a video, seconds.
    #[serde(default)]
    #[schema(maximum = 4_294_967_295_u32)]
    video_duration: Option<u32>,
    /// Of an image, pixels.
    #[serde(default)]
    #[schema(maximum = 4_294_967_295_u32)]
    original_image_width: Option<u32>,
    /// Of an image, pixels.
    #[serde(default)]
    #[schema(maximum = 4_294_967_295_u32)]
    original_image_height: Option<u32>,
    /// Of kind 100: at most 20 bytes.
    #[serde(default)]
    title: Option<String>,
    /// Of kind 100: at most 100 bytes.
    #[serde(default)]
    summary: Option<String>,
    /// Of kind 100: what is put together, as message objects.
    #[serde(default)]
    #[schema(value_type = Option<Vec<std::collections::BTreeMap<String, serde_json::Value>>>)]
    message_list: Option<Vec<ChildArgs>>,
    /// Of kind 100: one that is passed on.
    #[serde(rename = "combineID", default)]
    combine_id: Option<String>,
}

/// How it is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct SendConfig {
    /// 1 low, 2 medium, 3 high.
    #[serde(default)]
    #[schema(schema_with = numbers::priority)]
    priority: Option<u8>,
    /// Those it goes to may confirm that they read it.
    #[serde(default)]
    has_receipt: Option<bool>,
    /// It is counted as unread by nobody.
    #[serde(default)]
    disable_unread_message_count: Option<bool>,
    /// Whether whoever it mentions is told of that in particular; true, if it is left out. Kept with the message.
    #[serde(default)]
    is_notify_mentioned_users: Option<bool>,
    /// How receivers that are offline are to be told. Kept with the message.
    #[serde(default)]
    push_config: Option<Push>,
}

/// How receivers that are offline are to be told of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct Push {
    /// What stands above, at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024)]
    title: String,
    /// What it says, at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024)]
    content: String,
    /// Travels with it to the receiver's program, at most 1,024 bytes.
    #[serde(default)]
    #[schema(max_length = 1024)]
    payload: String,
    /// Names a way of pushing that the operator set up, at most 1,024 bytes.
    #[serde(rename = "resourcesID", default)]
    #[schema(max_length = 1024)]
    resources_id: String,
    /// Whether the number at the program's picture grows.
    #[serde(default)]
    enable_badge: bool,
    /// By how much it grows.
    #[serde(default)]
    #[schema(maximum = 99)]
    badge_increment: u8,
}

impl From<Push> for PushConfig {
    fn from(push: Push) -> Self {
        let Push { title, content, payload, resources_id, enable_badge, badge_increment } = push;
        Self { title, content, payload, resources_id, enable_badge, badge_increment }
    }
}

/// A message in its place, as clients get it; fields at their default are left out. Some kinds have more: see the wire protocol.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes what the protocol's encoder writes")]
pub(in crate::http::api) struct Message {
    /// The kind; 31 was taken back, 32 says what happened in a group.
    #[schema(schema_with = numbers::message_type)]
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
    #[schema(schema_with = numbers::message_place)]
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
    /// It was sent by the server API.
    #[schema(nullable = false)]
    is_server_message: Option<bool>,
    /// It was broadcast.
    #[schema(nullable = false)]
    is_broadcast_message: Option<bool>,
    /// 1 low, 2 medium, 3 high.
    #[schema(schema_with = numbers::priority)]
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
    #[schema(schema_with = numbers::message_type)]
    original_message_type: Option<u16>,
}

/// Where a message goes to, or is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct SendMessage {
    /// In whose name, who need not be online; left out: the server's own user (`users.system`), to whom every room and group is
    /// open.
    #[serde(rename = "fromUserID", default)]
    pub(in crate::http::api) from_user_id: Option<String>,
    /// A user, room or group.
    #[serde(rename = "toConversationID")]
    #[schema(example = "bob")]
    pub(in crate::http::api) to_conversation_id: String,
    /// 0 peer, 1 room, 2 group.
    #[schema(schema_with = numbers::conversation_type)]
    pub(in crate::http::api) conversation_type: u8,
    /// What.
    #[serde(deserialize_with = "crate::http::api::input::object")]
    pub(in crate::http::api) message: MessageDraft,
    /// How.
    #[serde(default, deserialize_with = "maybe_object")]
    pub(in crate::http::api) config: Option<SendConfig>,
}

impl From<MessageDraft> for DraftArgs {
    fn from(draft: MessageDraft) -> Self {
        // Sizes beyond 32 bits are refused as the largest of them is.
        let bytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        Self {
            kind: draft.r#type.into(),
            message: draft.message,
            extended_data: draft.extended_data,
            local_message_id: draft.local_message_id,
            sub_type: draft.sub_type.map(i64::from),
            searched_content: draft.searched_content,
            mentioned_user_ids: draft.mentioned_user_ids,
            is_mention_all: draft.is_mention_all,
            file_uid: draft.file_uid,
            file_download_url: draft.file_download_url,
            file_name: draft.file_name,
            file_size: draft.file_size.map(bytes),
            large_image_download_url: draft.large_image_download_url,
            thumbnail_download_url: draft.thumbnail_download_url,
            video_first_frame_download_url: draft.video_first_frame_download_url,
            audio_duration: draft.audio_duration.map(f64::from),
            video_duration: draft.video_duration.map(f64::from),
            original_image_width: draft.original_image_width.map(f64::from),
            original_image_height: draft.original_image_height.map(f64::from),
            title: draft.title.unwrap_or_default(),
            summary: draft.summary.unwrap_or_default(),
            message_list: draft.message_list.unwrap_or_default(),
            combine_id: draft.combine_id.unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl From<SendConfig> for SendConfigArgs {
    fn from(config: SendConfig) -> Self {
        Self {
            priority: config.priority.map(i64::from),
            has_receipt: config.has_receipt,
            disable_unread_message_count: config.disable_unread_message_count,
            is_notify_mentioned_users: config.is_notify_mentioned_users,
            push_config: config.push_config.map(|push| Box::new(push.into())),
        }
    }
}
