//! The archive: the only way from an actor to the store.
//!
//! Writes pass through the archive actor, which bounds how many are under way; the engine behind it decides how
//! many share a flush. Reads run on threads that may wait, a bounded number at a time.
//! A full mailbox, or too much under way, is a temporary refusal and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::prelude::*;
use tokio::sync::{Semaphore, oneshot};
use tracing::Span;

use super::registry::start_with_mailbox;
use super::reply::ReadError;
use super::trace;
use super::watermark::{DeliveryWatermark, PendingDelivery};
use crate::model::{Conversation, Refusal};
use crate::store::{Append, Appended, Done, Revision, RowWrite, Store, StoreError};

/// What the archive refuses with when too much is under way.
const BUSY: &str = "the store has too many writes under way";

/// The archive's actor. It owns nothing but the count of writes under way.
pub(crate) struct Archive {
    store: Arc<dyn Store>,
    in_flight: Arc<AtomicUsize>,
    in_flight_max: usize,
}

/// Keeps a message.
struct Keep {
    append: Append,
    done: Done<Appended>,
    /// The spans of the request and of the wait for this actor.
    spans: (Span, Span),
}

/// Changes rows.
struct KeepRows {
    rows: Vec<RowWrite>,
    done: Done<()>,
}

/// Changes a message.
struct Revise {
    revision: Revision,
    done: Done<u64>,
}

/// Deletes a conversation's messages.
struct Forget {
    conversation: Conversation,
    done: Done<()>,
}

impl Message for Keep {
    type Result = ();
}

impl Message for KeepRows {
    type Result = ();
}

impl Message for Revise {
    type Result = ();
}

impl Message for Forget {
    type Result = ();
}

impl Actor for Archive {
    type Context = Context<Self>;
}

impl Archive {
    /// Counts a write as under way until its outcome is known; returns `done` unused when there are too many.
    fn begin<T: 'static>(&self, done: Done<T>) -> Result<Done<T>, Done<T>> {
        if self.in_flight.load(Ordering::Relaxed) >= self.in_flight_max {
            return Err(done);
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let in_flight = self.in_flight.clone();
        Ok(Box::new(move |outcome| {
            in_flight.fetch_sub(1, Ordering::Relaxed);
            done(outcome);
        }))
    }
}

impl Handler<Keep> for Archive {
    type Result = ();

    fn handle(&mut self, keep: Keep, _: &mut Context<Self>) {
        let (request, waiting) = keep.spans;
        drop(waiting);
        match self.begin(keep.done) {
            Ok(done) => self.store.append(keep.append, trace::commit(&request, done)),
            Err(done) => done(Err(StoreError::Unavailable(BUSY.into()))),
        }
    }
}

impl Handler<KeepRows> for Archive {
    type Result = ();

    fn handle(&mut self, keep: KeepRows, _: &mut Context<Self>) {
        match self.begin(keep.done) {
            Ok(done) => self.store.apply(keep.rows, done),
            Err(done) => done(Err(StoreError::Unavailable(BUSY.into()))),
        }
    }
}

impl Handler<Revise> for Archive {
    type Result = ();

    fn handle(&mut self, revise: Revise, _: &mut Context<Self>) {
        match self.begin(revise.done) {
            Ok(done) => self.store.revise(revise.revision, done),
            Err(done) => done(Err(StoreError::Unavailable(BUSY.into()))),
        }
    }
}

impl Handler<Forget> for Archive {
    type Result = ();

    fn handle(&mut self, forget: Forget, _: &mut Context<Self>) {
        match self.begin(forget.done) {
            Ok(done) => self.store.remove(forget.conversation, done),
            Err(done) => done(Err(StoreError::Unavailable(BUSY.into()))),
        }
    }
}

/// The handle by which other actors reach the archive.
#[derive(Clone)]
pub(crate) struct ArchiveHandle {
    addr: Addr<Archive>,
    store: Arc<dyn Store>,
    in_flight: Arc<AtomicUsize>,
    reads: Arc<Semaphore>,
}

