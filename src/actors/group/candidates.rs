//! Who may come into a group, by what the store knows of each user.

use std::collections::HashSet;
use std::sync::Arc;

use super::Group;
use crate::actors::context::BrokerContext;
use crate::actors::places::RoomPlaces;
use crate::model::{Conversation, GroupId, Invalid, Refusal, UserId, UserProfile};
use crate::store::{Store, StoreError};

/// What the store knows of users that are to become members.
pub(super) struct Candidates {
    pub(super) found: Vec<UserProfile>,
    pub(super) failed: Vec<(UserId, Refusal)>,
    /// The last message they will not see.
    pub(super) head: u64,
}

/// How users are to come in.
#[derive(Debug, Clone)]
pub(super) enum Coming {
    /// Each by itself.
    ByThemselves,
    /// The first makes the group and brings the others in.
    Founding {
        /// Whether the backend asks for it.
        is_trusted: bool,
    },
    /// Brought in by a member, or by the backend.
    Invited {
        /// The member; none: the backend, for which nobody is a stranger.
        by: Option<UserId>,
    },
}

/// The rules by which users come in.
struct Rules {
    must_exist: bool,
    groups_max: usize,
    strangers_may_invite: bool,
    places: Arc<RoomPlaces>,
}

impl Group {
    /// Reads which of `users` may come in.
    pub(super) async fn look_up(
        context: Arc<BrokerContext>,
        conversation: Conversation,
        users: Vec<UserId>,
        coming: Coming,
    ) -> Result<Candidates, Refusal> {
        let config = context.config();
        let rules = Rules {
            must_exist: config.users.must_exist,
            groups_max: config.limits.groups_per_user_max,
            strangers_may_invite: config.group.strangers_may_invite,
            places: context.places.clone(),
        };
        context.archive.read(move |store| candidates(store, &conversation, users, &coming, &rules)).await
    }
}

fn candidates(
    store: &dyn Store,
    conversation: &Conversation,
    users: Vec<UserId>,
    coming: &Coming,
    rules: &Rules,
) -> Result<Candidates, StoreError> {
    let inviter = match coming {
        Coming::Founding { is_trusted: false } => users.first(),
        Coming::Invited { by } => by.as_ref(),
        Coming::ByThemselves | Coming::Founding { is_trusted: true } => None,
    };
    let known = match inviter {
        Some(inviter) if !rules.strangers_may_invite => Some(Acquaintances::of(store, inviter, &rules.places)?),
        _ => None,
    };
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    let profiles = store.users(&users)?;
    for (n, (user, profile)) in users.into_iter().zip(profiles).enumerate() {
        let is_invited = match coming {
            Coming::ByThemselves => false,
            Coming::Founding { .. } => n > 0,
            Coming::Invited { .. } => true,
        };
        if profile.is_none() && rules.must_exist {
            failed.push((user.clone(), Refusal::UserMissing(user.to_string())));
        } else if is_in_enough_groups(store, &user, is_invited, rules.groups_max)? {
            let how = if is_invited { "was invited to" } else { "made or joined" };
            let reason = format!("{how} {} groups already, the limit", rules.groups_max);
            failed.push((user, Invalid::new("userID", reason).into()));
        } else if is_invited && known.as_ref().map_or(Ok(false), |known| known.are_strangers_to(store, &user, &rules.places))? {
            failed.push((user.clone(), Refusal::Stranger(user.to_string())));
        } else {
            found.push(profile.unwrap_or_else(|| UserProfile::new(user, String::new())));
        }
    }
    Ok(Candidates { found, failed, head: store.head(conversation)? })
}

/// Returns whether a user is in as many groups as it may. Our choice: those it was invited to are counted apart from those it
/// made or joined, so that nobody else uses up what is its own, and neither grows without bound.
fn is_in_enough_groups(store: &dyn Store, user: &UserId, is_invited: bool, groups_max: usize) -> Result<bool, StoreError> {
    let groups = store.groups_of(user)?;
    if groups.len() < groups_max {
        return Ok(false);
    }
    let mut count = 0;
    for group in groups {
        let alike = store.group_member(&group, user)?.is_some_and(|member| member.invited == is_invited);
        count += usize::from(alike);
    }
    Ok(count >= groups_max)
}

/// The conversations of a user, to compare those of others with.
struct Acquaintances {
    peers: HashSet<UserId>,
    groups: HashSet<GroupId>,
    rooms: Vec<Conversation>,
}

impl Acquaintances {
    fn of(store: &dyn Store, user: &UserId, places: &RoomPlaces) -> Result<Self, StoreError> {
        Ok(Self {
            peers: store.peers_of(user)?.into_iter().collect(),
            groups: store.groups_of(user)?.into_iter().collect(),
            rooms: places.of(user),
        })
    }

    /// Returns whether another user shares none of them.
    fn are_strangers_to(&self, store: &dyn Store, other: &UserId, places: &RoomPlaces) -> Result<bool, StoreError> {
        if self.peers.contains(other) || self.rooms.iter().any(|room| places.is_inside(other, room)) {
            return Ok(false);
        }
        Ok(!store.groups_of(other)?.iter().any(|group| self.groups.contains(group)))
    }
}
