//! The requests that actors send to a group, except those about chat messages.

use crate::actors::runtime::reply::Reply;
use crate::model::{GroupChange, GroupInfo, GroupMember, GroupSearch, Refusal, UserId, UserProfile};
use crate::protocol::result::group::GroupUpdated;

/// Says that a member's sessions changed.
pub(crate) struct MemberPresence {
    pub(crate) user: UserId,
}

/// Asks for the group's info; anyone may.
pub(crate) struct Info {
    pub(crate) reply: Reply<GroupInfo>,
}

/// Asks who owns the group.
pub(crate) struct WhoOwns {
    pub(crate) reply: Reply<UserId>,
}

/// Asks who is in the group; only a member may.
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
    Matching(GroupSearch),
}

/// Members with their profiles; the next page's flag, 0 at the end; how many there are.
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

/// Returns whether a search finds a member: by name, or, when asked for, by nickname.
fn found(search: &GroupSearch, member: &GroupMember, profile: &UserProfile) -> bool {
    search.keywords.found_in(&profile.name) || search.by_nickname && search.keywords.found_in(&member.nickname)
}

/// Makes a new group with its first members.
pub(crate) struct Create {
    pub(crate) owner: UserProfile,
    pub(crate) info: GroupInfo,
    pub(crate) users: Vec<UserId>,
    /// Whether the backend asks: it knows whom it brings together.
    pub(crate) is_trusted: bool,
    pub(crate) reply: Reply<Created>,
}

/// The group that was made, and who could not come in.
pub(crate) struct Created {
    pub(crate) info: GroupInfo,
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Lets a user in that comes by itself.
pub(crate) struct Join {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<GroupInfo>,
}

/// Takes out a member that leaves.
pub(crate) struct Quit {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<()>,
}

/// Ends the group; only its owner may.
pub(crate) struct Dismiss {
    pub(crate) user: UserProfile,
    pub(crate) reply: Reply<()>,
}

/// Brings users in whom a member invites.
pub(crate) struct Invite {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    /// Whether the backend asks: it knows whom it brings together.
    pub(crate) is_trusted: bool,
    pub(crate) reply: Reply<Invited>,
}

/// The users whom an invitation brought in.
pub(crate) struct Invited {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Puts members out; only owner and admins may.
pub(crate) struct Kick {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Kicked>,
}

/// The users who were put out.
pub(crate) struct Kicked {
    pub(crate) users: Vec<UserId>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Changes the group or its members for a member.
pub(crate) struct Update {
    pub(crate) by: UserProfile,
    pub(crate) change: GroupChange,
    pub(crate) reply: Reply<GroupUpdated>,
}
