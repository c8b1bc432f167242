//! How one actor answers another.

use tokio::sync::oneshot;

use crate::model::{Invalid, Refusal};
use crate::store::StoreError;

/// Where an actor puts its answer. Dropped unanswered, it reads as a temporary refusal.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// Answers; whoever asked may be gone, which is theirs to decide.
pub(crate) fn answer<T>(reply: Reply<T>, result: Result<T, Refusal>) {
    if reply.send(result).is_err() {
        tracing::trace!("the asker of an operation went away before its answer");
    }
}

/// Waits for an answer.
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
        }
    }
}
