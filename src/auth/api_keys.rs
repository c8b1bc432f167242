//! Keys of the server API: made on the command line, kept as hashes, checked on each call.
//!
//! The document that holds them is shared by the command line, which writes it, and running brokers, which read it anew when it
//! changed: a key works, and stops working, within a second and without a restart. Its name, its scopes and the time of its making
//! are kept; the key itself is shown once and kept by nobody here.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::Scope;
use crate::documents::{DocumentVersion, Documents, FolderDocuments};
use crate::model::hex;

/// How every key begins, so that scanners of repositories recognise one.
const PREFIX: &str = "tdk_";
const SECRET_BYTES: usize = 32;
const NAME_BYTES_MAX: usize = 64;

/// For how long a key that is renewed goes on to work, seconds, where nobody says otherwise.
pub const ROTATION_GRACE_SECONDS: u64 = 3_600;
/// How long a broker may go on with what it read before.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What its owner calls it; one name may have two keys while it is rotated.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made, Unix milliseconds.
    pub created_ms: u64,
    /// Until when it works, Unix milliseconds; 0: until it is revoked.
    #[serde(default)]
    pub expires_ms: u64,
    /// SHA-256 of the key, hexadecimal. 256 bits of randomness need no slow hash.
    sha256: String,
}

impl ApiKey {
    /// Returns whether it may be used for this.
    #[must_use]
    pub fn may(&self, wanted: Scope) -> bool {
        self.scopes.iter().any(|scope| *scope == Scope::All || *scope == wanted)
    }

    fn works(&self, now_ms: u64) -> bool {
        self.expires_ms == 0 || now_ms < self.expires_ms
    }
}

/// Why keys cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiKeyError {
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
    #[error("{} is not a file of keys: {reason}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(String),
    /// The name is empty, too long, or has other characters than letters, digits, `_`, `-` and `.`.
    #[error("a key's name is 1 to {NAME_BYTES_MAX} of letters, digits, _, - and .: {0:?}")]
    Name(String),
    /// There is one of that name already.
    #[error("there is a key named {0:?} already; rotate or revoke it")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no key named {0:?}")]
    Missing(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    keys: Vec<ApiKey>,
}

/// The keys of one broker, or of those that share a store, as the command line changes them.
#[derive(Debug, Clone)]
pub struct ApiKeyFile {
    documents: Arc<dyn Documents>,
}

const DOCUMENT: &str = ApiKeyFile::DOCUMENT;

impl ApiKeyFile {
    /// The name of the document that holds them.
    pub const DOCUMENT: &str = "api_keys.json";

    /// Returns the keys kept in this data directory; nothing is read yet.
    pub fn of(data_dir: impl Into<PathBuf>) -> Self {
        Self::among(Arc::new(FolderDocuments::of(data_dir)))
    }

