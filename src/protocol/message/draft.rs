//! What a client wants to send, as it is on the wire.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::model::{
    Body, Child, Combine, Content, ConversationKind, Draft, FileUid, Invalid, Limits, LocalMessageId, Media, MediaKind, MediaUrls,
    Mentions, MessageKind, Pixels, Priority, PushConfig, Refusal, SendOptions, Target, UserId,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendArgs {
    message: DraftArgs,
    #[serde(rename = "toConversationID")]
    to_conversation_id: String,
    conversation_type: i64,
    #[serde(default)]
    config: Option<SendConfigArgs>,
}

/// How a message is sent, before it is checked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SendConfigArgs {
    pub(crate) priority: Option<i64>,
    pub(crate) has_receipt: Option<bool>,
    pub(crate) disable_unread_message_count: Option<bool>,
    pub(crate) is_notify_mentioned_users: Option<bool>,
    pub(crate) push_config: Option<Box<PushConfig>>,
}

/// A message as its sender gives it, before its limits are checked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DraftArgs {
    #[serde(rename = "type")]
    pub(crate) kind: i64,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(rename = "localMessageID", default)]
    pub(crate) local_message_id: Option<String>,
    #[serde(default)]
    pub(crate) extended_data: Option<String>,
    #[serde(default)]
    pub(crate) sub_type: Option<i64>,
    #[serde(default)]
    pub(crate) searched_content: Option<String>,
    #[serde(rename = "mentionedUserIDs", default)]
    pub(crate) mentioned_user_ids: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) is_mention_all: Option<bool>,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) message_list: Vec<ChildArgs>,
    #[serde(rename = "combineID", default)]
    pub(crate) combine_id: String,
    #[serde(rename = "fileUID", default)]
    pub(crate) file_uid: Option<String>,
    #[serde(default)]
    pub(crate) file_name: Option<String>,
    #[serde(default)]
    pub(crate) file_size: Option<f64>,
    #[serde(default)]
    pub(crate) file_download_url: Option<String>,
    #[serde(default)]
    pub(crate) large_image_download_url: Option<String>,
    #[serde(default)]
    pub(crate) thumbnail_download_url: Option<String>,
    #[serde(default)]
    pub(crate) video_first_frame_download_url: Option<String>,
    #[serde(default)]
    pub(crate) audio_duration: Option<f64>,
    #[serde(default)]
    pub(crate) video_duration: Option<f64>,
    #[serde(default)]
    pub(crate) original_image_width: Option<f64>,
    #[serde(default)]
    pub(crate) original_image_height: Option<f64>,
    #[serde(default)]
    pub(crate) large_image_width: Option<f64>,
    #[serde(default)]
    pub(crate) large_image_height: Option<f64>,
    #[serde(default)]
    pub(crate) thumbnail_width: Option<f64>,
    #[serde(default)]
    pub(crate) thumbnail_height: Option<f64>,
    #[serde(default)]
    pub(crate) video_first_frame_width: Option<f64>,
    #[serde(default)]
    pub(crate) video_first_frame_height: Option<f64>,
}

/// A message inside a combined one, as its sender holds it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChildArgs {
    #[serde(rename = "messageID", default)]
    message_id: String,
    #[serde(rename = "senderUserID", default)]
    sender_user_id: String,
    #[serde(default)]
    timestamp: u64,
    #[serde(flatten)]
    draft: DraftArgs,
}

impl SendConfigArgs {
    /// Returns what a send asks for besides its words.
    fn options(self) -> SendOptions {
        SendOptions {
            receipt: self.has_receipt == Some(true),
            uncounted: self.disable_unread_message_count == Some(true),
            mentions_untold: self.is_notify_mentioned_users == Some(false),
            push: self.push_config,
            ..SendOptions::default()
        }
    }
}

impl SendArgs {
    pub(crate) fn check(self, limits: &Limits) -> Result<(Target, Draft), Refusal> {
        let kind = ConversationKind::from_number("conversationType", self.conversation_type)?;
        let target = Target::parse("toConversationID", kind, &self.to_conversation_id, limits)?;
        Ok((target, self.message.draft(self.config, limits)?))
    }
}

impl ChildArgs {
    fn check(self, field: &str, limits: &Limits) -> Result<Child, Refusal> {
        let id = match self.message_id.as_str() {
            "" => 0,
            id => id.parse().map_err(|_| Invalid::new(format!("{field}.messageID"), "is not an id of this broker"))?,
        };
        let sender = UserId::parse(&format!("{field}.senderUserID"), &self.sender_user_id, limits)?;
        let extended_data = self.draft.extended_data();
        Ok(Child { id, sender, timestamp_ms: self.timestamp, extended_data, body: self.draft.body(limits)? })
    }
}

