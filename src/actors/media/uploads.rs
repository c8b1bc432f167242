//! Uploads: how a file is begun, written, checked and kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use super::MediaDesk;
use crate::actors::context::BrokerContext;
use crate::actors::runtime::reply::{answer, answered};
use crate::media::{Blob, CHUNK_BYTES, Probed, Savepoint, Spool, clean_name, probe, probe_frame};
use crate::model::{FileUid, Invalid, MediaKind, MediaRecord, Refusal, Rendition, UserId};
use crate::store::RowWrite;

/// How long a client that wants to go on with an upload waits until the present writer lets go.
const YIELD_MAX: Duration = Duration::from_secs(5);

/// The reason given for an upload that is complete and being checked.
pub(crate) const ENDING: &str = "the upload is being checked";

/// An upload that is not complete.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) file: FileUid,
    pub(crate) owner: UserId,
    pub(crate) kind: MediaKind,
    pub(crate) name: String,
    /// The length that was announced; without one, the most it may become.
    pub(crate) promised: u64,
    spool: Arc<Mutex<Spool>>,
    /// Locked by the present writer.
    writer: Arc<tokio::sync::Mutex<()>>,
    /// Wakes the present writer when someone else wants to write.
    wanted: Notify,
    /// When it last grew.
    touched: Mutex<Duration>,
    /// Whether it is complete and being checked.
    ending: AtomicBool,
}

fn disk(error: impl ToString) -> Refusal {
    Refusal::FileServer(error.to_string())
}

/// Runs a closure on a thread that may wait, to its end even when nobody waits for it any more.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(disk(error)))
}

