//! The snapshots that sled keeps in a database's folder: what it finds in its log anyway, found sooner.

use std::fs;
use std::io;
use std::path::Path;

const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";

/// Deletes snapshots that were never finished. sled leaves an empty one where it finds no space while it opens, and takes
/// it for a whole one the next time.
pub(crate) fn delete_unfinished(folder: &Path) -> io::Result<()> {
    delete(folder, |name| name.ends_with(UNFINISHED))
}

/// Deletes all snapshots: sled makes a new one from its log.
pub(crate) fn delete_all(folder: &Path) -> io::Result<()> {
    delete(folder, |_| true)
}

fn delete(folder: &Path, is_meant: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(SNAPSHOT) && is_meant(name)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns how many bytes the snapshots take.
pub(crate) fn bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(SNAPSHOT)) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// Returns up to which lsn the newest snapshot spares sled the log: it is the snapshot's name.
pub(crate) fn newest_lsn(folder: &Path) -> io::Result<u64> {
    let mut newest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let lsn = name.to_str().and_then(|name| u64::from_str_radix(name.strip_prefix(SNAPSHOT)?, 16).ok());
        newest = newest.max(lsn.unwrap_or(0));
    }
    Ok(newest)
}