impl ArchiveHandle {
    /// Starts the archive on `arbiter`.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        mailbox_max: usize,
        in_flight_max: usize,
        reads_max: usize,
        arbiter: &ArbiterHandle,
    ) -> Self {
        let in_flight = Arc::new(AtomicUsize::new(0));
        let (its_store, its_count) = (store.clone(), in_flight.clone());
        let addr = start_with_mailbox(arbiter, mailbox_max, move || Archive { store: its_store, in_flight: its_count, in_flight_max });
        Self { addr, store, in_flight, reads: Arc::new(Semaphore::new(reads_max)) }
    }

    /// Keeps a message; `done` is given the outcome. Calls from one actor are carried out in order.
    ///
    /// # Errors
    /// [`Refusal::Busy`], and `done` is dropped.
    pub(crate) fn append(&self, append: Append, done: Done<Appended>, request: &Span) -> Result<(), Refusal> {
        let spans = (request.clone(), trace::archive(request));
        self.addr.try_send(Keep { append, done, spans }).map_err(|error| match error {
            SendError::Full(_) => Refusal::Busy(BUSY),
            SendError::Closed(_) => Refusal::Busy("the broker is shutting down"),
        })
    }

    /// Changes rows and waits until that is durable.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`]: nothing was changed.
    pub(crate) async fn apply(&self, rows: Vec<RowWrite>) -> Result<(), Refusal> {
        let (done, outcome) = promise();
        if self.addr.send(KeepRows { rows, done }).await.is_err() {
            return Err(Refusal::Busy("the broker is shutting down"));
        }
        settled(outcome).await
    }

    /// Changes a message and waits until that is durable. For a change that is logged it returns a [`PendingDelivery`],
    /// which keeps the cursor from passing the change; drop it once everyone was told.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`], [`Refusal::MessageMissing`]: nothing was changed.
    pub(crate) async fn revise(&self, watermark: &Arc<DeliveryWatermark>, revision: Revision) -> Result<Option<PendingDelivery>, Refusal> {
        let (sender, outcome) = oneshot::channel();
        let (watermark, logged) = (watermark.clone(), revision.logged.is_some());
        let done: Done<u64> = Box::new(move |result| {
            let pending = result.as_ref().ok().map(|commit| watermark.begin(*commit)).filter(|_| logged);
            if sender.send(result.map(|_| pending)).is_err() {
                tracing::trace!("nobody waits for this change any more");
            }
        });
        if self.addr.send(Revise { revision, done }).await.is_err() {
            return Err(Refusal::Busy("the broker is shutting down"));
        }
        match outcome.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Refusal::StoreUnavailable("the store ended before the write".into())),
        }
    }

    /// Begins to delete a conversation's messages, in the order of the calls; the future completes when they are
    /// deleted.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub(crate) fn forget(&self, conversation: Conversation) -> impl Future<Output = Result<(), Refusal>> + use<> {
        let (done, outcome) = promise();
        let begun = self.addr.try_send(Forget { conversation, done });
        async move {
            if begun.is_err() {
                return Err(Refusal::Busy(BUSY));
            }
            settled(outcome).await
        }
    }

    /// Runs a read that may also refuse its caller, on a thread that may wait.
    ///
    /// # Errors
    /// The refusal that `look_up` returns; [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub(crate) async fn look_up<T, F>(&self, look_up: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> Result<T, ReadError> + Send + 'static,
    {
        self.read(move |store| match look_up(store) {
            Ok(found) => Ok(Ok(found)),
            Err(ReadError::Refused(refusal)) => Ok(Err(refusal)),
            Err(ReadError::Store(error)) => Err(error),
        })
        .await?
    }

    /// Runs a read on a thread that may wait.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`].
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    {
        let _permit = self.reads.acquire().await.map_err(|_| Refusal::Busy("the broker is shutting down"))?;
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || read(&*store)).await {
            Ok(outcome) => Ok(outcome?),
            Err(error) => Err(Refusal::StoreUnavailable(format!("a read ended early: {error}"))),
        }
    }

    /// Returns how many writes have no outcome yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

fn promise() -> (Done<()>, oneshot::Receiver<Result<(), StoreError>>) {
    let (sender, outcome) = oneshot::channel();
    let done = Box::new(move |result| {
        if sender.send(result).is_err() {
            tracing::trace!("nobody waits for this write any more");
        }
    });
    (done, outcome)
}

async fn settled(outcome: oneshot::Receiver<Result<(), StoreError>>) -> Result<(), Refusal> {
    match outcome.await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Refusal::StoreUnavailable("the store ended before the write".into())),
    }
}