impl Upload {
    fn new(spool: Spool, file: FileUid, owner: UserId, kind: MediaKind, name: String, promised: u64, now: Duration) -> Self {
        Self {
            file,
            owner,
            kind,
            name,
            promised,
            spool: Arc::new(Mutex::new(spool)),
            writer: Arc::default(),
            wanted: Notify::new(),
            touched: Mutex::new(now),
            ending: AtomicBool::new(false),
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(folder: &std::path::Path, file: FileUid, owner: UserId, kind: MediaKind, promised: u64) -> Self {
        let spool = Spool::create(folder, &file.to_string()).unwrap();
        Self::new(spool, file, owner, kind, String::new(), promised, Duration::ZERO)
    }

    pub(super) fn touched(&self) -> Duration {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it is complete and being checked: nothing of it changes any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the right to write, from the present writer if need be: a client that comes back must not wait for its own
    /// dead connection.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub(crate) async fn write(self: &Arc<Self>, context: &BrokerContext) -> Result<Writing, Refusal> {
        let pen = match self.writer.clone().try_lock_owned() {
            Ok(pen) => pen,
            Err(_) => {
                self.wanted.notify_one();
                let waiting = tokio::time::timeout(YIELD_MAX, self.writer.clone().lock_owned());
                waiting.await.map_err(|_| Refusal::Busy("another request writes this upload"))?
            }
        };
        // Whoever wanted it has it.
        let _wish = self.wanted.notified().now_or_never();
        let bytes = self.length().await;
        Ok(Writing { desk: context.media.clone(), upload: self.clone(), bytes, buffer: Vec::new(), _pen: pen })
    }

    /// Returns how long it is by now, in bytes.
    pub(crate) async fn length(self: &Arc<Self>) -> u64 {
        // Not on this thread: a write may be under way.
        let upload = self.clone();
        blocking(move || Ok(upload.spool().bytes())).await.unwrap_or_default()
    }

    /// Completes when someone else wants to write.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

/// The right to write one upload.
pub(crate) struct Writing {
    desk: Arc<MediaDesk>,
    upload: Arc<Upload>,
    bytes: u64,
    buffer: Vec<u8>,
    _pen: OwnedMutexGuard<()>,
}

impl Writing {
    /// Returns how long it is, in bytes, with those not written yet.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds bytes at its end.
    ///
    /// # Errors
    /// [`Refusal::FileSize`] beyond the length that was announced; [`Refusal::FileServer`].
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

    /// Writes the bytes that were added.
    ///
    /// # Errors
    /// [`Refusal::FileServer`].
    pub(crate) async fn settle(&mut self) -> Result<(), Refusal> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let _turn = self.desk.writes.acquire().await.map_err(disk)?;
        let (upload, buffer) = (self.upload.clone(), std::mem::take(&mut self.buffer));
        blocking(move || upload.spool().write(&buffer).map_err(disk)).await
    }

    /// Notes that it grew.
    pub(crate) fn touch(&self, now: Duration) {
        *self.upload.touched.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Returns its present length, to go back to.
    pub(crate) fn mark(&self) -> Savepoint {
        self.upload.spool().savepoint()
    }

    /// Takes back what was written since the savepoint.
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

/// Begins an upload. `bytes` is its length, if that is known.
///
/// # Errors
/// [`Refusal::FileSize`] where it is known to be empty or too long; [`Refusal::FileServer`], [`Refusal::RateLimited`],
/// [`Refusal::Busy`] for quotas; [`Refusal::StoreUnavailable`].
pub(crate) async fn begin(
    context: &Arc<BrokerContext>,
    owner: UserId,
    kind: MediaKind,
    name: &str,
    bytes: Option<u64>,
) -> Result<Arc<Upload>, Refusal> {
    context.accepting()?;
    context.keeping()?;
    let limits = &context.config().limits;
    let bytes_max = kind.bytes_max(limits);
    if let Some(bytes) = bytes.filter(|bytes| *bytes == 0 || *bytes > bytes_max) {
        return Err(Refusal::FileSize { bytes, bytes_max });
    }
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(disk)?;
    let file = FileUid::from_bits(u128::from_be_bytes(bits));
    let incoming = context.media.incoming.clone();
    let spool = blocking(move || Spool::create(&incoming, &file.to_string()).map_err(disk)).await?;
    let name = clean_name(name, limits.file_name_bytes_max);
    let upload = Upload::new(spool, file, owner, kind, name, bytes.unwrap_or(bytes_max), context.clock.elapsed());
    let upload = Arc::new(upload);
    context.media.ledger().begin(upload.clone(), &context.config().media)?;
    context.metrics.upload_began();
    Ok(upload)
}

/// Returns an upload that is under way.
pub(crate) fn find(context: &BrokerContext, file: FileUid) -> Option<Arc<Upload>> {
    context.media.ledger().find(file)
}

/// Gives an upload up and deletes what was written of it.
pub(crate) fn abandon(context: &BrokerContext, file: FileUid) {
    context.media.ledger().end(file, 0);
}

/// Gives an upload up when its sender goes away, unless it was finished.
pub(crate) struct Abandon {
    context: Arc<BrokerContext>,
    file: Option<FileUid>,
}

impl Abandon {
    pub(crate) fn unless_done(context: &Arc<BrokerContext>, file: FileUid) -> Self {
        Self { context: context.clone(), file: Some(file) }
    }

    pub(crate) fn done(mut self) {
        self.file = None;
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(file) = self.file {
            abandon(&self.context, file);
        }
    }
}

/// Checks a complete upload and keeps it. Runs to its end even when its caller goes away.
///
/// # Errors
/// [`Refusal::FileType`], [`Refusal::FileSize`], [`Refusal::FilePixels`], [`Refusal::FileDuration`],
/// [`Refusal::FileServer`], [`Refusal::StoreUnavailable`]: the upload is given up.
pub(crate) async fn finish(context: &Arc<BrokerContext>, upload: Arc<Upload>) -> Result<MediaRecord, Refusal> {
    // Once: a second would find its file moved away, and clean up after itself what the first has kept.
    if upload.ending.swap(true, Ordering::SeqCst) {
        return Err(Refusal::Busy(ENDING));
    }
    let (reply, outcome) = oneshot::channel();
    let context = context.clone();
    actix::spawn(async move {
        let kept = keep(&context, &upload).await;
        context.media.ledger().end(upload.file, kept.as_ref().map_or(0, MediaRecord::bytes_kept));
        context.metrics.upload_ended(kept.is_ok());
        answer(reply, kept);
    });
    answered(outcome).await
}

async fn keep(context: &Arc<BrokerContext>, upload: &Arc<Upload>) -> Result<MediaRecord, Refusal> {
    let desk: &MediaDesk = &context.media;
    let _permit = desk.probes.acquire().await.map_err(disk)?;
    let (its, options, limits) = (upload.clone(), MediaDesk::options(&context.config()), context.config().limits.clone());
    let (probed, path, bytes, sha256) = blocking(move || {
        let (path, bytes, sha256) = {
            let spool = its.spool();
            (spool.path().to_owned(), spool.bytes(), spool.sha256())
        };
        if bytes == 0 {
            return Err(Refusal::FileSize { bytes, bytes_max: its.kind.bytes_max(&limits) });
        }
        Ok((probe(its.kind, &path, &options, &limits)?, path, bytes, sha256))
    })
    .await?;
    let mut record = record_of(upload, &probed, bytes, sha256, context.clock.wall_ms());
    let kept = put_all(context, upload.file, path, probed.made, &mut record).await;
    let kept = match kept {
        Ok(()) => context.archive.apply(vec![RowWrite::PutMedia(record.clone())]).await,
        refused => refused,
    };
    if let Err(refusal) = kept {
        // What stays for lack of an answer is deleted at the next start.
        delete_blobs(context, upload.file).await;
        return Err(refusal);
    }
    tracing::debug!(file = %record.file, kind = record.kind.label(), bytes, "a file is kept");
    Ok(record)
}

fn record_of(upload: &Upload, probed: &Probed, bytes: u64, sha256: String, created_ms: u64) -> MediaRecord {
    MediaRecord {
        file: upload.file,
        owner: upload.owner.clone(),
        kind: upload.kind,
        name: upload.name.clone(),
        bytes,
        sha256,
        mime: probed.mime.clone(),
        codec: probed.codec.clone(),
        created_ms,
        duration_ms: probed.duration_ms,
        original: probed.original,
        large: probed.large,
        thumbnail: probed.thumbnail,
        frame: probed.frame,
        large_bytes: 0,
        thumbnail_bytes: 0,
        frame_bytes: 0,
    }
}

async fn put_all(
    context: &BrokerContext,
    file: FileUid,
    original: PathBuf,
    made: Vec<(Rendition, Vec<u8>)>,
    record: &mut MediaRecord,
) -> Result<(), Refusal> {
    for (rendition, bytes) in made {
        match rendition {
            Rendition::Large => record.large_bytes = bytes.len() as u64,
            Rendition::Thumbnail => record.thumbnail_bytes = bytes.len() as u64,
            Rendition::Original | Rendition::Frame => {}
        }
        put_bytes(context, Blob { file, rendition }, bytes).await?;
    }
    context.media.store.put(Blob { file, rendition: Rendition::Original }, &original).await.map_err(disk)
}

async fn put_bytes(context: &BrokerContext, blob: Blob, bytes: Vec<u8>) -> Result<(), Refusal> {
    let (incoming, name) = (context.media.incoming.clone(), format!("{}.{}", blob.file, blob.rendition.label()));
    let spool = blocking(move || {
        let mut spool = Spool::create(&incoming, &name).map_err(disk)?;
        spool.write(&bytes).map_err(disk)?;
        Ok(spool)
    });
    let spool = spool.await?;
    context.media.store.put(blob, spool.path()).await.map_err(disk)
}

/// Deletes the bytes of a file in all its renditions.
pub(super) async fn delete_blobs(context: &BrokerContext, file: FileUid) {
    for rendition in Rendition::ALL {
        if let Err(error) = context.media.store.delete(Blob { file, rendition }).await {
            tracing::warn!(%error, %file, "bytes of a file could not be deleted; the next start does");
        }
    }
}

/// Keeps the first picture of a video beside it.
///
/// # Errors
/// [`Refusal::FileMissing`]: no such video, another user's; [`Refusal::FileType`] and the like for the picture.
pub(crate) async fn keep_frame(
    context: &Arc<BrokerContext>,
    owner: &UserId,
    file: FileUid,
    picture: Arc<Upload>,
) -> Result<MediaRecord, Refusal> {
    let record = context.archive.read(move |store| store.media(file)).await?;
    let record = record.filter(|record| record.owner == *owner && record.kind == MediaKind::Video).ok_or(Refusal::FileMissing)?;
    context.media.speak_for(file, context.clock.elapsed())?;
    // A video that was sent stays as its readers saw it.
    if !context.archive.read(move |store| store.media_uses(file, 1)).await?.is_empty() {
        return Err(Invalid::new("fileUID", "names a video that was sent: its first picture stays as it is").into());
    }
    let options = MediaDesk::options(&context.config());
    let permit = context.media.probes.acquire().await.map_err(disk)?;
    let (bytes, _) = blocking(move || {
        let path = picture.spool().path().to_owned();
        probe_frame(&path, &options)
    })
    .await?;
    drop(permit);
    let more = bytes.len() as u64;
    // The size of this picture is not written into the message: only the container of an H.264 or H.265 video says it.
    // Source: ZIM guide "Send and receive messages".
    put_bytes(context, Blob { file, rendition: Rendition::Frame }, bytes).await?;
    let before = record.frame_bytes;
    let record = MediaRecord { frame_bytes: more, ..record };
    context.archive.apply(vec![RowWrite::PutMedia(record.clone())]).await?;
    let mut ledger = context.media.ledger();
    ledger.release(owner, before);
    ledger.keep(owner, more);
    Ok(record)
}
