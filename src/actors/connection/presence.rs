//! Who is online, readable by every actor without asking one.
//!
//! Written by user actors, each for its own user, and for users of other nodes as those say; so a reader sees a list that was true a
//! moment ago. A group or room that must not miss a change is also told by a message.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::Connection;
use super::feed::ConversationFeed;
use crate::actors::runtime::route::NodeId;
use crate::model::UserId;

/// Enough that two cores seldom meet at one lock; few enough to cost nothing.
const SHARDS: usize = 64;

/// A part of all users that are online.
#[derive(Debug, Default)]
struct Shard {
    users: HashMap<UserId, Connections>,
    /// How many of them have a session of this node: others may be many.
    here: usize,
}

/// The connections of one user; shared, never changed in place. Those of this node come first, then those of one node after the other.
pub(crate) type Connections = Arc<[Arc<Connection>]>;

#[derive(Debug)]
pub(crate) struct Presence {
    shards: Vec<RwLock<Shard>>,
    hasher: RandomState,
}

impl Presence {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), hasher: RandomState::new() }
    }

    fn shard(&self, user: &UserId) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(user);
        &self.shards[usize::try_from(hash % SHARDS as u64).expect("a remainder of 64 fits")]
    }

    /// Returns the connections of a user's sessions that are logged in now, at whatever node.
    pub(crate) fn connections(&self, user: &UserId) -> Option<Connections> {
        self.shard(user).read().unwrap_or_else(PoisonError::into_inner).users.get(user).cloned()
    }

    /// Replaces the list of a user's sessions of this node.
    pub(crate) fn set(&self, user: &UserId, connections: Vec<Arc<Connection>>) {
        self.replace(user, None, connections);
    }

    /// Replaces the list of a user's sessions of one node; none: this one. Returns whether the user was online before and is now.
    pub(crate) fn replace(&self, user: &UserId, node: Option<NodeId>, mut connections: Vec<Arc<Connection>>) -> (bool, bool) {
        let mut shard = self.shard(user).write().unwrap_or_else(PoisonError::into_inner);
        let Shard { users, here } = &mut *shard;
        let known = users.get(user);
        let (was_online, was_here) = (known.is_some(), known.is_some_and(|known| is_here(known)));
        connections.extend(known.iter().flat_map(|known| known.iter()).filter(|connection| connection.node() != node).cloned());
        connections.sort_by_key(|connection| connection.node());
        let is_online = !connections.is_empty();
        *here = *here + usize::from(is_here(&connections)) - usize::from(was_here);
        if is_online {
            users.insert(user.clone(), connections.into());
        } else {
            users.remove(user);
        }
        (was_online, is_online)
    }

    /// Forgets the sessions of a node; returns the users who had any there, and whether each is online still.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn forget_node(&self, node: NodeId) -> Vec<(UserId, bool)> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.users.retain(|user, connections| {
                if connections.iter().all(|connection| connection.node() != Some(node)) {
                    return true;
                }
                let left: Vec<_> = connections.iter().filter(|connection| connection.node() != Some(node)).cloned().collect();
                gone.push((user.clone(), !left.is_empty()));
                *connections = left.into();
                !connections.is_empty()
            });
        }
        gone
    }

    /// Returns the users who have sessions of this node, with these.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn here(&self) -> Vec<(UserId, Vec<Arc<Connection>>)> {
        let mut here = Vec::new();
        for shard in &self.shards {
            for (user, connections) in &shard.read().unwrap_or_else(PoisonError::into_inner).users {
                let own: Vec<_> = connections.iter().take_while(|connection| connection.node().is_none()).cloned().collect();
                if !own.is_empty() {
                    here.push((user.clone(), own));
                }
            }
        }
        here
    }

    /// Returns how many users have a session of this node.
    pub(crate) fn users_online(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).here).sum()
    }
}

/// Returns whether one of a user's connections is of this node.
fn is_here(connections: &[Arc<Connection>]) -> bool {
    connections.first().is_some_and(|first| first.node().is_none())
}

/// Returns the first connection of each node among a user's: one way to its actor there.
pub(crate) fn one_per_node(connections: &Connections) -> impl Iterator<Item = &Arc<Connection>> {
    connections.chunk_by(|one, next| one.node() == next.node()).filter_map(|of_node| of_node.first())
}

/// Returns the feeds of a user's actors, one for each node, at which it has such connections.
pub(crate) fn feeds(connections: &Connections, is_meant: impl Fn(&Connection) -> bool) -> impl Iterator<Item = &ConversationFeed> {
    let meant = one_per_node(connections).filter(move |connection| is_meant(connection));
    meant.filter_map(|connection| Some(&*connection.identity()?.feed))
}
