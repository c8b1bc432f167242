//! What is kept of the administrator: the hash of a password, or of a link that lets one set it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::random::{RandomError, random_text};
use crate::documents::{DocumentVersion, Documents, FolderDocuments};

/// How long a link lets one set the password.
pub(super) const LINK_LASTS: Duration = Duration::from_secs(30 * 60);

/// Why the document cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The document, or where it is kept.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The document is not what this program writes.
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

/// The document's content; one that is not there is the same as an empty one.
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

/// The console's document, `console.json`: in a data directory a file of mode 0600.
#[derive(Debug, Clone)]
pub struct ConsoleFile {
    documents: Arc<dyn Documents>,
}

const DOCUMENT: &str = ConsoleFile::DOCUMENT;

impl ConsoleFile {
    /// The name of the document.
    pub const DOCUMENT: &str = "console.json";

    /// Of this data directory; nothing is read yet.
    pub fn of(data_dir: impl Into<PathBuf>) -> Self {
        Self::among(Arc::new(FolderDocuments::of(data_dir)))
    }

    /// Among these documents; nothing is read yet.
    pub fn among(documents: Arc<dyn Documents>) -> Self {
        Self { documents }
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

    pub(super) fn version(&self) -> Option<DocumentVersion> {
        self.documents.version(DOCUMENT)
    }

    pub(super) fn read(&self) -> Result<Content, ConsoleError> {
        let damaged = |error: serde_json::Error| ConsoleError::Damaged { path: self.documents.place(DOCUMENT), reason: error.to_string() };
        self.text()?.map_or_else(|| Ok(Content::default()), |text| serde_json::from_slice(&text).map_err(damaged))
    }

    fn text(&self) -> Result<Option<Vec<u8>>, ConsoleError> {
        self.documents.read(DOCUMENT).map_err(|source| self.failed("read", source))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> ConsoleError {
        ConsoleError::Io { action, path: self.documents.place(DOCUMENT), source }
    }

    /// Replaces the document, whatever it says.
    pub(super) fn write(&self, content: &Content) -> Result<(), ConsoleError> {
        let after = serde_json::to_vec(content).map_err(|error| self.failed("write", io::Error::other(error)))?;
        loop {
            let before = self.text()?;
            if self.documents.replace(DOCUMENT, before.as_deref(), &after).map_err(|source| self.failed("write", source))? {
                return Ok(());
            }
        }
    }
}

pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
