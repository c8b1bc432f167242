//! How one actor answers another.

use tokio::sync::oneshot;

use crate::model::{Invalid, Refusal};
use crate::store::StoreError;

/// Where an actor puts its answer. Dropped unanswered, it reads as a temporary refusal.
#[derive(Debug)]
pub(crate) struct Reply<T>(Option<oneshot::Sender<Result<T, Refusal>>>);

impl<T> Reply<T> {
    /// Makes the two ends of an answer.
    pub(crate) fn channel() -> (Self, oneshot::Receiver<Result<T, Refusal>>) {
        let (sender, outcome) = oneshot::channel();
        (Self(Some(sender)), outcome)
    }
}

/// Nobody waits for the answer.
impl<T> Default for Reply<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Sends an answer; that nobody waits for it any more is no error.
pub(crate) fn answer<T>(reply: Reply<T>, result: Result<T, Refusal>) {
    if let Some(sender) = reply.0
        && sender.send(result).is_err()
    {
        tracing::trace!("the asker of an operation went away before its answer");
    }
}

/// Waits for an answer. One that was dropped reads as [`Refusal::Busy`].
pub(crate) async fn answered<T>(reply: oneshot::Receiver<Result<T, Refusal>>) -> Result<T, Refusal> {
    reply.await.unwrap_or(Err(Refusal::Busy("the conversation's owner went away")))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OtherContent => Invalid::new("message.localMessageID", "was used before for other content").into(),
            StoreError::Gone => Self::MessageMissing,
            StoreError::Fenced => Self::Busy("the conversation moved to another owner"),
            StoreError::Unavailable(reason) | StoreError::Damaged(reason) => Self::StoreUnavailable(reason),
            error @ (StoreError::Full(_) | StoreError::Unsynced(_)) => Self::StoreUnavailable(error.to_string()),
        }
    }
}

/// Why a look-up returned nothing.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The store could not be read.
    Store(StoreError),
    /// The store was read, and what it says refuses the caller.
    Refused(Refusal),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Invalid> for ReadError {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(invalid.into())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Refused(refusal) => refusal,
        }
    }
}

/// The receiving end of an answer, or why nobody was asked.
pub(crate) type Asked<T> = Result<oneshot::Receiver<Result<T, Refusal>>, Refusal>;

/// Makes the two ends of an answer and hands one to the actor that is asked.
pub(crate) fn ask<T>(tell: impl FnOnce(Reply<T>) -> Result<(), Refusal>) -> Asked<T> {
    let (reply, outcome) = Reply::channel();
    tell(reply)?;
    Ok(outcome)
}
