//! Which stored messages are durable and not yet in the outboxes of their receivers.
//!
//! A cursor says that every commit up to it was handed over (src/protocol/PROTOCOL.md, "Session"). Conversations gather
//! for a tick each, so a later commit may leave before an earlier one of another conversation: the cursor of an event
//! is therefore not its own commit but the last before the earliest that still waits anywhere.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct State {
    /// The last commit that was begun.
    begun: u64,
    waiting: BTreeSet<u64>,
}

/// One broker's record of the commits that are not handed over yet.
#[derive(Debug)]
pub(crate) struct DeliveryWatermark {
    state: Mutex<State>,
}

impl DeliveryWatermark {
    /// Makes one for which everything up to `commit` counts as handed over.
    pub(crate) fn up_to(commit: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { begun: commit, waiting: BTreeSet::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a commit became durable. Call it in the order of commits.
    pub(crate) fn begin(self: &Arc<Self>, commit: u64) -> PendingDelivery {
        let mut state = self.state();
        state.begun = state.begun.max(commit);
        state.waiting.insert(commit);
        PendingDelivery { of: self.clone(), commit }
    }

    /// Returns the commit before the earliest that is not handed over yet; none: nothing waits.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn held_at(&self) -> Option<u64> {
        self.state().waiting.first().map(|earliest| earliest.saturating_sub(1))
    }

    /// Returns the commit up to which everything was handed over.
    pub(crate) fn mark(&self) -> u64 {
        self.mark_after(0)
    }

    /// Returns the same for a receiver that has everything up to `floor` by another way; at least `floor`.
    pub(crate) fn mark_after(&self, floor: u64) -> u64 {
        let state = self.state();
        state.waiting.range(floor.saturating_add(1)..).next().map_or(state.begun.max(floor), |earliest| earliest - 1)
    }
}

/// One commit that is not handed over yet. When it is dropped, the commit counts as handed over.
#[derive(Debug)]
pub(crate) struct PendingDelivery {
    of: Arc<DeliveryWatermark>,
    commit: u64,
}

impl PendingDelivery {
    /// Notes that the commit was handed over.
    pub(crate) fn done(&self) {
        self.of.state().waiting.remove(&self.commit);
    }
}

impl Drop for PendingDelivery {
    fn drop(&mut self) {
        self.done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stays_before_the_earliest_that_waits_and_never_falls() {
        let watermark = DeliveryWatermark::up_to(4);
        assert_eq!(watermark.mark(), 4);
        let five = watermark.begin(5);
        let six = watermark.begin(6);
        assert_eq!(watermark.mark(), 4);
        six.done();
        assert_eq!(watermark.mark(), 4, "five still waits");
        assert_eq!((watermark.mark_after(5), watermark.mark_after(9)), (6, 9));
        let seven = watermark.begin(7);
        five.done();
        assert_eq!(watermark.mark(), 6);
        drop(seven);
        assert_eq!(watermark.mark(), 7, "given up counts as handed over: nobody is left to get it live");
    }
}
