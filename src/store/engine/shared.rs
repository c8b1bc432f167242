//! What callers and the writer share.

use std::sync::{Arc, PoisonError, RwLock};

use super::dedup_filter::DedupFilter;
use super::progress::Progress;
use crate::clock::Clock;
use crate::store::backend::Backend;
use crate::store::error::StoreError;
use crate::store::format::record::PermanentMeta;

/// See the module's documentation.
pub(crate) struct Shared {
    pub backend: Arc<dyn Backend>,
    pub clock: Arc<dyn Clock>,
    pub retention_days: u64,
    /// Knows the local ids of the last two periods.
    pub dedup_filter: DedupFilter,
    pub progress: Progress,
    /// Why no write is accepted.
    broken: RwLock<Option<StoreError>>,
}

/// Where an engine begins.
pub(crate) struct Start {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The permanent space's counters.
    pub permanent: PermanentMeta,
    /// Knows the local ids of the last two periods.
    pub dedup_filter: DedupFilter,
}

/// What was found when the databases were opened again.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The last append's commit.
    pub commit: u64,
    /// The greatest message id.
    pub message_id: u64,
    /// The permanent space's counters.
    pub permanent: PermanentMeta,
}

/// Opens the databases again after the disk was full, and checks them. [`StoreError::Full`]: it still is, and nothing was done.
pub(crate) type Recover = Box<dyn Fn(&DedupFilter) -> Result<Recovered, StoreError> + Send>;

impl Shared {
    pub(crate) fn new(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>, retention_days: u64, start: Start) -> Self {
        Self {
            backend,
            clock,
            retention_days,
            dedup_filter: start.dedup_filter,
            progress: Progress::from(start.commit, start.message_id),
            broken: RwLock::default(),
        }
    }

    /// Refuses every later write. The first reason stays, until [`Shared::resume`].
    pub(crate) fn stop_writes(&self, error: &StoreError) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if broken.is_none() {
            *broken = Some(if error.stops_writes() { error.clone() } else { StoreError::Unavailable(error.to_string()) });
            tracing::error!(%error, "store stopped accepting writes");
        }
    }

    /// Accepts writes again, after what is on disk: a write that was refused may have reached it all the same.
    pub(crate) fn resume(&self, commit: u64, message_id: u64) {
        self.progress.reach(commit, message_id);
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = None;
        tracing::info!(commit, "store accepts writes again");
    }

    /// Returns `Err` while no write is accepted.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}
