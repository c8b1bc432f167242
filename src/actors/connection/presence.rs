//! Who is online, readable by every actor without asking one.
//!
//! Written by user actors only, each for its own user; so a reader sees a list that was true a moment ago. A group or
//! room that must not miss a change is also told by a message.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::Connection;
use crate::model::UserId;

/// Enough that two cores seldom meet at one lock; few enough to cost nothing.
const SHARDS: usize = 64;

/// The connections of one user; shared, never changed in place.
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

    /// Returns the connections of a user's sessions that are logged in now.
    pub(crate) fn connections(&self, user: &UserId) -> Option<Connections> {
        self.shard(user).read().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    /// Replaces a user's list.
    pub(crate) fn set(&self, user: &UserId, connections: Vec<Arc<Connection>>) {
        let mut shard = self.shard(user).write().unwrap_or_else(PoisonError::into_inner);
        if connections.is_empty() {
            shard.remove(user);
        } else {
            shard.insert(user.clone(), connections.into());
        }
    }

    /// Returns how many users have a session.
    pub(crate) fn users_online(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}
