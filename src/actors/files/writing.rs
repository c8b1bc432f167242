//! The right to write one upload, which one request has at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::OwnedMutexGuard;

use super::MediaService;
use super::upload::{Upload, disk};
use crate::config::Config;
use crate::media::{CHUNK_BYTES, Spool};
use crate::model::Refusal;

/// For how long a writer must have brought nothing before one that comes after it at the same offset takes its place.
const SILENCE: Duration = Duration::from_secs(1);

/// How long whoever takes its place waits for it to let go.
const YIELD_MAX: Duration = Duration::from_secs(5);

/// Why a request may not write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CannotWrite {
    /// The upload goes on elsewhere: it has so many bytes.
    OtherOffset(u64),
    /// Another request writes it, or it is being checked.
    Locked(&'static str),
    Refused(Refusal),
}

/// What is said to whoever wants to write beside another.
pub(crate) const LOCKED: &str = "another request writes this upload";

/// The right to write one upload.
pub(crate) struct Writing {
    service: Arc<MediaService>,
    config: Arc<Config>,
    upload: Arc<Upload>,
    bytes: u64,
    buffer: Vec<u8>,
    /// What comes counts only when all of it came and matches its checksum.
    is_checked: bool,
    /// Also held by what is being written, so that nobody else begins before it is.
    pen: Arc<OwnedMutexGuard<()>>,
}

impl Writing {
    /// Takes the pen of an upload that nobody else writes.
    ///
    /// # Errors
    /// [`Refusal::Busy`], [`Refusal::FileServer`].
    pub(crate) async fn begin(service: &Arc<MediaService>, config: Arc<Config>, upload: &Arc<Upload>) -> Result<Self, Refusal> {
        let pen = upload.writer.clone().try_lock_owned().map_err(|_| Refusal::Busy(LOCKED))?;
        Self::with(pen, service, config, upload, false).await
    }

    /// Takes the pen to go on at `offset`. One who is wrong about the offset disturbs nobody. Whoever writes there already and has
    /// brought nothing for a while gives way: a client that comes back must not wait for its own dead connection.
    ///
    /// # Errors
    /// [`CannotWrite`].
    pub(crate) async fn at(
        service: &Arc<MediaService>,
        config: Arc<Config>,
        upload: &Arc<Upload>,
        offset: u64,
        is_checked: bool,
    ) -> Result<Self, CannotWrite> {
        let fits = || match upload.offset() {
            has if has != offset => Err(CannotWrite::OtherOffset(has)),
            _ => Ok(()),
        };
        fits()?;
        let pen = match upload.writer.clone().try_lock_owned() {
            Ok(pen) => pen,
            Err(_) => take_over(upload).await?,
        };
        let writing = Self::with(pen, service, config, upload, is_checked).await.map_err(CannotWrite::Refused)?;
        fits()?;
        Ok(writing)
    }

    async fn with(
        pen: OwnedMutexGuard<()>,
        service: &Arc<MediaService>,
        config: Arc<Config>,
        upload: &Arc<Upload>,
        is_checked: bool,
    ) -> Result<Self, Refusal> {
        // Whoever wanted it has it.
        let _wish = upload.wanted.notified().now_or_never();
        let pen = Arc::new(pen);
        let begin = move |spool: &mut Spool| {
            // What an ended connection left of a part that was to be checked.
            spool.discard_part()?;
            if is_checked {
                spool.begin_part();
            }
            Ok(spool.bytes())
        };
        let bytes = upload.at_spool(pen.clone(), begin).await?;
        Ok(Self { service: service.clone(), config, upload: upload.clone(), bytes, buffer: Vec::new(), is_checked, pen })
    }

    /// Returns how long it is, with what is not written yet, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds to its end what came at `now`.
    ///
    /// # Errors
    /// [`Refusal::FileSize`] beyond what it may become; [`Refusal::FileServer`], also for quotas.
    pub(crate) async fn add(&mut self, chunk: &[u8], now: Duration) -> Result<(), Refusal> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.upload.touch(now);
        // Who wants to write learns that bytes come.
        let _wish = self.upload.wanted.notified().now_or_never();
        for part in chunk.chunks(CHUNK_BYTES) {
            let bytes = self.bytes + part.len() as u64;
            if bytes > self.upload.bytes_max {
                return Err(Refusal::FileSize { bytes, bytes_max: self.upload.bytes_max });
            }
            self.service.grow(&self.upload, bytes, &self.config.media)?;
            if self.buffer.len() + part.len() > CHUNK_BYTES {
                self.settle().await?;
            }
            self.buffer.extend_from_slice(part);
            self.bytes = bytes;
            if !self.is_checked {
                self.upload.buffered.store(self.buffer.len() as u64, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// [`Refusal::FileServer`].
    pub(crate) async fn settle(&mut self) -> Result<(), Refusal> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let _turn = self.service.writes.acquire().await.map_err(disk)?;
        let buffer = std::mem::take(&mut self.buffer);
        self.upload.at_spool(self.pen.clone(), move |spool| spool.write(&buffer)).await
    }

    /// Writes what was added, and makes it count.
    ///
    /// # Errors
    /// [`Refusal::FileServer`].
    pub(crate) async fn keep(&mut self) -> Result<(), Refusal> {
        self.settle().await?;
        if self.is_checked {
            let keep = |spool: &mut Spool| {
                spool.keep_part();
                Ok(())
            };
            self.upload.at_spool(self.pen.clone(), keep).await?;
        }
        Ok(())
    }

    /// Takes back what came of a part that was to be checked.
    ///
    /// # Errors
    /// [`Refusal::FileServer`].
    pub(crate) async fn discard(&mut self) -> Result<(), Refusal> {
        self.buffer.clear();
        self.upload.at_spool(self.pen.clone(), Spool::discard_part).await
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.buffer.is_empty() {
            // It is not written any more.
            self.upload.buffered.store(0, Ordering::SeqCst);
        }
    }
}

async fn take_over(upload: &Arc<Upload>) -> Result<OwnedMutexGuard<()>, CannotWrite> {
    const TAKEN: CannotWrite = CannotWrite::Locked(LOCKED);
    // One at a time waits.
    let _turn = upload.successor.try_lock().map_err(|_| TAKEN)?;
    let pen = upload.writer.clone().lock_owned();
    tokio::pin!(pen);
    for patience in [SILENCE, YIELD_MAX] {
        tokio::select! {
            biased;
            pen = &mut pen => return Ok(pen),
            () = upload.grew.notified() => break,
            () = tokio::time::sleep(patience) => upload.wanted.notify_one(),
        }
    }
    // Nobody wants it any more.
    let _wish = upload.wanted.notified().now_or_never();
    Err(TAKEN)
}
