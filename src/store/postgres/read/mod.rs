//! Reading: questions to the database, each on a connection of the pool.
//!
//! Callers wait on threads that may; the questions run on the store's own runtime. A conversation is named by its four columns, and
//! its number is found in the same question.

pub(super) mod beside;
pub(super) mod list;
pub(super) mod look;
pub(super) mod messages;
pub(super) mod missed;
pub(super) mod people;
pub(super) mod rows;

use std::future::Future;
use std::sync::Arc;

use deadpool_postgres::{Object, Pool, PoolError};
use tokio::runtime::Handle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::connect::innermost;
use super::place::Named;
use super::state::State;
use super::wait::wait_on;
use super::writer::unavailable;
use crate::model::Conversation;
use crate::store::error::StoreError;

/// A conversation's number, of the first four parameters: kind, one, other, incarnation.
pub(super) const CONV: &str = "(SELECT conv FROM conversations WHERE kind = $1 AND one = $2 AND other = $3 AND incarnation = $4)";

/// Whether a user, the parameter named so, deleted the message `m` for itself.
pub(super) fn deleted_by(user: &str) -> String {
    format!("EXISTS (SELECT FROM deletions d WHERE d.user_id = {user} AND d.conv = m.conv AND d.seq = m.seq)")
}

/// The condition that a viewer, the parameter named so, did not delete the message `m`, where there is a viewer.
fn seen_by(viewer: &str, has_viewer: bool) -> String {
    if has_viewer { format!("AND NOT {}", deleted_by(viewer)) } else { String::new() }
}

/// Returns the word for a direction of reading.
fn direction(backwards: bool) -> &'static str {
    if backwards { "DESC" } else { "ASC" }
}

/// Asks the database.
#[derive(Clone)]
pub(super) struct Reader {
    pub pool: Pool,
    pub runtime: Handle,
    pub state: Arc<State>,
}

impl Reader {
    /// Waits for the answer to a question. Blocks.
    pub(super) fn wait<T, Q>(&self, question: impl FnOnce(Self) -> Q) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Q: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        if self.state.is_closed() {
            return Err(StoreError::closed());
        }
        wait_on(&self.runtime, question(self.clone())).unwrap_or_else(|| Err(StoreError::closed()))
    }

    /// Returns a connection. Waits for one, but not for long.
    pub(super) async fn connection(&self) -> Result<Connection, StoreError> {
        match self.pool.get().await {
            Ok(object) => Ok(Connection { object, state: self.state.clone() }),
            Err(PoolError::Backend(error)) => {
                self.state.counts.error(&error);
                Err(unavailable(&error))
            }
            Err(PoolError::Timeout(_)) => Err(StoreError::Unavailable("every connection to the database is busy".into())),
            Err(error) => Err(StoreError::Unavailable(format!("no connection to the database: {}", innermost(&error)))),
        }
    }
}

/// A connection of the pool. What is asked is prepared once for each.
pub(super) struct Connection {
    object: Object,
    state: Arc<State>,
}

impl Connection {
    /// Returns the stamp up to which a conversation may be shown.
    pub(super) fn told(&self, conversation: &Conversation) -> u64 {
        self.state.told(conversation)
    }

    /// Returns all rows of an answer.
    pub(super) async fn rows(&self, text: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let (began, counts) = (self.state.clock.elapsed(), &self.state.counts);
        let asked = async { self.object.query(&self.object.prepare_cached(text).await?, params).await };
        let answer = asked.await.map_err(|error: Error| {
            counts.error(&error);
            unavailable(&error)
        });
        counts.read(self.state.clock.elapsed().saturating_sub(began));
        answer
    }

    /// Returns all rows of an answer about a conversation, whose four columns are the first parameters: see [`CONV`].
    pub(super) async fn rows_of(
        &self,
        conversation: &Conversation,
        text: &str,
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let Named { kind, one, other, incarnation } = Named::from(conversation);
        let named: [&(dyn ToSql + Sync); 4] = [&kind, &one, &other, &incarnation];
        self.rows(text, &[&named, more].concat()).await
    }

    /// Returns the row of an answer about a conversation that has one at most.
    pub(super) async fn row_of(
        &self,
        conversation: &Conversation,
        text: &str,
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows_of(conversation, text, more).await?.into_iter().next())
    }

    /// Returns the row of an answer that has one at most.
    pub(super) async fn row(&self, text: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(text, params).await?.into_iter().next())
    }
}
