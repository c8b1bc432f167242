//! Why the broker says no. One vocabulary for every layer; `protocol::code` gives each its number.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::{AttributeFault, AttributeOwner};

/// A reason that is a literal of the program.
type Literal = &'static str;

/// Reads a reason that this program, or another version of it, has as a literal. Each is kept for good: there are as many as the
/// programs of a cluster have.
fn literal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let reason = String::deserialize(deserializer)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(reason.as_str()) {
        return Ok(known);
    }
    // More would be no literals of any program.
    if known.len() >= LITERALS_MAX {
        return Ok("refused by another node");
    }
    let reason: &'static str = Box::leak(reason.into_boxed_str());
    known.insert(reason);
    Ok(reason)
}

/// Reasons of other nodes that are kept. Our choice: some times as many as there are.
const LITERALS_MAX: usize = 1_024;

/// A value that breaks a documented rule. Always the caller's fault; the same call fails again.
///
/// Wire code: 6000001. Our choice also for over-length values, because the vendor names no other.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{field} {reason}")]
pub struct Invalid {
    /// The argument, as the protocol spells it (`message.subType`).
    pub field: String,
    /// What is wrong with it, with the value and the limit: `is 40960 bytes, the limit is 32768`.
    pub reason: String,
}

impl Invalid {
    /// Names a field and says what is wrong with it.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// Says that a byte length is above its limit.
    pub fn too_long(field: impl Into<String>, bytes: usize, bytes_max: usize) -> Self {
        Self::new(field, format!("is {bytes} bytes, the limit is {bytes_max}"))
    }

    /// Says that a number is outside its closed range.
    pub fn out_of_range(field: impl Into<String>, value: i64, min: i64, max: i64) -> Self {
        Self::new(field, format!("is {value}, the range is {min} to {max}"))
    }

    /// Says that a list has more entries than its limit.
    pub fn too_many(field: impl Into<String>, count: usize, count_max: usize) -> Self {
        Self::new(field, format!("has {count} entries, the limit is {count_max}"))
    }
}

