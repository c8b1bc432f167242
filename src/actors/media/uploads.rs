//! Uploads: how a file is begun, written, checked and kept.

use std::path::PathBuf;
use std::sync::Arc;

use super::first_frame;
use crate::actors::context::BrokerContext;
use crate::actors::files::MediaService;
use crate::actors::files::upload::{Announced, Upload, UploadTerms, blocking, disk};
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::media::{Blob, Prepared, Probed, Spool, clean_name, prepare, probe_frame};
use crate::model::{FileUid, Invalid, MediaKind, MediaRecord, Refusal, Rendition, UserId};
use crate::store::RowWrite;

/// What is said of an upload that is complete and being checked.
pub(crate) const ENDING: &str = "the upload is being checked";

/// Begins an upload. Where there are as many as may be, the oldest idle one gives way to it.
///
/// # Errors
/// [`Refusal::FileSize`] where it is known to be empty or too long; [`Refusal::FileServer`], [`Refusal::RateLimited`],
/// [`Refusal::Busy`] for quotas; [`Refusal::StoreUnavailable`].
pub(crate) async fn begin(context: &Arc<BrokerContext>, mut terms: UploadTerms) -> Result<Arc<Upload>, Refusal> {
    context.accepting()?;
    context.keeping()?;
    let limits = &context.config().limits;
    let bytes_max = terms.kind.bytes_max(limits);
    if let Announced::Exactly(bytes) = terms.announced
        && (is_too_short(bytes, terms.kind) || bytes > bytes_max)
    {
        return Err(Refusal::FileSize { bytes, bytes_max });
    }
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(disk)?;
    let file = FileUid::from_bits(u128::from_be_bytes(bits));
    let incoming = context.media.incoming().to_owned();
    let spool = blocking(move || Spool::create(&incoming, &file.to_string()).map_err(disk)).await?;
    terms.name = clean_name(&terms.name, limits.file_name_bytes_max);
    let upload = Arc::new(Upload::new(spool, file, terms, bytes_max, context.clock.elapsed()));
    context.media.begin(upload.clone(), &context.config().media)?;
    context.metrics.upload_began();
    Ok(upload)
}

/// Says whether nothing of this kind is so short. A file may be empty.
fn is_too_short(bytes: u64, kind: MediaKind) -> bool {
    bytes == 0 && kind != MediaKind::File
}

/// Returns an upload that is under way.
pub(crate) fn find(context: &BrokerContext, file: FileUid) -> Option<Arc<Upload>> {
    context.media.quota().find(file)
}

