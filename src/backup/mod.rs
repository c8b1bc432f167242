//! Backups: a folder with everything that makes up a broker's data, taken while it works, and a broker's data of it.
//!
//! ```text
//! <name>/manifest.json   what is in it, with checksums; written last: without it the backup is not finished
//! <name>/files           one line of JSON per file of media/ and kept/, with its checksum
//! <name>/store/          records, see `store::Store::backup`
//! <name>/media/          the bytes of files, where the broker keeps them on its own disk
//! <name>/kept/           what lies beside the store: `secret`, `api_keys.json` and what else the data directory holds
//! ```
//! Folders have mode 0700 and files 0600: whoever can read `kept/secret` can sign tokens.
//!
//! Files of media are copied before the store and once more after its mark, so that whatever the store's copy speaks of
//! was there at one of the two times. They never change under their name. What is in a bucket (`media.store = "s3"`), uploads
//! that are not complete, and folders of the data directory other than these are not in a backup.

mod files;
mod manifest;
mod restore;

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

pub use self::manifest::Manifest;
pub use self::restore::{Restored, check, restore};
use crate::private_files::{make_folder, sync_names};
use crate::store::{OpenError, Pace, Store, StoreError};

const MANIFEST: &str = "manifest.json";
const FILES: &str = "files";
const STORE: &str = "store";
const MEDIA: &str = "media";
const KEPT: &str = "kept";
/// Longest name of a backup.
const NAME_BYTES_MAX: usize = 64;

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

fn failed(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |error| BackupError::Io { path: path.to_owned(), reason: error.to_string() }
}

/// What is to be copied, and where to.
#[derive(Debug, Clone)]
pub struct Order {
    /// The backup's folder; must not exist.
    pub folder: PathBuf,
    /// The data directory.
    pub data_dir: PathBuf,
    /// Where the bytes of files are; none: not on this disk.
    pub media_dir: Option<PathBuf>,
    /// Now, Unix milliseconds.
    pub now_ms: u64,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// Its name: that of its folder.
    pub name: String,
    /// All files together.
    pub bytes: u64,
    /// Messages, as counted on the way; what was removed meanwhile may be counted or not.
    pub messages: u64,
    /// Every message acknowledged with this commit or before it is in the backup.
    pub commit: u64,
    /// Files of media.
    pub media_files: u64,
    /// What was copied of the data directory beside the store.
    pub kept: Vec<String>,
}

/// Whether this can be the name of a backup.
///
/// # Errors
/// [`BackupError::Name`].
pub fn check_name(name: &str) -> Result<(), BackupError> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let fine = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_fine) && !name.starts_with('.');
    if fine { Ok(()) } else { Err(BackupError::Name(name.chars().take(100).collect())) }
}

/// The name of a backup that was given none: the time in UTC, `20260104-000000`.
#[must_use]
pub fn name_at(now_ms: u64) -> String {
    let (days, seconds) = (now_ms / 86_400_000, now_ms / 1000 % 86_400);
    // Days since 0000-03-01, in eras of 400 years. Source: H. Hinnant, chrono-compatible low-level date algorithms.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Copies a store that is open, and what belongs to it, into a folder.
///
/// Blocks, perhaps for minutes, and keeps to its pace. A failed one leaves nothing; one that is killed leaves a folder without a manifest.
///
/// # Errors
/// [`BackupError`].
pub fn take(store: &dyn Store, order: &Order, mut pace: Pace<'_>) -> Result<BackupReport, BackupError> {
    let folder = &order.folder;
    if let Some(parent) = folder.parent() {
        make_folder(parent).map_err(failed(parent))?;
    }
    if folder.exists() {
        return Err(BackupError::Exists(folder.clone()));
    }
    make_folder(folder).map_err(failed(folder))?;
    let taken = fill(store, order, &mut pace);
    if taken.is_err()
        && let Err(error) = fs::remove_dir_all(folder)
    {
        tracing::warn!(%error, folder = %folder.display(), "an unfinished backup could not be removed");
    }
    taken
}

fn fill(store: &dyn Store, order: &Order, pace: &mut Pace<'_>) -> Result<BackupReport, BackupError> {
    let folder = &order.folder;
    let store_folder = folder.join(STORE);
    make_folder(&store_folder).map_err(failed(&store_folder))?;
    let mut copier = files::Copier::begin(folder)?;
    if let Some(media) = &order.media_dir {
        copier.copy_media_folders(media, MEDIA, pace)?;
    }
    let watch = &mut *pace.watch;
    let copy = store.backup(&store_folder, Pace { bytes_per_second: pace.bytes_per_second, watch })?;
    if let Some(media) = &order.media_dir {
        copier.copy_media_folders(media, MEDIA, pace)?;
    }
    let media_files = copier.copied();
    let kept = copier.copy_kept(&order.data_dir, KEPT, pace)?;
    let (list, files_bytes) = copier.finish()?;
    sync_names(&store_folder).map_err(failed(&store_folder))?;
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bytes = copy.files.iter().map(|file| file.bytes).sum::<u64>() + files_bytes;
    let (messages, commit) = (copy.messages, copy.commit);
    let manifest = Manifest::new(order.now_ms, order.media_dir.is_some(), copy, list);
    manifest.write(folder)?;
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_names(parent).map_err(failed(parent))?;
    }
    Ok(BackupReport { name, bytes, messages, commit, media_files, kept })
}

/// Lets nobody end it, and tells nobody.
pub fn unwatched(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_step_of_a_path() {
        for fine in ["a", "2026-11-23_daily.1", &"x".repeat(64)] {
            assert_eq!(check_name(fine), Ok(()), "{fine}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(matches!(check_name(bad), Err(BackupError::Name(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_name_tells_the_time() {
        for (seconds, name) in [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_782_400, "20000229-000000"),
            (1_767_484_800, "20260104-000000"),
            (1_798_761_599, "20261231-235959"),
        ] {
            assert_eq!(name_at(seconds * 1000), name);
            assert_eq!(check_name(name), Ok(()));
        }
    }
}
