//! The thread that writes: collects what is waiting, gives each message its place, commits, tells the callers.
//!
//! Nothing lingers: while one batch is being flushed the next one gathers in the queue. Between batches it takes one
//! step of the [`super::maintenance`], so that deleting much never holds up an append for long.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use super::batch_plan;
use super::batch_plan::BatchPlan;
use super::head_cache::{HEADS_MAX, HeadCache};
use super::maintenance;
use super::maintenance::MaintenanceTask;
use super::read;
use super::{AppendJob, Job, Shared};
use crate::store::backend::{Backend, CommitMark, Op, Space};
use crate::store::copy::backup::{ObserverRequest, WriteObserver};
use crate::store::format::key;
use crate::store::format::record;
use crate::store::format::record::{PeriodMeta, PeriodRow, PermanentMeta};
use crate::store::{Appended, Done, RowWrite, StoreError};

/// Appends and row writes per batch at most: applying a batch blocks readers (hazards, sled).
const BATCH_JOBS_MAX: usize = 256;
/// A batch is closed when its bodies reach this: large messages must not make a large batch.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// The length of a period. Retention deletes whole ones.
pub(crate) const PERIOD_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How long closing may go on with tasks; the rest is done after the next open.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// Keys of the permanent space and what they become; none: deleted.
pub(crate) type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A job's outcome, told after the flush.
enum Outcome {
    Append(Done<Appended>, Result<Appended, StoreError>),
    Revise(Done<u64>, Result<u64, StoreError>),
    Rows(Done<()>, Result<(), StoreError>),
}

