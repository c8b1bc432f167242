//! Why a store refuses, and why it cannot be opened.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::speaks::Speaks;

/// Why a store refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk refused a write, is full, or the store is closed. Reads may still work; a retry helps after repair.
    #[error("{0}")]
    Unavailable(String),
    /// The disk is full. Reads still work, and writes will as soon as there is room: the store notices by itself.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The disk did not keep what was written to it. Reads still work; writes will after a new start, which writes everything
    /// again first.
    #[error("the disk failed to keep what was written, a new start is needed: {0}")]
    Unsynced(String),
    /// The local id was used for other content. Do not retry.
    #[error("local id was used before for other content")]
    OtherContent,
    /// The message that was to be changed is not kept any more. Do not retry.
    #[error("the message is not kept any more")]
    Gone,
    /// A later owner wrote to this conversation. Do not retry.
    #[error("conversation has a later owner")]
    Fenced,
    /// What was read is not what was written. Do not retry.
    #[error("store is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Returns what every call to a closed store is answered with.
    pub(crate) fn closed() -> Self {
        Self::Unavailable("store is closed".into())
    }

    /// Returns what is wrong with a disk that refused to write. Only a full one is trusted to have kept what it took before.
    pub(crate) fn of_write(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::Full(error.to_string()) } else { Self::Unsynced(error.to_string()) }
    }

    /// Returns that the file system refused, where no write can have been lost by that.
    pub(crate) fn refused(error: io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }

    /// Returns whether no write can follow this one.
    pub(crate) fn stops_writes(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_) | Self::Unsynced(_))
    }
}

/// Why a store cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds it.
    #[error("store {path} is in use by another process")]
    InUse {
        /// The store's directory.
        path: String,
    },
    /// Acknowledged data is missing or altered.
    #[error("store {path} is damaged: {reason}")]
    Damaged {
        /// The store's directory.
        path: String,
        /// What was found.
        reason: String,
    },
    /// It was written by a later version.
    #[error("store {path} has format {found}, this version reads up to {known}")]
    NewerFormat {
        /// The store's directory.
        path: String,
        /// The format found.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// Another process shares it that speaks nothing which this one speaks.
    #[error(
        "store {path} is shared by {node} of version {version}, which speaks versions {} to {} of what nodes say to each other, and \
         this program {} to {}: bring all nodes to a version between first",
        speaks.from, speaks.to, own.from, own.to
    )]
    Foreign {
        /// The store's place.
        path: String,
        /// What the other is called.
        node: String,
        /// The other program's version.
        version: String,
        /// What the other speaks.
        speaks: Speaks,
        /// What this one speaks.
        own: Speaks,
    },
    /// The disk is full: opening would damage the store, so nothing was opened.
    #[error("store {path}: {free} bytes are free, opening it may need {needed}; make room and start again")]
    NoRoom {
        /// The store's directory.
        path: String,
        /// Bytes free.
        free: u64,
        /// Bytes that opening may need.
        needed: u64,
    },
    /// A store is to be made where something is already.
    #[error("store {path} is not empty; one is made only where nothing is")]
    NotEmpty {
        /// The store's directory.
        path: String,
    },
    /// The file system refuses.
    #[error("store {path}: {reason}")]
    Io {
        /// The store's directory.
        path: String,
        /// The system's words.
        reason: String,
    },
}

impl OpenError {
    /// Returns the same of a store in another place: what was met in a copy is said of the original.
    pub(crate) fn at(mut self, place: &Path) -> Self {
        match &mut self {
            Self::InUse { path }
            | Self::Damaged { path, .. }
            | Self::NewerFormat { path, .. }
            | Self::Foreign { path, .. }
            | Self::NoRoom { path, .. }
            | Self::NotEmpty { path }
            | Self::Io { path, .. } => *path = place.display().to_string(),
        }
        self
    }
}
