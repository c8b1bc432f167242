//! A file that is still growing: written to the local disk and hashed as its bytes come.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::blob::CHUNK_BYTES;
use crate::model::hex;
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
    /// Where the part that is being checked began.
    part: Option<Savepoint>,
}

/// A length to go back to.
#[derive(Debug, Clone)]
struct Savepoint {
    hasher: Sha256,
    bytes: u64,
}

impl Spool {
    /// Makes an empty one of this name.
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
        Ok(Self { file: options.open(&path)?, path, hasher: Sha256::new(), bytes: 0, unsynced: 0, part: None })
    }

    /// Returns where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how long it is, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how long it is without a part that is still being checked, bytes.
    pub(crate) fn bytes_that_count(&self) -> u64 {
        self.part.as_ref().map_or(self.bytes, |part| part.bytes)
    }

    /// Adds to its end.
    ///
    /// # Errors
    /// Those of the disk: nothing of the chunk is there then.
    pub(crate) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(chunk) {
            self.cut_to(self.bytes)?;
            return Err(error);
        }
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        self.unsynced += chunk.len() as u64;
        if self.unsynced >= UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Begins a part that counts only once it is kept.
    pub(crate) fn begin_part(&mut self) {
        self.part = Some(Savepoint { hasher: self.hasher.clone(), bytes: self.bytes });
    }

    /// Makes the part count.
    pub(crate) fn keep_part(&mut self) {
        self.part = None;
    }

    /// Cuts off the part that was begun and not kept, if there is one.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn discard_part(&mut self) -> io::Result<()> {
        let Some(Savepoint { hasher, bytes }) = self.part.clone() else { return Ok(()) };
        self.cut_to(bytes)?;
        (self.hasher, self.bytes, self.part) = (hasher, bytes, None);
        Ok(())
    }

    fn cut_to(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.file.seek(SeekFrom::Start(bytes)).map(drop)
    }

    /// Returns the SHA-256 of its bytes so far, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    /// Makes an empty one beside it, named after it.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn beside(&self, what: &str) -> io::Result<Self> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        Self::create(self.path.parent().unwrap_or(Path::new(".")), &format!("{name}.{what}"))
    }

    /// Writes over what stands there. Its hash is wrong then, until [`Spool::hash_anew`].
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn overwrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)
    }

    /// Writes zeros over what stands there.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn blank(&mut self, range: Range<u64>) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(range.start))?;
        let zeros = io::repeat(0).take(range.end.min(self.bytes).saturating_sub(range.start));
        io::copy(&mut io::BufReader::with_capacity(CHUNK_BYTES, zeros), &mut self.file).map(drop)
    }

    /// Hashes what is there now.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn hash_anew(&mut self) -> io::Result<()> {
        let (mut file, mut hasher, mut chunk) = (File::open(&self.path)?, Sha256::new(), vec![0; CHUNK_BYTES]);
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                length => hasher.update(&chunk[..length]),
            }
        }
        self.hasher = hasher;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Deletes what uploads before this start left; returns how many files.
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

impl Write for Spool {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        Self::write(self, chunk).map(|()| chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
        spool.begin_part();
        spool.write(b"defgh").unwrap();
        assert_eq!((spool.bytes(), spool.bytes_that_count()), (8, 3));
        spool.discard_part().unwrap();
        spool.write(b"").unwrap();
        assert_eq!((spool.bytes(), fs::read(spool.path()).unwrap()), (3, b"abc".to_vec()));
        assert_eq!(spool.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        spool.begin_part();
        spool.write(b"!").unwrap();
        spool.keep_part();
        spool.discard_part().unwrap();
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
