//! A store that nobody serves, opened as a copy, by tools that only look.
//!
//! sled 0.34.7 cannot open a database without writing into its folder: it makes a snapshot, overwrites the end of its log
//! and deletes older files; without space it leaves half of that behind. So the databases are copied into a temporary
//! folder of their own and opened there. In the store itself files are read and nothing else: the lock is taken only where
//! its file is there already, and held while the copy is made.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::CommitMark;
use super::open::{FormatPolicy, SledOptions, open_backend, open_error};
use super::room::free_space;
use super::sled_backend::SledBackend;
use super::store_dir::{StoreDir, pause};
use crate::private_files::{make_new_folder, restrict};
use crate::store::backend::Backend as _;
use crate::store::error::{OpenError, StoreError};

/// What opening a database may add to its folder: a snapshot, a new segment of the log.
const OPENING_BYTES: u64 = 2 << 20;
/// So many names are tried for the folder.
const NAMES_MAX: u32 = 1000;
/// So often it is tried again to delete the folder.
const DELETE_TRIES: u32 = 3;

/// A copy that is open. It is deleted when this is dropped.
pub(crate) struct WorkingCopy {
    backend: SledBackend,
    /// What the store's mark says was acknowledged.
    pub mark: CommitMark,
    folder: TemporaryFolder,
    /// Where the store itself lies.
    original: PathBuf,
}

impl WorkingCopy {
    /// Copies the store in `dir` into the system's temporary folder and opens the copy. Changes nothing of the store.
    pub(crate) fn open(dir: &StoreDir, options: &SledOptions) -> Result<Self, OpenError> {
        Self::open_below(&std::env::temp_dir(), dir, options, &free_space)
    }

    /// Copies the store into a folder below `base`, of which `free` tells how many bytes are free there.
    pub(crate) fn open_below(
        base: &Path,
        dir: &StoreDir,
        options: &SledOptions,
        free: &dyn Fn(&Path) -> io::Result<u64>,
    ) -> Result<Self, OpenError> {
        if !dir.is_there() {
            return Err(dir.missing());
        }
        let lock = lock_as_it_is(dir, options)?;
        // A store of a later version may consist of more than is copied here.
        dir.read_format()?;
        let parts = parts_of(dir).map_err(|error| dir.io(&error))?;
        let needed = parts.iter().map(Part::bytes_needed).sum();
        let of_copy = |error: io::Error| without_copy(dir, base, needed, &error.to_string());
        match free(base) {
            Ok(free) if free < needed => return Err(without_copy(dir, base, needed, &format!("{free} bytes are free there"))),
            // What cannot be asked is tried.
            Ok(_) | Err(_) => {}
        }
        let folder = TemporaryFolder::make(base).map_err(of_copy)?;
        let copy = StoreDir::new(folder.path.join("store"));
        copy_parts(&parts, dir, &copy).map_err(of_copy)?;
        drop(lock);
        let held = copy.lock(options.lock_wait)?;
        let opened = open_backend(&copy, options, FormatPolicy::Keep, held);
        let (backend, mark) = opened.map_err(|(error, _)| error.at(&dir.root))?;
        Ok(Self { backend, mark, folder, original: dir.root.clone() })
    }

    /// Returns the databases of the copy.
    pub(crate) fn backend(&self) -> &SledBackend {
        &self.backend
    }

    /// Returns an error that was met in the copy as one of the store.
    pub(crate) fn error(&self, error: StoreError) -> OpenError {
        open_error(&StoreDir::new(self.original.clone()), error)
    }
}

impl Drop for WorkingCopy {
    fn drop(&mut self) {
        // Before its folder goes.
        drop(self.backend.close());
        tracing::debug!(folder = %self.folder.path.display(), "the copy that was looked at goes");
    }
}

/// Says why there is no copy to read.
fn without_copy(dir: &StoreDir, base: &Path, needed: u64, reason: &str) -> OpenError {
    let base = base.display();
    let reason = format!("it is read as a copy in {base}, which needs {needed} bytes: {reason}; TMPDIR chooses another folder");
    OpenError::Io { path: dir.root.display().to_string(), reason }
}

/// Takes the lock of a store without making its file. None: there is no such file, so nobody serves the store.
fn lock_as_it_is(dir: &StoreDir, options: &SledOptions) -> Result<Option<File>, OpenError> {
    match File::open(dir.lock_path()) {
        Ok(file) => dir.hold(file, options.lock_wait).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(dir.io(&error)),
    }
}

/// A file or a database that belongs to a store.
struct Part {
    path: PathBuf,
    bytes: u64,
    is_database: bool,
}

impl Part {
    fn bytes_needed(&self) -> u64 {
        self.bytes + if self.is_database { OPENING_BYTES } else { 0 }
    }
}

/// Returns what a store consists of, as far as it is there.
fn parts_of(dir: &StoreDir) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for path in [dir.format(), dir.mark()].into_iter().filter(|path| path.exists()) {
        parts.push(Part { bytes: fs::metadata(&path)?.len(), path, is_database: false });
    }
    let periods = dir.periods()?.into_iter().map(|period| dir.period(period));
    for path in std::iter::once(dir.permanent()).chain(periods).filter(|path| path.exists()) {
        parts.push(Part { bytes: bytes_of(&path)?, path, is_database: true });
    }
    Ok(parts)
}

fn bytes_of(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

fn copy_parts(parts: &[Part], from: &StoreDir, to: &StoreDir) -> io::Result<()> {
    make_new_folder(&to.root)?;
    for part in parts {
        let Ok(name) = part.path.strip_prefix(&from.root) else { continue };
        let target = to.root.join(name);
        if part.is_database { copy_folder(&part.path, &target)? } else { copy_file(&part.path, &target)? }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    make_new_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy_folder(&entry.path(), &target)? } else { copy_file(&entry.path(), &target)? }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    // Also where the original may only be read.
    restrict(to)
}

/// A folder that only its owner may enter, deleted with all that is in it when this is dropped.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn make(base: &Path) -> io::Result<Self> {
        let process = std::process::id();
        for number in 0..NAMES_MAX {
            let path = base.join(format!("tidings-copy-{process}-{number}"));
            match make_new_folder(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are too many copies of earlier runs"))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let mut deleted = fs::remove_dir_all(&self.path);
        for _ in 0..DELETE_TRIES {
            if deleted.is_ok() {
                return;
            }
            // sled's threads may still be ending, and write.
            pause();
            deleted = fs::remove_dir_all(&self.path);
        }
        if let Err(error) = deleted {
            tracing::warn!(%error, folder = %self.path.display(), "a temporary copy of the store could not be deleted");
        }
    }
}
