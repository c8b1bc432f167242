//! The way to the writer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::local_ids::LocalIds;
use super::state::State;
use super::writer::job::Job;
use crate::store::error::StoreError;

/// Jobs in order.
pub(super) struct Queue {
    state: Arc<State>,
    /// None once closed.
    jobs: Mutex<Option<UnboundedSender<Job>>>,
}

impl Queue {
    /// Makes a queue, and the writer's end of it.
    pub(super) fn new(state: Arc<State>) -> (Arc<Self>, UnboundedReceiver<Job>) {
        let (jobs, queued) = unbounded_channel();
        (Arc::new(Self { state, jobs: Mutex::new(Some(jobs)) }), queued)
    }

    fn jobs(&self) -> MutexGuard<'_, Option<UnboundedSender<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job. `make` is called under the lock that gives jobs their order.
    pub(super) fn push(&self, make: impl FnOnce(&LocalIds) -> Job) {
        let jobs = self.jobs();
        let job = make(&self.state.filter);
        self.state.progress.count_waiting();
        let refused = match &*jobs {
            Some(jobs) => jobs.send(job).map_err(|failed| failed.0),
            None => Err(job),
        };
        drop(jobs);
        if let Err(job) = refused {
            job.refuse(&self.state, StoreError::closed());
        }
    }

    /// Queues a job that nobody waits for.
    pub(super) fn push_aside(&self, job: Job) {
        if let Some(jobs) = &*self.jobs()
            && jobs.send(job).is_err()
        {
            tracing::debug!("the writer ended before");
        }
    }

    /// Queues a job and waits for its answer. Blocks.
    pub(super) fn ask<T>(&self, job: impl FnOnce(std::sync::mpsc::SyncSender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (sender, answer) = std::sync::mpsc::sync_channel(1);
        self.push(|_| job(sender));
        let outcome = answer.recv().unwrap_or_else(|_| Err(StoreError::closed()));
        self.state.progress.count_answered();
        outcome
    }

    /// Takes no more jobs: the writer ends when those that wait are done.
    pub(super) fn close(&self) {
        drop(self.jobs().take());
    }
}
