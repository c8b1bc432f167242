//! The writer's memory of conversation heads, bounded.

use crate::model::{Conversation, TwoGenerationMap};
use crate::store::format::record::Head;

/// Heads kept at most; each is a few hundred bytes.
pub(crate) const HEADS_MAX: usize = 65_536;

/// A head and the period that holds it; none: the checkpoint in the permanent space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocatedHead {
    pub head: Head,
    pub period: Option<u64>,
}

/// Keeps the heads that were used lately.
#[derive(Debug)]
pub(crate) struct HeadCache(TwoGenerationMap<Conversation, LocatedHead>);

impl HeadCache {
    /// Holds at most `heads_max` heads.
    pub(crate) fn new(heads_max: usize) -> Self {
        Self(TwoGenerationMap::new(heads_max))
    }

    /// Returns a conversation's head, if it is remembered.
    pub(crate) fn get(&self, conversation: &Conversation) -> Option<LocatedHead> {
        self.0.get(conversation).copied()
    }

    /// Remembers a head.
    pub(crate) fn put(&mut self, conversation: Conversation, located: LocatedHead) {
        self.0.insert(conversation, located);
    }

    /// Forgets a head.
    pub(crate) fn forget(&mut self, conversation: &Conversation) {
        self.0.remove(conversation);
    }

    /// Forgets all heads.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
