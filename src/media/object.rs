//! Files as objects of an S3-compatible service: `<prefix><first two digits>/<fileUID>.<rendition>`.
//!
//! Uploads are taken in and looked at on the local disk first, then sent there; nothing is fetched but what is read.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path as LocalPath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, WriteMultipart};

use super::blob::{Blob, MediaError, MediaStore};

/// Parts of an upload: the least that S3 takes.
const PART_BYTES: usize = 5 << 20;

/// What is read at a time.
const READ_BYTES: u64 = 256 * 1024;

/// Which bucket. Credentials and region come from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Options {
    /// Its name.
    pub bucket: String,
    /// The service's address; none: Amazon's.
    pub endpoint: Option<String>,
    /// What the names of objects begin with.
    pub prefix: String,
}

/// Keeps blobs in an object store.
#[derive(Debug, Clone)]
pub struct ObjectMediaStore {
    objects: Arc<dyn ObjectStore>,
    prefix: String,
}

impl ObjectMediaStore {
    /// Keeps them in a bucket of an S3-compatible service.
    ///
    /// # Errors
    /// [`MediaError::Unavailable`] when the options or the environment make no sense. The service is not asked.
    pub fn s3(options: &S3Options) -> Result<Self, MediaError> {
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(&options.bucket);
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        Ok(Self::over(Arc::new(builder.build().map_err(refused)?), &options.prefix))
    }

    fn over(objects: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self { objects, prefix: prefix.to_owned() }
    }

    fn folder_of(&self, first_byte: u8) -> String {
        format!("{}{}", self.prefix, Blob::folder_of(first_byte))
    }

    fn path(&self, blob: Blob) -> Path {
        Path::from(format!("{}/{}", self.folder_of(blob.first_byte()), blob.name()))
    }
}

fn refused(error: Error) -> MediaError {
    match error {
        Error::NotFound { .. } => MediaError::Missing,
        error => MediaError::Unavailable(error.to_string()),
    }
}

/// Reads the next part of a local file, on a thread that may wait; empty at its end.
async fn part_of(file: Arc<std::fs::File>) -> Result<Bytes, MediaError> {
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        (&*file).take(PART_BYTES as u64).read_to_end(&mut bytes).map(|_| bytes)
    });
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) => Err(MediaError::Unavailable(error.to_string())),
        Err(error) => Err(MediaError::Unavailable(error.to_string())),
    }
}

impl MediaStore for ObjectMediaStore {
    async fn put(&self, blob: Blob, from: &LocalPath) -> Result<(), MediaError> {
        let file = Arc::new(std::fs::File::open(from).map_err(|error| MediaError::Unavailable(error.to_string()))?);
        let to = self.path(blob);
        let first = part_of(file.clone()).await?;
        if first.len() < PART_BYTES {
            self.objects.put(&to, first.into()).await.map_err(refused)?;
            return Ok(());
        }
        let mut upload = WriteMultipart::new_with_chunk_size(self.objects.put_multipart(&to).await.map_err(refused)?, PART_BYTES);
        let mut part = first;
        while !part.is_empty() {
            // One part on its way and one in hand.
            if let Err(error) = upload.wait_for_capacity(1).await {
                let _given_up = upload.abort().await.is_ok();
                return Err(refused(error));
            }
            upload.put(part);
            part = part_of(file.clone()).await?;
        }
        upload.finish().await.map_err(refused)?;
        Ok(())
    }

    async fn read(&self, blob: Blob, range: Range<u64>) -> Result<Bytes, MediaError> {
        let end = range.end.min(range.start + READ_BYTES);
        match self.objects.get_range(&self.path(blob), range.start..end).await {
            Ok(bytes) if bytes.is_empty() => Err(MediaError::Missing),
            Ok(bytes) => Ok(bytes),
            // Services tell of a range beyond the end in different ways.
            Err(error) => match self.objects.head(&self.path(blob)).await {
                Ok(found) if range.start >= found.size => Err(MediaError::Missing),
                _ => Err(refused(error)),
            },
        }
    }

    async fn delete(&self, blob: Blob) -> Result<(), MediaError> {
        match self.objects.delete(&self.path(blob)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    async fn list(&self, first_byte: u8) -> Result<Vec<Blob>, MediaError> {
        let prefix = Path::from(self.folder_of(first_byte));
        let listed =
            self.objects.list(Some(&prefix)).try_filter_map(|found| async move { Ok(found.location.filename().and_then(Blob::of_name)) });
        listed.try_collect().await.map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileUid, Rendition};

    #[tokio::test]
    async fn in_memory_it_keeps_to_the_contract() {
        crate::media::blob::tests::contract(&|_: &LocalPath| {
            ObjectMediaStore::over(Arc::new(object_store::memory::InMemory::new()), "tidings/")
        })
        .await;
    }

    /// Against a real service: `TIDINGS_S3_ENDPOINT`, `TIDINGS_S3_BUCKET` and the AWS variables say which.
    #[tokio::test]
    async fn in_a_bucket_it_keeps_to_the_contract() {
        let (Ok(endpoint), Ok(bucket)) = (std::env::var("TIDINGS_S3_ENDPOINT"), std::env::var("TIDINGS_S3_BUCKET")) else {
            // No service is named; `.ci/run` starts one.
            return;
        };
        let options = S3Options { bucket, endpoint: Some(endpoint), prefix: "contract/".into() };
        crate::media::blob::tests::contract(&|_: &LocalPath| ObjectMediaStore::s3(&options).unwrap()).await;
        let (folder, store) = (tempfile::tempdir().unwrap(), ObjectMediaStore::s3(&options).unwrap());
        let (file, blob) = (folder.path().join("large"), Blob { file: FileUid::from_bits(5 << 120), rendition: Rendition::Original });
        let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&file, &content).unwrap();
        store.put(blob, &file).await.unwrap();
        let mut read = Vec::new();
        while read.len() < content.len() {
            read.extend(store.read(blob, read.len() as u64..content.len() as u64).await.unwrap());
        }
        assert!(read == content, "{} bytes in parts came back as they were", content.len());
        store.delete(blob).await.unwrap();
    }
}