    /// Returns the keys kept among these documents; nothing is read yet.
    pub fn among(documents: Arc<dyn Documents>) -> Self {
        Self { documents }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> ApiKeyError {
        ApiKeyError::Io { action, path: self.documents.place(DOCUMENT), source }
    }

    /// Returns every key.
    ///
    /// # Errors
    /// [`ApiKeyError::Io`], [`ApiKeyError::Damaged`]. No document: no keys.
    pub fn list(&self) -> Result<Vec<ApiKey>, ApiKeyError> {
        Ok(self.read()?.1)
    }

    /// Reads the document, and what it says.
    fn read(&self) -> Result<(Option<Vec<u8>>, Vec<ApiKey>), ApiKeyError> {
        let text = self.documents.read(DOCUMENT).map_err(|source| self.failed("read", source))?;
        let keys = match text.as_deref().map(serde_json::from_slice::<Content>) {
            None => Vec::new(),
            Some(Ok(content)) => content.keys,
            Some(Err(error)) => {
                return Err(ApiKeyError::Damaged { path: self.documents.place(DOCUMENT), reason: error.to_string() });
            }
        };
        Ok((text, keys))
    }

    /// Makes a key and gives it: the one moment in which anybody can see it.
    ///
    /// # Errors
    /// [`ApiKeyError`]; nothing was changed.
    pub fn make(&self, name: &str, scopes: Vec<Scope>, now_ms: u64, expires_ms: u64) -> Result<String, ApiKeyError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
            return Err(ApiKeyError::Name(name.to_owned()));
        }
        self.change(|keys| {
            if keys.iter().any(|key| key.name == name && key.works(now_ms)) {
                return Err(ApiKeyError::Exists(name.to_owned()));
            }
            keys.retain(|key| key.name != name);
            let key = random_key()?;
            keys.push(ApiKey { name: name.to_owned(), scopes: scopes.clone(), created_ms: now_ms, expires_ms, sha256: hex(&hash(&key)) });
            Ok(key)
        })
    }

    /// Makes a new key of the same name and scopes; the one before goes on to work for `grace` yet.
    ///
    /// # Errors
    /// [`ApiKeyError`]; nothing was changed.
    pub fn rotate(&self, name: &str, now_ms: u64, grace: Duration) -> Result<String, ApiKeyError> {
        let rotated = self.rotate_if(name, now_ms, grace, |_| true)?;
        Ok(rotated.map(|(key, _)| key).unwrap_or_default())
    }

    /// Does the same if the key before is one that may be renewed, and returns the new key and until when it works, Unix milliseconds
    /// (0: until it is revoked); none: it was not, and nothing was changed.
    ///
    /// # Errors
    /// [`ApiKeyError`]; nothing was changed.
    pub fn rotate_if(
        &self,
        name: &str,
        now_ms: u64,
        grace: Duration,
        may_renew: impl Fn(&ApiKey) -> bool,
    ) -> Result<Option<(String, u64)>, ApiKeyError> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.change(|keys| {
            keys.retain(|key| key.name != name || key.works(now_ms));
            let newest = keys.iter().filter(|key| key.name == name).max_by_key(|key| key.created_ms);
            let before = newest.cloned().ok_or_else(|| ApiKeyError::Missing(name.to_owned()))?;
            if !may_renew(&before) {
                return Ok(None);
            }
            let ends_ms = now_ms.saturating_add(grace_ms).max(1);
            for key in keys.iter_mut().filter(|key| key.name == name) {
                key.expires_ms = if key.expires_ms == 0 { ends_ms } else { key.expires_ms.min(ends_ms) };
            }
            keys.retain(|key| key.name != name || key.works(now_ms));
            let key = random_key()?;
            let expires_ms = before.expires_ms;
            keys.push(ApiKey { created_ms: now_ms, sha256: hex(&hash(&key)), ..before });
            Ok(Some((key, expires_ms)))
        })
    }

    /// Ends every key of that name and returns how many there were.
    ///
    /// # Errors
    /// [`ApiKeyError`]; nothing was changed.
    pub fn revoke(&self, name: &str) -> Result<usize, ApiKeyError> {
        self.revoke_if(name, |_| true).map(Option::unwrap_or_default)
    }

    /// Ends every key of that name if all of them are such as may be ended, and returns how many there were; none: one was not, and
    /// nothing was changed.
    ///
    /// # Errors
    /// [`ApiKeyError`]; nothing was changed.
    pub fn revoke_if(&self, name: &str, may_end: impl Fn(&ApiKey) -> bool) -> Result<Option<usize>, ApiKeyError> {
        self.change(|keys| {
            let mut named = keys.iter().filter(|key| key.name == name).peekable();
            if named.peek().is_none() {
                return Err(ApiKeyError::Missing(name.to_owned()));
            }
            if !named.all(&may_end) {
                return Ok(None);
            }
            let before = keys.len();
            keys.retain(|key| key.name != name);
            Ok(Some(before - keys.len()))
        })
    }

    /// Reads, changes and writes the document; again, where somebody else was faster.
    fn change<T>(&self, change: impl Fn(&mut Vec<ApiKey>) -> Result<T, ApiKeyError>) -> Result<T, ApiKeyError> {
        loop {
            let (before, mut keys) = self.read()?;
            let made = change(&mut keys)?;
            let after = serde_json::to_vec_pretty(&Content { keys }).map_err(|error| self.failed("write", io::Error::other(error)))?;
            if self.documents.replace(DOCUMENT, before.as_deref(), &after).map_err(|source| self.failed("write", source))? {
                return Ok(made);
            }
        }
    }
}

fn random_key() -> Result<String, ApiKeyError> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| ApiKeyError::Random(error.to_string()))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[derive(Debug, Default)]
struct Read {
    at: Option<Duration>,
    version: Option<DocumentVersion>,
    by_hash: HashMap<String, ApiKey>,
}

/// The keys as a running broker checks them.
#[derive(Debug)]
pub struct ApiKeyRing {
    file: ApiKeyFile,
    read: Mutex<Read>,
}

