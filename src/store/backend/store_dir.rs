//! The store's directory: who holds it, which format it has, copies, permissions, and making names durable.
//!
//! What lies in it is told in `format`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::private_files::{make_folder, replace_private, restrict, sync_names};
use crate::store::error::OpenError;

/// The format this version writes, and the newest it reads. What each brought is told in [`format`](crate::store::format).
pub(crate) const FORMAT: u32 = 6;
/// The time between two attempts to take a lock.
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// A period's directory on its way out.
const GONE: &str = "gone";

/// The paths of a store.
#[derive(Debug, Clone)]
pub(crate) struct StoreDir {
    pub root: PathBuf,
}

impl StoreDir {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn permanent(&self) -> PathBuf {
        self.root.join("permanent")
    }

    pub(crate) fn period(&self, period: u64) -> PathBuf {
        self.root.join(format!("period-{period}"))
    }

    pub(crate) fn mark(&self) -> PathBuf {
        self.root.join("commit.mark")
    }

    pub(crate) fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    /// There while files may hold what the disk does not.
    pub(crate) fn unsynced(&self) -> PathBuf {
        self.root.join("unsynced")
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn io(&self, error: &io::Error) -> OpenError {
        OpenError::Io { path: self.root.display().to_string(), reason: error.to_string() }
    }

    pub(crate) fn damaged(&self, reason: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: self.root.display().to_string(), reason: reason.into() }
    }

    /// Takes the lock, waiting for a process that is just ending. Held until the file is dropped.
    pub(crate) fn lock(&self, wait: Duration) -> Result<File, OpenError> {
        make_folder(&self.root).map_err(|error| self.io(&error))?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.lock_path());
        self.hold(file.map_err(|error| self.io(&error))?, wait)
    }

    /// Writes into the lock file, which is held, by which process it is.
    pub(crate) fn sign(&self) {
        let signed = fs::write(self.lock_path(), format!("{}\n", std::process::id()));
        if let Err(error) = signed {
            tracing::debug!(%error, "the lock file does not say who holds it");
        }
    }

    /// Says who holds the lock, as far as it is known.
    fn say_who_holds(&self, wait: Duration) {
        let signed = fs::read_to_string(self.lock_path()).unwrap_or_default();
        let (store, pid) = (self.root.display(), signed.trim());
        tracing::warn!(%store, pid, wait_ms = wait.as_millis(), "another process holds the store: waiting for it to end");
    }

    /// Takes the lock of an open lock file, waiting for a process that is just ending.
    pub(crate) fn hold(&self, file: File, wait: Duration) -> Result<File, OpenError> {
        // Counted, not timed: a test's clock stands still.
        let tries = wait.as_millis() / LOCK_RETRY.as_millis();
        let mut tries_left = tries;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if tries_left > 0 => {
                    if tries_left == tries {
                        self.say_who_holds(wait);
                    }
                    tries_left -= 1;
                    pause();
                }
                Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: self.root.display().to_string() }),
                Err(TryLockError::Error(error)) => return Err(self.io(&error)),
            }
        }
    }

    /// Returns whether another process, or another part of this one, holds the lock.
    pub(crate) fn is_locked(&self) -> bool {
        File::open(self.lock_path()).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Reads the format on disk; none when there is no such file.
    pub(crate) fn read_format(&self) -> Result<Option<u32>, OpenError> {
        let text = match fs::read_to_string(self.format()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(self.damaged("format is not a number")),
            Err(error) => return Err(self.io(&error)),
        };
        let found: u32 = text.trim().parse().map_err(|_| self.damaged("format is not a number"))?;
        if found > FORMAT {
            return Err(OpenError::NewerFormat { path: self.root.display().to_string(), found, known: FORMAT });
        }
        Ok(Some(found))
    }

    /// Writes the format, whole or not at all.
    pub(crate) fn write_format(&self) -> io::Result<()> {
        self.write_number("format", FORMAT.into())?;
        self.seal()
    }

    fn time(&self) -> PathBuf {
        self.root.join("time")
    }

    /// Returns the time that was noted last as right, Unix milliseconds. One that cannot be read was not noted.
    pub(crate) fn noted_time(&self) -> io::Result<Option<u64>> {
        match fs::read_to_string(self.time()) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes that a time is right, whole or not at all.
    pub(crate) fn note_time(&self, now_ms: u64) -> io::Result<()> {
        self.write_number("time", now_ms)
    }

    /// Writes a file that holds one number, whole or not at all.
    fn write_number(&self, name: &str, number: u64) -> io::Result<()> {
        replace_private(&self.root, name, format!("{number}\n").as_bytes())
    }

    /// Makes the names in the directory durable and its files private.
    pub(crate) fn seal(&self) -> io::Result<()> {
        restrict_files(&self.root)?;
        sync_names(&self.root)
    }

    /// Returns the periods there are directories of, ascending.
    pub(crate) fn periods(&self) -> io::Result<Vec<u64>> {
        let mut periods = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name();
            periods.extend(name.to_str().and_then(|name| name.strip_prefix("period-")).and_then(|n| n.parse::<u64>().ok()));
        }
        periods.sort_unstable();
        Ok(periods)
    }

    /// Deletes a period: out of sight at once, its files thereafter.
    pub(crate) fn delete_period(&self, period: u64) -> io::Result<()> {
        let (path, gone) = (self.period(period), self.period(period).with_extension(GONE));
        if path.exists() {
            fs::rename(&path, &gone)?;
            sync_names(&self.root)?;
        }
        self.delete_gone()
    }

    /// Deletes what an interrupted deletion left.
    pub(crate) fn delete_gone(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == GONE) {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }

    /// Copies everything to `<dir>.damaged-<now>`, durable on return; returns the copy's path.
    pub(crate) fn copy_aside(&self, now_ms: u64) -> io::Result<PathBuf> {
        self.keep_copy(&format!("damaged-{now_ms}"))
    }

    /// Copies everything to `<dir>.<suffix>`, whole or not at all, durable on return; returns the copy's path. One that is
    /// there stays.
    pub(crate) fn keep_copy(&self, suffix: &str) -> io::Result<PathBuf> {
        let beside = |suffix: &str| {
            let mut name = self.root.clone().into_os_string();
            name.push(format!(".{suffix}"));
            PathBuf::from(name)
        };
        let (copy, draft) = (beside(suffix), beside(&format!("{suffix}.partial")));
        if copy.exists() {
            return Ok(copy);
        }
        if draft.exists() {
            fs::remove_dir_all(&draft)?;
        }
        copy_all(&self.root, &draft)?;
        fs::rename(&draft, &copy)?;
        if let Some(parent) = copy.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_names(parent)?;
        }
        Ok(copy)
    }

    /// Returns whether there is anything of a store.
    pub(crate) fn is_there(&self) -> bool {
        self.format().exists() || self.mark().exists() || self.permanent().exists()
    }

    /// Returns the error that says there is no store.
    pub(crate) fn missing(&self) -> OpenError {
        OpenError::Io { path: self.root.display().to_string(), reason: "there is no store".to_owned() }
    }
}

