//! Room on the disk: looked at before anything is opened, because sled that meets a full disk while it opens leaves files behind
//! that it cannot read the next time; and a ballast, which is given up for one more start when there is none.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::FallocateFlags;

use super::snapshots;
use super::store_dir::StoreDir;
use crate::private_files::{restrict, sync_names};
use crate::store::error::OpenError;

/// What opening writes at least: each database a segment or two, and the files of the broker besides.
const OPEN_BYTES: u64 = 4 << 20;
/// What opening one database writes besides its snapshot.
const DATABASE_BYTES: u64 = 1 << 20;
/// A ballast is laid in only where it takes no more than this part of what is free.
const BALLAST_PART: u64 = 4;

/// Returns how many bytes are free where a folder is, for those who are not root. The folder need not be made yet.
pub(crate) fn free_space(folder: &Path) -> io::Result<u64> {
    let folder = folder.ancestors().find(|folder| folder.exists()).unwrap_or_else(|| Path::new("."));
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Returns how many bytes opening a store may write: as many again as its snapshots have, and some for each database.
pub(crate) fn needed(dir: &StoreDir) -> io::Result<u64> {
    let folders = dir.periods()?.into_iter().map(|period| dir.period(period)).chain([dir.permanent()]);
    let (mut databases, mut snapshot_bytes) = (0, 0);
    for folder in folders.filter(|folder| folder.exists()) {
        databases += 1;
        snapshot_bytes += snapshots::bytes(&folder)?;
    }
    Ok(OPEN_BYTES + databases * DATABASE_BYTES + snapshot_bytes)
}

/// Sees to it that a store can be opened: gives the ballast up where there is no room.
///
/// # Errors
/// [`OpenError::NoRoom`]: nothing was opened, and nothing is changed.
pub(crate) fn make_room(dir: &StoreDir) -> Result<(), OpenError> {
    let io = |error: io::Error| dir.io(&error);
    let needed = needed(dir).map_err(io)?;
    let free = free_space(&dir.root).map_err(io)?;
    if free >= needed {
        return Ok(());
    }
    let ballast = fs::metadata(dir.ballast()).map_or(0, |about| about.len());
    if free.saturating_add(ballast) >= needed {
        fs::remove_file(dir.ballast()).map_err(io)?;
        sync_names(&dir.root).map_err(io)?;
        tracing::error!(free_bytes = free, ballast_bytes = ballast, "the disk is full: the store's ballast is given up to open it");
        return Ok(());
    }
    Err(OpenError::NoRoom { path: dir.root.display().to_string(), free, needed })
}

/// Lays the ballast in, if there is none and plenty of room. That it cannot be is no reason not to serve.
pub(crate) fn lay_in_ballast(dir: &StoreDir, bytes: u64) {
    let path = dir.ballast();
    let is_there = fs::metadata(&path).is_ok_and(|about| about.len() == bytes);
    let has_room = || free_space(&dir.root).is_ok_and(|free| free / BALLAST_PART >= bytes);
    if bytes == 0 || is_there || !has_room() {
        return;
    }
    let lay_in = || -> io::Result<()> {
        let file = File::create(&path)?;
        restrict(&path)?;
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
        file.sync_all()
    };
    if let Err(error) = lay_in() {
        tracing::warn!(%error, "the store's ballast cannot be laid in; on a full disk it will not open");
        // Half a ballast is none.
        drop(fs::remove_file(&path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ballast_is_laid_in_once_and_takes_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StoreDir::new(folder.path().to_owned());
        lay_in_ballast(&dir, 0);
        assert!(!dir.ballast().exists());
        lay_in_ballast(&dir, 1 << 20);
        let about = fs::metadata(dir.ballast()).unwrap();
        assert_eq!(about.len(), 1 << 20);
        assert!(std::os::unix::fs::MetadataExt::blocks(&about) * 512 >= 1 << 20, "it holds room, it does not only say so");
        lay_in_ballast(&dir, u64::MAX / 2);
        assert_eq!(fs::metadata(dir.ballast()).unwrap().len(), 1 << 20, "there is no room for a larger one");
    }

    #[test]
    fn opening_needs_as_much_again_as_the_snapshots_have() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StoreDir::new(folder.path().to_owned());
        assert_eq!(needed(&dir).unwrap(), OPEN_BYTES);
        for database in [dir.permanent(), dir.period(7)] {
            fs::create_dir(&database).unwrap();
            fs::write(database.join("snap.00000000000000FF"), [0; 1000]).unwrap();
            fs::write(database.join("db"), [0; 5000]).unwrap();
        }
        assert_eq!(needed(&dir).unwrap(), OPEN_BYTES + 2 * DATABASE_BYTES + 2000);
        assert_eq!(make_room(&dir), Ok(()));
    }
}