/// Gives an upload up and deletes what was written of it, unless it is complete already.
pub(crate) fn abandon(context: &BrokerContext, file: FileUid) {
    let _upload = context.media.quota().give_up(file);
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
/// [`Refusal::FileMissing`]: it was given up meanwhile; [`Refusal::FileType`], [`Refusal::FileSize`], [`Refusal::FilePixels`], [`Refusal::FileDuration`],
/// [`Refusal::FileServer`], [`Refusal::StoreUnavailable`]: the upload is given up.
pub(crate) async fn finish(context: &Arc<BrokerContext>, upload: Arc<Upload>) -> Result<MediaRecord, Refusal> {
    // Once: a second would find its file moved away, and clean up after itself what the first has kept.
    if !context.media.quota().complete(upload.file) {
        return Err(if upload.is_ending() { Refusal::Busy(ENDING) } else { Refusal::FileMissing });
    }
    let (reply, outcome) = Reply::channel();
    let context = context.clone();
    actix::spawn(async move {
        let kept = keep(&context, &upload).await;
        let _upload = context.media.quota().end(upload.file, kept.as_ref().map_or(0, MediaRecord::bytes_kept));
        context.metrics.upload_ended(kept.is_ok());
        answer(reply, kept);
    });
    answered(outcome).await
}

async fn keep(context: &Arc<BrokerContext>, upload: &Arc<Upload>) -> Result<MediaRecord, Refusal> {
    let service: &MediaService = &context.media;
    let _permit = service.probes.acquire().await.map_err(disk)?;
    let (its, config) = (upload.clone(), context.config());
    let (prepared, stored) = blocking(move || {
        let (options, limits) = (MediaService::options(&config), &config.limits);
        let mut spool = its.spool();
        let uploaded = spool.bytes();
        if is_too_short(uploaded, its.kind) {
            return Err(Refusal::FileSize { bytes: uploaded, bytes_max: its.kind.bytes_max(limits) });
        }
        let keeps_original = its.keeps_original || !config.media.strip_originals;
        let prepared = prepare(its.kind, &mut spool, keeps_original, &options, limits)?;
        let kept = prepared.anew.as_ref().unwrap_or(&spool);
        let stored = Stored { path: kept.path().to_owned(), bytes: kept.bytes(), uploaded, sha256: kept.sha256() };
        Ok((prepared, stored))
    })
    .await?;
    // What is kept in place of the upload lies where it lies until it is put away.
    let Prepared { probed, anew: _anew } = prepared;
    let (path, bytes) = (stored.path.clone(), stored.bytes);
    let mut record = record_of(upload, &probed, stored, context.clock.wall_ms());
    let mut made = probed.made;
    made.extend(first_frame::of_host(context, &record, &path).await.map(|picture| (Rendition::Frame, picture)));
    let kept = put_all(context, upload.file, path, made, &mut record).await;
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
    let Some(picture) = first_frame::of_backend(context, &record).await else { return Ok(record) };
    // A picture less is no reason to refuse the video.
    let with_frame = put_frame(context, record.clone(), picture).await;
    Ok(with_frame
        .inspect_err(|error| tracing::warn!(%error, file = %record.file, "the first picture of a video was not kept"))
        .unwrap_or(record))
}

/// What is put away of an upload.
struct Stored {
    path: PathBuf,
    bytes: u64,
    /// Its length as it came, bytes.
    uploaded: u64,
    sha256: String,
}

fn record_of(upload: &Upload, probed: &Probed, stored: Stored, created_ms: u64) -> MediaRecord {
    let Stored { bytes, uploaded, sha256, .. } = stored;
    MediaRecord {
        file: upload.file,
        owner: upload.owner.clone(),
        kind: upload.kind,
        name: upload.name.clone(),
        bytes,
        bytes_uploaded: if uploaded == bytes { 0 } else { uploaded },
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
            Rendition::Frame => record.frame_bytes = bytes.len() as u64,
            Rendition::Original => {}
        }
        put_bytes(context, Blob { file, rendition }, bytes).await?;
    }
    context.media.store.put(Blob { file, rendition: Rendition::Original }, &original).await.map_err(disk)
}

async fn put_bytes(context: &BrokerContext, blob: Blob, bytes: Vec<u8>) -> Result<(), Refusal> {
    let (incoming, name) = (context.media.incoming().to_owned(), format!("{}.{}", blob.file, blob.rendition.label()));
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
    context.media.pin(file, context.clock.elapsed())?;
    // What was sent stays as its readers saw it.
    if !context.archive.read(move |store| store.media_uses(file, 1)).await?.is_empty() {
        return Err(Invalid::new("fileUID", "names a video that was sent: its first picture stays as it is").into());
    }
    let options = MediaService::options(&context.config());
    let permit = context.media.probes.acquire().await.map_err(disk)?;
    let (bytes, _) = blocking(move || {
        let path = picture.spool().path().to_owned();
        probe_frame(&path, &options)
    })
    .await?;
    drop(permit);
    let before = record.frame_bytes;
    let record = put_frame(context, record, bytes).await?;
    let mut ledger = context.media.quota();
    ledger.release(owner, before);
    ledger.keep(owner, record.frame_bytes);
    Ok(record)
}

/// Keeps a picture beside the record of its video.
async fn put_frame(context: &BrokerContext, record: MediaRecord, picture: Vec<u8>) -> Result<MediaRecord, Refusal> {
    // The size of this picture is not written into the message: only the container of an H.264 or H.265 video says it.
    // Source: ZIM guide "Send and receive messages".
    let record = MediaRecord { frame_bytes: picture.len() as u64, ..record };
    put_bytes(context, Blob { file: record.file, rendition: Rendition::Frame }, picture).await?;
    context.archive.apply(vec![RowWrite::PutMedia(record.clone())]).await?;
    Ok(record)
}
