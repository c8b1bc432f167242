//! Files on the local disk: `<folder>/<first two digits>/<fileUID>.<rendition>`.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::blob::{Blob, CHUNK_BYTES, MediaError, MediaStore};
use crate::private_files::{make_folder, restrict, sync_names};

/// Keeps blobs in a folder of the local disk.
#[derive(Debug, Clone)]
pub struct DiskMediaStore {
    folder: PathBuf,
}

impl DiskMediaStore {
    /// Keeps them in this folder, which is made with the first blob. Nothing else may lie in it.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn folder_of(&self, first_byte: u8) -> PathBuf {
        self.folder.join(Blob::folder_of(first_byte))
    }

    fn path(&self, blob: Blob) -> PathBuf {
        self.folder_of(blob.first_byte()).join(blob.name())
    }
}

/// Runs on a thread that may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, MediaError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(MediaError::Missing),
        Ok(Err(error)) => Err(MediaError::Unavailable(error.to_string())),
        Err(error) => Err(MediaError::Unavailable(format!("ended early: {error}"))),
    }
}

impl MediaStore for DiskMediaStore {
    async fn put(&self, blob: Blob, from: &Path) -> Result<(), MediaError> {
        let (folder, folder_path) = (self.folder.clone(), self.folder_of(blob.first_byte()));
        let (from, to) = (from.to_owned(), self.path(blob));
        blocking(move || {
            if !folder_path.exists() {
                make_folder(&folder_path)?;
                sync_names(&folder)?;
            }
            restrict(&from)?;
            File::open(&from)?.sync_all()?;
            fs::rename(&from, &to)?;
            sync_names(&folder_path)
        })
        .await
    }

    async fn read(&self, blob: Blob, range: Range<u64>) -> Result<Bytes, MediaError> {
        let path = self.path(blob);
        blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let wanted = range.end.saturating_sub(range.start).min(CHUNK_BYTES as u64);
            let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(CHUNK_BYTES));
            file.take(wanted).read_to_end(&mut bytes)?;
            if bytes.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(bytes.into()) }
        })
        .await
    }

    async fn delete(&self, blob: Blob) -> Result<(), MediaError> {
        let path = self.path(blob);
        match blocking(move || fs::remove_file(path)).await {
            Err(MediaError::Missing) => Ok(()),
            outcome => outcome,
        }
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Blob>, MediaError> {
        let folder_path = self.folder_of(first_byte);
        let listed = blocking(move || {
            let mut blobs = Vec::new();
            for entry in fs::read_dir(folder_path)? {
                blobs.extend(entry?.file_name().to_str().and_then(Blob::of_name));
            }
            Ok(blobs)
        });
        match listed.await {
            Err(MediaError::Missing) => Ok(Vec::new()),
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_put_is_read_in_parts_listed_and_deleted() {
        crate::media::blob::tests::contract(&|folder: &Path| DiskMediaStore::new(folder.join("media"))).await;
    }
}
