//! The file that makes a folder a backup.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BackupError, MANIFEST, failed};
use crate::model::hex;
use crate::private_files::{create_private, sync_names};
use crate::store::{CopiedFile, StoreCopy};

/// The version of the layout of a backup.
const VERSION: u32 = 1;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of the layout.
    pub version: u32,
    /// What wrote it.
    pub program: String,
    /// When it was begun, Unix milliseconds.
    pub time_ms: u64,
    /// Whether the bytes of files are in it; those in a bucket are not.
    pub has_media: bool,
    /// The store's part.
    pub store: StoreCopy,
    /// The list of the other files.
    pub list: CopiedFile,
    /// SHA-256 of this file with nothing here, in hexadecimal digits.
    pub sha256: String,
}

/// What any version can be asked.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Manifest {
    pub(super) fn new(time_ms: u64, has_media: bool, store: StoreCopy, list: CopiedFile) -> Self {
        let program = concat!("tidings ", env!("CARGO_PKG_VERSION")).to_owned();
        let mut manifest = Self { version: VERSION, program, time_ms, has_media, store, list, sha256: String::new() };
        manifest.sha256 = manifest.sum();
        manifest
    }

    fn text(&self) -> String {
        // Our own type: nothing in it can fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn sum(&self) -> String {
        let without = Self { sha256: String::new(), ..self.clone() };
        hex(&Sha256::digest(without.text().as_bytes()))
    }

    /// Whole or not at all, durable on return.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let draft = folder.join("manifest.new");
        let write = || -> io::Result<()> {
            let mut file = create_private(&draft)?;
            file.write_all(self.text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            sync_names(folder)?;
            fs::rename(&draft, folder.join(MANIFEST))?;
            sync_names(folder)
        };
        write().map_err(failed(&draft))
    }

    /// Of a backup's folder.
    ///
    /// # Errors
    /// [`BackupError::Missing`], [`BackupError::Unfinished`], [`BackupError::Damaged`], [`BackupError::Newer`].
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {
                return Err(BackupError::Unfinished(folder.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BackupError::Missing(folder.to_owned())),
            Err(error) => return Err(failed(&path)(error)),
        };
        let damaged = |reason: String| BackupError::Damaged { path: path.clone(), reason };
        let Versioned { version } = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if version > VERSION {
            return Err(BackupError::Newer { path: folder.to_owned(), what: "version", found: version, known: VERSION });
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if manifest.sum() != manifest.sha256 {
            return Err(damaged("it does not match its checksum".to_owned()));
        }
        Ok(manifest)
    }
}
