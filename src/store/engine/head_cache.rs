//! The writer's memory of conversation heads, bounded.

use std::collections::HashMap;
use std::mem;

use super::read::LocatedHead;
use crate::model::Conversation;

/// Heads kept at most; each is a few hundred bytes.
pub(crate) const HEADS_MAX: usize = 65_536;

/// Keeps what was used lately: when the newer half is full, the older one is forgotten whole.
#[derive(Debug)]
pub(crate) struct HeadCache {
    newer: HashMap<Conversation, LocatedHead>,
    older: HashMap<Conversation, LocatedHead>,
    half: usize,
}

impl HeadCache {
    /// At most `heads_max` heads.
    pub(crate) fn new(heads_max: usize) -> Self {
        Self { newer: HashMap::new(), older: HashMap::new(), half: (heads_max / 2).max(1) }
    }

    /// The head, if it is remembered.
    pub(crate) fn get(&self, conversation: &Conversation) -> Option<LocatedHead> {
        self.newer.get(conversation).or_else(|| self.older.get(conversation)).copied()
    }

    /// Remembers a head.
    pub(crate) fn put(&mut self, conversation: Conversation, place: LocatedHead) {
        if self.newer.len() >= self.half && !self.newer.contains_key(&conversation) {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(conversation, place);
    }

    /// Forgets a head.
    pub(crate) fn forget(&mut self, conversation: &Conversation) {
        self.newer.remove(conversation);
        self.older.remove(conversation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GroupId;
    use crate::store::format::record::Head;

    #[test]
    fn it_never_holds_more_than_its_maximum_and_keeps_the_newest() {
        let mut heads = HeadCache::new(10);
        let group = |n: u64| Conversation::Group(GroupId::trusted(&n.to_string()));
        for n in 1..=100 {
            heads.put(group(n), LocatedHead { head: Head { seq: n, order_key: 0, epoch: 1, commit: 0, whole_from: 0 }, period: None });
            assert!(heads.newer.len() + heads.older.len() <= 10);
            assert_eq!(heads.get(&group(n)).unwrap().head.seq, n);
        }
        assert!(heads.get(&group(1)).is_none());
        heads.forget(&group(100));
        assert!(heads.get(&group(100)).is_none());
    }
}
