//! The files that a message carries, and the upload that holds what a large combined one does.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::context::BrokerContext;
use crate::actors::files::MediaService;
use crate::actors::media::access::readable;
use crate::actors::memory::MemoryShare;
use crate::actors::places::Onlooker;
use crate::actors::runtime::archive::ArchiveHandle;
use crate::actors::runtime::reply::ReadError;
use crate::media::{Blob, MediaError};
use crate::model::{Combine, FileUid, Limits, Media, MediaKind, MediaUrls, Refusal, Rendition, UserId};
use crate::protocol::uploaded_children;
use crate::store::Store;

/// Where files are found, and the present time.
pub(super) struct Files {
    service: Arc<MediaService>,
    pub(super) limits: Limits,
    unsent_ms: u64,
    now_ms: u64,
    now: Duration,
}

impl Files {
    pub(super) fn of(context: &BrokerContext) -> Self {
        Self {
            service: context.media.clone(),
            limits: context.config().limits.clone(),
            unsent_ms: context.config().media.unsent_seconds * 1000,
            now_ms: context.clock.wall_ms(),
            now: context.clock.elapsed(),
        }
    }

    /// Replaces what the sender says of a file by what is known of it. A message carries a file that is complete and
    /// that its sender may read, or none at all.
    pub(super) fn resolve(&self, store: &dyn Store, sender: &Onlooker, media: &mut Media) -> Result<(), ReadError> {
        if media.file.is_none() {
            match FileUid::in_url(&media.urls.original) {
                // A file of this broker, forwarded, is reduced to its name; a URL of another broker stays a URL.
                Some(file) if store.media(file)?.is_some() || media.urls.original.starts_with('/') => media.file = Some(file),
                _ if media.urls.original.is_empty() => return Err(Refusal::FileMissing.into()),
                _ => return Ok(media.check_duration(&self.limits)?),
            }
            media.urls = MediaUrls::default();
        }
        let file = media.file.ok_or(Refusal::FileMissing)?;
        if media.kind == MediaKind::Audio {
            let measured = store.media(file)?.and_then(|record| record.duration_ms);
            media.take_milliseconds(measured);
        }
        media.check_duration(&self.limits)?;
        self.service.pin(file, self.now)?;
        let record = readable(store, sender, file, self.now_ms, self.unsent_ms)?.ok_or(Refusal::FileMissing)?;
        if !record.fits(media.kind) {
            return Err(Refusal::FileType("the file was uploaded as another kind").into());
        }
        *media = Media::of_record(media.kind, &record, media.duration_ms);
        Ok(())
    }

    /// Keeps files of a list that is passed on from being deleted until the message is stored that carries them.
    pub(super) fn pin_all(&self, store: &dyn Store, files: &[FileUid]) -> Result<(), ReadError> {
        for file in files {
            self.service.pin(*file, self.now)?;
            store.media(*file)?.ok_or(Refusal::FileMissing)?;
        }
        Ok(())
    }

    /// Reads an upload of the sender, which is no larger than a combined message may be.
    async fn read_whole(
        &self,
        archive: &ArchiveHandle,
        sender: &UserId,
        file: FileUid,
        memory: &mut MemoryShare,
    ) -> Result<Vec<u8>, Refusal> {
        let record = archive.read(move |store| store.media(file)).await?;
        let record = record.filter(|record| record.owner == *sender && record.kind == MediaKind::File).ok_or(Refusal::FileMissing)?;
        let bytes_max = self.limits.combine_bytes_max as u64;
        if record.bytes > bytes_max {
            return Err(Refusal::FileSize { bytes: record.bytes, bytes_max });
        }
        memory.add(usize::try_from(record.bytes).unwrap_or(usize::MAX))?;
        let blob = Blob { file, rendition: Rendition::Original };
        let mut whole = Vec::new();
        while (whole.len() as u64) < record.bytes {
            let part = self.service.store.read(blob, whole.len() as u64..record.bytes).await;
            whole.extend_from_slice(&part.map_err(|error: MediaError| Refusal::FileServer(error.to_string()))?);
        }
        Ok(whole)
    }

    /// Replaces the name of an upload by the children that were uploaded.
    pub(super) async fn load_children(
        &self,
        archive: &ArchiveHandle,
        sender: &UserId,
        combine: &mut Combine,
        memory: &mut MemoryShare,
    ) -> Result<(), Refusal> {
        // A list that was uploaded names no upload itself: it is checked as it is read.
        if let Some(file) = combine.uploaded.take() {
            let json = self.read_whole(archive, sender, file, memory).await?;
            combine.children = uploaded_children(&json, &self.limits)?;
        }
        Ok(())
    }
}
