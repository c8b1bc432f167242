//! One transaction, sent whole: every statement behind the other, then the answers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use super::sql::{Sql, Statements};
use super::steps::{Param, Step};
use crate::store::error::StoreError;
use crate::store::postgres::connect::innermost;
use crate::store::postgres::counts::Counts;

/// Why a batch was not committed, or is not known to be.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another process owns the store.
    Fenced,
    /// What was remembered is not so: it is worth another try with everything looked up.
    Stale(StoreError),
    /// A week or a day has no partition yet.
    NoPartition,
    /// The connection is gone. The batch may be committed or not.
    Unknown(StoreError),
    /// The database refuses, and nothing was written.
    Refused(StoreError),
}

/// Commits the steps of a batch as one transaction.
pub(super) async fn commit(client: &Client, statements: &Statements, steps: &[Step], counts: &Counts) -> Result<(), Trouble> {
    let mut begin = std::pin::pin!(client.batch_execute("BEGIN"));
    let mut sent: Vec<_> = steps.iter().map(|step| Box::pin(run(client, statements, step))).collect();
    let mut end = std::pin::pin!(client.batch_execute("COMMIT"));
    // The first look at each sends it; in this order, before any answer is awaited.
    let mut began = first_look(begin.as_mut()).await;
    let mut answers: Vec<Option<Result<u64, Error>>> = Vec::with_capacity(sent.len());
    for statement in &mut sent {
        answers.push(first_look(statement.as_mut()).await);
    }
    let mut ended = first_look(end.as_mut()).await;
    if began.is_none() {
        began = Some(begin.await);
    }
    let mut failed = began.and_then(Result::err).map(|error| (None, error));
    for ((step, statement), answer) in steps.iter().zip(sent).zip(answers) {
        let answer = match answer {
            Some(answer) => answer,
            None => statement.await,
        };
        // A transaction that failed answers COMMIT with success: the statements decide. The first failure is the cause.
        if let Err(error) = answer
            && failed.is_none()
        {
            failed = Some((Some(step.sql), error));
        }
    }
    if ended.is_none() {
        ended = Some(end.await);
    }
    let (at, error) = match (failed, ended) {
        (Some(failed), _) => failed,
        (None, Some(Err(error))) => (None, error),
        (None, _) => return Ok(()),
    };
    counts.error(&error);
    Err(trouble(at, &error))
}

/// Polls a future once.
async fn first_look<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

async fn run(client: &Client, statements: &Statements, step: &Step) -> Result<u64, Error> {
    let params: Vec<&(dyn ToSql + Sync)> = step.params.iter().map(borrowed).collect();
    client.execute(statements.get(step.sql), &params).await
}

fn borrowed(param: &Param) -> &(dyn ToSql + Sync) {
    &**param
}

/// Returns what an error means for a batch.
pub(super) fn trouble(at: Option<Sql>, error: &Error) -> Trouble {
    let Some(code) = error.code() else {
        let reason = format!("the connection to the database is gone: {}", innermost(error));
        return Trouble::Unknown(StoreError::Unavailable(reason));
    };
    let reason = format!("the database refuses ({}): {}", code.code(), innermost(error));
    match (at, code) {
        (Some(Sql::Fence | Sql::FenceOfMany), &SqlState::DIVISION_BY_ZERO) => Trouble::Fenced,
        (_, &SqlState::DIVISION_BY_ZERO) => Trouble::Stale(StoreError::Unavailable(reason)),
        (_, &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE) => Trouble::Stale(StoreError::Unavailable(reason)),
        // 23514, "no partition of relation … found for row".
        (Some(_), &SqlState::CHECK_VIOLATION) => Trouble::NoPartition,
        (_, &SqlState::DISK_FULL) => Trouble::Refused(StoreError::Full(innermost(error))),
        (_, code) if ends_connection(code) => Trouble::Unknown(StoreError::Unavailable(reason)),
        _ => Trouble::Refused(StoreError::Unavailable(reason)),
    }
}

/// Returns whether the server ends the connection with this error.
fn ends_connection(code: &SqlState) -> bool {
    code.code().starts_with("08") || code.code().starts_with("57P") || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
}
