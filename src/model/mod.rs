//! The nouns of Tidings and the rules that need nothing but their values.
//!
//! Pure: no clock, no I/O, no actix. Whatever enters the broker becomes one of these types first, so every
//! layer below may rely on lengths, character sets and ranges without checking them again.
//! Limits are numbers in [`Limits`]; a value over its limit is an [`Invalid`] that names field, value and limit.

mod body;
mod conversation;
mod group;
mod id;
mod limits;
mod mention;
mod message;
mod refusal;
mod room;
mod user;
mod version;

pub use body::{Body, MessageClass, MessageKind, Priority};
pub use conversation::{Conversation, ConversationKind, Target};
pub use group::{GroupAdvanced, GroupInfo, GroupMember, GroupRole};
pub use id::{DeviceId, GroupId, LocalMessageId, RoomId, SessionId, UserId};
pub use limits::Limits;
pub use mention::{MentionKind, Mentions};
pub use message::{Broadcast, Draft, Message};
pub use refusal::{Invalid, Refusal};
pub use room::RoomInfo;
pub use user::UserProfile;
pub use version::SdkVersion;
