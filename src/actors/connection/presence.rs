//! Who is online, readable by every actor without asking one.
//!
//! Written by user actors, each for its own user, and for users of other nodes as those say; so a reader sees a list that was true a
//! moment ago. A group or room that must not miss a change is also told by a message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::Connection;
use crate::actors::runtime::route::NodeId;
use crate::model::UserId;

/// Enough that two cores seldom meet at one lock; few enough to cost nothing.
const SHARDS: usize = 64;

/// The connections of one user; shared, never changed in place. Those of this node come first, then those of one node after the other.
pub(crate) type Connections = Arc<[Arc<Connection>]>;

#[derive(Debug)]
pub(crate) struct Presence {
    shards: Vec<RwLock<HashMap<UserId, Connections>>>,
    hasher: RandomState,
}

impl Presence {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), hasher: RandomState::new() }
    }

    fn shard(&self, user: &UserId) -> &RwLock<HashMap<UserId, Connections>> {
        let hash = self.hasher.hash_one(user);
        &self.shards[usize::try_from(hash % SHARDS as u64).expect("a remainder of 64 fits")]
    }

    /// Returns the connections of a user's sessions that are logged in now, at whatever node.
    pub(crate) fn connections(&self, user: &UserId) -> Option<Connections> {
        self.shard(user).read().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    /// Replaces the list of a user's sessions of this node.
    pub(crate) fn set(&self, user: &UserId, connections: Vec<Arc<Connection>>) {
        self.replace(user, None, connections);
    }

    /// Replaces the list of a user's sessions of one node; none: this one. Returns whether the user was online before and is now.
    pub(crate) fn replace(&self, user: &UserId, node: Option<NodeId>, mut connections: Vec<Arc<Connection>>) -> (bool, bool) {
        let mut shard = self.shard(user).write().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.entry(user.clone());
        let was_online = matches!(entry, Entry::Occupied(_));
        if let Entry::Occupied(known) = &entry {
            connections.extend(known.get().iter().filter(|connection| connection.node() != node).cloned());
            connections.sort_by_key(|connection| connection.node());
        }
        let is_online = !connections.is_empty();
        match entry {
            Entry::Occupied(known) if !is_online => drop(known.remove()),
            Entry::Vacant(_) if !is_online => {}
            entry => drop(entry.insert_entry(connections.into())),
        }
        (was_online, is_online)
    }

    /// Forgets the sessions of a node; returns the users who had any there, and whether each is online still.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn forget_node(&self, node: NodeId) -> Vec<(UserId, bool)> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|user, connections| {
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
            for (user, connections) in shard.read().unwrap_or_else(PoisonError::into_inner).iter() {
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
        let here = |connections: &&Connections| connections.first().is_some_and(|first| first.node().is_none());
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).values().filter(here).count()).sum()
    }
}

/// Returns the first connection of each node among a user's: one way to its actor there.
pub(crate) fn one_per_node(connections: &Connections) -> impl Iterator<Item = &Arc<Connection>> {
    connections.chunk_by(|one, next| one.node() == next.node()).filter_map(|of_node| of_node.first())
}
