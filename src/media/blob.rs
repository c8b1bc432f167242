//! What media stores keep and how they are asked for it.

use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;

use bytes::Bytes;
use thiserror::Error;

use crate::model::{FileUid, Rendition};

/// Bytes that are in memory at a time of one transfer, either way.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// One kept stretch of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blob {
    /// Of which file.
    pub file: FileUid,
    /// In which form.
    pub rendition: Rendition,
}

impl Blob {
    /// Returns the first byte of its file's `fileUID`.
    pub(super) fn first_byte(self) -> u8 {
        self.file.to_bytes()[0]
    }

    /// Returns the name of the folder of files whose `fileUID` begins with a byte.
    pub(super) fn folder_of(first_byte: u8) -> String {
        format!("{first_byte:02x}")
    }

    /// Returns what it is called there.
    pub(super) fn name(self) -> String {
        format!("{}.{}", self.file, self.rendition.label())
    }

    /// Returns the blob of that name; none: it is no name of one.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (file, rendition) = name.split_once('.')?;
        Some(Self { file: FileUid::parse(file)?, rendition: Rendition::parse(rendition)? })
    }
}

/// Why a media store refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There is no such blob.
    #[error("no such file")]
    Missing,
    /// The disk or the service refuses. A retry may help.
    #[error("the media store does not answer: {0}")]
    Unavailable(String),
}

/// Where the bytes of files are kept. A blob is written once and never changed.
///
/// Futures run on the broker's threads and must not block them.
pub trait MediaStore: Send + Sync + 'static {
    /// Keeps what lies at `from` as `blob`; durable, and whole or not at all, when it returns. The local file may be moved
    /// away. What was there before is replaced.
    ///
    /// # Errors
    /// [`MediaError::Unavailable`]: nothing is kept.
    fn put(&self, blob: Blob, from: &Path) -> impl Future<Output = Result<(), MediaError>> + Send;

    /// Reads bytes of a blob from `range.start` on: at least one, at most to `range.end`, as many as suit the store.
    ///
    /// # Errors
    /// [`MediaError::Missing`], also where the range begins beyond the end; [`MediaError::Unavailable`].
    fn read(&self, blob: Blob, range: Range<u64>) -> impl Future<Output = Result<Bytes, MediaError>> + Send;

    /// Deletes a blob; one that is not there is no error.
    ///
    /// # Errors
    /// [`MediaError::Unavailable`].
    fn delete(&self, blob: Blob) -> impl Future<Output = Result<(), MediaError>> + Send;

    /// Lists all blobs of files whose `fileUID` begins with this byte, in no particular order.
    ///
    /// # Errors
    /// [`MediaError::Unavailable`].
    fn list(&self, first_byte: u8) -> impl Future<Output = Result<Vec<Blob>, MediaError>> + Send;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, MediaError>> + Send + 'a>>;

/// The boxed twin of [`MediaStore`].
pub(crate) trait DynMediaStore: Send + Sync + 'static {
    fn put<'a>(&'a self, blob: Blob, from: &'a Path) -> Boxed<'a, ()>;
    fn read(&self, blob: Blob, range: Range<u64>) -> Boxed<'_, Bytes>;
    fn delete(&self, blob: Blob) -> Boxed<'_, ()>;
    fn list(&self, first_byte: u8) -> Boxed<'_, Vec<Blob>>;
}

impl<S: MediaStore> DynMediaStore for S {
    fn put<'a>(&'a self, blob: Blob, from: &'a Path) -> Boxed<'a, ()> {
        Box::pin(MediaStore::put(self, blob, from))
    }

    fn read(&self, blob: Blob, range: Range<u64>) -> Boxed<'_, Bytes> {
        Box::pin(MediaStore::read(self, blob, range))
    }

    fn delete(&self, blob: Blob) -> Boxed<'_, ()> {
        Box::pin(MediaStore::delete(self, blob))
    }

    fn list(&self, first_byte: u8) -> Boxed<'_, Vec<Blob>> {
        Box::pin(MediaStore::list(self, first_byte))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What every media store keeps to.
    pub(crate) async fn contract<S: MediaStore>(make: &dyn Fn(&Path) -> S) {
        let folder = tempfile::tempdir().unwrap();
        let store = make(folder.path());
        let blob = |file: u128, rendition| Blob { file: FileUid::from_bits(file << 120 | 7), rendition };
        let (one, other) = (blob(0xAB, Rendition::Original), blob(0xAB, Rendition::Thumbnail));
        assert_eq!(store.read(one, 0..1).await, Err(MediaError::Missing));
        assert_eq!(store.list(0xAB).await, Ok(Vec::new()));
        let content: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
        for (blob, bytes) in [(one, &content[..]), (other, b"small")] {
            let file = folder.path().join("upload");
            std::fs::write(&file, bytes).unwrap();
            store.put(blob, &file).await.unwrap();
        }
        let mut read = Vec::new();
        while read.len() < content.len() {
            let part = store.read(one, read.len() as u64..content.len() as u64).await.unwrap();
            assert!(!part.is_empty() && part.len() <= 1 << 20);
            read.extend(part);
        }
        assert_eq!(read, content);
        assert_eq!(store.read(one, 1000..1003).await.unwrap(), &content[1000..1003]);
        assert_eq!(store.read(one, 200_000..200_001).await, Err(MediaError::Missing));
        let mut listed = store.list(0xAB).await.unwrap();
        listed.sort_unstable();
        assert_eq!(listed, [one, other]);
        assert_eq!(store.list(0xAC).await, Ok(Vec::new()));
        let file = folder.path().join("upload");
        std::fs::write(&file, b"replaced").unwrap();
        store.put(other, &file).await.unwrap();
        assert_eq!(store.read(other, 0..100).await.unwrap(), &b"replaced"[..]);
        for blob in [one, one] {
            store.delete(blob).await.unwrap();
            assert_eq!(store.read(blob, 0..1).await, Err(MediaError::Missing));
        }
        assert_eq!(store.list(0xAB).await.unwrap(), [other]);
    }
}
