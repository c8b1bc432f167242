//! Where a message goes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GroupId, Invalid, Limits, RoomId, UserId};

/// The vendor's conversation type. Source: ZIM API reference, `ZIMConversationType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// 0
    Peer,
    /// 1
    Room,
    /// 2
    Group,
}

impl ConversationKind {
    /// Returns the kind of a number.
    ///
    /// # Errors
    /// [`Invalid`] outside 0 to 2.
    pub fn from_number(field: &str, number: i64) -> Result<Self, Invalid> {
        match number {
            0 => Ok(Self::Peer),
            1 => Ok(Self::Room),
            2 => Ok(Self::Group),
            other => Err(Invalid::out_of_range(field, other, 0, 2)),
        }
    }

    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Peer => 0,
            Self::Room => 1,
            Self::Group => 2,
        }
    }
}

/// A conversation as one user names it: the other user, the room, the group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// The other user.
    Peer(UserId),
    /// The room.
    Room(RoomId),
    /// The group.
    Group(GroupId),
}

impl Target {
    /// Checks the id for its kind.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &str, kind: ConversationKind, id: &str, limits: &Limits) -> Result<Self, Invalid> {
        Ok(match kind {
            ConversationKind::Peer => Self::Peer(UserId::parse(field, id, limits)?),
            ConversationKind::Room => Self::Room(RoomId::parse(field, id, limits)?),
            ConversationKind::Group => Self::Group(GroupId::parse(field, id, limits)?),
        })
    }

    /// Returns which of the three it is.
    #[must_use]
    pub fn kind(&self) -> ConversationKind {
        match self {
            Self::Peer(_) => ConversationKind::Peer,
            Self::Room(_) => ConversationKind::Room,
            Self::Group(_) => ConversationKind::Group,
        }
    }

    /// Returns the id as the wire carries it.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Peer(id) => id.as_str(),
            Self::Room(id) => id.as_str(),
            Self::Group(id) => id.as_str(),
        }
    }
}

/// A conversation as the broker names it: the same for all who are in it. The unit of order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Conversation {
    /// Two users, the lesser id first, so that both sides name the same one.
    Peer(UserId, UserId),
    /// A room in one of its lives: a room that is destroyed and made again shares nothing with its former self.
    Room(RoomId, u64),
    /// A group.
    Group(GroupId),
}

/// As people name it: `the conversation of alice and bob`, `room lobby`, `group g1`.
impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(one, other) => write!(f, "the conversation of {one} and {other}"),
            Self::Room(room, _) => write!(f, "room {room}"),
            Self::Group(group) => write!(f, "group {group}"),
        }
    }
}

impl Conversation {
    /// Returns the conversation of two users, whichever is named first.
    #[must_use]
    pub fn peer(one: &UserId, other: &UserId) -> Self {
        if one <= other { Self::Peer(one.clone(), other.clone()) } else { Self::Peer(other.clone(), one.clone()) }
    }

    /// Returns the conversation `user` means by `target`; none for a room, whose identity only its owner knows.
    #[must_use]
    pub fn of(user: &UserId, target: &Target) -> Option<Self> {
        match target {
            Target::Peer(other) => Some(Self::peer(user, other)),
            Target::Group(group) => Some(Self::Group(group.clone())),
            Target::Room(_) => None,
        }
    }

    /// Returns how one of its users names it: its kind, and the id of the other user, the room or the group.
    #[must_use]
    pub fn named_by(&self, user: &UserId) -> (ConversationKind, &str) {
        match self {
            Self::Peer(one, other) => (ConversationKind::Peer, if one == user { other } else { one }.as_str()),
            Self::Room(room, _) => (ConversationKind::Room, room.as_str()),
            Self::Group(group) => (ConversationKind::Group, group.as_str()),
        }
    }
}
