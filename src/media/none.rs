//! No files at all: for brokers that carry messages alone.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::blob::{Blob, MediaError, MediaStore};

/// Keeps nothing: every upload is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMediaStore;

fn refused<T>() -> Result<T, MediaError> {
    Err(MediaError::Unavailable("this broker keeps no files (media.store is \"none\")".into()))
}

impl MediaStore for NoMediaStore {
    async fn put(&self, _: Blob, _: &Path) -> Result<(), MediaError> {
        refused()
    }

    async fn read(&self, _: Blob, _: Range<u64>) -> Result<Bytes, MediaError> {
        Err(MediaError::Missing)
    }

    async fn delete(&self, _: Blob) -> Result<(), MediaError> {
        Ok(())
    }

    async fn list(&self, _: u8) -> Result<Vec<Blob>, MediaError> {
        Ok(Vec::new())
    }
}
