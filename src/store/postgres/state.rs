//! What callers, the writer and the heartbeat share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::counts::Counts;
use super::known_documents::KnownDocuments;
use super::local_ids::LocalIds;
use super::own_shards::OwnShards;
use super::stamp::StampClock;
use crate::clock::Clock;
use crate::model::Conversation;
use crate::store::engine::progress::Progress;
use crate::store::error::StoreError;

/// See the module's documentation.
pub(super) struct State {
    pub clock: Arc<dyn Clock>,
    pub stamps: StampClock,
    pub counts: Counts,
    /// Knows the local ids of the last days, once `filter_complete`.
    pub filter: LocalIds,
    filter_complete: AtomicBool,
    /// What operators keep beside messages.
    pub documents: KnownDocuments,
    /// Commits are known by their stamps.
    pub progress: Progress,
    /// What this process owns of a store that several write; none: it owns all of it.
    pub own: Option<OwnShards>,
    broken: RwLock<Option<StoreError>>,
    closed: AtomicBool,
    /// Set when this process lets go of the store by itself: that it is not its own any more then is no loss.
    is_letting_go: AtomicBool,
    lost: watch::Sender<bool>,
}

impl State {
    pub(super) fn new(clock: Arc<dyn Clock>, stamps: StampClock, filter: LocalIds, progress: Progress, own: Option<OwnShards>) -> Self {
        Self {
            clock,
            stamps,
            counts: Counts::default(),
            filter,
            documents: KnownDocuments::default(),
            filter_complete: AtomicBool::new(false),
            progress,
            own,
            broken: RwLock::default(),
            closed: AtomicBool::new(false),
            is_letting_go: AtomicBool::new(false),
            lost: watch::channel(false).0,
        }
    }

    /// Notes that the filter knows everything that a retry may repeat.
    pub(super) fn complete_filter(&self) {
        self.filter_complete.store(true, Ordering::Release);
    }

    /// Returns whether what the filter does not know is certainly new in a conversation.
    pub(super) fn trusts_filter(&self, conversation: &Conversation) -> bool {
        match &self.own {
            Some(own) => own.trusts(conversation),
            None => self.filter_complete.load(Ordering::Acquire),
        }
    }

    /// Returns the stamp up to which a conversation may be shown to readers.
    pub(super) fn told(&self, conversation: &Conversation) -> u64 {
        let last_commit = self.progress.last_commit();
        self.own.as_ref().map_or(last_commit, |own| own.told(conversation, last_commit))
    }

    /// Returns the stamp up to which many conversations may be shown. Where several processes write, this one does not know how far the
    /// others are: whoever reads must expect to hear once more what is there already.
    pub(super) fn told_of_all(&self) -> u64 {
        if self.own.is_some() { u64::MAX } else { self.progress.last_commit() }
    }

    /// Notes that this process lets go of the store by itself.
    pub(super) fn let_go(&self) {
        self.is_letting_go.store(true, Ordering::Release);
    }

    pub(super) fn is_letting_go(&self) -> bool {
        self.is_letting_go.load(Ordering::Acquire)
    }

    /// Refuses writes until [`State::resume`]. That another process owns the store now stays so.
    pub(super) fn stop_writes(&self, error: StoreError) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*broken, Some(StoreError::Fenced)) {
            return;
        }
        if broken.is_none() {
            tracing::error!(%error, "store stopped accepting writes");
        }
        *broken = Some(error);
    }

    /// Accepts writes again.
    pub(super) fn resume(&self) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*broken, None | Some(StoreError::Fenced)) {
            *broken = None;
            tracing::info!("store accepts writes again");
        }
    }

    /// Notes that another process owns the store now: for good, as far as this one is concerned.
    pub(super) fn lose(&self) {
        if !self.lost.send_replace(true) {
            tracing::error!("another process owns the store now");
        }
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = Some(StoreError::Fenced);
    }

    /// Tells once another process owns the store.
    pub(super) fn losing(&self) -> watch::Receiver<bool> {
        self.lost.subscribe()
    }

    /// Returns `Err` while no write is accepted.
    pub(super) fn writable(&self) -> Result<(), StoreError> {
        if self.is_closed() {
            return Err(StoreError::closed());
        }
        self.writable_but_for_close()
    }

    /// The same for what was queued before the store was closed.
    pub(super) fn writable_but_for_close(&self) -> Result<(), StoreError> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    pub(super) fn close(&self) -> bool {
        self.closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
