//! The nouns of Tidings and the rules that need nothing but their values.
//!
//! Pure: no clock, no I/O, no actix. Whatever enters the broker becomes one of these types first, so every
//! layer below may rely on lengths, character sets and ranges without checking them again.
//! Limits are numbers in [`Limits`]; a value over its limit is an [`Invalid`] that names field, value and limit.

mod attributes;
mod body;
mod combine;
mod conversation;
mod fate;
mod group;
mod group_change;
mod group_rights;
mod id;
mod limits;
mod media;
mod mention;
mod message;
mod refusal;
mod room;
mod search;
mod tips;
mod user;
mod version;

pub use attributes::{AttributeFault, AttributeLimits, AttributeOwner, Attributes};
pub use body::{Body, MessageClass, MessageKind, Priority};
pub use combine::{Child, Combine};
pub use conversation::{Conversation, ConversationKind, Target};
pub use fate::{Fate, ReplyTo, Revoked, RevokedAs, Stamp, Terms};
pub use group::{GroupAdvanced, GroupInfo, GroupMember};
pub use group_change::GroupChange;
pub use group_rights::{
    BeInviteMode, GroupMute, GroupRole, GroupVerify, InviteMode, JoinMode, MuteMode, MutedUntil, check_nickname, mute_seconds,
};
pub use id::{DeviceId, GroupId, LocalMessageId, RoomId, SessionId, UserId};
pub use limits::Limits;
pub use media::{FileUid, Media, MediaKind, MediaRecord, MediaUrls, Pixels, Rendition};
pub use mention::{MentionKind, Mentions};
pub use message::{Broadcast, Draft, Message};
pub use refusal::{Invalid, Refusal};
pub use room::{AttributeTerms, RoomAttribute, RoomChange, RoomInfo};
pub use search::{GroupSearch, Keywords, Search};
pub use tips::{Tips, TipsChange, TipsEvent, TipsUser};
pub(crate) use user::OnlineStatus;
pub use user::{Ban, UserProfile};
pub use version::SdkVersion;