impl DraftArgs {
    pub(crate) fn draft(self, config: Option<SendConfigArgs>, limits: &Limits) -> Result<Draft, Refusal> {
        let config = config.unwrap_or_default();
        let local_id = match self.local_message_id.as_deref() {
            None | Some("") => None,
            Some(id) => Some(LocalMessageId::parse("message.localMessageID", id)?),
        };
        let (extended_data, mentions) = (self.extended_data(), self.mentions(limits)?);
        let priority = priority(config.priority)?;
        let options = config.options();
        Ok(Draft { local_id, priority, content: Content { extended_data, mentions, body: self.body(limits)?, options } })
    }

    pub(crate) fn extended_data(&self) -> String {
        self.extended_data.clone().unwrap_or_default()
    }

    pub(crate) fn mentions(&self, limits: &Limits) -> Result<Mentions, Invalid> {
        let users = self.mentioned_user_ids.as_deref().unwrap_or_default();
        Mentions::check_count(users.len(), limits)?;
        let users = users.iter().map(|user| UserId::parse("message.mentionedUserIDs", user, limits)).collect::<Result<_, _>>()?;
        Ok(Mentions { users, all: self.is_mention_all == Some(true) })
    }

    pub(crate) fn body(self, limits: &Limits) -> Result<Body, Refusal> {
        let not_sendable = |reason: &str| Err(Refusal::Invalid(Invalid::new("message.type", format!("is {}, {reason}", self.kind))));
        let Some(kind) = MessageKind::from_number(self.kind) else { return not_sendable("which is not a message kind") };
        if let Some(kind) = MediaKind::of_message(kind) {
            return Ok(Body::Media(Box::new(self.media(kind)?)));
        }
        let file = if kind == MessageKind::Combine { self.file()? } else { None };
        let content = self.message.unwrap_or_default();
        Ok(match kind {
            MessageKind::Text => Body::Text(content),
            MessageKind::Barrage => Body::Barrage(content),
            MessageKind::Command => match BASE64.decode(&content) {
                Ok(bytes) => Body::Command(bytes.into()),
                Err(error) => return Err(Invalid::new("message.message", format!("is not base64: {error}")).into()),
            },
            MessageKind::Custom => {
                let number = self.sub_type.unwrap_or(0);
                let sub_type = u16::try_from(number)
                    .map_err(|_| Invalid::out_of_range("message.subType", number, 0, i64::from(limits.custom_sub_type_max)))?;
                Body::Custom { message: content, sub_type, searched_content: self.searched_content.unwrap_or_default() }
            }
            MessageKind::Combine if self.message_list.is_empty() && !self.combine_id.is_empty() => {
                // Forwarded as it came: what it holds is copied from where it is kept.
                Body::Combine(Combine::copy_of(self.title, self.summary, self.combine_id))
            }
            MessageKind::Combine if self.message_list.is_empty() && file.is_some() => {
                Body::Combine(Combine { uploaded: file, ..Combine::copy_of(self.title, self.summary, String::new()) })
            }
            MessageKind::Combine => {
                let children = self.message_list.into_iter().enumerate();
                let children =
                    children.map(|(n, child)| child.check(&format!("message.messageList[{n}]"), limits)).collect::<Result<_, _>>()?;
                Body::Combine(Combine { children, ..Combine::copy_of(self.title, self.summary, String::new()) })
            }
            MessageKind::System | MessageKind::Revoke | MessageKind::Tips => return not_sendable("which only the broker makes"),
            MessageKind::Multiple | MessageKind::Image | MessageKind::File | MessageKind::Audio | MessageKind::Video => {
                return Err(Refusal::Unsupported(format!("message kind {}", self.kind)));
            }
        })
    }

    fn file(&self) -> Result<Option<FileUid>, Refusal> {
        match self.file_uid.as_deref() {
            None | Some("") => Ok(None),
            // What is no name of ours does not exist here.
            Some(file) => FileUid::parse(file).map(Some).ok_or(Refusal::FileMissing),
        }
    }

