//! Who may do what in a group: roles, who may come in, who may speak. Pure.

use serde::{Deserialize, Serialize};

use super::{Invalid, Limits};

/// What a member may do. Source: ZIM guide "Manage group members".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRole {
    /// 1: everything.
    Owner,
    /// 2: kicks, mutes and moderates regular members.
    Admin,
    /// 3
    Member,
    /// Above 100: the application's own, with a regular member's rights.
    Custom(u32),
}

impl GroupRole {
    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Owner => 1,
            Self::Admin => 2,
            Self::Member => 3,
            Self::Custom(number) => number,
        }
    }

    /// Returns a role that can be given; ownership is transferred instead.
    ///
    /// # Errors
    /// [`Invalid`] for anything but 2, 3 and numbers above 100.
    pub fn parse(field: &str, number: i64) -> Result<Self, Invalid> {
        match number {
            2 => Ok(Self::Admin),
            3 => Ok(Self::Member),
            other => match u32::try_from(other) {
                Ok(custom) if custom > 100 => Ok(Self::Custom(custom)),
                _ => Err(Invalid::new(field, format!("is {number}, it must be 2, 3 or above 100"))),
            },
        }
    }

    /// Owner or admin.
    #[must_use]
    pub fn manages(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }

    /// Returns whether this role's holder may kick, mute or moderate that one's. Source: ZIM guide "Manage group members".
    #[must_use]
    pub fn is_above(self, other: Self) -> bool {
        match self {
            Self::Owner => other != Self::Owner,
            Self::Admin => !other.manages(),
            Self::Member | Self::Custom(_) => false,
        }
    }
}

/// Until when somebody may not speak: 0 not at all, −1 for ever, else Unix milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MutedUntil(pub i64);

impl MutedUntil {
    /// Nobody is muted.
    pub const NEVER: Self = Self(0);
    /// Until it is taken back.
    pub const FOREVER: Self = Self(-1);

    /// Returns the end of a mute of so many seconds from now; `None`: for ever.
    #[must_use]
    pub fn after(seconds: Option<u64>, now_ms: u64) -> Self {
        seconds
            .map_or(Self::FOREVER, |seconds| Self(i64::try_from(now_ms.saturating_add(seconds.saturating_mul(1000))).unwrap_or(i64::MAX)))
    }

    /// Returns whether it still lasts.
    #[must_use]
    pub fn lasts(self, now_ms: u64) -> bool {
        self == Self::FOREVER || u64::try_from(self.0).is_ok_and(|until| until > now_ms)
    }
}

/// Who in a group may not speak. Source: ZIM API reference, `ZIMGroupMuteMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MuteMode {
    /// 0: everyone may.
    #[default]
    None,
    /// 1: regular members may not.
    Normal,
    /// 2: only the owner may.
    All,
    /// 3: the listed roles may not.
    Custom,
}

impl MuteMode {
    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Normal => 1,
            Self::All => 2,
            Self::Custom => 3,
        }
    }

    /// Returns a mode that mutes.
    ///
    /// # Errors
    /// [`Invalid`] outside 1 to 3.
    pub fn parse(field: &str, number: i64) -> Result<Self, Invalid> {
        match number {
            1 => Ok(Self::Normal),
            2 => Ok(Self::All),
            3 => Ok(Self::Custom),
            other => Err(Invalid::out_of_range(field, other, 1, 3)),
        }
    }
}

/// A group's own muting. Source: ZIM API reference, `ZIMGroupMuteInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupMute {
    /// Whom it concerns.
    pub mode: MuteMode,
    /// How long.
    pub until: MutedUntil,
    /// With [`MuteMode::Custom`]: the roles, as numbers.
    pub roles: Vec<u32>,
}

impl GroupMute {
    /// Returns whether a member of this role may not speak now.
    #[must_use]
    pub fn silences(&self, role: GroupRole, now_ms: u64) -> bool {
        let concerned = match self.mode {
            MuteMode::None => false,
            MuteMode::Normal => role == GroupRole::Member,
            MuteMode::All => role != GroupRole::Owner,
            MuteMode::Custom => self.roles.contains(&role.number()),
        };
        concerned && self.until.lasts(now_ms)
    }
}

/// How users may join by themselves. Source: ZIM API reference, `ZIMGroupJoinMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinMode {
    /// 0: anyone.
    #[default]
    Any,
    /// 1: by application. Nobody can apply yet, so this leaves invitations.
    Auth,
    /// 2: nobody.
    Forbid,
}

/// Who may invite. Source: ZIM API reference, `ZIMGroupInviteMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InviteMode {
    /// 0: every member.
    #[default]
    Any,
    /// 1: owner and admins.
    Admin,
}

/// Whether whom is invited has a say. Source: ZIM API reference, `ZIMGroupBeInviteMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BeInviteMode {
    /// 0: no.
    #[default]
    None,
    /// 1: it must agree. Nobody can be asked yet, so this leaves joining.
    Auth,
}

