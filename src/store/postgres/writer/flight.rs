//! A batch on its way to the database while the next one is planned.
//!
//! Only where many wait: the database and this process would take turns otherwise. One batch flies at a time, and nothing of the next
//! one is sent before it has landed but questions, which the connection answers behind its COMMIT. What was planned meanwhile
//! is thrown away if it did not land.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use super::Writer;
use super::commit::{Trouble, commit};
use super::job::{Job, Waiting, Work};
use super::plan::{Outcome, Planned};
use crate::store::engine::gather::JOBS_ENOUGH;
use crate::store::error::StoreError;

/// See the module's documentation.
pub(super) struct Flight {
    batch: Vec<Work>,
    waiting: Vec<Waiting>,
    planned: Planned,
    outcomes: Vec<Outcome>,
    began: Duration,
    landing: JoinHandle<Result<(), Trouble>>,
}

/// Jobs of a batch, with who waits for each.
pub(super) type Jobs = (Vec<Work>, Vec<Waiting>);

impl Writer {
    /// Takes jobs apart that belong into a batch; those that do not are left. What belongs to a shard that is not owned any more is
    /// refused by itself.
    pub(super) fn part(&self, jobs: Vec<Job>) -> (Jobs, Vec<Job>) {
        let (mut batch, mut waiting, mut alone) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            match job {
                Job::Write(work, who) if !self.may_write(&work) => who.refuse(&self.state, StoreError::Fenced),
                Job::Write(work, who) => {
                    batch.push(work);
                    waiting.push(who);
                }
                other => alone.push(other),
            }
        }
        ((batch, waiting), alone)
    }

    fn may_write(&self, work: &Work) -> bool {
        self.state.own.as_ref().is_none_or(|own| work.is_within(|conversation| own.owns(self.heads.shard_of(conversation))))
    }

    /// Returns whether so many wait that the next batch is planned while this one flies.
    fn is_pressed(&self) -> bool {
        self.jobs.len() >= JOBS_ENOUGH
    }

    /// Commits a batch, or sends it off where many wait behind it.
    pub(super) async fn commit_or_launch(&mut self, (batch, waiting): Jobs) {
        if !self.is_pressed() || self.link.is_none() || self.state.writable_but_for_close().is_err() {
            return self.commit_and_tell(batch, waiting).await;
        }
        match self.plan(&batch, true).await {
            Ok(planned) => self.launch((batch, waiting), planned),
            Err(trouble) => match self.after(trouble).await {
                Ok(_) => self.commit_and_tell(batch, waiting).await,
                Err(error) => self.refuse(waiting, &error),
            },
        }
    }

    /// Works while a batch flies: plans the next one, if so many wait, and lands the first.
    pub(super) async fn while_flying(&mut self) {
        if !self.is_pressed() {
            self.land().await;
            return;
        }
        let mut jobs = Vec::new();
        self.collect(&mut jobs);
        let ((batch, waiting), alone) = self.part(jobs);
        let planned = self.plan(&batch, true).await;
        match (self.land().await, planned) {
            (true, Ok(planned)) if self.state.writable_but_for_close().is_ok() => self.launch((batch, waiting), planned),
            // What was planned rests on what did not land; or it could not be planned, which is found out once more.
            _ => {
                self.heads.forget_all();
                self.commit_and_tell(batch, waiting).await;
            }
        }
        self.do_all_alone(alone).await;
        self.step().await;
    }

    /// Sends a batch off. All of it is handed to the connection when this returns.
    fn launch(&mut self, (batch, waiting): Jobs, (mut planned, outcomes): (Planned, Vec<Outcome>)) {
        let began = self.state.clock.elapsed();
        let Some(link) = self.link.as_ref().filter(|_| !planned.steps.is_empty()) else {
            let outcomes = self.committed(&planned, outcomes);
            return self.tell(waiting, outcomes);
        };
        let (client, statements, state) = (link.client.clone(), link.statements.clone(), self.state.clone());
        let steps = std::mem::take(&mut planned.steps);
        let mut committing = async move { commit(&client, &statements, &steps, &state.counts).await }.boxed();
        // The first look sends it, before anything that is asked for the next batch.
        let landing = match committing.as_mut().now_or_never() {
            Some(landed) => tokio::spawn(async move { landed }),
            None => tokio::spawn(committing),
        };
        self.flight = Some(Flight { batch, waiting, planned, outcomes, began, landing });
    }

    /// Waits for what flies and tells its callers; returns whether it was committed as planned.
    pub(super) async fn land(&mut self) -> bool {
        let Some(Flight { batch, waiting, planned, outcomes, began, landing }) = self.flight.take() else { return true };
        let gone = |_| Err(Trouble::Unknown(StoreError::Unavailable("the commit broke off".into())));
        let landed = landing.await.unwrap_or_else(gone);
        let (count, now) = (batch.len(), self.state.clock.elapsed());
        self.state.counts.commit(now.saturating_sub(began));
        self.gather.committed(count, began, now);
        let is_landed = landed.is_ok();
        match self.settle(&planned, outcomes, landed).await {
            Ok(Ok(outcomes)) => self.tell(waiting, outcomes),
            Ok(Err(_)) => self.commit_and_tell(batch, waiting).await,
            Err(error) => self.refuse(waiting, &error),
        }
        is_landed
    }

    pub(super) fn refuse(&self, waiting: Vec<Waiting>, error: &StoreError) {
        waiting.into_iter().for_each(|who| who.refuse(&self.state, error.clone()));
    }
}
