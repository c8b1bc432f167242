//! The right to write one upload, which one request has at a time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::OwnedMutexGuard;

use super::MediaService;
use super::upload::{Upload, blocking, disk};
use crate::media::{CHUNK_BYTES, Savepoint};
use crate::model::Refusal;

/// How long whoever wants to go on with an upload waits for the one that writes it to let go.
const YIELD_MAX: Duration = Duration::from_secs(5);

/// The right to write one upload.
pub(crate) struct Writing {
    service: Arc<MediaService>,
    upload: Arc<Upload>,
    bytes: u64,
    buffer: Vec<u8>,
    _pen: OwnedMutexGuard<()>,
}

impl Writing {
    /// Takes the pen, from whoever holds it if need be: a client that comes back must not wait for its own dead connection.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub(crate) async fn begin(service: &Arc<MediaService>, upload: &Arc<Upload>) -> Result<Self, Refusal> {
        let pen = match upload.writer.clone().try_lock_owned() {
            Ok(pen) => pen,
            Err(_) => {
                upload.wanted.notify_one();
                let waiting = tokio::time::timeout(YIELD_MAX, upload.writer.clone().lock_owned());
                waiting.await.map_err(|_| Refusal::Busy("another request writes this upload"))?
            }
        };
        // Whoever wanted it has it.
        let _wish = upload.wanted.notified().now_or_never();
        let bytes = upload.length().await;
        Ok(Self { service: service.clone(), upload: upload.clone(), bytes, buffer: Vec::new(), _pen: pen })
    }

    /// How long it is, with what is not written yet.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds to its end.
    ///
    /// # Errors
    /// [`Refusal::FileSize`] beyond what was promised; [`Refusal::FileServer`].
    pub(crate) async fn add(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        for part in chunk.chunks(CHUNK_BYTES) {
            if self.bytes + part.len() as u64 > self.upload.promised {
                let (bytes, bytes_max) = (self.bytes + part.len() as u64, self.upload.promised);
                return Err(Refusal::FileSize { bytes, bytes_max });
            }
            if self.buffer.len() + part.len() > CHUNK_BYTES {
                self.settle().await?;
            }
            self.buffer.extend_from_slice(part);
            self.bytes += part.len() as u64;
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
        let (upload, buffer) = (self.upload.clone(), std::mem::take(&mut self.buffer));
        blocking(move || upload.spool().write(&buffer).map_err(disk)).await
    }

    /// Notes that it grew.
    pub(crate) fn touch(&self, now: Duration) {
        *self.upload.touched.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Its length now, to come back to.
    pub(crate) fn mark(&self) -> Savepoint {
        self.upload.spool().savepoint()
    }

    /// Takes back what was written since.
    ///
    /// # Errors
    /// [`Refusal::FileServer`].
    pub(crate) async fn back_to(&mut self, mark: Savepoint) -> Result<(), Refusal> {
        self.buffer.clear();
        let upload = self.upload.clone();
        self.bytes = blocking(move || {
            let mut spool = upload.spool();
            spool.roll_back_to(mark).map_err(disk)?;
            Ok(spool.bytes())
        })
        .await?;
        Ok(())
    }
}
