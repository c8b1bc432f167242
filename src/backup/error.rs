//! Why there is no backup, or none that can be used.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::store::{OpenError, StoreError};

/// Why there is no backup, or none that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A name is a part of a path, and chosen by others.
    #[error("name is {0:?}, expected 1 to 64 of letters, digits, _, - and ., not beginning with .")]
    Name(String),
    /// There is something of that name.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// There is nothing of that name.
    #[error("there is no backup {}", .0.display())]
    Missing(PathBuf),
    /// It has no manifest: it was cut short, or is being written.
    #[error("backup {} is not finished: it has no manifest.json", .0.display())]
    Unfinished(PathBuf),
    /// What is there is not what was written.
    #[error("backup is damaged: {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a later version.
    #[error("backup {} has {what} {found}, this version reads up to {known}", path.display())]
    Newer {
        /// The backup.
        path: PathBuf,
        /// `version` or `store format`.
        what: &'static str,
        /// The one found.
        found: u32,
        /// The newest this version reads.
        known: u32,
    },
    /// A restore writes only where nothing is.
    #[error("{} is not empty; a backup is restored into an empty data directory", .0.display())]
    NotEmpty(PathBuf),
    /// The file system refuses.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The store cannot be copied.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Says which file or folder it was that an error was met at.
pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |error| BackupError::Io { path: path.to_owned(), reason: error.to_string() }
}
