//! Which local ids may have been stored: a filter of fixed size that is asked before every send.
//!
//! Two generations, one for the current period and one for the period before it, as dedup entries are kept. Each is
//! a Bloom filter whose bits for one key lie in one 64-bit word: a question is one load, and an insertion is one
//! `fetch_or`, which also tells, for exactly one of two racing callers, that the key is new. The engine trusts that
//! answer and spares a new key its lookup on disk. At 4 MiB and 2 million keys about one in 200 is taken for known.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::model::Conversation;

/// Bits set per key.
const PROBES: u32 = 5;

/// Knows local ids, and sometimes takes an unknown one for known.
#[derive(Debug)]
pub(crate) struct DedupFilter {
    generations: [Vec<AtomicU64>; 2],
    current: AtomicUsize,
    /// Random per process: nobody can choose local ids that meet in one word.
    hasher: RandomState,
}

/// The word and the bits of a key.
#[derive(Debug, Clone, Copy)]
struct Spot {
    word: usize,
    mask: u64,
}

impl DedupFilter {
    /// Makes a filter of twice `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        let words = (bytes / 8).max(1);
        let generation = || (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { generations: [generation(), generation()], current: AtomicUsize::new(0), hasher: RandomState::new() }
    }

    fn spot(&self, conversation: &Conversation, sender: &str, local_id: &str) -> Spot {
        let hash = self.hasher.hash_one((conversation, sender, local_id));
        let mask = (0..PROBES).fold(0, |mask, probe| mask | 1 << (hash >> (6 * probe) & 63));
        // The bits above those used for the mask choose the word.
        let word = ((hash >> (6 * PROBES)) % self.generations[0].len() as u64) as usize;
        Spot { word, mask }
    }

    fn holds(&self, generation: usize, spot: Spot) -> bool {
        self.generations[generation][spot.word].load(Ordering::SeqCst) & spot.mask == spot.mask
    }

    /// Returns whether a key may have been inserted in the last two generations; false is certain.
    pub(crate) fn contains(&self, conversation: &Conversation, sender: &str, local_id: &str) -> bool {
        let spot = self.spot(conversation, sender, local_id);
        self.holds(0, spot) || self.holds(1, spot)
    }

    /// Inserts a key; returns false if it was certainly not there before. Of callers that race with one key, one at most gets
    /// false.
    pub(crate) fn insert(&self, conversation: &Conversation, sender: &str, local_id: &str) -> bool {
        let spot = self.spot(conversation, sender, local_id);
        let mut at = self.current.load(Ordering::SeqCst);
        loop {
            let before = self.generations[at][spot.word].fetch_or(spot.mask, Ordering::SeqCst);
            let known = before & spot.mask == spot.mask || self.holds(1 - at, spot);
            // A rotation in between: insert again, where the racing caller does.
            let now = self.current.load(Ordering::SeqCst);
            if now == at {
                return known;
            }
            at = now;
        }
    }

    /// Begins a generation; the one before the last is forgotten. One thread calls it.
    pub(crate) fn rotate(&self) {
        let next = 1 - self.current.load(Ordering::SeqCst);
        for word in &self.generations[next] {
            word.store(0, Ordering::SeqCst);
        }
        self.current.store(next, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::model::GroupId;

    fn group() -> Conversation {
        Conversation::Group(GroupId::trusted("g"))
    }

    #[test]
    fn what_was_inserted_is_known_for_two_generations() {
        let dedup_filter = DedupFilter::new(1 << 16);
        for n in 0..1000 {
            dedup_filter.insert(&group(), "alice", &n.to_string());
        }
        dedup_filter.rotate();
        assert!((0..1000).all(|n| dedup_filter.contains(&group(), "alice", &n.to_string())));
        dedup_filter.rotate();
        assert!(!(0..1000).any(|n| dedup_filter.contains(&group(), "alice", &n.to_string())));
    }

    #[test]
    fn few_are_taken_for_known() {
        // The default's load of two million keys in 4 MiB, scaled down.
        let dedup_filter = DedupFilter::new(1 << 16);
        for n in 0..31_000 {
            dedup_filter.insert(&group(), "alice", &n.to_string());
        }
        let wrong = (0..20_000).filter(|n| dedup_filter.contains(&group(), "bob", &n.to_string())).count();
        assert!(wrong < 400, "{wrong} of 20000");
    }

    #[test]
    fn one_of_two_racing_callers_at_most_is_told_that_a_key_is_new() {
        let dedup_filter = DedupFilter::new(1 << 16);
        let new: Vec<AtomicU32> = (0..2000).map(|_| AtomicU32::new(0)).collect();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for (n, count) in new.iter().enumerate() {
                        if !dedup_filter.insert(&group(), "alice", &n.to_string()) {
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
            scope.spawn(|| dedup_filter.rotate());
        });
        assert!(new.iter().all(|count| count.load(Ordering::SeqCst) <= 1));
        assert!(new.iter().filter(|count| count.load(Ordering::SeqCst) == 1).count() > 1800);
    }
}
