//! What the writer is asked to do.

use std::sync::mpsc::SyncSender;

use crate::model::Conversation;
use crate::store::error::StoreError;
use crate::store::format::rows::Revision;
use crate::store::postgres::state::State;
use crate::store::types::{Append, Appended, Done, RowWrite};

/// A piece of work for the writer, and who waits for it.
pub(in crate::store::postgres) enum Job {
    /// Shares a transaction with others.
    Write(Work, Waiting),
    Remove(Conversation, Done<()>),
    /// Delete the oldest week if it is too old at this time, Unix milliseconds.
    Sweep(u64, SyncSender<Result<bool, StoreError>>),
    NoteTime(u64, SyncSender<Result<(), StoreError>>),
    /// Write these shards no more, of which everything up to a stamp was delivered.
    Release(Vec<i16>, u64, SyncSender<Result<(), StoreError>>),
    /// Go on with the removals that were begun in these shards.
    Continue(Vec<i16>),
}

/// What is written.
pub(in crate::store::postgres) enum Work {
    Append(Box<NewMessage>),
    Rows(Vec<RowWrite>),
    Revise(Box<Revision>),
}

/// Who waits for it.
pub(in crate::store::postgres) enum Waiting {
    Append(Done<Appended>),
    Rows(Done<()>),
    Revise(Done<u64>),
}

/// An append with what the caller's thread could work out for the writer's.
pub(in crate::store::postgres) struct NewMessage {
    pub append: Append,
    /// Under this local id nothing was ever stored: no need to look.
    pub certainly_new: bool,
    /// What a retry is compared by; only used with a local id.
    pub digest: (u64, u64),
}

impl Work {
    /// Returns whether all shards that it writes are among those of which this is true.
    pub(super) fn is_within(&self, owns: impl Fn(&Conversation) -> bool) -> bool {
        match self {
            Self::Append(new) => owns(&new.append.conversation),
            Self::Revise(revision) => owns(&revision.conversation),
            Self::Rows(rows) => rows.iter().filter_map(home_of_row).all(|home| owns(&home)),
        }
    }

    /// Returns about how many bytes it adds to a batch.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Append(new) => new.append.draft.content.weight(),
            Self::Revise(revision) => 256 + revision.message.as_ref().map_or(0, |message| message.content.weight()),
            Self::Rows(rows) => 256 * rows.len(),
        }
    }
}

/// Returns a conversation of the shard that a row belongs to; none: it belongs to no conversation, but to users.
pub(super) fn home_of_row(row: &RowWrite) -> Option<Conversation> {
    match row {
        RowWrite::PutRoom(room) => Some(Conversation::Room(room.id.clone(), 0)),
        RowWrite::DeleteRoom(room) => Some(Conversation::Room(room.clone(), 0)),
        RowWrite::PutGroup(record) => Some(Conversation::Group(record.info.id.clone())),
        RowWrite::PutMember(group, _) | RowWrite::DeleteMember(group, _) | RowWrite::PutFormer(group, ..) => {
            Some(Conversation::Group(group.clone()))
        }
        RowWrite::PutUser(_)
        | RowWrite::PutFollowing(..)
        | RowWrite::PutEntry(..)
        | RowWrite::PutMedia(_)
        | RowWrite::DeleteMedia(_)
        | RowWrite::Delete(..) => None,
    }
}

impl Waiting {
    /// Tells that it was not done.
    pub(super) fn refuse(self, state: &State, error: StoreError) {
        match self {
            Self::Append(done) => state.progress.finish(done, Err(error)),
            Self::Rows(done) => state.progress.finish(done, Err(error)),
            Self::Revise(done) => state.progress.finish(done, Err(error)),
        }
    }
}

impl Job {
    /// Returns about how many bytes it adds to a batch.
    pub(super) fn weight(&self) -> usize {
        if let Self::Write(work, _) = self { work.weight() } else { 0 }
    }

    /// Tells who waits for it that it will not be done.
    pub(in crate::store::postgres) fn refuse(self, state: &State, error: StoreError) {
        match self {
            Self::Write(_, waiting) => waiting.refuse(state, error),
            Self::Remove(_, done) => state.progress.finish(done, Err(error)),
            Self::Sweep(_, reply) => tell(reply.send(Err(error)).is_ok()),
            Self::NoteTime(_, reply) | Self::Release(_, _, reply) => tell(reply.send(Err(error)).is_ok()),
            Self::Continue(_) => {}
        }
    }
}

/// Says where nobody waits any more.
pub(super) fn tell(heard: bool) {
    if !heard {
        tracing::debug!("nobody waits for the store's answer any more");
    }
}
