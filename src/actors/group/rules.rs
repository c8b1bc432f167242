//! What members may change of their group, and what results from it. Pure: no store, no clock of its own.

use super::state::GroupState;
use crate::model::{GroupChange, GroupInfo, GroupMember, GroupMute, GroupRole, Invalid, Limits, MuteMode, MutedUntil, Refusal, UserId};

/// A change that was allowed, as the rows that result from it.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) info: Option<GroupInfo>,
    pub(super) members: Vec<GroupMember>,
    /// The users it was not allowed or possible for.
    pub(super) failed: Vec<(UserId, Refusal)>,
    /// Attributes that were not there to be deleted.
    pub(super) missing_keys: Vec<String>,
}

impl GroupState {
    /// Returns a member who may speak now. Source: ZIM API reference, "muteGroup", "muteGroupMembers".
    pub(super) fn speaker(&self, user: &UserId, now_ms: u64) -> Result<&GroupMember, Refusal> {
        let member = self.inside(user)?;
        if member.muted.lasts(now_ms) || self.info.mute.silences(member.role, now_ms) {
            return Err(Refusal::Muted(self.info.id.to_string()));
        }
        Ok(member)
    }

    /// Returns a member who is owner or admin.
    pub(super) fn manager(&self, user: &UserId) -> Result<&GroupMember, Refusal> {
        let member = self.inside(user)?;
        if member.role.manages() { Ok(member) } else { Err(Refusal::NoAuthority) }
    }

    fn with_info(&self, change: impl FnOnce(&mut GroupInfo)) -> Decision {
        let mut info = self.info.clone();
        change(&mut info);
        Decision { info: Some(info), ..Decision::default() }
    }

    /// Decides one change.
    pub(super) fn decide(&self, by: &UserId, change: &GroupChange, now_ms: u64, limits: &Limits) -> Result<Decision, Refusal> {
        let me = self.inside(by)?;
        Ok(match change {
            GroupChange::Name(name) => self.with_info(|info| info.name.clone_from(name)),
            GroupChange::Notice(notice) => self.with_info(|info| info.notice.clone_from(notice)),
            GroupChange::AvatarUrl(url) => self.with_info(|info| info.avatar_url.clone_from(url)),
            GroupChange::Join(mode) => self.manager(by).map(|_| self.with_info(|info| info.verify.join = *mode))?,
            GroupChange::Invite(mode) => self.manager(by).map(|_| self.with_info(|info| info.verify.invite = *mode))?,
            GroupChange::BeInvite(mode) => self.manager(by).map(|_| self.with_info(|info| info.verify.be_invite = *mode))?,
            GroupChange::MembersMax(max) => self.manager(by).map(|_| self.with_info(|info| info.members_max = *max))?,
            GroupChange::SetAttributes(attributes) => {
                let decision = self.with_info(|info| info.attributes.extend(attributes.clone()));
                let all = decision.info.as_ref().map(|info| &info.attributes);
                limits.group_attributes().check_all(all.into_iter().flatten())?;
                decision
            }
            GroupChange::DeleteAttributes(keys) => self.delete_attributes(keys)?,
            GroupChange::Mute { mode, seconds, roles } => {
                // Only the owner may mute everyone, and end that. Source: ZIM API reference, "muteGroup".
                if *mode == MuteMode::All || self.info.mute.mode == MuteMode::All {
                    self.owner(by)?
                } else {
                    self.manager(by)?
                };
                let until = if *mode == MuteMode::None { MutedUntil::NEVER } else { MutedUntil::after(*seconds, now_ms) };
                self.with_info(|info| info.mute = GroupMute { mode: *mode, until, roles: roles.clone() })
            }
            GroupChange::MuteMembers { users, mute, seconds } => {
                let muted = if *mute { MutedUntil::after(*seconds, now_ms) } else { MutedUntil::NEVER };
                self.mute_members(by, users, muted)?
            }
            GroupChange::Transfer(to) => {
                let owner = self.owner(by)?;
                if to == by {
                    return Err(Invalid::new("toUserID", "is the owner").into());
                }
                let successor = GroupMember { role: GroupRole::Owner, muted: MutedUntil::NEVER, ..self.inside(to)?.clone() };
                Decision { members: vec![successor, GroupMember { role: GroupRole::Member, ..owner.clone() }], ..Decision::default() }
            }
            GroupChange::Role { user, role } => {
                self.owner(by)?;
                if user == by {
                    return Err(Invalid::new("forUserID", "is the owner, whose role changes by a transfer").into());
                }
                Decision { members: vec![GroupMember { role: *role, ..self.inside(user)?.clone() }], ..Decision::default() }
            }
            GroupChange::Nickname { user, nickname } => {
                let member = self.inside(user)?;
                if user != by && !me.role.is_above(member.role) {
                    return Err(Refusal::NoAuthority);
                }
                Decision { members: vec![GroupMember { nickname: nickname.clone(), ..member.clone() }], ..Decision::default() }
            }
        })
    }