/// See the module's documentation.
pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    pub heads: HeadCache,
    permanent: PermanentMeta,
    metas: HashMap<u64, PeriodMeta>,
    tasks: VecDeque<MaintenanceTask>,
    /// What a backup asks for, and its observer.
    observer_requests: VecDeque<ObserverRequest>,
    observer: Option<WriteObserver>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, permanent: PermanentMeta) -> Self {
        let heads = HeadCache::new(HEADS_MAX);
        Self { shared, heads, permanent, metas: HashMap::new(), tasks: VecDeque::new(), observer_requests: VecDeque::new(), observer: None }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    /// Works until nobody can queue any more.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        match maintenance::unfinished_tasks(self.backend()) {
            Ok(tasks) => self.tasks.extend(tasks),
            Err(error) => self.shared.stop_writes(&error),
        }
        loop {
            let mut batch = Vec::new();
            if self.tasks.is_empty() {
                match jobs.recv() {
                    Ok(job) => self.sort(job, &mut batch),
                    Err(_) => break,
                }
            }
            let open = self.collect(jobs, &mut batch);
            self.carry_out(batch);
            self.answer_observer_requests();
            self.step();
            if !open {
                break;
            }
        }
        self.finish_tasks();
    }

    /// Takes what is waiting; false when nobody can queue any more.
    fn collect(&mut self, jobs: &Receiver<Job>, batch: &mut Vec<Job>) -> bool {
        let mut bytes = batch.iter().map(size_of_job).sum::<usize>();
        while batch.len() < BATCH_JOBS_MAX && bytes < BATCH_BYTES_MAX {
            match jobs.try_recv() {
                Ok(job) => {
                    bytes += size_of_job(&job);
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
            Job::Backup(turn) => self.observer_requests.push_back(turn),
        }
    }

    /// Between two batches, so that what is noted begins and ends whole: what was queued before is carried out.
    fn answer_observer_requests(&mut self) {
        while let Some(turn) = self.observer_requests.pop_front() {
            let commit = self.shared.commit.load(Ordering::Relaxed);
            let told = match turn {
                ObserverRequest::Begin(_, reply) if self.observer.is_some() => {
                    reply.send(Err(StoreError::Unavailable("another backup is under way".into()))).is_ok()
                }
                ObserverRequest::Begin(file, reply) => {
                    let told = reply.send(Ok(commit)).is_ok();
                    self.observer = told.then(|| WriteObserver::new(*file, commit));
                    told
                }
                ObserverRequest::End(reply) => {
                    let observed = self.shared.writable().and_then(|()| match self.observer.take() {
                        Some(observer) => observer.end(commit, self.shared.message_id.load(Ordering::Relaxed), self.permanent),
                        None => Err(StoreError::Unavailable("no backup is under way".into())),
                    });
                    self.observer = None;
                    reply.send(observed).is_ok()
                }
            };
            if !told {
                tracing::debug!("nobody waits for the backup any more");
            }
        }
    }

    /// Plans and commits one batch, then tells the callers in order.
    fn carry_out(&mut self, batch: Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        match self.plan(batch, &mut outcomes).and_then(|plan| self.commit(plan)) {
            Ok(()) => {
                for outcome in outcomes {
                    match outcome {
                        Outcome::Append(done, result) => self.shared.finish(done, result),
                        Outcome::Revise(done, result) => self.shared.finish(done, result),
                        Outcome::Rows(done, result) => self.shared.finish(done, result),
                    }
                }
            }
            Err(error) => {
                self.shared.stop_writes(&error);
                // The first reason, also for those that decided themselves before the flush failed.
                let reason = self.shared.writable().err().unwrap_or(error);
                for outcome in outcomes {
                    match outcome {
                        Outcome::Append(done, _) => self.shared.finish(done, Err(reason.clone())),
                        Outcome::Revise(done, _) => self.shared.finish(done, Err(reason.clone())),
                        Outcome::Rows(done, _) => self.shared.finish(done, Err(reason.clone())),
                    }
                }
            }
        }
    }

    /// Decides every job of a batch. `outcomes` is complete also when this fails.
    fn plan(&mut self, batch: Vec<Job>, outcomes: &mut Vec<Outcome>) -> Result<BatchPlan, StoreError> {
        let writable = self.shared.writable();
        let has_appends = writable.is_ok() && batch.iter().any(needs_period);
        let period = if has_appends { self.current_period() } else { Ok(0) };
        let (meta, failed) = match writable
            .and(period)
            .and_then(|period| Ok((period, if has_appends { self.meta(period)? } else { PeriodMeta::default() })))
        {
            Ok((period, meta)) => ((period, meta), None),
            Err(error) => ((0, PeriodMeta::default()), Some(error)),
        };
        let mut plan = BatchPlan::new(meta.0, meta.1, self.shared.commit.load(Ordering::Relaxed));
        for job in batch {
            match job {
                Job::Append(job) => {
                    let AppendJob { append, certainly_new, content, done } = *job;
                    if let Some(local_id) = &append.local_id {
                        // Once more: a period may have begun since it was queued, and its entry goes there.
                        self.shared.dedup_filter.insert(append.sender.as_str(), local_id.as_str());
                    }
                    let result = match &failed {
                        Some(error) => Err(error.clone()),
                        None => plan.append(self.backend(), &self.heads, append, certainly_new, content),
                    };
                    outcomes.push(Outcome::Append(done, result));
                }
                Job::Rows(rows, done) => {
                    let planned = rows.into_iter().try_for_each(|row| match row {
                        RowWrite::PutEntry(user, conversation, entry) => {
                            plan.put_entry(&user, &conversation, &entry);
                            Ok(())
                        }
                        RowWrite::PutFollowing(user, list) => {
                            plan.put_following(&user, &list);
                            Ok(())
                        }
                        RowWrite::Delete(user, conversation, seqs) => plan.delete(self.backend(), &user, &conversation, &seqs),
                        RowWrite::PutFormer(group, user, first_seq) => {
                            plan.put_former(self.backend(), &self.heads, &group, &user, first_seq)
                        }
                        row => {
                            put_row(&mut plan.rows, row);
                            Ok(())
                        }
                    });
                    outcomes.push(Outcome::Rows(done, planned));
                }
                Job::Revise(revision, done) => {
                    let result = match &failed {
                        Some(error) => Err(error.clone()),
                        None => plan.revise(self.backend(), *revision),
                    };
                    outcomes.push(Outcome::Revise(done, result));
                }
                Job::Remove(..) | Job::Sweep(..) | Job::Backup(_) => {}
            }
        }
        failed.map_or(Ok(plan), Err)
    }

    /// Makes a planned batch durable: rows first, then messages, then the mark.
    fn commit(&mut self, plan: BatchPlan) -> Result<(), StoreError> {
        let batch_plan::PlannedBatch { period, rows, mut ops, mut period_rows, mut meta, heads, appended, duplicates } = plan.finish();
        self.shared.duplicates.fetch_add(duplicates, Ordering::Relaxed);
        if rows.is_empty() && ops.is_empty() && period_rows.is_empty() {
            return Ok(());
        }
        if let Some(rows) = period_rows.remove(&period) {
            meta.entries = self.resolve(Space::Period(period), meta.entries, rows, &mut ops)?;
        }
        if !rows.is_empty() {
            self.write_rows(rows)?;
        }
        // Older ones first: were the mark to speak of a commit that is not there, the store would count as damaged.
        for (older, rows) in period_rows {
            let mut ops = Vec::new();
            let before = self.meta(older)?;
            let entries = self.resolve(Space::Period(older), before.entries, rows, &mut ops)?;
            self.write_period(older, ops, PeriodMeta { commit: meta.commit, entries, ..before })?;
        }
        if !ops.is_empty() {
            self.write_period(period, ops, meta)?;
        }
        self.write_mark(meta.commit)?;
        for (conversation, place) in heads {
            self.heads.put(conversation, place);
        }
        self.shared.appended.fetch_add(appended, Ordering::Relaxed);
        self.shared.flushes.fetch_add(1, Ordering::Relaxed);
        self.shared.message_id.fetch_max(meta.message_id, Ordering::AcqRel);
        self.shared.commit.fetch_max(meta.commit, Ordering::AcqRel);
        Ok(())
    }

    /// The period appends go to; never an older one than before, wherever the clock stands.
    fn current_period(&mut self) -> Result<u64, StoreError> {
        let newest = self.backend().periods().last().copied();
        let now = self.shared.clock.wall_ms() / PERIOD_MS;
        if let Some(newest) = newest.filter(|newest| *newest >= now) {
            return Ok(newest);
        }
        let before = newest.map(|newest| self.meta(newest)).transpose()?.unwrap_or_default();
        self.backend().create_period(now)?;
        if let Some(observer) = &mut self.observer {
            observer.period_created(now);
        }
        let mut rows = Rows::new();
        put(&mut rows, key::period(now), &PeriodRow::default());
        if let Some(newest) = newest {
            put(&mut rows, key::period(newest), &PeriodRow { dropping: false, commit: before.commit });
        }
        self.write_rows(rows)?;
        self.write_mark(self.shared.commit.load(Ordering::Relaxed))?;
        self.metas.insert(now, PeriodMeta { entries: 0, ..before });
        if newest.is_some() {
            self.shared.dedup_filter.rotate();
        }
        tracing::debug!(period = now, "store began a period");
        Ok(now)
    }

    /// A period's counters.
    pub(crate) fn meta(&mut self, period: u64) -> Result<PeriodMeta, StoreError> {
        if let Some(meta) = self.metas.get(&period) {
            return Ok(*meta);
        }
        let meta = read::row(self.backend(), Space::Period(period), key::META)?.unwrap_or_default();
        self.metas.insert(period, meta);
        Ok(meta)
    }

    /// Forgets a period's counters.
    pub(crate) fn forget_period(&mut self, period: u64) {
        self.metas.remove(&period);
    }

    /// Commits, and notes it for a backup that is under way.
    fn commit_ops(&mut self, space: Space, ops: Vec<Op>) -> Result<(), StoreError> {
        let Some(observer) = &mut self.observer else { return self.shared.backend.commit(space, ops) };
        // Noted first: what fails here breaks the store down, and the backup with it.
        observer.batch(space, &ops);
        self.shared.backend.commit(space, ops)
    }

    /// Deletes a period.
    pub(crate) fn drop_period(&mut self, period: u64) -> Result<(), StoreError> {
        if let Some(observer) = &mut self.observer {
            observer.period_dropped(period);
        }
        self.shared.backend.drop_period(period)
    }

    /// Commits a batch of a period with its counters.
    pub(crate) fn write_period(&mut self, period: u64, mut ops: Vec<Op>, meta: PeriodMeta) -> Result<(), StoreError> {
        ops.push(Op::Put(key::META.to_vec(), record::encode(key::META, &meta)));
        self.commit_ops(Space::Period(period), ops)?;
        self.metas.insert(period, meta);
        Ok(())
    }

    /// Commits rows with the permanent space's counters. [`Writer::write_mark`] must follow.
    pub(crate) fn write_rows(&mut self, rows: Rows) -> Result<(), StoreError> {
        let mut ops = Vec::with_capacity(rows.len() + 1);
        let entries = self.resolve(Space::Permanent, self.permanent.entries, rows, &mut ops)?;
        let meta = PermanentMeta { rows: self.permanent.rows + 1, entries };
        ops.push(Op::Put(key::META.to_vec(), record::encode(key::META, &meta)));
        self.commit_ops(Space::Permanent, ops)?;
        self.permanent = meta;
        Ok(())
    }

    /// Makes rows operations, and counts how many entries the space has after them.
    fn resolve(&self, space: Space, mut entries: u64, rows: Rows, ops: &mut Vec<Op>) -> Result<u64, StoreError> {
        for (key, value) in rows {
            let is_there = self.backend().get(space, &key)?.is_some();
            match (is_there, &value) {
                (false, Some(_)) => entries += 1,
                (true, None) => entries -= 1,
                (true, Some(_)) => {}
                (false, None) => continue,
            }
            ops.push(match value {
                Some(value) => Op::Put(key, value),
                None => Op::Delete(key),
            });
        }
        Ok(entries)
    }

    /// Writes down what is durable now.
    pub(crate) fn write_mark(&self, commit: u64) -> Result<(), StoreError> {
        self.backend().mark(CommitMark { commit, rows: self.permanent.rows })
    }

    /// One step of the first task.
    fn step(&mut self) {
        let Some(mut task) = self.tasks.pop_front() else { return };
        let stepped = self.shared.writable().and_then(|()| task.step(self));
        match stepped {
            Ok(false) => self.tasks.push_front(task),
            Ok(true) => task.finish(&self.shared, Ok(())),
            Err(error) => {
                if matches!(error, StoreError::Unavailable(_)) {
                    self.shared.stop_writes(&error);
                }
                task.finish(&self.shared, Err(error));
            }
        }
    }

    /// Goes on with the tasks for a moment, then leaves them to the next open.
    fn finish_tasks(&mut self) {
        let began = self.shared.clock.elapsed();
        while !self.tasks.is_empty() && self.shared.clock.elapsed() - began < CLOSING_MAX {
            self.step();
        }
        let left = StoreError::Unavailable("store is closed; what is left goes on after the next open".into());
        for task in self.tasks.drain(..) {
            task.finish(&self.shared, Err(left.clone()));
        }
    }
}

/// Whether a job writes to the current period, or needs its counters.
fn needs_period(job: &Job) -> bool {
    match job {
        Job::Append(_) | Job::Revise(..) => true,
        Job::Rows(rows, _) => rows
            .iter()
            .any(|row| matches!(row, RowWrite::PutEntry(..) | RowWrite::Delete(..) | RowWrite::PutFormer(..) | RowWrite::PutFollowing(..))),
        Job::Remove(..) | Job::Sweep(..) | Job::Backup(_) => false,
    }
}

fn size_of_job(job: &Job) -> usize {
    match job {
        Job::Append(job) => batch_plan::size_of(&job.append),
        Job::Rows(rows, _) => rows.len() * 256,
        Job::Revise(revision, _) => 256 + revision.message.as_ref().map_or(0, |message| message.body.weight()),
        Job::Remove(..) | Job::Sweep(..) | Job::Backup(_) => 0,
    }
}

fn put<T: serde::Serialize>(rows: &mut Rows, key: Vec<u8>, value: &T) {
    let record = record::encode(&key, value);
    rows.insert(key, Some(record));
}

/// Notes what a row write changes; a later one of the same key takes its place.
fn put_row(rows: &mut Rows, write: RowWrite) {
    match write {
        RowWrite::PutUser(user) => put(rows, key::user(&user.id), &user),
        RowWrite::PutRoom(room) => put(rows, key::room(&room.id), &room),
        RowWrite::DeleteRoom(room) => {
            rows.insert(key::room(&room), None);
        }
        RowWrite::PutGroup(group) => put(rows, key::group(&group.info.id), &group),
        RowWrite::PutMember(group, member) => {
            put(rows, key::membership(&member.user, &group), &());
            put(rows, key::member(&group, &member.user), &member);
        }
        RowWrite::PutMedia(media) => put(rows, key::media(media.file), &media),
        RowWrite::DeleteMedia(file) => {
            rows.insert(key::media(file), None);
        }
        // Handled where the plan is at hand.
        RowWrite::PutFormer(..) | RowWrite::PutEntry(..) | RowWrite::PutFollowing(..) | RowWrite::Delete(..) => {}
        RowWrite::DeleteMember(group, user) => {
            rows.insert(key::membership(&user, &group), None);
            rows.insert(key::member(&group, &user), None);
        }
    }
}