    /// What its sender says of a file. Whether there is one, and all that is known of a kept one, comes later.
    fn media(self, kind: MediaKind) -> Result<Media, Refusal> {
        let duration_ms = match kind {
            MediaKind::Audio => duration("message.audioDuration", self.audio_duration)?,
            MediaKind::Video => duration("message.videoDuration", self.video_duration)?,
            MediaKind::Image | MediaKind::File => 0,
        };
        let original = self.file_download_url.clone().unwrap_or_default();
        // Our choice: the URL wins, because whoever gives one means a file that lies elsewhere.
        let file = if original.is_empty() { self.file()? } else { None };
        if file.is_none() && original.is_empty() {
            return Err(Refusal::FileMissing);
        }
        let urls = match file {
            Some(_) => MediaUrls::default(),
            None => MediaUrls {
                original,
                large: self.large_image_download_url.unwrap_or_default(),
                thumbnail: self.thumbnail_download_url.unwrap_or_default(),
                frame: self.video_first_frame_download_url.unwrap_or_default(),
            },
        };
        let pixels = |width, height| Pixels::new(whole(width), whole(height));
        Ok(Media {
            file,
            name: self.file_name.unwrap_or_default(),
            bytes: self.file_size.map_or(0, |size| u64::from(whole(Some(size)))),
            original: pixels(self.original_image_width, self.original_image_height),
            large: pixels(self.large_image_width, self.large_image_height),
            thumbnail: pixels(self.thumbnail_width, self.thumbnail_height),
            frame: pixels(self.video_first_frame_width, self.video_first_frame_height),
            ..Media::elsewhere(kind, urls, duration_ms)
        })
    }
}

/// Returns seconds as milliseconds; 0 for what is no time that passes. Audio and video must say how long they are.
fn duration(field: &str, seconds: Option<f64>) -> Result<u64, Invalid> {
    let seconds = seconds.ok_or_else(|| Invalid::new(field, "is missing"))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and floats saturate")]
    Ok(if seconds > 0.0 { ((seconds * 1000.0).ceil()) as u64 } else { 0 })
}

/// A number that a program may hold as anything; 0 for what is no count.
fn whole(number: Option<f64>) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floats saturate")]
    number.map_or(0, |number| number as u32)
}

/// A message as its sender would send it: the `message` of a `sendMessage`.
///
/// # Errors
/// As of one in a frame.
pub(crate) fn draft_of(json: &str, limits: &Limits) -> Result<Draft, Refusal> {
    let args: DraftArgs = serde_json::from_str(json).map_err(|error| Invalid::new("message", format!("is not understood: {error}")))?;
    args.draft(None, limits)
}

/// What an upload holds of a combined message too large for a frame: its `messageList`.
///
/// # Errors
/// As of a `messageList` in a frame.
pub(crate) fn uploaded_children(json: &[u8], limits: &Limits) -> Result<Vec<Child>, Refusal> {
    // Counted before any is made: a few bytes of JSON make a large object.
    let malformed = |error| Invalid::new("message.fileUID", format!("does not hold the JSON of a messageList: {error}"));
    let MessageCount(count) = serde_json::from_slice(json).map_err(malformed)?;
    if count > limits.combine_children_max {
        return Err(Invalid::too_many("message.messageList", count, limits.combine_children_max).into());
    }
    let children: Vec<ChildArgs> = serde_json::from_slice(json).map_err(malformed)?;
    let children = children.into_iter().enumerate();
    children.map(|(n, child)| child.check(&format!("message.messageList[{n}]"), limits)).collect()
}

/// The priority of a number.
fn priority(number: Option<i64>) -> Result<Priority, Invalid> {
    number.map_or(Ok(Priority::default()), |number| Priority::from_number("config.priority", number))
}

/// How many messages a `messageList` has, those in nested ones counted. Reading it makes none of them.
struct MessageCount(usize);

impl<'de> Deserialize<'de> for MessageCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists;
        impl<'de> Visitor<'de> for Lists {
            type Value = MessageCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<MessageCount, A::Error> {
                let mut count = 0;
                while let Some(nested) = list.next_element::<Nested>()? {
                    count += 1 + nested.message_list.map_or(0, |list| list.0);
                }
                Ok(MessageCount(count))
            }
        }
        deserializer.deserialize_seq(Lists)
    }
}

/// A message of a list, as far as it holds others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nested {
    #[serde(default)]
    message_list: Option<MessageCount>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::code_of;

    #[test]
    fn an_upload_of_too_many_messages_is_refused_before_any_is_made() {
        let limits = Limits { combine_children_max: 5, ..Limits::default() };
        let text = r#"{"type":1,"message":"x","senderUserID":"a"}"#;
        let nested = format!(r#"{{"type":100,"senderUserID":"a","messageList":[{text},{text}]}}"#);
        let read = |list: &[&str]| uploaded_children(format!("[{}]", list.join(",")).as_bytes(), &limits);
        assert_eq!(read(&[text; 5]).unwrap().len(), 5);
        assert_eq!(read(&[&nested, text, text]).unwrap().len(), 3);
        for list in [&[text; 6][..], &[&nested, &nested], &["{}"; 100_000]] {
            let refused = read(list).unwrap_err();
            assert_eq!(code_of(&refused), 6_000_001);
            assert!(refused.to_string().ends_with("entries, the limit is 5"), "{refused}");
        }
        assert!(read(&["1"]).is_err() && uploaded_children(b"{}", &limits).is_err());
    }
}
