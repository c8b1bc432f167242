//! What is no part of a batch: removals, retention, letting go of shards and of the store.

use std::collections::VecDeque;

use super::job::{Job, tell};
use super::sql::Sql;
use super::{Removal, Writer, unavailable, upkeep};
use crate::model::Conversation;
use crate::store::error::StoreError;
use crate::store::postgres::connect::innermost;
use crate::store::postgres::place::{number, unsigned};
use crate::store::postgres::{ownership, shard_rows};
use crate::store::types::Done;

impl Writer {
    pub(super) async fn do_alone(&mut self, job: Job) {
        match job {
            Job::Remove(conversation, done) => self.begin_removal(&conversation, done).await,
            Job::Sweep(now_ms, reply) => {
                let swept = self.sweep(now_ms).await;
                tell(reply.send(swept.map_err(|error| unavailable(&error))).is_ok());
            }
            Job::NoteTime(now_ms, reply) => {
                let noted = match &self.link {
                    Some(link) => {
                        let noted = link.client.execute("UPDATE store SET noted_ms = $1", &[&number(now_ms)]).await;
                        noted.map(drop).map_err(|error| unavailable(&error))
                    }
                    None => self.state.writable_but_for_close(),
                };
                tell(reply.send(noted).is_ok());
            }
            Job::Release(shards, delivered, reply) => {
                let released = self.release(&shards, delivered).await;
                tell(reply.send(released).is_ok());
            }
            Job::Continue(shards) => self.go_on(&shards).await,
            job @ Job::Write(..) => job.refuse(&self.state, StoreError::Unavailable("the writer lost count".into())),
        }
    }

    async fn sweep(&mut self, now_ms: u64) -> Result<bool, tokio_postgres::Error> {
        let client = self.database.connect().await?;
        let newest = match self.state.own {
            // Others write, too.
            Some(_) => unsigned(client.query_one("SELECT coalesce(max(stamp), 0) FROM conversations", &[]).await?.get(0)),
            None => self.state.progress.last_commit(),
        };
        upkeep::sweep(&client, now_ms, self.retention_days, newest).await
    }

    async fn begin_removal(&mut self, conversation: &Conversation, done: Done<()>) {
        if let Err(error) = self.state.writable_but_for_close() {
            return self.state.progress.finish(done, Err(error));
        }
        let shard = self.heads.shard_of(conversation);
        if self.state.own.as_ref().is_some_and(|own| !own.owns(shard)) {
            return self.state.progress.finish(done, Err(StoreError::Fenced));
        }
        let Some(link) = &self.link else { return self.state.progress.finish(done, Err(no_connection())) };
        let begun = async {
            if let Err(error) = self.heads.learn(&link.client, &link.statements, &[(conversation, false)]).await? {
                return Ok(Err(error));
            }
            let Some(head) = self.heads.get(conversation) else { return Ok(Ok(None)) };
            if self.state.own.is_some() {
                link.client.execute(link.statements.get(Sql::FenceOfMany), &[&vec![shard], &self.boot]).await?;
            }
            link.client.execute(link.statements.get(Sql::Removal), &[&head.conv]).await?;
            Ok(Ok(Some(head.conv)))
        };
        let begun: Result<Result<Option<i64>, StoreError>, tokio_postgres::Error> = begun.await;
        match begun {
            Ok(Ok(Some(conv))) => {
                self.heads.forget(conversation);
                self.removals.push_back(Removal { conv, shard, done: Some(done) });
            }
            Ok(Ok(None)) => self.state.progress.finish(done, Ok(())),
            Ok(Err(error)) => self.state.progress.finish(done, Err(error)),
            Err(error) => self.state.progress.finish(done, Err(unavailable(&error))),
        }
    }

    /// Takes one step of the first removal.
    pub(super) async fn step(&mut self) {
        let (Some(link), Some(removal)) = (&self.link, self.removals.front_mut()) else { return };
        match upkeep::remove_some(&link.client, removal.conv).await {
            Ok(false) => {}
            Ok(true) => {
                if let Some(done) = self.removals.pop_front().and_then(|removal| removal.done) {
                    self.state.progress.finish(done, Ok(()));
                }
            }
            Err(error) => {
                // It goes on after the next start; its row is there.
                let removal = self.removals.pop_front();
                tracing::warn!(error = innermost(&error), "a removal was interrupted");
                if let Some(done) = removal.and_then(|removal| removal.done) {
                    self.state.progress.finish(done, Err(unavailable(&error)));
                }
                if error.is_closed() {
                    self.link = None;
                }
            }
        }
    }

    /// Writes some shards no more, and lets whoever wants them claim them.
    async fn release(&mut self, shards: &[i16], delivered: u64) -> Result<(), StoreError> {
        let Some(own) = &self.state.own else { return Err(StoreError::Fenced) };
        shards.iter().for_each(|shard| own.drop_shard(*shard));
        let (gone, left) = std::mem::take(&mut self.removals).into_iter().partition(|removal: &Removal| shards.contains(&removal.shard));
        self.removals = left;
        self.leave_removals(gone, &StoreError::Fenced);
        let Some(link) = &self.link else { return Err(no_connection()) };
        // All that was ever made of these shards, or vouched for, is at or below it.
        let last = self.state.stamps.last();
        shard_rows::release(&link.client, self.boot, shards, last, delivered).await.map_err(|error| unavailable(&error))
    }

    /// Goes on with removals that the last owners of shards began.
    async fn go_on(&mut self, shards: &[i16]) {
        let Some(link) = &self.link else { return };
        match upkeep::unfinished(&link.client, Some(shards)).await {
            Ok(left) => {
                let new = left.into_iter().filter(|(conv, _)| !self.removals.iter().any(|removal| removal.conv == *conv));
                let new: Vec<Removal> = new.map(|(conv, shard)| Removal { conv, shard, done: None }).collect();
                self.removals.extend(new);
            }
            Err(error) => tracing::warn!(error = innermost(&error), "what was being removed in claimed shards waits for their next owner"),
        }
    }

    /// Tells who waits for removals that they go on elsewhere, or at another time.
    fn leave_removals(&self, removals: VecDeque<Removal>, error: &StoreError) {
        for done in removals.into_iter().filter_map(|removal| removal.done) {
            self.state.progress.finish(done, Err(error.clone()));
        }
    }

    /// Ends: what is left of removals is for the next start, and whoever stands by may take over.
    pub(super) async fn let_go(mut self) {
        let left = std::mem::take(&mut self.removals);
        self.leave_removals(left, &StoreError::closed());
        self.state.let_go();
        let Some(link) = &self.link else { return };
        let released = match &self.state.own {
            Some(own) => shard_rows::leave(&link.client, self.boot, self.state.stamps.last(), own.delivered()).await,
            None => ownership::release(&link.client, self.boot).await,
        };
        if let Err(error) = released {
            tracing::warn!(error = innermost(&error), "the store could not be let go of");
        }
    }
}

fn no_connection() -> StoreError {
    StoreError::Unavailable("no connection".into())
}