macro_rules! numbered {
    ($($mode:ident { $($case:ident $number:literal),* })*) => {$(
        impl $mode {
            /// Returns the number on the wire.
            #[must_use]
            pub fn number(self) -> u8 {
                match self { $(Self::$case => $number),* }
            }

            /// Returns the mode of a number.
            ///
            /// # Errors
            /// [`Invalid`] for a number that is none.
            pub fn parse(field: &str, number: i64) -> Result<Self, Invalid> {
                match number {
                    $($number => Ok(Self::$case),)*
                    other => Err(Invalid::out_of_range(field, other, 0, [$($number),*].into_iter().fold(0, i64::max))),
                }
            }
        }
    )*};
}

numbered! {
    JoinMode { Any 0, Auth 1, Forbid 2 }
    InviteMode { Any 0, Admin 1 }
    BeInviteMode { None 0, Auth 1 }
}

/// How one comes into a group. Source: ZIM API reference, `ZIMGroupVerifyInfo`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupVerify {
    /// By oneself.
    pub join: JoinMode,
    /// By others.
    pub invite: InviteMode,
    /// Asked first.
    pub be_invite: BeInviteMode,
}

/// Returns how long a mute lasts: −1 for ever, else seconds.
///
/// # Errors
/// [`Invalid`] for 0, other negative numbers, and more than `seconds_max`.
pub fn mute_seconds(field: &str, seconds: i64, seconds_max: u64) -> Result<Option<u64>, Invalid> {
    match u64::try_from(seconds) {
        Err(_) if seconds == -1 => Ok(None),
        Ok(some) if (1..=seconds_max).contains(&some) => Ok(Some(some)),
        _ => Err(Invalid::new(field, format!("is {seconds}, it must be -1 or 1 to {seconds_max} seconds"))),
    }
}

/// A member's name in one group.
///
/// # Errors
/// [`Invalid`] when it has too many characters.
pub fn check_nickname(nickname: &str, limits: &Limits) -> Result<(), Invalid> {
    let (chars, chars_max) = (nickname.chars().count(), limits.group_nickname_chars_max);
    if chars > chars_max {
        return Err(Invalid::new("nickname", format!("has {chars} characters, the limit is {chars_max}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_above_those_it_manages() {
        use GroupRole::{Admin, Custom, Member, Owner};
        let above = [(Owner, Admin), (Owner, Member), (Owner, Custom(101)), (Admin, Member), (Admin, Custom(101))];
        for one in [Owner, Admin, Member, Custom(101)] {
            for other in [Owner, Admin, Member, Custom(101)] {
                assert_eq!(one.is_above(other), above.contains(&(one, other)), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn roles_that_can_be_given() {
        for (number, good) in [(1, false), (2, true), (3, true), (4, false), (100, false), (101, true), (0, false), (-1, false)] {
            assert_eq!(GroupRole::parse("role", number).is_ok(), good, "{number}");
        }
    }

    #[test]
    fn a_mute_ends_and_spares_whom_it_does_not_concern() {
        let mute = |mode, roles: &[u32]| GroupMute { mode, until: MutedUntil::after(Some(10), 1000), roles: roles.to_vec() };
        assert!(mute(MuteMode::Normal, &[]).silences(GroupRole::Member, 10_999));
        assert!(!mute(MuteMode::Normal, &[]).silences(GroupRole::Member, 11_000));
        assert!(!mute(MuteMode::Normal, &[]).silences(GroupRole::Admin, 2000));
        assert!(mute(MuteMode::All, &[]).silences(GroupRole::Admin, 2000) && !mute(MuteMode::All, &[]).silences(GroupRole::Owner, 2000));
        assert!(mute(MuteMode::Custom, &[101]).silences(GroupRole::Custom(101), 2000));
        assert!(!mute(MuteMode::Custom, &[101]).silences(GroupRole::Member, 2000));
        let forever = GroupMute { mode: MuteMode::All, until: MutedUntil::FOREVER, roles: Vec::new() };
        assert!(forever.silences(GroupRole::Member, u64::MAX) && !GroupMute::default().silences(GroupRole::Member, 0));
    }

    #[test]
    fn a_mute_lasts_from_a_second_to_its_limit_or_for_ever() {
        let good = |seconds| mute_seconds("config.duration", seconds, 600).is_ok();
        assert!(good(-1) && good(1) && good(600));
        assert!(!good(0) && !good(601) && !good(-2));
    }

    #[test]
    fn modes_have_the_vendors_numbers() {
        assert_eq!(JoinMode::parse("mode", 2), Ok(JoinMode::Forbid));
        assert!(JoinMode::parse("mode", 3).is_err() && InviteMode::parse("mode", 2).is_err() && BeInviteMode::parse("mode", -1).is_err());
        assert_eq!((JoinMode::Auth.number(), InviteMode::Admin.number(), BeInviteMode::Auth.number()), (1, 1, 1));
    }
}
