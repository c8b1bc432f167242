//! Small documents that operators change while brokers run: the keys of the server API, who may use the console.
//!
//! Each is replaced as a whole, and only by who has seen the present one. They lie in the data directory, or beside a store that
//! brokers share, so that the one that takes over has them.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::private_files::{make_folder, replace_private};

/// Says that a document is another one than before; not which came first.
pub type DocumentVersion = (u64, u64);

/// A place where documents are kept.
pub trait Documents: fmt::Debug + Send + Sync {
    /// Returns a document; none: it was never written.
    ///
    /// # Errors
    /// The place's.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Returns the version of a document without reading it; none: it was never written, or the place does not answer.
    fn version(&self, name: &str) -> Option<DocumentVersion>;

    /// Puts a document in the place of `before`; false: another one is there, and nothing was changed. Whoever reads, also after a
    /// crash, finds the old one or the new one, whole.
    ///
    /// # Errors
    /// The place's.
    fn replace(&self, name: &str, before: Option<&[u8]>, after: &[u8]) -> io::Result<bool>;

    /// Names a document in errors.
    fn place(&self, name: &str) -> PathBuf;
}

/// Documents as files of a data directory, which only their owner may read.
#[derive(Debug, Clone)]
pub struct FolderDocuments {
    folder: PathBuf,
}

impl FolderDocuments {
    /// Returns the documents of this data directory; nothing is read or made yet.
    #[must_use]
    pub fn of(data_dir: impl Into<PathBuf>) -> Self {
        Self { folder: data_dir.into() }
    }

    /// Lets one process at a time replace a document.
    fn lock(&self, name: &str) -> io::Result<fs::File> {
        make_folder(&self.folder)?;
        let path = self.folder.join(Path::new(name).with_extension("lock"));
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    }
}

impl Documents for FolderDocuments {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.folder.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn version(&self, name: &str) -> Option<DocumentVersion> {
        let about = fs::metadata(self.folder.join(name)).ok()?;
        let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((u64::try_from(changed.as_nanos()).unwrap_or(u64::MAX), about.len()))
    }

    fn replace(&self, name: &str, before: Option<&[u8]>, after: &[u8]) -> io::Result<bool> {
        let _one_at_a_time = self.lock(name)?;
        if self.read(name)?.as_deref() != before {
            return Ok(false);
        }
        replace_private(&self.folder, name, after)?;
        Ok(true)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_replaced_by_who_has_seen_the_present_one() {
        let dir = tempfile::tempdir().unwrap();
        let documents = FolderDocuments::of(dir.path().join("data"));
        assert_eq!((documents.read("d.json").unwrap(), documents.version("d.json")), (None, None));
        assert!(!documents.replace("d.json", Some(b"?"), b"one").unwrap());
        assert!(documents.replace("d.json", None, b"one").unwrap());
        let version = documents.version("d.json").unwrap();
        assert!(!documents.replace("d.json", None, b"two!").unwrap());
        assert_eq!(documents.read("d.json").unwrap().unwrap(), b"one");
        assert!(documents.replace("d.json", Some(b"one"), b"two!").unwrap());
        assert_ne!(documents.version("d.json").unwrap(), version);
        assert_eq!(documents.place("d.json"), dir.path().join("data/d.json"));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_a_document() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let documents = FolderDocuments::of(dir.path());
        documents.replace("d.json", None, b"one").unwrap();
        assert_eq!(fs::metadata(dir.path().join("d.json")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
