//! What the broker knows of files beside their bytes and records: uploads under way, quotas, and which file is about to be
//! carried by a message. Decides nothing about who may; that is `media`'s.

pub(crate) mod quota;
pub(crate) mod standing;
pub(crate) mod upload;
pub(crate) mod writing;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use self::quota::Quota;
use self::standing::Standing;
use self::upload::Upload;
use crate::auth::MediaTokens;
use crate::config::{Config, Media};
use crate::media::{DynMediaStore, MediaOptions, Spool};
use crate::model::{FileUid, Refusal};
use crate::store::{Store, StoreError};

/// How long a file that a message is about to carry is safe from being collected. A message is stored in far less.
const PINNED_FOR: Duration = Duration::from_secs(600);

/// Parts of uploads written and hashed at a time. One: they share what one thread and one queue of the disk carry, some
/// hundreds of megabytes a second, and leave the rest to those who chat.
const WRITES_MAX: usize = 1;

/// Records read at a time.
pub(in crate::actors) const PAGE: usize = 256;

/// Everything about files that the broker's parts share.
pub(crate) struct MediaService {
    pub(crate) store: Arc<dyn DynMediaStore>,
    pub(crate) tokens: MediaTokens,
    pub(crate) standing: Standing,
    incoming: PathBuf,
    pub(in crate::actors) probes: Semaphore,
    writes: Semaphore,
    quota: Mutex<Quota>,
}

impl fmt::Debug for MediaService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaService").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}

impl MediaService {
    /// Deletes what uploads before this start left, and adds up what is kept. Blocks.
    ///
    /// # Errors
    /// Those of the message store.
    pub(crate) fn open(
        config: &Config,
        store: Arc<dyn DynMediaStore>,
        messages: &dyn Store,
        tokens: MediaTokens,
    ) -> Result<Self, StoreError> {
        let incoming = config.incoming_dir();
        match Spool::sweep(&incoming) {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "deleted what unfinished uploads left"),
            Err(error) => tracing::warn!(%error, "what unfinished uploads left could not be deleted"),
        }
        let mut quota = Quota::default();
        let mut last = None;
        loop {
            let records = messages.media_after(last, PAGE)?;
            let Some(newest) = records.last() else { break };
            last = Some(newest.file);
            records.iter().for_each(|record| quota.keep(&record.owner, record.bytes_kept()));
        }
        Ok(Self {
            store,
            tokens,
            standing: Standing::default(),
            incoming,
            probes: Semaphore::new(config.media.probes_max),
            writes: Semaphore::new(WRITES_MAX),
            quota: Mutex::new(quota),
        })
    }

    /// Returns where uploads grow.
    pub(in crate::actors) fn incoming(&self) -> &std::path::Path {
        &self.incoming
    }

    /// What pictures are made, by the configuration of now.
    pub(in crate::actors) fn options(config: &Config) -> MediaOptions {
        let media = &config.media;
        MediaOptions { pixels_max: media.pixels_max, large_pixels: media.large_pixels, thumbnail_pixels: media.thumbnail_pixels }
    }

    pub(in crate::actors) fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message is about to carry this file: it is not collected for a while.
    ///
    /// # Errors
    /// [`Refusal::FileMissing`]: it is being deleted.
    pub(crate) fn pin(&self, file: FileUid, now: Duration) -> Result<(), Refusal> {
        if self.quota().pin(file, now + PINNED_FOR) { Ok(()) } else { Err(Refusal::FileMissing) }
    }

    /// Sets aside what an upload needs to begin; those that give way to it are deleted.
    ///
    /// # Errors
    /// See [`Quota::begin`].
    pub(in crate::actors) fn begin(&self, upload: Arc<Upload>, config: &Media) -> Result<(), Refusal> {
        let gave_way = self.quota().begin(upload, config)?;
        delete(gave_way);
        Ok(())
    }

    /// Sets aside what an upload needs to grow to `bytes`.
    ///
    /// # Errors
    /// See [`Quota::grow`].
    fn grow(&self, upload: &Upload, bytes: u64, config: &Media) -> Result<(), Refusal> {
        let gave_way = self.quota().grow(upload, bytes, config)?;
        delete(gave_way);
        Ok(())
    }

    /// Uploads that are not complete.
    pub(crate) fn under_way(&self) -> Vec<Arc<Upload>> {
        self.quota().all().cloned().collect()
    }

    /// Bytes kept and promised in all, and uploads under way.
    pub(crate) fn figures(&self) -> (u64, usize) {
        let quota = self.quota();
        (quota.bytes(), quota.unfinished())
    }
}

/// Deletes what came of uploads that gave way to others.
fn delete(uploads: Vec<Arc<Upload>>) {
    for upload in uploads {
        tracing::debug!(file = %upload.file, bytes = upload.offset(), "an idle upload gives way to another and is deleted");
    }
}
