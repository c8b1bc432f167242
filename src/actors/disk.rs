//! Looks at the disk, so that the broker stops keeping things before the disk stops it.
//!
//! A store that meets a full disk in the middle of a write is the one that gets damaged. So below
//! `store.disk_free_bytes_min` what would be kept is refused with a temporary error, and reading and what is not kept go on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::Refusal;
pub(crate) use crate::store::free_space;

/// Files of a folder that are counted; more are left out of its size.
const FILES_MAX: usize = 100_000;

/// Says how many bytes are free where a folder is.
pub(crate) type FreeSpace = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// What is known of the disk.
pub(crate) struct Disk {
    read: FreeSpace,
    /// `u64::MAX`: not known.
    free: AtomicU64,
    full: AtomicBool,
    store_bytes: AtomicU64,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("free", &self.free).field("full", &self.full).finish_non_exhaustive()
    }
}

impl Disk {
    pub(crate) fn new(read: FreeSpace) -> Self {
        Self { read, free: AtomicU64::new(u64::MAX), full: AtomicBool::new(false), store_bytes: AtomicU64::new(0) }
    }

    /// Bytes free at the last look; `None` when that could not be read.
    pub(crate) fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free != u64::MAX)
    }

    /// Whether nothing more is to be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Size of the store's folder at the last look.
    pub(crate) fn store_bytes(&self) -> u64 {
        self.store_bytes.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Refusal::StoreUnavailable`] while the disk is nearly full.
    pub(crate) fn room(&self) -> Result<(), Refusal> {
        if self.is_full() {
            return Err(Refusal::StoreUnavailable("the disk is nearly full, see store.disk_free_bytes_min".to_owned()));
        }
        Ok(())
    }

    /// Looks once. Blocks as long as the file system does.
    pub(crate) fn look(&self, folder: &Path, least: u64) {
        let free = (self.read)(folder).inspect_err(|error| tracing::debug!(%error, "free space of the disk cannot be read"));
        let free = free.unwrap_or(u64::MAX);
        self.free.store(free, Ordering::Relaxed);
        let was = self.is_full();
        // Taken back a little later than said, or each message would say it anew.
        let is = free < if was { least.saturating_add(least / 16) } else { least };
        self.full.store(is, Ordering::Relaxed);
        match (was, is) {
            (false, true) => tracing::error!(free_bytes = free, least_bytes = least, "the disk is nearly full: nothing more is kept"),
            (true, false) => tracing::info!(free_bytes = free, "there is room on the disk again"),
            _ => {}
        }
    }

    pub(super) fn measure(&self, folder: PathBuf) {
        let (mut folders, mut bytes, mut files) = (vec![folder], 0u64, 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                files += 1;
                match entry.metadata() {
                    _ if files > FILES_MAX => return,
                    Ok(data) if data.is_dir() => folders.push(entry.path()),
                    Ok(data) => bytes += data.len(),
                    // Deleted meanwhile.
                    Err(_) => {}
                }
            }
        }
        self.store_bytes.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_mark_it_is_full_until_a_sixteenth_more_is_free() {
        let free = Arc::new(AtomicU64::new(1_600));
        let its = free.clone();
        let disk = Disk::new(Arc::new(move |_| Ok(its.load(Ordering::Relaxed))));
        for (now, full) in [(1_600, false), (1_599, true), (1_600, true), (1_699, true), (1_700, false), (1_600, false), (0, true)] {
            free.store(now, Ordering::Relaxed);
            disk.look(Path::new("/"), 1_600);
            assert_eq!((disk.is_full(), disk.free()), (full, Some(now)));
        }
        disk.look(Path::new("/"), 0);
        assert!(!disk.is_full(), "0: not looked at");
    }

    #[test]
    fn what_cannot_be_read_is_not_full() {
        let disk = Disk::new(Arc::new(|_| Err(io::Error::other("no such disk"))));
        disk.look(Path::new("/"), u64::MAX);
        assert_eq!((disk.is_full(), disk.free()), (false, None));
        assert!(disk.room().is_ok());
    }

    #[test]
    fn the_system_says_how_much_is_free_also_for_a_folder_that_is_not_made_yet() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_space(&folder.path().join("not/yet")).unwrap() > 0);
        std::fs::create_dir(folder.path().join("store")).unwrap();
        std::fs::write(folder.path().join("store/db"), [0; 1234]).unwrap();
        let disk = Disk::new(Arc::new(free_space));
        disk.measure(folder.path().to_owned());
        assert_eq!(disk.store_bytes(), 1234);
    }
}
