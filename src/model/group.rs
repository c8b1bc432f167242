//! What a group is called and who is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attributes, GroupId, GroupMute, GroupRole, GroupVerify, Invalid, Limits, MutedUntil, Refusal, UserId};

/// A group's row: what it is called and how it is ruled. Source: ZIM API reference, `ZIMGroupFullInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// Its id.
    pub id: GroupId,
    /// Its name; may be empty.
    pub name: String,
    /// Passed through, never fetched.
    pub avatar_url: String,
    /// What every member is to read.
    pub notice: String,
    /// The application's own key-value pairs.
    pub attributes: Attributes,
    /// Who may not speak.
    #[serde(default)]
    pub mute: GroupMute,
    /// How one comes in.
    #[serde(default)]
    pub verify: GroupVerify,
    /// When it was made, Unix milliseconds; 0: before that was noted.
    #[serde(default)]
    pub created_ms: u64,
    /// How many members its creator allows; 0: as many as the broker does.
    #[serde(default)]
    pub members_max: usize,
    /// Who left while it could not speak: leaving and coming back ends no mute.
    #[serde(default)]
    pub muted_outside: BTreeMap<UserId, MutedUntil>,
}

/// The optional part of `createGroup`. Source: ZIM API reference, `ZIMGroupAdvancedConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupAdvanced {
    /// See [`GroupInfo::notice`].
    pub notice: String,
    /// See [`GroupInfo::attributes`].
    pub attributes: Attributes,
    /// See [`GroupInfo::verify`].
    pub verify: GroupVerify,
    /// See [`GroupInfo::members_max`].
    pub members_max: usize,
}

fn within(field: &str, text: &str, bytes_max: usize) -> Result<(), Invalid> {
    if text.len() > bytes_max { Err(Invalid::too_long(field, text.len(), bytes_max)) } else { Ok(()) }
}

impl GroupInfo {
    /// Checks a new group's fields; the id is checked or made by the caller.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, [`Refusal::Attributes`].
    pub fn parse(id: GroupId, name: String, avatar_url: String, advanced: GroupAdvanced, limits: &Limits) -> Result<Self, Refusal> {
        Self::check_name("groupInfo.groupName", &name, limits)?;
        Self::check_avatar_url("groupInfo.groupAvatarUrl", &avatar_url, limits)?;
        Self::check_notice("config.groupNotice", &advanced.notice, limits)?;
        if advanced.members_max > limits.group_members_max {
            let (members, max) = (advanced.members_max, limits.group_members_max);
            return Err(Invalid::new("config.maxMemberCount", format!("is {members}, the limit is {max}")).into());
        }
        let attributes = advanced.attributes;
        limits.group_attributes().check_each(&attributes)?;
        limits.group_attributes().check_all(&attributes)?;
        Ok(Self {
            id,
            name,
            avatar_url,
            notice: advanced.notice,
            attributes,
            mute: GroupMute::default(),
            verify: advanced.verify,
            created_ms: 0,
            members_max: advanced.members_max,
            muted_outside: BTreeMap::new(),
        })
    }

    /// Returns what a user sees who is no member: neither the notice nor the pairs, which are the members' own.
    #[must_use]
    pub fn for_strangers(self) -> Self {
        Self { notice: String::new(), attributes: Attributes::new(), ..self }
    }

    /// Notes who goes; of a mute that is over nothing is kept.
    pub fn note_gone<'a>(&mut self, members: impl IntoIterator<Item = &'a GroupMember>, now_ms: u64) {
        self.muted_outside.extend(members.into_iter().map(|member| (member.user.clone(), member.muted)));
        self.muted_outside.retain(|_, muted| muted.lasts(now_ms));
    }

    /// # Errors
    /// [`Invalid`] when it is too long.
    pub fn check_name(field: &str, name: &str, limits: &Limits) -> Result<(), Invalid> {
        within(field, name, limits.group_name_bytes_max)
    }

    /// # Errors
    /// [`Invalid`] when it is too long.
    pub fn check_avatar_url(field: &str, url: &str, limits: &Limits) -> Result<(), Invalid> {
        within(field, url, limits.avatar_url_bytes_max)
    }

    /// # Errors
    /// [`Invalid`] when it is too long.
    pub fn check_notice(field: &str, notice: &str, limits: &Limits) -> Result<(), Invalid> {
        within(field, notice, limits.group_notice_bytes_max)
    }
}

/// One member's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// Who.
    pub user: UserId,
    /// What this member may do.
    pub role: GroupRole,
    /// Rank by time of joining: when the owner leaves, the least becomes owner.
    pub joined: u64,
    /// The first message this member may read. Our choice: what was said before it joined was not said to it, unless
    /// `group.new_members_see_history` says otherwise.
    pub first_seq: u64,
    /// The last message before this member came: what counts as unread begins after it.
    #[serde(default)]
    pub joined_seq: u64,
    /// What it is called in this group; empty: as everywhere.
    #[serde(default)]
    pub nickname: String,
    /// Until when it may not speak here.
    #[serde(default)]
    pub muted: MutedUntil,
    /// It was brought in by another, and neither made the group nor joined it by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invited: bool,
}

impl GroupMember {
    /// Returns a member that was never given anything.
    #[must_use]
    pub fn new(user: UserId, role: GroupRole, joined: u64, first_seq: u64, joined_seq: u64) -> Self {
        Self { user, role, joined, first_seq, joined_seq, nickname: String::new(), muted: MutedUntil::NEVER, invited: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_limit_holds_at_its_edge() {
        let limits = Limits::default();
        let parse = |name: usize, avatar: usize, notice: usize, pairs: usize, key: usize, value: usize| {
            let attributes = (0..pairs).map(|n| (format!("{n}{}", "k".repeat(key - 1)), "v".repeat(value))).collect();
            let advanced = GroupAdvanced { notice: "n".repeat(notice), attributes, ..GroupAdvanced::default() };
            GroupInfo::parse(GroupId::trusted("g"), "n".repeat(name), "a".repeat(avatar), advanced, &limits)
        };
        assert!(parse(100, 500, 300, 10, 16, 1024).is_ok());
        assert!(parse(101, 0, 0, 0, 1, 0).is_err());
        assert!(parse(0, 501, 0, 0, 1, 0).is_err());
        assert!(parse(0, 0, 301, 0, 1, 0).is_err());
        assert!(parse(0, 0, 0, 11, 2, 0).is_err());
        assert!(parse(0, 0, 0, 1, 17, 0).is_err());
        assert!(parse(0, 0, 0, 1, 1, 1025).is_err());
    }

    #[test]
    fn a_row_written_before_there_were_nicknames_and_mutes_is_read() {
        let member: GroupMember = serde_json::from_str(r#"{"user":"a","role":"Owner","joined":1,"first_seq":2}"#).unwrap();
        assert_eq!(member, GroupMember::new(UserId::trusted("a"), GroupRole::Owner, 1, 2, 0));
        let info: GroupInfo = serde_json::from_str(r#"{"id":"g","name":"n","avatar_url":"","notice":"","attributes":{}}"#).unwrap();
        assert_eq!((info.mute, info.verify, info.members_max), (GroupMute::default(), GroupVerify::default(), 0));
    }
}
