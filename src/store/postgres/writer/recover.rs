//! What the writer does when a batch did not go as planned.

use std::time::Duration;

use super::commit::Trouble;
use super::plan::Planned;
use super::sql::Sql;
use super::upkeep::Made;
use super::{Backend, Link, RECOVER_EVERY, Writer};
use crate::store::error::StoreError;
use crate::store::postgres::connect::innermost;

/// How long a batch waits for the database to say whether it was committed. Then its senders are told to try again; their retries
/// find what there is.
const UNKNOWN_MAX: Duration = Duration::from_secs(5);
/// How long a connection that is ended may take to be gone, before it is looked for again.
const ENDING: Duration = Duration::from_millis(10);
/// Jobs that come meanwhile are refused from then on.
const REFUSE_AFTER: Duration = Duration::from_secs(1);

impl Writer {
    /// Draws the consequences of a trouble before anything was sent, or of one by which certainly nothing was committed; returns the reason, if it is worth another try.
    pub(super) async fn after(&mut self, trouble: Trouble) -> Result<StoreError, StoreError> {
        self.heads.forget_all();
        match trouble {
            Trouble::Fenced => {
                self.state.lose();
                Err(StoreError::Fenced)
            }
            Trouble::Refused(error) => Err(error),
            Trouble::Stale(error) => Ok(error),
            Trouble::NoPartition => {
                self.made = Made::default();
                Ok(StoreError::Unavailable("the database has no partition for this time".into()))
            }
            Trouble::Unknown(error) => {
                self.disconnected(&error);
                if self.reconnect().await { Ok(error) } else { Err(error) }
            }
        }
    }

    fn disconnected(&mut self, error: &StoreError) {
        self.heads.forget_all();
        self.link = None;
        self.state.stop_writes(error.clone());
    }

    /// Finds out whether a batch was committed whose connection broke: nothing is said before that is certain. What comes
    /// meanwhile is refused.
    pub(super) async fn was_committed(&mut self, planned: &Planned, error: StoreError) -> Result<bool, StoreError> {
        let backend = self.link.as_ref().map(|link| link.backend.clone());
        self.disconnected(&error);
        let began = self.state.clock.elapsed();
        loop {
            if self.reconnect().await
                && let Some(link) = &self.link
            {
                match stands(link, backend.as_ref(), planned.witness).await {
                    Ok(Some(stands)) => return Ok(stands),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::debug!(error = innermost(&error), "the database went away again");
                        self.link = None;
                    }
                }
            }
            let waited = self.state.clock.elapsed().saturating_sub(began);
            if waited > REFUSE_AFTER {
                while let Ok(job) = self.jobs.try_recv() {
                    job.refuse(&self.state, error.clone());
                }
            }
            if waited > UNKNOWN_MAX || self.state.is_closed() {
                self.unresolved.extend(backend.map(|backend| (backend, planned.witness, planned.stamp_use.clone())));
                return Err(error);
            }
            tokio::time::sleep(RECOVER_EVERY).await;
        }
    }

    /// Looks at the batches that nobody knew the outcome of. One that was committed after all was never told to whoever is connected,
    /// and later ones would hide it from their cursors: every session must resume, as it does when another broker takes over.
    async fn resolve(&mut self, link: &Link) -> Result<(), tokio_postgres::Error> {
        while let Some((backend, witness, _)) = self.unresolved.last() {
            match stands(link, Some(backend), *witness).await? {
                Some(true) => {
                    tracing::warn!("a batch whose senders were told to try again is committed: every session has to resume");
                    self.state.lose();
                }
                Some(false) => {}
                // The connection it went by is being ended.
                None => {
                    tokio::time::sleep(ENDING).await;
                    continue;
                }
            }
            self.unresolved.pop();
        }
        Ok(())
    }

    /// Connects again; returns whether there is a connection now. Writes are accepted then.
    pub(super) async fn reconnect(&mut self) -> bool {
        if self.link.is_some() {
            return true;
        }
        match Link::make(&self.database, self.boot).await {
            Ok(link) => {
                if let Err(error) = self.resolve(&link).await {
                    tracing::debug!(error = innermost(&error), "the database went away again");
                    return false;
                }
                self.link = Some(link);
                self.heads.forget_all();
                self.state.counts.reconnected();
                self.state.resume();
                true
            }
            Err(error) => {
                tracing::debug!(error = innermost(&error), "the database is still away");
                self.state.stop_writes(super::unavailable(&error));
                false
            }
        }
    }
}

/// Returns whether what a broken connection committed is there; none: that connection may still be at it.
async fn stands(link: &Link, backend: Option<&Backend>, witness: Option<[i64; 4]>) -> Result<Option<bool>, tokio_postgres::Error> {
    if let Some((pid, began)) = backend {
        let alive = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
        if !link.client.query(alive, &[pid, began]).await?.is_empty() {
            return Ok(None);
        }
    }
    // A batch without a message puts rows as they shall be: it may be carried out twice.
    let Some([conv, seq, stamp, id]) = witness else { return Ok(Some(false)) };
    let row = link.client.query_one(link.statements.get(Sql::Stands), &[&conv, &seq, &stamp, &id]).await?;
    Ok(Some(row.get::<_, i64>(0) > 0))
}