/// Waits for [`LOCK_RETRY`].
#[expect(clippy::disallowed_methods, reason = "opening blocks, as it says, and a lock has no event to wait for")]
pub(crate) fn pause() {
    thread::sleep(LOCK_RETRY);
}

/// Lets only the owner read and write the files of a directory.
pub(crate) fn restrict_files(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            restrict(&entry.path())?;
        }
    }
    Ok(())
}

/// Makes a directory's files and names durable.
pub(crate) fn sync_files(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            OpenOptions::new().write(true).open(entry.path())?.sync_all()?;
        }
    }
    sync_names(path)
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    make_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    sync_files(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_waits_and_is_then_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StoreDir::new(folder.path().join("store"));
        let held = dir.lock(Duration::ZERO).unwrap();
        assert!(matches!(dir.lock(Duration::from_millis(100)), Err(OpenError::InUse { .. })));
        let release = thread::spawn(move || {
            pause();
            pause();
            drop(held);
        });
        assert!(dir.lock(Duration::from_secs(20)).is_ok());
        release.join().unwrap();
    }

    #[test]
    fn a_later_format_is_refused_and_garbage_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StoreDir::new(folder.path().to_path_buf());
        assert_eq!(dir.read_format(), Ok(None));
        dir.write_format().unwrap();
        assert_eq!(dir.read_format(), Ok(Some(FORMAT)));
        fs::write(dir.format(), format!("{}\n", FORMAT + 1)).unwrap();
        assert!(matches!(dir.read_format(), Err(OpenError::NewerFormat { known: FORMAT, .. })));
        for garbage in [&b"x"[..], b"", b"\xFF\xFE"] {
            fs::write(dir.format(), garbage).unwrap();
            assert!(matches!(dir.read_format(), Err(OpenError::Damaged { .. })), "{garbage:?}");
        }
    }

    #[test]
    fn a_period_on_its_way_out_is_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StoreDir::new(folder.path().to_path_buf());
        for period in [10, 9] {
            make_folder(&dir.period(period)).unwrap();
        }
        make_folder(&folder.path().join("period-8.gone")).unwrap();
        assert_eq!(dir.periods().unwrap(), [9, 10]);
        dir.delete_period(9).unwrap();
        assert_eq!(dir.periods().unwrap(), [10]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
