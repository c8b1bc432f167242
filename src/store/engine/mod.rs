//! Everything that is not the disk: the handle that callers hold.
//!
//! Callers queue a [`job`]; the [`writer`] carries it out on a thread of its own; reads go to the backend directly.
//!
//! ```text
//! append ── dedup filter ── job ──▶ writer ── batch plan ── space writer ── backend ── mark ──▶ done
//! read ───────────────────────────────────────────────────────── read ── backend
//! ```

pub(crate) mod batch_plan;
pub(crate) mod dedup_filter;
pub(crate) mod gather;
pub(crate) mod head_cache;
pub(crate) mod job;
pub(crate) mod maintenance;
mod message_log;
pub(crate) mod progress;
pub(crate) mod read;
mod rows;
pub(crate) mod shared;
pub(crate) mod space_writer;
pub(crate) mod write_observer;
pub(crate) mod writer;

use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::gather::Gather;
use self::job::{AppendJob, Job};
use self::shared::{Recover, Shared, Start};
use self::space_writer::SpaceWriter;
use self::write_observer::{ObservedUntil, ObserverRequest, WriteObserver};
use self::writer::Writer;
use crate::clock::Clock;
use crate::model::Conversation;
use crate::store::backend::Backend;
use crate::store::error::StoreError;
use crate::store::types::{Append, Appended, Done, StoreStats};

/// The name of the writer's thread.
const THREAD_NAME: &str = "tidings-store";

/// What an engine keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineSettings {
    /// Periods that lie wholly before this many days are deleted when swept.
    pub retention_days: u64,
    /// How long a commit may wait for company.
    pub gather: Duration,
}

/// The handle. It keeps the rules of [`Store`](crate::store::Store) over any backend; whatever holds one is a store.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    /// None once closed.
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the writer. If its thread cannot be started, the store is read-only and says so.
    pub(crate) fn start(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        settings: EngineSettings,
        start: Start,
        recover: Option<Recover>,
    ) -> Self {
        let permanent = start.permanent;
        let shared = Arc::new(Shared::new(backend, clock, settings.retention_days, start));
        let (sender, receiver) = mpsc::channel();
        let writer = Writer::new(SpaceWriter::new(Arc::clone(&shared), permanent), Gather::new(settings.gather), recover);
        let (jobs, thread) = match thread::Builder::new().name(THREAD_NAME.into()).spawn(move || writer.run(&receiver)) {
            Ok(thread) => (Some(sender), Some(thread)),
            Err(error) => {
                shared.stop_writes(&StoreError::Unavailable(format!("cannot start the store's thread: {error}")));
                (None, None)
            }
        };
        Self { shared, jobs: Mutex::new(jobs), thread: Mutex::new(thread) }
    }

    fn jobs(&self) -> MutexGuard<'_, Option<Sender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or hands it back with the reason.
    fn queue(&self, jobs: &Option<Sender<Job>>, job: Job) -> Result<(), (Job, StoreError)> {
        self.shared.progress.count_waiting();
        match jobs {
            Some(jobs) => jobs.send(job).map_err(|failed| (failed.0, StoreError::closed())),
            None => Err((job, self.shared.writable().err().unwrap_or_else(StoreError::closed))),
        }
    }

    /// Queues a job; who waits for it is told if that fails.
    pub(crate) fn submit(&self, job: Job) {
        let queued = self.queue(&self.jobs(), job);
        if let Err((job, error)) = queued {
            job.refuse(&self.shared, error);
        }
    }

    /// Queues an append, after asking whether its local id is new.
    pub(crate) fn submit_append(&self, append: Append, digest: (u64, u64), done: Done<Appended>) {
        // One lock over asking and queueing: of two sends under one local id the first in the queue is the new one.
        let jobs = self.jobs();
        let certainly_new = match &append.draft.local_id {
            Some(local_id) => !self.shared.dedup_filter.insert(&append.conversation, append.sender.as_str(), local_id.as_str()),
            None => true,
        };
        let queued = self.queue(&jobs, Job::Append(Box::new(AppendJob { append, certainly_new, digest, done })));
        drop(jobs);
        if let Err((job, error)) = queued {
            job.refuse(&self.shared, error);
        }
    }

    /// Queues a job and waits for its answer.
    fn ask<T>(&self, job: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (sender, answer) = mpsc::sync_channel(1);
        self.submit(job(sender));
        let outcome = answer.recv().unwrap_or_else(|_| Err(StoreError::closed()));
        self.shared.progress.count_answered();
        outcome
    }

    /// Deletes the oldest period if it is too old at this time; returns whether it was. Blocks.
    pub(crate) fn sweep(&self, now_ms: u64) -> Result<bool, StoreError> {
        self.ask(|reply| Job::Sweep(now_ms, reply))
    }

    /// Shows an observer every batch from now on; returns the last commit before. Blocks.
    pub(crate) fn begin_observing(&self, observer: Box<dyn WriteObserver>) -> Result<u64, StoreError> {
        self.ask(|reply| Job::Observe(ObserverRequest::Begin(observer, reply)))
    }

    /// Ends what [`Engine::begin_observing`] began: the observer is dropped. Blocks.
    pub(crate) fn end_observing(&self) -> Result<ObservedUntil, StoreError> {
        self.ask(|reply| Job::Observe(ObserverRequest::End(reply)))
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    /// Returns whether `(conversation, sender, local_id)` may have been stored. No I/O.
    pub(crate) fn may_know(&self, conversation: &Conversation, sender: &str, local_id: &str) -> bool {
        self.shared.dedup_filter.contains(conversation, sender, local_id)
    }

    /// Returns the last durable commit: readers see nothing after it.
    pub(crate) fn last_commit(&self) -> u64 {
        self.shared.progress.last_commit()
    }

    /// Returns the greatest durable message id.
    pub(crate) fn last_message_id(&self) -> u64 {
        self.shared.progress.last_message_id()
    }

    /// Returns `Err` with the reason once it does not accept writes any more.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        self.shared.writable()?;
        let open = self.jobs().is_some();
        if open { Ok(()) } else { Err(StoreError::closed()) }
    }

    /// Returns what was counted.
    pub(crate) fn stats(&self) -> StoreStats {
        self.shared.progress.stats()
    }

    /// Carries out what is queued, stops the writer, flushes and releases the backend. Only the first call says what failed.
    ///
    /// # Errors
    /// Why writes were not accepted at the end, or why the last flush failed.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        // The writer ends when the queue is empty and nobody can add to it.
        drop(self.jobs().take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            if thread.thread().id() == thread::current().id() {
                // The last handle was dropped inside a callback: the writer ends, and closes, by itself.
                return Ok(());
            }
            if thread.join().is_err() {
                tracing::error!("the store's thread panicked");
            }
        }
        let closed = self.shared.backend.close();
        self.shared.writable().and(closed)
    }
}

impl AsRef<Self> for Engine {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Whoever wants to know closes it before.
        drop(self.close());
    }
}
