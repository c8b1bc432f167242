//! The task that writes: collects what is waiting, gives each message its place, commits, tells the callers.
//!
//! One batch is one transaction on one connection, sent whole. While it runs the next batch gathers in the queue; between the two
//! the writer may wait a moment for more, and takes a step of long work. It holds where conversations stand in memory; after any
//! batch whose outcome is not what was expected it forgets all of it and asks again.

mod alone;
mod commit;
mod flight;
mod heads;
pub(super) mod job;
pub(super) mod look_up;
mod plan;
mod recover;
pub(super) mod sql;
pub(super) mod steps;
mod upkeep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::timeout;
use tokio_postgres::Client;

use self::commit::{Trouble, commit, trouble};
use self::flight::Flight;
use self::heads::Heads;
use self::job::{Job, Waiting, Work};
use self::plan::{Fence, Outcome, Plan, Planned};
pub(super) use self::plan::{digest_bytes, digest_of};
use self::sql::Statements;
use self::upkeep::Made;
use super::connect::Database;
use super::ownership;
use super::stamp::{StampUse, day_of};
use super::state::State;
use crate::store::engine::gather::{Gather, JOBS_ENOUGH, Wait};
use crate::store::engine::progress::BatchCounts;
use crate::store::error::StoreError;
use crate::store::types::Done;

/// Jobs per batch at most. Our choice: a head is written once per batch, which still gains where a plain insert of more rows does not.
const BATCH_JOBS_MAX: usize = 1_024;
/// A batch is closed when its bodies reach this.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// A batch is tried so often before it is refused.
const TRIES_MAX: u32 = 4;
/// How often the writer looks whether the database is there again.
const RECOVER_EVERY: Duration = Duration::from_millis(250);

/// The server's process for a connection, and when that began: by both it is found again.
type Backend = (i32, String);

/// A connection with the writer's statements.
struct Link {
    client: Arc<Client>,
    statements: Arc<Statements>,
    backend: Backend,
}

/// A removal under way, and who waits for it.
struct Removal {
    conv: i64,
    shard: i16,
    done: Option<Done<()>>,
}

/// What the writer is given.
pub(super) struct WriterParts {
    pub state: Arc<State>,
    pub database: Database,
    pub jobs: UnboundedReceiver<Job>,
    pub boot: i64,
    pub shards: i16,
    pub retention_days: u64,
    pub gather: Duration,
}

/// See the module's documentation.
pub(super) struct Writer {
    state: Arc<State>,
    database: Database,
    jobs: UnboundedReceiver<Job>,
    boot: i64,
    retention_days: u64,
    gather: Gather,
    link: Option<Link>,
    heads: Heads,
    made: Made,
    removals: VecDeque<Removal>,
    /// What is on its way.
    flight: Option<Flight>,
    /// Batches that nobody knows the outcome of: the connection each went by, its witness, and its stamps, which are in use.
    unresolved: Vec<(Backend, Option<[i64; 4]>, StampUse)>,
    /// Which claims of shards the heads are of.
    generation: u64,
    /// When the database was looked for last, by the monotonic clock.
    looked: Duration,
    /// Set when nobody can queue any more.
    ended: bool,
}

impl Writer {
    /// Makes the connection, the partitions of today, and remembers what was left half done.
    pub(super) async fn open(parts: WriterParts) -> Result<Self, tokio_postgres::Error> {
        let WriterParts { state, database, jobs, boot, shards, retention_days, gather } = parts;
        let link = Link::make_first(&database, boot).await?;
        let made = upkeep::make_partitions(&link.client, state.stamps.peek()).await?;
        let left = match state.own {
            // Whoever claims a shard goes on with what was begun in it.
            Some(_) => Vec::new(),
            None => upkeep::unfinished(&link.client, None).await?,
        };
        let removals = left.into_iter().map(|(conv, shard)| Removal { conv, shard, done: None }).collect();
        Ok(Self {
            state,
            database,
            jobs,
            boot,
            retention_days,
            gather: Gather::new(gather),
            link: Some(link),
            heads: Heads::new(shards),
            made,
            removals,
            flight: None,
            unresolved: Vec::new(),
            generation: 0,
            looked: Duration::ZERO,
            ended: false,
        })
    }

    /// Works until nobody can queue any more, then lets go of the store.
    pub(super) async fn run(mut self) {
        while !self.ended {
            if self.flight.is_some() {
                self.while_flying().await;
                continue;
            }
            let mut batch = Vec::new();
            if self.link.is_none() {
                self.wait_for_database(&mut batch).await;
            } else if self.removals.is_empty() {
                match self.jobs.recv().await {
                    Some(job) => batch.push(job),
                    None => break,
                }
            } else {
                tokio::task::yield_now().await;
            }
            self.collect(&mut batch);
            self.gather(&mut batch).await;
            self.carry_out(batch).await;
            self.step().await;
        }
        self.land().await;
        self.let_go().await;
    }

