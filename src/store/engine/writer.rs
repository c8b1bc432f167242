//! The thread that writes: collects what is waiting, gives each message its place, commits, tells the callers.
//!
//! While one batch is being flushed the next one gathers in the queue; between the two it may [wait](super::gather) a moment
//! for more. Between batches it takes one step of [long work](super::maintenance), so that deleting much never holds up an append for long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::batch_plan::{BatchPlan, PlannedBatch};
use super::gather::{Gather, JOBS_ENOUGH, Wait};
use super::head_cache::{HEADS_MAX, HeadCache};
use super::job::{AppendJob, Job};
use super::maintenance::{self, MaintenanceTask};
use super::progress::BatchCounts;
use super::shared::{Recover, Recovered, Shared};
use super::space_writer::SpaceWriter;
use super::write_observer::ObserverRequest;
use crate::store::backend::Space;
use crate::store::error::StoreError;
use crate::store::format::record::PeriodMeta;
use crate::store::types::{Appended, Done};

/// Appends and row writes per batch at most. Our choice: sled blocks readers while it applies a batch.
const BATCH_JOBS_MAX: usize = 256;
/// A batch is closed when its bodies reach this: large messages must not make a large batch.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// When nothing comes for this long, the mark is made durable.
const IDLE: Duration = Duration::from_millis(100);
/// At most so many commits are newer than the mark that is durable.
const MARKS_UNSYNCED_MAX: u32 = 64;
/// How often the writer looks whether a disk that was full has room.
const RECOVER_EVERY: Duration = Duration::from_secs(2);
/// How long closing may go on with long work; the rest is done after the next open.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// A job's outcome, told after the flush.
enum Outcome {
    Append(Done<Appended>, Result<Appended, StoreError>),
    Revise(Done<u64>, Result<u64, StoreError>),
    Rows(Done<()>, Result<(), StoreError>),
}

impl Outcome {
    /// Tells the caller. Where the batch failed, that is the outcome, also of those that had been decided before.
    fn tell(self, shared: &Shared, failed: Option<&StoreError>) {
        match self {
            Self::Append(done, result) => shared.progress.finish(done, failed.cloned().map_or(result, Err)),
            Self::Revise(done, result) => shared.progress.finish(done, failed.cloned().map_or(result, Err)),
            Self::Rows(done, result) => shared.progress.finish(done, failed.cloned().map_or(result, Err)),
        }
    }
}

/// See the module's documentation.
pub(crate) struct Writer {
    spaces: SpaceWriter,
    heads: HeadCache,
    tasks: VecDeque<MaintenanceTask>,
    observer_requests: VecDeque<ObserverRequest>,
    gather: Gather,
    recover: Option<Recover>,
    /// When opening the databases again was tried last, by the monotonic clock.
    recover_tried: Duration,
}

impl Writer {
    pub(crate) fn new(spaces: SpaceWriter, gather: Gather, recover: Option<Recover>) -> Self {
        let (heads, tasks, observer_requests) = (HeadCache::new(HEADS_MAX), VecDeque::new(), VecDeque::new());
        Self { spaces, heads, tasks, observer_requests, gather, recover, recover_tried: Duration::ZERO }
    }

    fn shared(&self) -> &Shared {
        &self.spaces.shared
    }

