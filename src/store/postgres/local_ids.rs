//! Which local ids may have been stored, so that a new one needs no question.

use std::sync::atomic::{AtomicI64, Ordering};

use super::stamp::week_of;
use crate::model::{Conversation, LocalMessageId, UserId};
use crate::store::engine::dedup_filter::DedupFilter;

/// Local ids per byte of a filter, above which it would take too many for known: reading more into it is in vain.
const IDS_PER_KIB: u64 = 500;

/// A filter of local ids, of this week and the one before it.
#[derive(Debug)]
pub(super) struct LocalIds {
    filter: DedupFilter,
    week: AtomicI64,
    pub(super) ids_max: u64,
}

impl LocalIds {
    /// Makes a filter of twice `bytes`, at a time.
    pub(super) fn new(bytes: usize, stamp: u64) -> Self {
        let ids_max = (bytes as u64 / 1024 + 1) * IDS_PER_KIB;
        Self { filter: DedupFilter::new(bytes), week: AtomicI64::new(week_of(stamp)), ids_max }
    }

    /// Inserts one; returns false if it was certainly not there before.
    pub(super) fn insert(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.filter.insert(conversation, sender.as_str(), local_id.as_str())
    }

    /// Returns whether one may have been inserted; false is certain.
    pub(super) fn contains(&self, conversation: &Conversation, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.filter.contains(conversation, sender.as_str(), local_id.as_str())
    }

    /// Forgets what came before the last week, when a new one begins. One thread at a time calls it.
    pub(super) fn turn(&self, stamp: u64) {
        let week = week_of(stamp);
        let before = self.week.fetch_max(week, Ordering::AcqRel);
        (before..week).take(2).for_each(|_| self.filter.rotate());
    }
}