impl ApiKeyRing {
    /// Returns the keys of this data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self::of(ApiKeyFile::of(data_dir))
    }

    /// Returns these keys.
    pub fn of(file: ApiKeyFile) -> Self {
        Self { file, read: Mutex::default() }
    }

    /// Returns the document that they are read from.
    pub(crate) fn file(&self) -> &ApiKeyFile {
        &self.file
    }

    /// Reads the document anew before the next check: it was changed here.
    pub(crate) fn forget(&self) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).at = None;
    }

    /// Returns the key that was presented, if it is one of ours and works.
    /// `now` is a monotonic clock's, `now_ms` Unix milliseconds.
    #[must_use]
    pub fn check(&self, presented: &str, now: Duration, now_ms: u64) -> Option<ApiKey> {
        if !presented.starts_with(PREFIX) || presented.len() > 2 * SECRET_BYTES {
            return None;
        }
        let wanted = hex(&hash(presented));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = read.at.is_none_or(|at| now.saturating_sub(at) >= LOOK_EVERY);
        if is_old || !read.by_hash.contains_key(&wanted) {
            self.look_again(&mut read, now);
        }
        let key = read.by_hash.get(&wanted)?;
        (bool::from(key.sha256.as_bytes().ct_eq(wanted.as_bytes())) && key.works(now_ms)).then(|| key.clone())
    }

    /// Returns whether there is any key: without one the server API is off.
    #[must_use]
    pub fn is_empty(&self, now: Duration) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        self.look_again(&mut read, now);
        read.by_hash.is_empty()
    }

    fn look_again(&self, read: &mut Read, now: Duration) {
        let version = self.file.documents.version(DOCUMENT);
        let first = read.at.is_none();
        read.at = Some(now);
        if !first && read.version == version {
            return;
        }
        match self.file.list() {
            Ok(keys) => {
                read.by_hash = keys.into_iter().map(|key| (key.sha256.clone(), key)).collect();
                read.version = version;
            }
            // Those that were read before go on to work: a document half repaired must not lock everyone out.
            Err(error) => tracing::warn!(%error, "API keys could not be read again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn keys() -> (tempfile::TempDir, ApiKeyFile, ApiKeyRing) {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        (dir, ApiKeyFile::of(&data), ApiKeyRing::new(&data))
    }

    #[test]
    fn a_key_works_from_its_making_to_its_end_and_is_kept_as_a_hash() {
        let (_dir, file, ring) = keys();
        let at = Duration::from_secs;
        assert!(ring.is_empty(at(0)));
        let key = file.make("backend", vec![Scope::All], 1_000, 5_000).unwrap();
        assert!(!std::fs::read_to_string(file.documents.place(DOCUMENT)).unwrap().contains(&key[PREFIX.len()..]));
        assert_eq!(ring.check(&key, at(0), 4_999).unwrap().name, "backend");
        assert_eq!(ring.check(&key, at(0), 5_000), None);
        assert_eq!(ring.check("tdk_nonsense", at(0), 1_000), None);
        assert_eq!(ring.check("nonsense", at(0), 1_000), None);
    }

    #[test]
    fn a_revoked_key_stops_within_a_second_and_a_new_one_works_at_once() {
        let (_dir, file, ring) = keys();
        let at = Duration::from_secs;
        let one = file.make("one", vec![Scope::UsersRead], 0, 0).unwrap();
        assert!(ring.check(&one, at(10), 0).is_some());
        let two = file.make("two", vec![Scope::UsersRead], 0, 0).unwrap();
        assert!(ring.check(&two, at(10), 0).is_some());
        assert_eq!(file.revoke("one").unwrap(), 1);
        assert!(ring.check(&one, at(11), 0).is_none());
        assert!(matches!(file.revoke("one"), Err(ApiKeyError::Missing(_))));
    }

    #[test]
    fn rotating_leaves_the_old_key_its_grace_and_keeps_the_scopes() {
        let (_dir, file, ring) = keys();
        let old = file.make("backend", vec![Scope::RoomsRead], 0, 0).unwrap();
        let new = file.rotate("backend", 1_000, HOUR).unwrap();
        let end = 1_000 + 3_600_000;
        assert!(ring.check(&old, HOUR, end - 1).is_some() && ring.check(&old, HOUR, end).is_none());
        let key = ring.check(&new, HOUR, end).unwrap();
        assert!(key.may(Scope::RoomsRead) && !key.may(Scope::RoomsWrite) && !key.may(Scope::All));
        let newest = file.rotate("backend", 2_000, Duration::ZERO).unwrap();
        assert_eq!(file.list().unwrap().len(), 1, "those that ended are gone");
        assert!(ring.check(&newest, 2 * HOUR, 2_000).is_some());
    }

    #[test]
    fn names_are_plain_and_taken_once() {
        let (_dir, file, _) = keys();
        for name in ["", "a b", "ä", &"n".repeat(65)] {
            assert!(matches!(file.make(name, vec![Scope::All], 0, 0), Err(ApiKeyError::Name(_))), "{name}");
        }
        file.make(&"n".repeat(64), vec![Scope::All], 0, 10).unwrap();
        assert!(matches!(file.make(&"n".repeat(64), vec![Scope::All], 9, 0), Err(ApiKeyError::Exists(_))));
        file.make(&"n".repeat(64), vec![Scope::All], 10, 0).unwrap();
    }

    #[test]
    fn every_scope_reads_as_it_is_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_string(&scope).unwrap(), format!("\"{scope}\""));
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, file, _) = keys();
        file.make("backend", vec![Scope::All], 0, 0).unwrap();
        assert_eq!(std::fs::metadata(file.documents.place(DOCUMENT)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