    /// Takes what is waiting.
    fn collect(&mut self, batch: &mut Vec<Job>) {
        let mut bytes = batch.iter().map(Job::weight).sum::<usize>();
        while batch.len() < BATCH_JOBS_MAX && bytes < BATCH_BYTES_MAX {
            match self.jobs.try_recv() {
                Ok(job) => {
                    bytes += job.weight();
                    batch.push(job);
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// Waits for company where it pays. Our choice: the whole of the time, because a timer here is no finer than a millisecond.
    async fn gather(&mut self, batch: &mut Vec<Job>) {
        if batch.is_empty() || !self.removals.is_empty() || self.ended {
            return;
        }
        let Some(Wait { total, .. }) = self.gather.wait(batch.len()) else { return };
        let (before, until) = (batch.len(), tokio::time::Instant::now() + total);
        while batch.len() < JOBS_ENOUGH {
            match tokio::time::timeout_at(until, self.jobs.recv()).await {
                Ok(Some(job)) => {
                    batch.push(job);
                    self.collect(batch);
                }
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(_) => break,
            }
        }
        self.gather.waited(batch.len() - before);
    }

    /// Commits what belongs into a batch, then does the rest.
    async fn carry_out(&mut self, jobs: Vec<Job>) {
        let ((batch, waiting), alone) = self.part(jobs);
        if !batch.is_empty() {
            self.commit_or_launch((batch, waiting)).await;
        }
        self.do_all_alone(alone).await;
    }

    /// Does what is no part of a batch, when nothing flies any more.
    pub(super) async fn do_all_alone(&mut self, jobs: Vec<Job>) {
        if !jobs.is_empty() {
            self.land().await;
        }
        for job in jobs {
            self.do_alone(job).await;
        }
    }

    /// Commits a batch and tells its callers.
    async fn commit_and_tell(&mut self, batch: Vec<Work>, waiting: Vec<Waiting>) {
        let (count, began) = (batch.len(), self.state.clock.elapsed());
        // Until everyone is told.
        let _in_use = self.state.stamps.begin_use();
        let outcome = self.commit_batch(&batch).await;
        self.gather.committed(count, began, self.state.clock.elapsed());
        match outcome {
            Ok(outcomes) => self.tell(waiting, outcomes),
            Err(error) => self.refuse(waiting, &error),
        }
    }

    fn tell(&self, waiting: Vec<Waiting>, outcomes: Vec<Outcome>) {
        waiting.into_iter().zip(outcomes).for_each(|(who, outcome)| self.answer(who, outcome));
    }

    fn answer(&self, who: Waiting, outcome: Outcome) {
        match (who, outcome) {
            (Waiting::Append(done), Outcome::Append(result)) => self.state.progress.finish(done, result),
            (Waiting::Revise(done), Outcome::Revise(result)) => self.state.progress.finish(done, result),
            (Waiting::Rows(done), Outcome::Rows(result)) => self.state.progress.finish(done, result),
            (who, _) => who.refuse(&self.state, StoreError::Unavailable("the writer lost count".into())),
        }
    }

    /// Plans and commits a batch, again where what was remembered was not so; returns the outcome of each job.
    async fn commit_batch(&mut self, batch: &[Work]) -> Result<Vec<Outcome>, StoreError> {
        self.state.writable_but_for_close()?;
        let mut trusts = true;
        let mut last = StoreError::Unavailable("the database did not take it".into());
        for _ in 0..TRIES_MAX {
            if self.link.is_none() && !self.reconnect().await {
                break;
            }
            let (planned, outcomes) = match self.plan(batch, trusts).await {
                Ok(planned) => planned,
                Err(trouble) => {
                    last = self.after(trouble).await?;
                    trusts = false;
                    continue;
                }
            };
            let written = self.write(&planned).await;
            match self.settle(&planned, outcomes, written).await? {
                Ok(outcomes) => return Ok(outcomes),
                Err(reason) => last = reason,
            }
            trusts = false;
        }
        Err(last)
    }

    /// Finds out what became of a batch that was sent; `Ok(Err(_))` is the reason why it is worth another try.
    async fn settle(
        &mut self,
        planned: &Planned,
        outcomes: Vec<Outcome>,
        written: Result<(), Trouble>,
    ) -> Result<Result<Vec<Outcome>, StoreError>, StoreError> {
        match written {
            Ok(()) => Ok(Ok(self.committed(planned, outcomes))),
            Err(Trouble::Unknown(error)) => {
                let stands = self.was_committed(planned, error.clone()).await?;
                Ok(if stands { Ok(self.committed(planned, outcomes)) } else { Err(error) })
            }
            Err(trouble) => self.after(trouble).await.map(Err),
        }
    }

    async fn plan(&mut self, batch: &[Work], trusts: bool) -> Result<(Planned, Vec<Outcome>), Trouble> {
        self.forget_others(batch);
        let Some(link) = &self.link else { return Err(Trouble::Unknown(StoreError::Unavailable("no connection".into()))) };
        let now = self.state.stamps.peek();
        let ahead = upkeep::keep_ahead(&link.client, &mut self.made, now, self.state.clock.elapsed());
        ahead.await.map_err(|error| trouble(None, &error))?;
        let looked = look_up::look_up((&link.client, &link.statements), &mut self.heads, batch, trusts, day_of(now)).await;
        let found = looked.map_err(|error| trouble(None, &error))?.map_err(Trouble::Refused)?;
        let mut plan = Plan::new(&mut self.heads, &self.state.stamps, found);
        let outcomes = batch.iter().enumerate().map(|(at, work)| plan.decide(at, work)).collect();
        Ok((plan.finish(Fence { boot: self.boot, shares: self.state.own.is_some() }), outcomes))
    }

    /// Forgets where conversations stand that other processes write to, or did before they were claimed.
    fn forget_others(&mut self, batch: &[Work]) {
        let Some(own) = &self.state.own else { return };
        let generation = own.generation();
        if generation != self.generation {
            self.generation = generation;
            self.heads.forget_all();
        }
        for (conversation, _) in look_up::conversations(batch) {
            if !own.owns(self.heads.shard_of(&conversation)) {
                self.heads.forget(&conversation);
            }
        }
    }

    async fn write(&mut self, planned: &Planned) -> Result<(), Trouble> {
        let Some(link) = &self.link else { return Err(Trouble::Unknown(StoreError::Unavailable("no connection".into()))) };
        if planned.steps.is_empty() {
            return Ok(());
        }
        let began = self.state.clock.elapsed();
        let committed = commit(&link.client, &link.statements, &planned.steps, &self.state.counts).await;
        self.state.counts.commit(self.state.clock.elapsed().saturating_sub(began));
        committed
    }

    fn committed(&self, planned: &Planned, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let last = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Append(Ok(appended)) if !appended.duplicate => Some(appended.commit),
            Outcome::Revise(Ok(commit)) => Some(*commit),
            _ => None,
        });
        self.state.progress.count_duplicates(planned.duplicates);
        if planned.writes {
            let (message_id, appended) = (planned.message_id, planned.appended);
            self.state.progress.publish(BatchCounts { commit: last.max().unwrap_or(0), message_id, appended });
        }
        outcomes
    }

    /// Looks for the database that is away, now and then, and waits for work in between, which is refused until it is back.
    async fn wait_for_database(&mut self, batch: &mut Vec<Job>) {
        let next = self.looked + RECOVER_EVERY;
        let now = self.state.clock.elapsed();
        if now >= next {
            self.looked = now;
            if self.reconnect().await {
                return;
            }
        }
        match timeout(next.saturating_sub(now).min(RECOVER_EVERY), self.jobs.recv()).await {
            Ok(Some(job)) => batch.push(job),
            Ok(None) => self.ended = true,
            Err(_) => {}
        }
    }
}

impl Link {
    /// Makes the first one.
    async fn make_first(database: &Database, boot: i64) -> Result<Self, tokio_postgres::Error> {
        let mut tries = upkeep::FirstTries::default();
        loop {
            match Self::make(database, boot).await {
                Err(error) if tries.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    /// Connects, prepares, and notes down the connection, so that an heir may end it.
    async fn make(database: &Database, boot: i64) -> Result<Self, tokio_postgres::Error> {
        let client = database.connect().await?;
        let statements = Statements::prepare(&client).await?;
        let row = client.query_one("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()", &[]).await?;
        ownership::note_backend(&client, boot).await?;
        let (client, statements) = (Arc::new(client), Arc::new(statements));
        Ok(Self { client, statements, backend: (row.get(0), row.get(1)) })
    }
}

/// Returns an error of the database as the store's.
pub(super) fn unavailable(error: &tokio_postgres::Error) -> StoreError {
    match trouble(None, error) {
        Trouble::Fenced => StoreError::Fenced,
        Trouble::Stale(error) | Trouble::Unknown(error) | Trouble::Refused(error) => error,
        Trouble::NoPartition => StoreError::Unavailable("a partition is missing".into()),
    }
}
