//! What members may want to change of a group.

use serde::{Deserialize, Serialize};

use super::{Attributes, BeInviteMode, GroupRole, InviteMode, JoinMode, MuteMode, UserId};

/// One change; every value was checked for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupChange {
    /// By any member.
    Name(String),
    /// By any member.
    Notice(String),
    /// By any member.
    AvatarUrl(String),
    /// By owner or admin.
    Join(JoinMode),
    /// By owner or admin.
    Invite(InviteMode),
    /// By owner or admin.
    BeInvite(BeInviteMode),
    /// By owner or admin: 0 is as many as the broker allows.
    MembersMax(usize),
    /// By any member: adds to what there is.
    SetAttributes(Attributes),
    /// By any member.
    DeleteAttributes(Vec<String>),
    /// By owner or admin; [`MuteMode::All`] and taking it back by the owner alone. `seconds`: none is for ever.
    Mute {
        /// [`MuteMode::None`] ends it.
        mode: MuteMode,
        /// How long.
        seconds: Option<u64>,
        /// With [`MuteMode::Custom`].
        roles: Vec<u32>,
    },
    /// By whoever is above them.
    MuteMembers {
        /// Whom.
        users: Vec<UserId>,
        /// Not any more when false.
        mute: bool,
        /// How long; none is for ever.
        seconds: Option<u64>,
    },
    /// By the owner.
    Transfer(UserId),
    /// By the owner.
    Role {
        /// Whose.
        user: UserId,
        /// Not [`GroupRole::Owner`].
        role: GroupRole,
    },
    /// Of oneself, or by whoever is above.
    Nickname {
        /// Whose.
        user: UserId,
        /// Empty takes it away.
        nickname: String,
    },
}
