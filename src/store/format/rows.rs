//! What is kept as it is: rooms and groups, what a user made of a conversation, what users did to a message. Each is written as
//! the JSON of its fields, so a field's name is part of the format; new ones have a default.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{ActorAt, Attributes, Conversation, GroupInfo, Message, RoomAttribute, RoomId, UserId};

/// A room that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// Its id.
    pub id: RoomId,
    /// Which life of the id this is: part of [`Conversation::Room`].
    pub incarnation: u64,
    /// Its name.
    pub name: String,
    /// How long it stands empty before it is destroyed, seconds.
    pub destroy_delay_seconds: u64,
    /// What its members agreed on.
    #[serde(default)]
    pub attributes: BTreeMap<String, RoomAttribute>,
    /// The user whom it counts for while it stands empty; none: the host made it, or it is from before that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<UserId>,
    /// While it stands empty: what those who left had been given to keep.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members_attributes: BTreeMap<UserId, MemberAttributes>,
}

/// What one member of a room was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAttributes {
    /// The pairs.
    pub attributes: Attributes,
    /// They go when the member leaves.
    pub until_left: bool,
}

/// A group, or the memory of one: ids of dismissed groups are not used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// What it is called.
    pub info: GroupInfo,
    /// Dismissed by its owner, or left by its last member.
    pub dismissed: bool,
}

/// What one user made of one conversation. Everything else in its list follows from the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntryRecord {
    /// Everything up to this seq counts as read.
    pub read_seq: u64,
    /// Everything up to this seq is deleted for this user.
    pub cleared_seq: u64,
    /// The entry is off the list until a message after this seq.
    pub hidden_seq: u64,
    /// Everything up to this seq was confirmed as read to the other side (peer conversations).
    pub receipt_seq: u64,
    /// The least order key of the entry: raised by pinning.
    pub order_key_min: u64,
    /// When it was pinned, Unix milliseconds; 0: it is not.
    pub pinned_ms: u64,
    /// Do not disturb: it counts for itself and not in the total.
    pub muted: bool,
    /// Single messages were deleted for this user.
    pub deletes: bool,
    /// The user's own marks, ascending.
    pub marks: Vec<u32>,
}

/// What a user who left a group may still see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerMember {
    /// The first message it could read.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
    /// When it left, Unix milliseconds; 0: before that was noted.
    #[serde(default)]
    pub left_ms: u64,
}

/// Something one user did to one message, kept beside it and as long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Said that it has read it.
    Receipt(UserId),
    /// Reacted: the reaction, and who.
    Reaction(String, UserId),
}

/// When. Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRecord {
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// A change of one stored message: of its record, of the notes beside it, or both; durable together.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Where the message is.
    pub conversation: Conversation,
    /// Its seq.
    pub seq: u64,
    /// Takes the message's place: same id, seq and order key.
    pub message: Option<Arc<Message>>,
    /// Notes to write; none: to remove.
    pub notes: Vec<(Note, Option<NoteRecord>)>,
    /// The pinned messages of the conversation from now on.
    pub pins: Option<Vec<Pin>>,
    /// Who was away is told when it comes back: what kind of change it was.
    pub logged: Option<ChangeKind>,
}

/// What was done to a message, as far as those who were away hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    /// Taken back.
    Revoked,
    /// Its words were changed.
    Edited,
    /// A reaction came or went.
    Reacted,
    /// Pinned or not any more.
    Pinned,
    /// Someone said that it was read.
    Confirmed,
}

/// A pinned message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its seq.
    pub seq: u64,
    /// Who pinned it, and when.
    pub stamp: ActorAt,
}

/// Where a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The last seq.
    pub seq: u64,
    /// The last order key.
    pub order_key: u64,
    /// The last message's commit.
    pub commit: u64,
}
