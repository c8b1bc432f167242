//! What actors ask of a group and tell it, but for messages.

use crate::actors::runtime::reply::Reply;
use crate::model::{GroupChange, GroupInfo, GroupMember, GroupSearch, Refusal, UserId, UserProfile};
use crate::protocol::result::group::GroupUpdated;

/// A member's sessions changed.
pub(crate) struct Presence {
    pub(crate) user: UserId,
}

/// What is the group called? Anyone may ask.
pub(crate) struct Info {
    pub(crate) reply: Reply<GroupInfo>,
}

/// Who owns the group?
pub(crate) struct WhoOwns {
    pub(crate) reply: Reply<UserId>,
}

/// Who is in the group? Asked by a member.
pub(crate) struct Members {
    pub(crate) asker: UserId,
    pub(crate) which: Which,
    pub(crate) next: u64,
    pub(crate) count: usize,
    pub(crate) reply: Reply<MembersPage>,
}

/// Which members are asked for.
pub(crate) enum Which {
    Everyone,
    /// Those who may not speak now.
    Muted,
    Just(UserId),
    Found(GroupSearch),
}

/// Members with what is known of them; the next page's flag, 0 at the end; how many there are.
pub(crate) struct MembersPage {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) next: u64,
    pub(crate) total: usize,
}

impl MembersPage {
    /// Keeps those that a search finds, `count` at most. Source: ZIM API reference, "searchLocalGroupMembers".
    pub(super) fn keep_found(&mut self, search: &GroupSearch, count: usize) {
        self.members.retain(|(member, profile)| found(search, member, profile));
        if self.members.len() > count {
            self.members.truncate(count);
            self.next = self.members.last().map_or(0, |(member, _)| member.joined);
        }
    }
}

/// By name, or, when asked for, by nickname.
fn found(search: &GroupSearch, member: &GroupMember, profile: &UserProfile) -> bool {
    search.keywords.found_in(&profile.name) || search.by_nickname && search.keywords.found_in(&member.nickname)
}

/// A new group with its first members.
pub(crate) struct Create {
    pub(crate) owner: UserProfile,
    pub(crate) info: GroupInfo,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Created>,
}

/// What a creation brought about.
pub(crate) struct Created {
    pub(crate) info: GroupInfo,
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// A user comes in by itself.
pub(crate) struct Join {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<GroupInfo>,
}

/// A member goes.
pub(crate) struct Quit {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<()>,
}

/// The owner ends the group.
pub(crate) struct Dismiss {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<()>,
}

/// A member brings others in.
pub(crate) struct Invite {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Invited>,
}

/// Whom an invitation brought in.
pub(crate) struct Invited {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Owner or admin put members out.
pub(crate) struct Kick {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Kicked>,
}

/// Who is out.
pub(crate) struct Kicked {
    pub(crate) users: Vec<UserId>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// A member wants something changed.
pub(crate) struct Update {
    pub(crate) by: UserProfile,
    pub(crate) change: GroupChange,
    pub(crate) reply: Reply<GroupUpdated>,
}
