//! A file that is still growing: written to the local disk and hashed as its bytes come.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::private_files::make_folder;

/// How many bytes may wait in the system for the disk: flushed in small steps, a large upload does not hold up what the
/// message store flushes meanwhile.
const UNSYNCED_BYTES_MAX: u64 = 1 << 20;

/// A temporary file. Deleted when dropped, unless it was moved away by then. Blocks.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    bytes: u64,
    unsynced: u64,
}

/// A length to go back to.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    hasher: Sha256,
    bytes: u64,
}

impl Spool {
    /// An empty one of this name.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        make_folder(folder)?;
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: options.open(&path)?, path, hasher: Sha256::new(), bytes: 0, unsynced: 0 })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds to its end.
    ///
    /// # Errors
    /// Those of the disk; what was written of the chunk is unknown.
    pub(crate) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk)?;
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        self.unsynced += chunk.len() as u64;
        if self.unsynced >= UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Its length now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { hasher: self.hasher.clone(), bytes: self.bytes }
    }

    /// Cuts off what came after the mark.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn back_to(&mut self, mark: Mark) -> io::Result<()> {
        self.file.set_len(mark.bytes)?;
        self.file.seek(SeekFrom::Start(mark.bytes))?;
        (self.hasher, self.bytes) = (mark.hasher, mark.bytes);
        Ok(())
    }

    /// SHA-256 of its bytes so far, hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        crate::model::hex(&self.hasher.clone().finalize())
    }

    /// Deletes what uploads before this start left.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn sweep(folder: &Path) -> io::Result<usize> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut swept = 0;
        for entry in entries {
            fs::remove_file(entry?.path())?;
            swept += 1;
        }
        Ok(swept)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "a temporary file could not be deleted; the next start does"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_goes_back_and_is_gone_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let incoming = folder.path().join("incoming");
        let mut spool = Spool::create(&incoming, "a").unwrap();
        spool.write(b"abc").unwrap();
        let mark = spool.mark();
        spool.write(b"defgh").unwrap();
        spool.back_to(mark).unwrap();
        spool.write(b"").unwrap();
        assert_eq!((spool.bytes(), fs::read(spool.path()).unwrap()), (3, b"abc".to_vec()));
        assert_eq!(spool.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        spool.write(b"!").unwrap();
        assert_eq!(fs::read(spool.path()).unwrap(), b"abc!");
        assert!(Spool::create(&incoming, "a").is_err(), "a name is taken once");
        let path = spool.path().to_owned();
        drop(spool);
        assert!(!path.exists());
        fs::write(incoming.join("left"), b"x").unwrap();
        assert_eq!(Spool::sweep(&incoming).unwrap(), 1);
        assert_eq!(Spool::sweep(&folder.path().join("none")).unwrap(), 0);
    }
}
