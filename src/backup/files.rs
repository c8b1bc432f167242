//! Copying files one by one, with their checksums.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{BackupError, FILES, failed};
use crate::model::hex;
use crate::private_files::{create_private, make_folder, sync_names};
use crate::store::{CopiedFile, Pace};

const CHUNK_BYTES: usize = 128 << 10;
/// What may wait for the disk at most.
const SETTLE_BYTES: u64 = 4 << 20;

/// Copies files into a backup and lists them.
pub(super) struct Copier<'a> {
    folder: &'a Path,
    list: BufWriter<File>,
    list_bytes: u64,
    sum: Sha256,
    copied: u64,
    bytes: u64,
}

/// Whether a file of the data directory is kept: not drafts, locks and what is hidden.
fn is_kept(name: &str) -> bool {
    !name.starts_with('.') && ![".lock", ".new", ".partial", ".tmp"].iter().any(|end| name.ends_with(end))
}

impl<'a> Copier<'a> {
    pub(super) fn begin(folder: &'a Path) -> Result<Self, BackupError> {
        let path = folder.join(FILES);
        let list = BufWriter::new(create_private(&path).map_err(failed(&path))?);
        Ok(Self { folder, list, list_bytes: 0, sum: Sha256::new(), copied: 0, bytes: 0 })
    }

    /// How many files so far.
    pub(super) fn copied(&self) -> u64 {
        self.copied
    }

    /// Every file one folder down that is not copied yet: the shelves of a media store.
    pub(super) fn copy_shelves(&mut self, from: &Path, to: &str, pace: &mut Pace<'_>) -> Result<(), BackupError> {
        for shelf in names(from, true)? {
            let source = from.join(&shelf);
            let target = format!("{to}/{shelf}");
            let folder = self.folder.join(&target);
            let mut is_new = false;
            for name in names(&source, false)? {
                if !folder.exists() {
                    make_folder(&folder).map_err(failed(&folder))?;
                }
                if !folder.join(&name).exists() {
                    self.copy(&source.join(&name), format!("{target}/{name}"), pace)?;
                    is_new = true;
                }
            }
            if is_new {
                sync_names(&folder).map_err(failed(&folder))?;
            }
        }
        Ok(())
    }

    /// The files of the data directory itself; their names.
    pub(super) fn copy_kept(&mut self, from: &Path, to: &str, pace: &mut Pace<'_>) -> Result<Vec<String>, BackupError> {
        let folder = self.folder.join(to);
        make_folder(&folder).map_err(failed(&folder))?;
        let mut kept = Vec::new();
        for name in names(from, false)?.into_iter().filter(|name| is_kept(name)) {
            self.copy(&from.join(&name), format!("{to}/{name}"), pace)?;
            kept.push(name);
        }
        sync_names(&folder).map_err(failed(&folder))?;
        Ok(kept)
    }

    /// One file; one that is gone by now is left out.
    fn copy(&mut self, from: &Path, name: String, pace: &mut Pace<'_>) -> Result<(), BackupError> {
        let source = match File::open(from) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(from)(error)),
        };
        let to = self.folder.join(&name);
        let target = create_private(&to).map_err(failed(&to))?;
        let (bytes, sha256) = copy_bytes(source, &target, pace).map_err(failed(&to))?;
        target.sync_all().map_err(failed(&to))?;
        (self.copied, self.bytes) = (self.copied + 1, self.bytes + bytes);
        let mut line = serde_json::to_vec(&CopiedFile { name, bytes, sha256 }).map_err(|error| failed(&to)(error.into()))?;
        line.push(b'\n');
        self.sum.update(&line);
        self.list_bytes += line.len() as u64;
        self.list.write_all(&line).map_err(failed(self.folder))
    }

    /// The list, and the bytes of all files and the list.
    pub(super) fn finish(mut self) -> Result<(CopiedFile, u64), BackupError> {
        let done = self.list.flush().and_then(|()| self.list.get_ref().sync_all());
        done.map_err(failed(self.folder))?;
        let list = CopiedFile { name: FILES.to_owned(), bytes: self.list_bytes, sha256: hex(&self.sum.finalize()) };
        Ok((list, self.bytes + self.list_bytes))
    }
}

/// Names of folders, or of files, in a folder, ascending; none where there is no such folder.
fn names(folder: &Path, folders: bool) -> Result<Vec<String>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed(folder))?;
        let kind = entry.file_type().map_err(failed(folder))?;
        let wanted = if folders { kind.is_dir() } else { kind.is_file() };
        names.extend(entry.file_name().to_str().filter(|_| wanted).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// Copies, and says how much it was, and its SHA-256 in hexadecimal digits.
pub(super) fn copy_bytes(mut from: File, mut to: impl Write + Settle, pace: &mut Pace<'_>) -> io::Result<(u64, String)> {
    let (mut chunk, mut sum, mut bytes, mut settled) = (vec![0; CHUNK_BYTES], Sha256::new(), 0u64, 0u64);
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok((bytes, hex(&sum.finalize())));
        }
        sum.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
        bytes += read as u64;
        if bytes - settled >= SETTLE_BYTES {
            settled = bytes;
            to.settle()?;
        }
        pace.spend(read as u64)?;
    }
}

/// Where bytes go to.
pub(super) trait Settle {
    /// Hands what was written to the disk.
    fn settle(&self) -> io::Result<()>;
}

impl Settle for &File {
    fn settle(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Only its checksum is of interest.
impl Settle for io::Sink {
    fn settle(&self) -> io::Result<()> {
        Ok(())
    }
}