    /// Deletes the attributes that are there; fails when none is.
    fn delete_attributes(&self, keys: &[String]) -> Result<Decision, Refusal> {
        let (there, missing_keys): (Vec<_>, Vec<_>) = keys.iter().cloned().partition(|key| self.info.attributes.contains_key(key));
        if there.is_empty() {
            return Err(Refusal::GroupAttributeMissing(missing_keys.join(", ")));
        }
        let info = self.with_info(|info| info.attributes.retain(|key, _| !there.contains(key)));
        Ok(Decision { missing_keys, ..info })
    }

    /// Mutes the members that `by` ranks above; fails when there is none, for the first one's reason.
    fn mute_members(&self, by: &UserId, users: &[UserId], muted: MutedUntil) -> Result<Decision, Refusal> {
        let role = self.manager(by)?.role;
        let mut decision = Decision::default();
        for user in users {
            match self.inside(user) {
                Ok(member) if role.is_above(member.role) => decision.members.push(GroupMember { muted, ..member.clone() }),
                Ok(_) => decision.failed.push((user.clone(), Refusal::NoAuthority)),
                Err(refusal) => decision.failed.push((user.clone(), refusal)),
            }
        }
        match decision.failed.first() {
            Some((_, refusal)) if decision.members.is_empty() => Err(refusal.clone()),
            _ => Ok(decision),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupAdvanced, GroupId, JoinMode};

    const NOW: u64 = 1_000_000;

    fn user(id: &str) -> UserId {
        UserId::trusted(id)
    }

    /// Makes a group of an owner, an admin, two members and one with a role of the application's own.
    fn group() -> GroupState {
        let limits = Limits::default();
        let info = GroupInfo::parse(GroupId::trusted("g"), "name".into(), String::new(), GroupAdvanced::default(), &limits).unwrap();
        let roles = [
            ("owner", GroupRole::Owner),
            ("admin", GroupRole::Admin),
            ("ann", GroupRole::Member),
            ("ben", GroupRole::Member),
            ("vip", GroupRole::Custom(101)),
        ];
        GroupState::new(info, (1..).zip(roles).map(|(n, (id, role))| GroupMember::new(user(id), role, n, 1, 0)).collect())
    }

    fn decide(group: &GroupState, by: &str, change: GroupChange) -> Result<Decision, Refusal> {
        group.decide(&user(by), &change, NOW, &Limits::default())
    }

    fn mute(mode: MuteMode) -> GroupChange {
        GroupChange::Mute { mode, seconds: Some(60), roles: Vec::new() }
    }

    fn mute_member(id: &str) -> GroupChange {
        GroupChange::MuteMembers { users: vec![user(id)], mute: true, seconds: None }
    }

    #[test]
    fn who_may_do_what_is_the_vendors_table() {
        let nickname = |of: &str| GroupChange::Nickname { user: user(of), nickname: "n".into() };
        let role = |of: &str| GroupChange::Role { user: user(of), role: GroupRole::Admin };
        // Columns: by owner, admin, member, and someone outside.
        for (what, change, allowed) in [
            ("name", GroupChange::Name("n".into()), [true, true, true, false]),
            ("notice", GroupChange::Notice("n".into()), [true, true, true, false]),
            ("join mode", GroupChange::Join(JoinMode::Forbid), [true, true, false, false]),
            ("mute members", mute(MuteMode::Normal), [true, true, false, false]),
            ("mute all", mute(MuteMode::All), [true, false, false, false]),
            ("mute ben", mute_member("ben"), [true, true, false, false]),
            ("mute admin", mute_member("admin"), [true, false, false, false]),
            ("mute owner", mute_member("owner"), [false, false, false, false]),
            ("role", role("ben"), [true, false, false, false]),
            ("transfer", GroupChange::Transfer(user("ben")), [true, false, false, false]),
            ("nickname of ben", nickname("ben"), [true, true, false, false]),
            ("nickname of ann", nickname("ann"), [true, true, true, false]),
            ("nickname of owner", nickname("owner"), [true, false, false, false]),
            ("nickname of nobody", nickname("nobody"), [false, false, false, false]),
        ] {
            let done = ["owner", "admin", "ann", "nobody"].map(|by| decide(&group(), by, change.clone()).is_ok());
            assert_eq!(done, allowed, "{what}");
        }
    }

    #[test]
    fn the_muted_cannot_speak_until_it_ends() {
        let mut group = group();
        let muted = decide(&group, "admin", GroupChange::MuteMembers { users: vec![user("ann")], mute: true, seconds: Some(10) }).unwrap();
        group.put(muted.members[0].clone());
        assert_eq!(group.speaker(&user("ann"), NOW + 9_999), Err(Refusal::Muted("g".into())));
        assert!(group.speaker(&user("ann"), NOW + 10_000).is_ok() && group.speaker(&user("ben"), NOW).is_ok());
        group.info = decide(&group, "owner", mute(MuteMode::All)).unwrap().info.unwrap();
        let speak = |group: &GroupState| ["owner", "admin", "ben", "vip"].map(|id| group.speaker(&user(id), NOW).is_ok());
        assert_eq!(speak(&group), [true, false, false, false]);
        assert_eq!(decide(&group, "admin", mute(MuteMode::None)).unwrap_err(), Refusal::NoAuthority, "the owner's to end");
        group.info = decide(&group, "owner", mute(MuteMode::Normal)).unwrap().info.unwrap();
        assert_eq!(speak(&group), [true, true, false, true]);
        group.info = decide(&group, "admin", mute(MuteMode::None)).unwrap().info.unwrap();
        assert_eq!(speak(&group), [true; 4]);
    }

    #[test]
    fn a_transfer_makes_one_owner_of_two() {
        let decision = decide(&group(), "owner", GroupChange::Transfer(user("ben"))).unwrap();
        let roles: Vec<_> = decision.members.iter().map(|member| (member.user.as_str(), member.role)).collect();
        assert_eq!(roles, [("ben", GroupRole::Owner), ("owner", GroupRole::Member)]);
        assert!(decide(&group(), "owner", GroupChange::Transfer(user("owner"))).is_err());
        assert!(matches!(decide(&group(), "owner", GroupChange::Transfer(user("x"))), Err(Refusal::NotInGroup(_))));
    }

    #[test]
    fn attributes_add_up_to_their_limit_and_the_missing_are_named() {
        let mut group = group();
        let set = |n: usize| GroupChange::SetAttributes((0..n).map(|n| (format!("k{n}"), "v".to_owned())).collect());
        group.info = decide(&group, "ann", set(10)).unwrap().info.unwrap();
        assert!(decide(&group, "ann", set(10)).is_ok(), "again the same");
        assert!(matches!(decide(&group, "ann", set(11)), Err(Refusal::Attributes { .. })));
        let delete = |keys: &[&str]| GroupChange::DeleteAttributes(keys.iter().map(ToString::to_string).collect());
        let decision = decide(&group, "ann", delete(&["k1", "x"])).unwrap();
        assert_eq!((decision.missing_keys, decision.info.unwrap().attributes.len()), (vec!["x".to_owned()], 9));
        assert_eq!(decide(&group, "ann", delete(&["x"])).unwrap_err(), Refusal::GroupAttributeMissing("x".into()));
    }

    #[test]
    fn of_several_users_those_that_can_be_muted_are() {
        let users = ["ann", "owner", "nobody"].map(user).to_vec();
        let decision = decide(&group(), "admin", GroupChange::MuteMembers { users, mute: true, seconds: None }).unwrap();
        assert_eq!(decision.members.len(), 1);
        assert_eq!(decision.failed.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>(), ["owner", "nobody"]);
    }
}
