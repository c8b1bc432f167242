//! The requests that actors send to a group, except those about chat messages.

use serde::{Deserialize, Serialize};

use crate::actors::runtime::command::commands;
use crate::actors::runtime::reply::Reply;
use crate::model::{GroupChange, GroupInfo, GroupMember, GroupSearch, Refusal, UserId, UserProfile, page_by_key};
use crate::protocol::result::group::GroupUpdated;

/// Says that a member's sessions changed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct MemberPresence {
    pub(crate) user: UserId,
}

/// Asks for the group's info; anyone may.
#[derive(Serialize, Deserialize)]
pub(crate) struct Info {
    #[serde(skip)]
    pub(crate) reply: Reply<GroupInfo>,
}

/// Asks who owns the group.
#[derive(Serialize, Deserialize)]
pub(crate) struct WhoOwns {
    #[serde(skip)]
    pub(crate) reply: Reply<UserId>,
}

/// Asks who is in the group; only a member may.
#[derive(Serialize, Deserialize)]
pub(crate) struct Members {
    pub(crate) asker: UserId,
    pub(crate) which: Which,
    pub(crate) next: u64,
    pub(crate) count: usize,
    #[serde(skip)]
    pub(crate) reply: Reply<MembersPage>,
}

/// Which members are asked for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Which {
    Everyone,
    /// Those who may not speak now.
    Muted,
    Just(UserId),
    Matching(GroupSearch),
}

/// Members with their profiles; the next page's flag, 0 at the end; how many there are.
#[derive(Serialize, Deserialize)]
pub(crate) struct MembersPage {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) next: u64,
    pub(crate) total: usize,
}

impl MembersPage {
    /// Keeps those that a search finds, `count` at most; `ranks` are those of all. Source: ZIM API reference,
    /// "searchLocalGroupMembers".
    pub(super) fn keep_found(&mut self, search: &GroupSearch, count: usize, ranks: Vec<u64>) {
        let all = std::mem::take(&mut self.members).into_iter().zip(ranks);
        let found = all.filter(|((member, profile), _)| found(search, member, profile));
        let (found, next) = page_by_key(found, count, |(_, rank)| *rank);
        self.members = found.into_iter().map(|(member, _)| member).collect();
        self.next = next;
    }
}

/// Returns whether a search finds a member: by name, or, when asked for, by nickname.
fn found(search: &GroupSearch, member: &GroupMember, profile: &UserProfile) -> bool {
    search.keywords.found_in(&profile.name) || search.by_nickname && search.keywords.found_in(&member.nickname)
}

/// Makes a new group with its first members.
#[derive(Serialize, Deserialize)]
pub(crate) struct Create {
    pub(crate) owner: UserProfile,
    pub(crate) info: GroupInfo,
    pub(crate) users: Vec<UserId>,
    /// Whether the backend asks: it knows whom it brings together.
    pub(crate) is_trusted: bool,
    #[serde(skip)]
    pub(crate) reply: Reply<Created>,
}

/// The group that was made, and who could not come in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) info: GroupInfo,
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Lets a user in that comes by itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct Join {
    pub(crate) user: UserProfile,
    #[serde(skip)]
    pub(crate) reply: Reply<GroupInfo>,
}

/// Takes out a member that leaves.
#[derive(Serialize, Deserialize)]
pub(crate) struct Quit {
    pub(crate) user: UserProfile,
    #[serde(skip)]
    pub(crate) reply: Reply<()>,
}

/// Ends the group; only its owner may.
#[derive(Serialize, Deserialize)]
pub(crate) struct Dismiss {
    pub(crate) user: UserProfile,
    #[serde(skip)]
    pub(crate) reply: Reply<()>,
}

/// Brings users in whom a member invites.
#[derive(Serialize, Deserialize)]
pub(crate) struct Invite {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    /// Whether the backend asks: it knows whom it brings together.
    pub(crate) is_trusted: bool,
    #[serde(skip)]
    pub(crate) reply: Reply<Invited>,
}

/// The users whom an invitation brought in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Invited {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Puts members out; only owner and admins may.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kick {
    pub(crate) by: UserProfile,
    pub(crate) users: Vec<UserId>,
    #[serde(skip)]
    pub(crate) reply: Reply<Kicked>,
}

/// The users who were put out.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kicked {
    pub(crate) users: Vec<UserId>,
    pub(crate) failed: Vec<(UserId, Refusal)>,
}

/// Changes the group or its members for a member.
#[derive(Serialize, Deserialize)]
pub(crate) struct Update {
    pub(crate) by: UserProfile,
    pub(crate) change: GroupChange,
    #[serde(skip)]
    pub(crate) reply: Reply<GroupUpdated>,
}

commands! {
    MemberPresence,
    Info => GroupInfo,
    WhoOwns => UserId,
    Members => MembersPage,
    Create => Created,
    Join => GroupInfo,
    Quit => (),
    Dismiss => (),
    Invite => Invited,
    Kick => Kicked,
    Update => GroupUpdated,
}
