//! The shards that this process owns, as callers, the writer and the heartbeat see them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::place::shard_of;
use crate::model::Conversation;

/// One shard.
#[derive(Debug, Default)]
struct Part {
    is_owned: AtomicBool,
    /// It is being let go of: what is queued for it is still written.
    is_leaving: AtomicBool,
    /// How often it was claimed, and as of which claim its local ids are known.
    claims: AtomicU64,
    known: AtomicU64,
    /// What was there when it was claimed has no stamp above this.
    floor: AtomicU64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct OwnShards {
    pub slot: u16,
    parts: Vec<Part>,
    /// Counts claims: after each the writer asks anew where conversations stand.
    generation: AtomicU64,
    /// Up to this stamp everything was delivered to every node.
    delivered: AtomicU64,
    /// Nothing is noted as delivered: a claim is under way, or its outcome is not known.
    is_claiming: AtomicBool,
    /// What the last heartbeat that was answered has promised: no stamp above this is vouched for.
    mark_max: AtomicU64,
}

impl OwnShards {
    /// Owns nothing yet. `count`: into how many shards the store is divided.
    pub(super) fn new(slot: u16, count: i16) -> Self {
        let parts = (0..count.max(1)).map(|_| Part::default()).collect();
        Self {
            slot,
            parts,
            generation: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            is_claiming: AtomicBool::new(false),
            mark_max: AtomicU64::new(0),
        }
    }

    pub(super) fn count(&self) -> i16 {
        i16::try_from(self.parts.len()).unwrap_or(i16::MAX)
    }

    fn part(&self, shard: i16) -> Option<&Part> {
        self.parts.get(usize::try_from(shard).ok()?)
    }

    fn part_of(&self, conversation: &Conversation) -> Option<&Part> {
        self.part(shard_of(conversation, self.count()))
    }

    /// Returns whether the writer writes it.
    pub(super) fn owns(&self, shard: i16) -> bool {
        self.part(shard).is_some_and(|part| part.is_owned.load(Ordering::Acquire))
    }

    /// Returns those that the writer writes, ascending.
    pub(super) fn written(&self) -> Vec<i16> {
        (0..self.count()).filter(|shard| self.owns(*shard)).collect()
    }

    /// Returns those that it goes on owning, ascending.
    pub(super) fn owned(&self) -> Vec<i16> {
        let leaves = |shard: &i16| self.part(*shard).is_some_and(|part| part.is_leaving.load(Ordering::Acquire));
        self.written().into_iter().filter(|shard| !leaves(shard)).collect()
    }

    /// Takes a shard, in which nothing has a stamp above the floor. Returns the number of this claim.
    pub(super) fn adopt(&self, shard: i16, floor: u64) -> u64 {
        let Some(part) = self.part(shard) else { return 0 };
        part.floor.store(floor, Ordering::Release);
        part.is_leaving.store(false, Ordering::Release);
        let claim = part.claims.fetch_add(1, Ordering::AcqRel) + 1;
        // Whoever sees that it is owned sees this, too.
        self.generation.fetch_add(1, Ordering::AcqRel);
        part.is_owned.store(true, Ordering::Release);
        claim
    }

    /// Begins to let go of a shard.
    pub(super) fn leave(&self, shard: i16) {
        if let Some(part) = self.part(shard) {
            part.is_leaving.store(true, Ordering::Release);
        }
    }

    /// Writes a shard no more.
    pub(super) fn drop_shard(&self, shard: i16) {
        if let Some(part) = self.part(shard) {
            part.is_owned.store(false, Ordering::Release);
        }
    }

    /// Returns what changes with each claim.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Notes that the filter knows the local ids of a shard, as of a claim.
    pub(super) fn know(&self, shard: i16, claim: u64) {
        if let Some(part) = self.part(shard) {
            part.known.fetch_max(claim, Ordering::AcqRel);
        }
    }

    /// Returns whether what the filter does not know is certainly new in a conversation.
    pub(super) fn trusts(&self, conversation: &Conversation) -> bool {
        self.part_of(conversation).is_some_and(|part| {
            part.is_owned.load(Ordering::Acquire) && part.known.load(Ordering::Acquire) == part.claims.load(Ordering::Acquire)
        })
    }

    /// Returns the stamp up to which a conversation may be shown: of an own one what its callers were told of, and what was there
    /// before; of another's everything.
    pub(super) fn told(&self, conversation: &Conversation, last_commit: u64) -> u64 {
        match self.part_of(conversation).filter(|part| part.is_owned.load(Ordering::Acquire)) {
            Some(part) => last_commit.max(part.floor.load(Ordering::Acquire)),
            None => u64::MAX,
        }
    }

    /// Begins a claim: until its end nothing is noted as delivered, so that what is noted above a floor was noted knowing the shard.
    pub(super) fn begin_claim(&self) {
        self.is_claiming.store(true, Ordering::SeqCst);
    }

    pub(super) fn end_claim(&self) {
        self.is_claiming.store(false, Ordering::SeqCst);
    }

    pub(super) fn note_delivered(&self, stamp: u64) {
        if !self.is_claiming.load(Ordering::SeqCst) {
            self.delivered.fetch_max(stamp, Ordering::AcqRel);
        }
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    /// Vouches for stamps up to this one from now on.
    pub(super) fn promise(&self, mark_max: u64) {
        self.mark_max.fetch_max(mark_max, Ordering::AcqRel);
    }

    pub(super) fn mark_max(&self) -> u64 {
        self.mark_max.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GroupId;

    #[test]
    fn a_shard_is_trusted_when_its_ids_are_known_as_of_its_last_claim() {
        let own = OwnShards::new(3, 1);
        let group = Conversation::Group(GroupId::trusted("g"));
        assert!(!own.trusts(&group) && own.told(&group, 5) == u64::MAX && own.owned().is_empty());
        let first = own.adopt(0, 9);
        assert_eq!((own.trusts(&group), own.told(&group, 5), own.told(&group, 11)), (false, 9, 11));
        own.leave(0);
        assert_eq!((own.owned(), own.written()), (vec![], vec![0]), "what is queued is still written");
        own.drop_shard(0);
        let second = own.adopt(0, 20);
        own.know(0, first);
        assert!(!own.trusts(&group), "another may have stored something in between");
        own.know(0, second);
        assert!(own.trusts(&group) && own.owned() == [0]);
        own.begin_claim();
        own.note_delivered(30);
        own.end_claim();
        assert_eq!(own.delivered(), 0);
        own.note_delivered(30);
        own.note_delivered(29);
        assert_eq!(own.delivered(), 30);
    }
}
