//! What the writer is asked to do.

use std::sync::mpsc::SyncSender;

use super::shared::Shared;
use super::write_observer::ObserverRequest;
use crate::model::{Body, Conversation};
use crate::store::error::StoreError;
use crate::store::format::rows::Revision;
use crate::store::types::{Append, Appended, Done, RowWrite};

/// About what a row or a change weighs besides a message's body, bytes.
const ROW_BYTES: usize = 256;

/// A piece of work for the writer, and who waits for it.
pub(crate) enum Job {
    Append(Box<AppendJob>),
    Rows(Vec<RowWrite>, Done<()>),
    Revise(Box<Revision>, Done<u64>),
    Remove(Conversation, Done<()>),
    /// Delete the oldest period if it is too old at this time, Unix milliseconds.
    Sweep(u64, SyncSender<Result<bool, StoreError>>),
    Observe(ObserverRequest),
}

/// An append with what the caller's thread could work out for the writer's.
pub(crate) struct AppendJob {
    pub append: Append,
    /// Under this local id nothing was ever stored: no need to look.
    pub certainly_new: bool,
    /// See [`digest_of`](crate::store::format::record::digest_of); only used with a local id.
    pub digest: (u64, u64),
    pub done: Done<Appended>,
}

impl Job {
    /// Returns whether it writes to the current period, or needs its counters.
    pub(crate) fn needs_period(&self) -> bool {
        let is_periodic = |row: &RowWrite| {
            matches!(row, RowWrite::PutEntry(..) | RowWrite::Delete(..) | RowWrite::PutFormer(..) | RowWrite::PutFollowing(..))
        };
        match self {
            Self::Append(_) | Self::Revise(..) => true,
            Self::Rows(rows, _) => rows.iter().any(is_periodic),
            Self::Remove(..) | Self::Sweep(..) | Self::Observe(_) => false,
        }
    }

    /// Returns about how many bytes it adds to a batch.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Append(job) => {
                let content = &job.append.draft.content;
                // A list that is only referred to may have to be copied into a new period.
                let held = match &content.body {
                    Body::Combine(combine) => combine.held.as_ref().map_or(0, |held| held.bytes),
                    _ => 0,
                };
                content.body.weight() + held + content.extended_data.len()
            }
            Self::Rows(rows, _) => rows.len() * ROW_BYTES,
            Self::Revise(revision, _) => ROW_BYTES + revision.message.as_ref().map_or(0, |message| message.content.body.weight()),
            Self::Remove(..) | Self::Sweep(..) | Self::Observe(_) => 0,
        }
    }

    /// Tells who waits for it that it will not be done.
    pub(crate) fn refuse(self, shared: &Shared, error: StoreError) {
        let told = match self {
            Self::Append(job) => return shared.progress.finish(job.done, Err(error)),
            Self::Rows(_, done) | Self::Remove(_, done) => return shared.progress.finish(done, Err(error)),
            Self::Revise(_, done) => return shared.progress.finish(done, Err(error)),
            Self::Sweep(_, reply) => reply.send(Err(error)).is_ok(),
            Self::Observe(ObserverRequest::Begin(_, reply)) => reply.send(Err(error)).is_ok(),
            Self::Observe(ObserverRequest::End(reply)) => reply.send(Err(error)).is_ok(),
        };
        if !told {
            tracing::debug!("nobody waits for the store's answer any more");
        }
    }
}
