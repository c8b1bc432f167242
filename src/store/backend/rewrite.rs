//! Writing files again that the disk may not have kept.
//!
//! When `fsync` fails, the system forgets which pages it could not write, and goes on showing them: a file reads as if all were
//! there until it has to be read from the disk. So after such a failure a note is left, and the next start writes every byte
//! again and syncs it, before it believes what it reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::store_dir::StoreDir;
use crate::private_files::sync_names;

/// Read and written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Leaves the note, as far as the disk lets it.
pub(crate) fn note_unsynced(dir: &StoreDir) {
    let left = File::create(dir.unsynced()).and_then(|file| file.sync_all()).and_then(|()| sync_names(&dir.root));
    if let Err(error) = left {
        tracing::error!(%error, "that the disk failed cannot be noted for the next start");
    }
}

/// Writes everything again where the note says so, and takes the note away.
pub(crate) fn rewrite_unsynced(dir: &StoreDir) -> io::Result<()> {
    if !dir.unsynced().exists() {
        return Ok(());
    }
    tracing::warn!("the last run ended with a disk that did not keep what was written; writing all of it again");
    let mut bytes = rewrite_folder(&dir.root)?;
    for period in dir.periods()? {
        bytes += rewrite_folder(&dir.period(period))?;
    }
    if dir.permanent().exists() {
        bytes += rewrite_folder(&dir.permanent())?;
    }
    fs::remove_file(dir.unsynced())?;
    sync_names(&dir.root)?;
    tracing::info!(bytes, "everything is written again, and synced");
    Ok(())
}

/// Writes the files of a folder, and of those in it, again; returns their bytes.
fn rewrite_folder(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            bytes += rewrite_file(&entry.path())?;
        }
    }
    let blobs = folder.join("blobs");
    if blobs.exists() {
        bytes += rewrite_folder(&blobs)?;
    }
    sync_names(folder)?;
    Ok(bytes)
}

fn rewrite_file(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let read = file.read(&mut chunk)?;
        if read == 0 {
            file.sync_all()?;
            return Ok(at);
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&chunk[..read])?;
        at += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_again_as_it_was_and_only_where_the_note_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StoreDir::new(folder.path().to_owned());
        let content: Vec<u8> = (0..CHUNK_BYTES + 77).map(|n| u8::try_from(n % 251).unwrap()).collect();
        fs::create_dir_all(dir.period(7).join("blobs")).unwrap();
        let files = [dir.mark(), dir.period(7).join("db"), dir.period(7).join("blobs").join("9")];
        for file in &files {
            fs::write(file, &content).unwrap();
        }
        let written = || files.each_ref().map(|file| fs::metadata(file).unwrap().modified().unwrap());
        let before = written();
        rewrite_unsynced(&dir).unwrap();
        assert_eq!(written(), before);
        note_unsynced(&dir);
        rewrite_unsynced(&dir).unwrap();
        assert!(written().iter().zip(before).all(|(after, before)| *after > before), "each was written");
        assert!(files.iter().all(|file| fs::read(file).unwrap() == content));
        assert!(!dir.unsynced().exists());
    }
}