/// The answer to an operation that is not carried out. Nothing was changed and nothing was lost.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// A value breaks a documented rule; do not retry.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The operation or kind does not exist here, or not for this client's version.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// `login` must come first.
    #[error("not logged in")]
    NotLoggedIn,
    /// This connection is logged in already.
    #[error("this connection is logged in already")]
    AlreadyLoggedIn,
    /// The token does not prove who the caller is.
    #[error("token is invalid")]
    TokenInvalid,
    /// The token was good once.
    #[error("token has expired")]
    TokenExpired,
    /// An operator does not let this user in.
    #[error("user {0} is banned")]
    Banned(String),
    /// The token ends too soon to begin a session with it.
    #[error("token ends in less than {seconds_min} s")]
    TokenTooShort {
        /// The least lifetime a token must have left, seconds.
        seconds_min: u64,
    },
    /// The token ends too late to be believed.
    #[error("token ends in more than {seconds_max} s, the limit of auth.token_lifetime_max_seconds")]
    TokenTooLong {
        /// The longest lifetime a token may have left, seconds.
        seconds_max: u64,
    },
    /// The sender's quota is used up; retry after the time given.
    #[error("send rate exceeded, retry after {retry_after_ms} ms")]
    RateLimited {
        /// When the next send of this class will pass, milliseconds from now.
        retry_after_ms: u64,
    },
    /// More than the allowed number of user queries.
    #[error("{0}")]
    UserQueryLimit(String),
    /// The backend does not want this message: its reason, for people.
    #[error("{}", if .0.is_empty() { "the message was rejected" } else { .0.as_str() })]
    Rejected(String),
    /// A queue is full, an actor just went away, or the broker drains: retry soon.
    #[error("{0}, try again")]
    Busy(#[serde(deserialize_with = "literal")] Literal),
    /// The disk refuses; reads still work.
    #[error("the store is not accepting writes: {0}")]
    StoreUnavailable(String),
    /// The other side of a peer message never existed.
    #[error("user {0} does not exist")]
    UserMissing(String),
    /// No such room.
    #[error("room {0} does not exist")]
    RoomMissing(String),
    /// The caller is not inside the room.
    #[error("not in room {0}")]
    NotInRoom(String),
    /// A room of that id exists.
    #[error("room {0} already exists")]
    RoomExists(String),
    /// The user is in as many rooms as allowed.
    #[error("already in {rooms_max} rooms, the limit")]
    TooManyRooms {
        /// `limits.rooms_per_user_max`.
        rooms_max: usize,
    },
    /// None of the asked-for members is in the room.
    #[error("none of the users is in the room")]
    NoneInRoom,
    /// Pairs that break a limit of their owner's.
    #[error("{owner}{fault}")]
    Attributes {
        /// Whose pairs.
        owner: AttributeOwner,
        /// Which limit.
        fault: AttributeFault,
    },
    /// None of a room's attributes could be changed: others own them.
    #[error("none of the attributes may be changed by this user: others own them")]
    NoAttributeChanged,
    /// As many members of a room have attributes as may.
    #[error("{members_max} members have attributes, the limit")]
    TooManyWithAttributes {
        /// `limits.room_attributed_members_max`.
        members_max: usize,
    },
    /// The room has as many members as allowed.
    #[error("room is full, the limit is {members_max} members")]
    RoomFull {
        /// `limits.room_members_max`.
        members_max: usize,
    },
    /// No such group.
    #[error("group {0} does not exist")]
    GroupMissing(String),
    /// The caller is not a member of the group.
    #[error("not in group {0}")]
    NotInGroup(String),
    /// A group of that id exists.
    #[error("group {0} already exists")]
    GroupExists(String),
    /// The id belonged to a group that was dismissed; ids are not reused.
    #[error("group id {0} belonged to a dismissed group and cannot be used again")]
    GroupDismissed(String),
    /// The group has as many members as allowed.
    #[error("group is full, the limit is {members_max} members")]
    GroupFull {
        /// `limits.group_members_max`.
        members_max: usize,
    },
    /// No such attribute.
    #[error("the group has no attribute {0}")]
    GroupAttributeMissing(String),
    /// The group, or this member of it, may not speak now.
    #[error("muted in group {0}")]
    Muted(String),
    /// Nobody joins this group by itself.
    #[error("group {0} cannot be joined, only invited to")]
    JoinForbidden(String),
    /// Joining takes an application.
    #[error("joining group {0} takes an application, which cannot be made here")]
    JoinNeedsApplication(String),
    /// Inviting takes the consent of who is invited.
    #[error("whom group {0} invites must agree first, and cannot be asked here")]
    InviteNeedsConsent(String),
    /// `group.strangers_may_invite` is false, and the caller is a stranger to this user.
    #[error("user {0} shares no conversation with the caller, and strangers may not invite")]
    Stranger(String),
    /// The caller's role does not allow it.
    #[error("role does not allow this")]
    NoAuthority,
    /// The user is a member already.
    #[error("user {0} is in the group already")]
    AlreadyInGroup(String),
    /// No such message, not kept any more, or not for this user.
    #[error("the message does not exist, or is not kept any more")]
    MessageMissing,
    /// No such file, not kept any more, or not for this user.
    #[error("the file does not exist, or is not kept any more")]
    FileMissing,
    /// The media store, or what it may hold, refuses.
    #[error("the file cannot be kept: {0}")]
    FileServer(String),
    /// The content is not what was announced.
    #[error("{0}")]
    FileType(#[serde(deserialize_with = "literal")] Literal),
    /// Empty, or longer than allowed.
    #[error("the file is {bytes} bytes, the range is 1 to {bytes_max}")]
    FileSize {
        /// How long it is, or says it is.
        bytes: u64,
        /// The limit of its kind.
        bytes_max: u64,
    },
    /// An image that would take too much memory to look at.
    #[error("the image has {pixels} pixels, the limit is {pixels_max}")]
    FilePixels {
        /// Width times height.
        pixels: u64,
        /// `media.pixels_max`.
        pixels_max: u64,
    },
    /// It plays too long, or not at all.
    #[error("the duration is {ms} ms, the range is above 0 and up to {seconds_max} s")]
    FileDuration {
        /// As measured or said.
        ms: u64,
        /// `limits.audio_seconds_max`.
        seconds_max: u64,
    },
    /// It is too late to take it back.
    #[error("a message can be revoked for {seconds} s")]
    RevokeTooLate {
        /// `limits.revoke_seconds`.
        seconds: u64,
    },
    /// It was taken back already.
    #[error("the message has been revoked")]
    RevokedAlready,
    /// It is too late to edit it.
    #[error("a message can be edited for {seconds} s")]
    EditTooLate {
        /// `limits.edit_seconds`.
        seconds: u64,
    },
    /// Only its sender may edit a message.
    #[error("only its sender may edit a message")]
    NotTheSender,
    /// The same user reacted so already.
    #[error("reaction {0} is there already")]
    ReactionExists(String),
    /// The message asks for no receipt, or the caller cannot give one.
    #[error("no receipt can be given or asked for: {0}")]
    NoReceipt(#[serde(deserialize_with = "literal")] Literal),
    /// Too many messages in one call about receipts.
    #[error("{count} messages are named, the limit is {count_max}")]
    TooManyReceipts {
        /// How many were named.
        count: usize,
        /// `limits.receipts_max`.
        count_max: usize,
    },
    /// As many messages are pinned as may be, and none may give way.
    #[error("{pinned_max} messages are pinned, the limit")]
    TooManyPinnedMessages {
        /// `limits.pinned_messages_max`.
        pinned_max: usize,
    },
    /// The user's list has no such conversation.
    #[error("conversation {0} does not exist")]
    ConversationMissing(String),
    /// As many conversations are pinned as may be.
    #[error("{pinned_max} conversations are pinned, the limit")]
    TooManyPinned {
        /// `limits.pinned_conversations_max`.
        pinned_max: usize,
    },
    /// Every one of the listed users could not be kicked.
    #[error("none of the users could be kicked")]
    KickFailed,
}

impl Refusal {
    /// Returns whether the same call may succeed later without being changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::UserQueryLimit(_) | Self::Busy(_) | Self::StoreUnavailable(_))
    }
}
