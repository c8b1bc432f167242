//! A backup of a store that is open.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Serialize;

use super::error::{BackupError, failed};
use super::files::Copier;
use super::layout::{KEPT, MEDIA, STORE};
use super::manifest::Manifest;
use crate::private_files::{make_folder, sync_names};
use crate::store::{Pace, Store};

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

/// Copies a store that is open, and what belongs to it, into a folder.
///
/// Blocks, perhaps for minutes, and keeps to its pace. A failed one leaves nothing; one that is killed leaves a folder without
/// a manifest.
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
    let mut copier = Copier::begin(folder)?;
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

/// Watches a backup without ending it: see [`Pace::watch`].
pub fn unwatched(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
