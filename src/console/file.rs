//! What is kept of the administrator: the hash of a password, or of a link that lets one set it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::random::{RandomError, random_text};
use crate::private_files::{make_folder, replace_private};

/// Name of the file in the data directory.
const FILE: &str = "console.json";

/// How long a link lets one set the password.
pub(super) const LINK_LASTS: Duration = Duration::from_secs(30 * 60);

/// Why the file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The file or its folder.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not what this program writes.
    #[error("{} is not the console's file: {reason}; remove it and start again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// A link, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptLink {
    /// SHA-256 of its token: 256 bits of randomness need no slow hash.
    pub(super) sha256: [u8; 32],
    /// Until when it works, Unix milliseconds.
    pub(super) expire_time: u64,
}

/// The file's content; a file that is not there is the same as an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// argon2id in PHC notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
    /// A link made on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<KeptLink>,
}

/// What identifies a version of the file without reading it.
pub(super) type Version = Option<(SystemTime, u64)>;

/// The console's file in a data directory, `console.json`, mode 0600.
#[derive(Debug, Clone)]
pub struct ConsoleFile {
    data_dir: PathBuf,
}

impl ConsoleFile {
    /// Of this data directory; nothing is read yet.
    pub fn of(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into() }
    }

    /// Forgets the password and makes a link that lets one set a new one, for half an hour, once. A running broker ends every
    /// session of its console within a second. Gives the link's token: the one moment in which anybody can see it.
    ///
    /// # Errors
    /// [`ConsoleError`]; nothing was changed.
    pub fn reset(&self, now_ms: u64) -> Result<String, ConsoleError> {
        let token = random_text()?;
        let lasts_ms = u64::try_from(LINK_LASTS.as_millis()).unwrap_or(u64::MAX);
        let link = KeptLink { sha256: hash(&token), expire_time: now_ms.saturating_add(lasts_ms) };
        self.write(&Content { password: None, link: Some(link) })?;
        Ok(token)
    }

    fn path(&self) -> PathBuf {
        self.data_dir.join(FILE)
    }

    pub(super) fn version(&self) -> Version {
        let about = fs::metadata(self.path()).ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    pub(super) fn read(&self) -> Result<Content, ConsoleError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(source) => return Err(ConsoleError::Io { action: "read", path, source }),
        };
        serde_json::from_slice(&text).map_err(|error| ConsoleError::Damaged { path, reason: error.to_string() })
    }

    /// Replaces the file; a reader sees the old or the new one, whole.
    pub(super) fn write(&self, content: &Content) -> Result<(), ConsoleError> {
        let write = || {
            make_folder(&self.data_dir)?;
            replace_private(&self.data_dir, FILE, &serde_json::to_vec(content).map_err(io::Error::other)?)
        };
        write().map_err(|source| ConsoleError::Io { action: "write", path: self.path(), source })
    }
}

pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
