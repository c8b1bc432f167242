//! Looks up what a draft refers to before it is kept: the message it answers, the combined message it passes on, the
//! files it carries.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::context::BrokerContext;
use crate::actors::files::MediaService;
use crate::actors::media::access::readable;
use crate::actors::places::Onlooker;
use crate::actors::runtime::archive::ArchiveHandle;
use crate::actors::runtime::reply::ReadError;
use crate::actors::view::find;
use crate::actors::view::visibility::{Visibility, seen_by};
use crate::media::{Blob, MediaError};
use crate::model::{
    Body, Combine, Conversation, Draft, FileUid, Invalid, Limits, Media, MediaKind, MediaUrls, Message, Refusal, Rendition, ReplyTo, UserId,
};
use crate::protocol::{CombineRef, MessageHandle, child_at, uploaded_children};
use crate::store::Store;

/// Returns whether a draft refers to anything.
pub(super) fn is_needed(draft: &Draft) -> bool {
    draft.content.options.reply.is_some() || refers(&draft.content.body)
}

fn refers(body: &Body) -> bool {
    match body {
        Body::Media(_) => true,
        Body::Combine(combine) => {
            !combine.copied_from.is_empty() || combine.uploaded.is_some() || combine.children.iter().any(|child| refers(&child.body))
        }
        _ => false,
    }
}

/// Where files are found, and the present time.
pub(super) struct Files {
    service: Arc<MediaService>,
    limits: Limits,
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
    fn resolve(&self, store: &dyn Store, sender: &Onlooker, media: &mut Media) -> Result<(), ReadError> {
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
        media.check_duration(&self.limits)?;
        self.service.pin(file, self.now)?;
        let record = readable(store, sender, file, self.now_ms, self.unsent_ms)?.ok_or(Refusal::FileMissing)?;
        if !record.fits(media.kind) {
            return Err(Refusal::FileType("the file was uploaded as another kind").into());
        }
        *media = Media::of_record(media.kind, &record, media.duration_ms);
        Ok(())
    }

    /// Reads an upload of the sender, which is no larger than a combined message may be.
    async fn read_whole(&self, archive: &ArchiveHandle, sender: &UserId, file: FileUid) -> Result<Vec<u8>, Refusal> {
        let record = archive.read(move |store| store.media(file)).await?;
        let record = record.filter(|record| record.owner == *sender && record.kind == MediaKind::File).ok_or(Refusal::FileMissing)?;
        // In JSON a control character takes six bytes.
        let bytes_max = self.limits.combine_bytes_max.saturating_mul(6) as u64;
        if record.bytes > bytes_max {
            return Err(Refusal::FileSize { bytes: record.bytes, bytes_max });
        }
        let blob = Blob { file, rendition: Rendition::Original };
        let mut whole = Vec::new();
        while (whole.len() as u64) < record.bytes {
            let part = self.service.store.read(blob, whole.len() as u64..record.bytes).await;
            whole.extend_from_slice(&part.map_err(|error: MediaError| Refusal::FileServer(error.to_string()))?);
        }
        Ok(whole)
    }

    /// Replaces the name of an upload by the children that were uploaded.
    async fn load_children(&self, archive: &ArchiveHandle, sender: &UserId, combine: &mut Combine) -> Result<(), Refusal> {
        // A list that was uploaded names no upload itself: it is checked as it is read.
        if let Some(file) = combine.uploaded.take() {
            let json = self.read_whole(archive, sender, file).await?;
            combine.children = uploaded_children(&json, &self.limits)?;
        }
        Ok(())
    }
}

/// Returns the draft with all it refers to, and the message it answers.
///
/// # Errors
/// [`Refusal::MessageMissing`], [`Refusal::FileMissing`] and every other refusal that keeps the draft from being sent.
pub(super) async fn resolve(
    archive: &ArchiveHandle,
    sender: Onlooker,
    conversation: Conversation,
    mut draft: Draft,
    files: Files,
) -> Result<(Draft, Option<Arc<Message>>), Refusal> {
    if let Body::Combine(combine) = &mut draft.content.body {
        files.load_children(archive, &sender.user, combine).await?;
    }
    archive
        .look_up(move |store| {
            let quoted = match &mut draft.content.options.reply {
                Some(reply) => Some(answered_message(store, &sender, &conversation, reply)?),
                None => None,
            };
            match &mut draft.content.body {
                Body::Media(media) => files.resolve(store, &sender, media)?,
                Body::Combine(combine) => {
                    fill(store, &sender, combine, &files)?;
                    combine.validate(&files.limits)?;
                }
                _ => {}
            }
            Ok((draft, quoted))
        })
        .await
}

/// Finds the message that is answered, and notes in `reply` which it is.
fn answered_message(
    store: &dyn Store,
    sender: &Onlooker,
    conversation: &Conversation,
    reply: &mut ReplyTo,
) -> Result<Arc<Message>, ReadError> {
    let handle = MessageHandle { seq: Some(reply.seq).filter(|seq| *seq > 0), id: Some(reply.id).filter(|id| *id > 0) };
    let found = find::message(store, &sender.user, conversation, handle, Visibility::from(1))?;
    let message = match (conversation, found) {
        // Who may write in a room may answer there.
        (Conversation::Room(..), found) => found,
        (_, Some(found)) => seen_by(store, sender, conversation, found.seq)?,
        (_, None) => None,
    };
    let message = message.ok_or(Refusal::MessageMissing)?;
    if !message.content.body.is_sendable() {
        return Err(Invalid::new("toOriginalMessage", "is of a kind that is not answered").into());
    }
    let root_seq = message.content.options.reply.map_or(message.seq, |above| above.root_seq);
    *reply = ReplyTo { seq: message.seq, id: message.id, root_seq };
    Ok(message)
}

/// Replaces references to messages by copies of them. Our choice: a combined message stays as it was, whatever happens
/// to the originals.
fn fill(store: &dyn Store, sender: &Onlooker, combine: &mut Combine, files: &Files) -> Result<(), ReadError> {
    if !combine.copied_from.is_empty() {
        let place = CombineRef::parse(&combine.copied_from)?;
        let readable = seen_by(store, sender, &place.conversation, place.seq)?;
        let kept = if readable.is_some() { store.children(&place.conversation, place.seq)? } else { Vec::new() };
        combine.children = child_at(kept, &place.path).filter(|children| !children.is_empty()).ok_or(Refusal::MessageMissing)?;
        combine.copied_from.clear();
    }
    for child in &mut combine.children {
        match &mut child.body {
            Body::Combine(nested) => fill(store, sender, nested, files)?,
            Body::Media(media) => files.resolve(store, sender, media)?,
            _ => {}
        }
    }
    Ok(())
}
