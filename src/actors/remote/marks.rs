//! How far this node has heard everything, shard by shard. Pure.
//!
//! Each owner says in order on its link up to which stamp everything stored in its shards was said before. A node's cursor is the
//! least of these marks: whatever shard a message is in, up to there it was put into the outboxes of the sessions it is for. A shard
//! that changes its owner keeps its mark until the new owner vouches for it, which it does after it has delivered again what the old
//! one may not have.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Marks {
    stamps: Mutex<Vec<u64>>,
    least: AtomicU64,
}

impl Marks {
    /// Begins with nothing heard of so many shards.
    pub(super) fn new(shards: u16) -> Self {
        Self { stamps: Mutex::new(vec![0; shards.into()]), least: AtomicU64::new(0) }
    }

    /// Notes that everything in these shards up to a stamp was heard.
    pub(super) fn raise(&self, shards: &[u16], stamp: u64) {
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        for shard in shards {
            if let Some(known) = stamps.get_mut(usize::from(*shard)) {
                *known = stamp.max(*known);
            }
        }
        self.least.fetch_max(stamps.iter().copied().min().unwrap_or(0), Ordering::AcqRel);
    }

    /// Returns the stamp up to which everything was heard. Never falls.
    pub(super) fn least(&self) -> u64 {
        self.least.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_the_least_of_all_shards_and_never_falls() {
        let marks = Marks::new(3);
        marks.raise(&[0, 1], 10);
        assert_eq!(marks.least(), 0, "nothing was heard of the third");
        marks.raise(&[2], 7);
        assert_eq!(marks.least(), 7);
        marks.raise(&[2], 5);
        marks.raise(&[2, 9], 12);
        assert_eq!(marks.least(), 10);
        marks.raise(&[0, 1, 2], 11);
        assert_eq!(marks.least(), 11);
    }
}
