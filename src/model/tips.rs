//! What the broker itself says in a group: who came, who went, who did it. Source: ZIM guide "Receive tip messages".

use serde::{Deserialize, Serialize};

use super::{GroupMute, GroupRole, MutedUntil, UserId};

/// What happened. The numbers are the vendor's. Source: ZIM API reference, `ZIMTipsMessageEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TipsEvent {
    /// 1
    Created,
    /// 2
    Dismissed,
    /// 3
    Joined,
    /// 4
    Invited,
    /// 5
    Left,
    /// 6
    KickedOut,
    /// 7
    InfoChanged,
    /// 8
    MemberChanged,
}

impl TipsEvent {
    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Created => 1,
            Self::Dismissed => 2,
            Self::Joined => 3,
            Self::Invited => 4,
            Self::Left => 5,
            Self::KickedOut => 6,
            Self::InfoChanged => 7,
            Self::MemberChanged => 8,
        }
    }
}

/// A user as a tip names it: as it was called then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TipsUser {
    /// Who.
    pub id: UserId,
    /// Its name at that time.
    pub name: String,
}

/// One tip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tips {
    /// What happened.
    pub event: TipsEvent,
    /// Who did it.
    pub operated: TipsUser,
    /// Whom it happened to.
    pub targets: Vec<TipsUser>,
    /// Who owns the group now, when its owner left: `groupNewOwner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_owner: Option<TipsUser>,
    /// What was changed, of the group or of the targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<TipsChange>,
}

/// What a change made of it. Source: ZIM API reference, `ZIMTipsMessageChangeInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TipsChange {
    /// The group's notice.
    Notice(String),
    /// The group's name.
    Name(String),
    /// The group's avatar.
    AvatarUrl(String),
    /// The group's muting.
    Mute(GroupMute),
    /// The target owns the group now.
    Owner,
    /// The target's role.
    Role(GroupRole),
    /// The targets' muting.
    MemberMute(MutedUntil),
}
