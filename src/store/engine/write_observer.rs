//! Following what the writer commits: how a backup hears of changes while it scans.

use std::sync::mpsc::SyncSender;

use crate::store::backend::{Op, Space};
use crate::store::error::StoreError;

/// Sees every batch in the order of commits, on the writer's thread. It must not block for long, and its own failures are
/// its own: they do not end the writer.
pub(crate) trait WriteObserver: Send {
    /// Begins, with the last commit that it does not see. Called once.
    fn begin(&mut self, last_commit: u64);

    /// Sees a batch before it is committed: should that fail, the store stops, and whoever follows it.
    fn batch(&mut self, space: Space, ops: &[Op]);

    /// Sees that a period was made.
    fn period_created(&mut self, period: u64);

    /// Sees that a period is about to be deleted.
    fn period_dropped(&mut self, period: u64);
}

/// Where the writer stood when an observer ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObservedUntil {
    /// The last append's commit.
    pub commit: u64,
    /// The batches written to the permanent space.
    pub rows: u64,
    /// The greatest message id.
    pub message_id: u64,
}

/// What is asked of the writer between two batches, so that what is seen begins and ends whole.
pub(crate) enum ObserverRequest {
    /// Show it what is committed from now on. The answer is the last commit so far. One observer at a time.
    Begin(Box<dyn WriteObserver>, SyncSender<Result<u64, StoreError>>),
    /// Show it no more. It is dropped before the answer is given.
    End(SyncSender<Result<ObservedUntil, StoreError>>),
}
