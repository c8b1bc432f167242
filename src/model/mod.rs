//! The nouns of Tidings and the rules that need nothing but their values.
//!
//! Pure: no clock, no I/O, no actix. Whatever enters the broker becomes one of these types first, so every
//! layer below may rely on lengths, character sets and ranges without checking them again.
//! Limits are numbers in [`Limits`]; a value over its limit is an [`Invalid`] that names field, value and limit.

mod attribute_fault;
mod attributes;
mod body;
mod content;
mod conversation;
mod file_uid;
mod group;
mod group_change;
mod group_rights;
mod hex;
mod id;
mod kind;
mod limits;
mod media;
mod media_record;
mod mention;
mod message;
mod message_state;
pub(crate) mod order_key;
mod page;
mod refusal;
mod room;
mod search;
mod send_options;
mod strict_json;
mod tips;
mod two_generation_map;
mod user;
mod version;

pub use attribute_fault::{AttributeFault, AttributeOwner};
pub use attributes::{AttributeLimits, Attributes};
pub use body::{Body, Child, Combine, Held, child_at};
pub use content::Content;
pub use conversation::{Conversation, ConversationKind, Target};
pub use file_uid::{FileUid, Rendition};
pub use group::{GroupAdvanced, GroupInfo, GroupMember};
pub use group_change::GroupChange;
pub use group_rights::{
    BeInviteMode, GroupMute, GroupRole, GroupVerify, InviteMode, JoinMode, MuteMode, MutedUntil, check_nickname, mute_seconds,
};
pub(crate) use hex::hex;
pub use id::{DeviceId, GroupId, LocalMessageId, RoomId, SessionId, UserId};
pub use kind::{MessageClass, MessageKind, Priority};
pub use limits::Limits;
pub use media::{Media, MediaKind, MediaUrls, Pixels};
pub use media_record::MediaRecord;
pub use mention::{MentionKind, Mentions};
pub use message::{Broadcast, Draft, Message};
pub use message_state::{ActorAt, MessageState, Revoked, RevokedAs};
pub(crate) use page::{page_by_key, page_by_position};
pub use refusal::{Invalid, Refusal};
pub use room::{AttributeTerms, RoomAttribute, RoomChange, RoomInfo};
#[cfg(feature = "postgres")]
pub(crate) use search::{DOTTED_I, FINAL_SIGMA, UNSEEN};
pub use search::{GroupSearch, Keywords, Search, searched_words};
pub use send_options::{PushConfig, ReplyTo, SendOptions};
pub(crate) use strict_json::from_object;
pub use tips::{Tips, TipsChange, TipsEvent, TipsUser};
pub(crate) use two_generation_map::TwoGenerationMap;
pub(crate) use user::OnlineStatus;
pub use user::{Ban, UserProfile};
pub use version::SdkVersion;