    /// Works until nobody can queue any more.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        match maintenance::unfinished_tasks(self.spaces.backend()) {
            Ok(tasks) => self.tasks.extend(tasks),
            Err(error) => self.shared().stop_writes(&error),
        }
        loop {
            let mut batch = Vec::new();
            if self.waits_for_room() {
                match jobs.recv_timeout(RECOVER_EVERY) {
                    Ok(job) => self.sort(job, &mut batch),
                    Err(RecvTimeoutError::Timeout) => self.try_to_recover(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            } else if self.tasks.is_empty() {
                match self.next_job(jobs) {
                    Some(job) => self.sort(job, &mut batch),
                    None => break,
                }
            }
            let open = self.collect(jobs, &mut batch) && self.gather(jobs, &mut batch);
            self.carry_out(batch);
            self.answer_observer_requests();
            self.step();
            if self.spaces.marks_unsynced() >= MARKS_UNSYNCED_MAX {
                self.sync_mark();
            }
            if self.waits_for_room() && self.shared().clock.elapsed().saturating_sub(self.recover_tried) >= RECOVER_EVERY {
                self.try_to_recover();
            }
            if !open {
                break;
            }
        }
        self.end_tasks();
    }

    /// Returns whether the disk was full, and the databases can be opened again once it is not.
    fn waits_for_room(&self) -> bool {
        self.recover.is_some() && matches!(self.shared().writable(), Err(StoreError::Full(_)))
    }

    /// Opens the databases again if there is room. What this had in memory is read anew: what the failed batch left on disk
    /// decides, whole or not at all.
    fn try_to_recover(&mut self) {
        self.recover_tried = self.shared().clock.elapsed();
        let shared = Arc::clone(&self.spaces.shared);
        let Some(recover) = &self.recover else { return };
        let recovered = recover(&shared.dedup_filter).and_then(|recovered| {
            let tasks = maintenance::unfinished_tasks(&*shared.backend)?;
            Ok((recovered, tasks))
        });
        match recovered {
            Ok((Recovered { commit, message_id, permanent }, tasks)) => {
                let interrupted = StoreError::Unavailable("the disk was full; what had begun goes on".into());
                for task in std::mem::replace(&mut self.tasks, tasks.into()) {
                    task.finish(&shared, Err(interrupted.clone()));
                }
                self.spaces = SpaceWriter::new(Arc::clone(&shared), permanent);
                self.heads.clear();
                shared.resume(commit, message_id);
            }
            Err(error) => tracing::debug!(%error, "the store does not accept writes yet"),
        }
    }

    /// Waits for the next job; none: nobody can queue any more. When nothing comes for a moment, the mark is made durable.
    fn next_job(&mut self, jobs: &Receiver<Job>) -> Option<Job> {
        if self.spaces.marks_unsynced() > 0 {
            match jobs.recv_timeout(IDLE) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => self.sync_mark(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        jobs.recv().ok()
    }

    /// Waits for company where it pays; false when nobody can queue any more.
    fn gather(&mut self, jobs: &Receiver<Job>, batch: &mut Vec<Job>) -> bool {
        if batch.is_empty() || !self.tasks.is_empty() {
            return true;
        }
        let Some(Wait { total, pause }) = self.gather.wait(batch.len()) else { return true };
        let (before, until) = (batch.len(), self.shared().clock.elapsed() + total);
        let mut open = true;
        while open && batch.len() < JOBS_ENOUGH {
            let left = until.saturating_sub(self.shared().clock.elapsed());
            match jobs.recv_timeout(left.min(pause)) {
                Ok(job) => {
                    self.sort(job, batch);
                    open = self.collect(jobs, batch);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        }
        self.gather.waited(batch.len() - before);
        open
    }

    fn sync_mark(&mut self) {
        if let Err(error) = self.spaces.sync_mark() {
            self.stop(error);
        }
    }

    /// Takes what is waiting; false when nobody can queue any more.
    fn collect(&mut self, jobs: &Receiver<Job>, batch: &mut Vec<Job>) -> bool {
        let mut bytes = batch.iter().map(Job::weight).sum::<usize>();
        while batch.len() < BATCH_JOBS_MAX && bytes < BATCH_BYTES_MAX {
            match jobs.try_recv() {
                Ok(job) => {
                    bytes += job.weight();
                    self.sort(job, batch);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Puts a job where it belongs. A removal queued behind appends begins after their batch.
    fn sort(&mut self, job: Job, batch: &mut Vec<Job>) {
        match job {
            Job::Append(_) | Job::Rows(..) | Job::Revise(..) => batch.push(job),
            Job::Remove(conversation, done) => self.tasks.push_back(MaintenanceTask::remove(conversation, done)),
            Job::Sweep(now_ms, reply) => self.tasks.push_back(MaintenanceTask::sweep(now_ms, reply)),
            Job::Observe(request) => self.observer_requests.push_back(request),
        }
    }

    /// Plans and commits one batch, then tells the callers in order.
    fn carry_out(&mut self, batch: Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        let (count, began) = (batch.len(), self.shared().clock.elapsed());
        let mut plan = match self.begin_plan(&batch) {
            Ok(plan) => plan,
            Err(error) => {
                let reason = self.stop(error);
                return batch.into_iter().for_each(|job| job.refuse(self.shared(), reason.clone()));
            }
        };
        let outcomes: Vec<Outcome> = batch.into_iter().filter_map(|job| self.plan_job(&mut plan, job)).collect();
        let failed = self.commit(plan.finish()).err().map(|error| self.stop(error));
        self.gather.committed(count, began, self.shared().clock.elapsed());
        outcomes.into_iter().for_each(|outcome| outcome.tell(self.shared(), failed.as_ref()));
    }

    /// Accepts no more writes; returns the reason, which is that of the first failure.
    fn stop(&self, error: StoreError) -> StoreError {
        self.shared().stop_writes(&error);
        self.shared().writable().err().unwrap_or(error)
    }

    /// Begins the plan of a batch: looks up the period that it goes to, if it needs one.
    fn begin_plan(&mut self, batch: &[Job]) -> Result<BatchPlan, StoreError> {
        self.shared().writable()?;
        let commit = self.shared().progress.last_commit();
        if !batch.iter().any(Job::needs_period) {
            return Ok(BatchPlan::new(0, PeriodMeta::default(), commit));
        }
        let period = self.spaces.current_period()?;
        Ok(BatchPlan::new(period, self.spaces.counters(period)?, commit))
    }

    /// Decides one job; none: it is not part of batches.
    fn plan_job(&self, plan: &mut BatchPlan, job: Job) -> Option<Outcome> {
        let backend = self.spaces.backend();
        Some(match job {
            Job::Append(job) => {
                let AppendJob { append, certainly_new, digest, done } = *job;
                if let Some(local_id) = &append.draft.local_id {
                    // Once more: a period may have begun since it was queued, and its entry goes there.
                    self.shared().dedup_filter.insert(&append.conversation, append.sender.as_str(), local_id.as_str());
                }
                Outcome::Append(done, plan.append(backend, &self.heads, append, certainly_new, digest))
            }
            Job::Rows(rows, done) => Outcome::Rows(done, rows.into_iter().try_for_each(|row| plan.write_row(backend, &self.heads, row))),
            Job::Revise(revision, done) => Outcome::Revise(done, plan.revise(backend, *revision)),
            Job::Remove(..) | Job::Sweep(..) | Job::Observe(_) => return None,
        })
    }

    /// Makes a planned batch durable: rows first, then changes of older periods, then messages, then the mark.
    fn commit(&mut self, batch: PlannedBatch) -> Result<(), StoreError> {
        let PlannedBatch { period, rows, mut ops, mut period_changes, mut counters, heads, let_go, appended, duplicates } = batch;
        self.shared().progress.count_duplicates(duplicates);
        if rows.is_empty() && ops.is_empty() && period_changes.is_empty() {
            return Ok(());
        }
        if let Some(changes) = period_changes.remove(&period) {
            counters.entries = self.spaces.resolve(Space::Period(period), counters.entries, changes, &mut ops)?;
        }
        if !rows.is_empty() {
            self.spaces.write_rows(rows)?;
        }
        // Older ones first: were the mark to speak of a commit that is not there, the store would count as damaged.
        for (older, changes) in period_changes {
            let mut ops = Vec::new();
            let before = self.spaces.counters(older)?;
            let entries = self.spaces.resolve(Space::Period(older), before.entries, changes, &mut ops)?;
            self.spaces.write_period(older, ops, PeriodMeta { commit: counters.commit, entries, ..before })?;
        }
        if !ops.is_empty() {
            self.spaces.write_period(period, ops, counters)?;
        }
        self.spaces.write_mark(counters.commit)?;
        for (conversation, located) in heads {
            self.heads.put(conversation, located);
        }
        self.tasks.extend(let_go.into_iter().map(|(period, list)| MaintenanceTask::DropList { period, list }));
        self.shared().progress.publish(BatchCounts { commit: counters.commit, message_id: counters.message_id, appended });
        Ok(())
    }

    /// Lets observers begin and end. Between two batches, so that what is observed is whole: what was queued before is carried
    /// out.
    fn answer_observer_requests(&mut self) {
        while let Some(request) = self.observer_requests.pop_front() {
            let told = match request {
                ObserverRequest::Begin(observer, reply) => {
                    let begun = self.spaces.begin_observing(observer);
                    let has_begun = begun.is_ok();
                    let told = reply.send(begun).is_ok();
                    if has_begun && !told {
                        // Nobody would end it.
                        drop(self.spaces.end_observing());
                    }
                    told
                }
                ObserverRequest::End(reply) => reply.send(self.spaces.end_observing()).is_ok(),
            };
            if !told {
                tracing::debug!("nobody waits for the backup any more");
            }
        }
    }

    /// Takes one step of the first task.
    fn step(&mut self) {
        let Some(mut task) = self.tasks.pop_front() else { return };
        let stepped = self.shared().writable().and_then(|()| task.step(&mut self.spaces, &mut self.heads));
        match stepped {
            Ok(false) => self.tasks.push_front(task),
            Ok(true) => task.finish(self.shared(), Ok(())),
            Err(error) => {
                if error.stops_writes() {
                    self.shared().stop_writes(&error);
                }
                task.finish(self.shared(), Err(error));
            }
        }
    }

    /// Goes on with long work for a moment, then leaves it to the next open.
    fn end_tasks(&mut self) {
        let began = self.shared().clock.elapsed();
        while !self.tasks.is_empty() && self.shared().clock.elapsed() - began < CLOSING_MAX {
            self.step();
        }
        let left = StoreError::Unavailable("store is closed; what is left goes on after the next open".into());
        for task in std::mem::take(&mut self.tasks) {
            task.finish(self.shared(), Err(left.clone()));
        }
    }
}
