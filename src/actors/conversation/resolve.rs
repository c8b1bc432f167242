//! What a draft refers to and must be found before it is kept: the message it answers, the combined message it passes
//! on, the files it carries. Reads the store, on a thread that may wait.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::context::BrokerContext;
use crate::actors::media::MediaDesk;
use crate::actors::media::access::sendable;
use crate::actors::user::list::load;
use crate::actors::view::find;
use crate::media::Blob;
use crate::model::{
    Body, Combine, Conversation, Draft, FileUid, Invalid, Limits, Media, MediaKind, MediaUrls, Message, Refusal, Rendition, ReplyTo, UserId,
};
use crate::protocol::{CombineRef, MessageHandle, child_at, uploaded_children};
use crate::store::{Store, StoreError};

/// Whether anything is to be found.
pub(super) fn is_needed(draft: &Draft) -> bool {
    draft.terms.reply.is_some() || refers(&draft.body)
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

/// Where files are found, and when this is.
pub(super) struct Files {
    desk: Arc<MediaDesk>,
    limits: Limits,
    unsent_ms: u64,
    now_ms: u64,
    now: Duration,
}

impl Files {
    pub(super) fn of(context: &BrokerContext) -> Self {
        Self {
            desk: context.media.clone(),
            limits: context.config().limits.clone(),
            unsent_ms: context.config().media.unsent_seconds * 1000,
            now_ms: context.clock.wall_ms(),
            now: context.clock.elapsed(),
        }
    }

    /// Puts what is known of a file in the place of what the sender says of it. A message carries a file that is complete
    /// and that its sender may read, or none at all.
    fn resolve(&self, store: &dyn Store, sender: &UserId, media: &mut Media) -> Result<Result<(), Refusal>, StoreError> {
        if media.file.is_none() {
            match FileUid::in_url(&media.urls.original) {
                // An own one, forwarded: reduced to its name. Another broker's stays what it is, a URL.
                Some(file) if store.media(file)?.is_some() || media.urls.original.starts_with('/') => media.file = Some(file),
                _ if media.urls.original.is_empty() => return Ok(Err(Refusal::FileMissing)),
                _ => return Ok(media.check_duration(&self.limits)),
            }
            media.urls = MediaUrls::default();
        }
        let Some(file) = media.file else { return Ok(Err(Refusal::FileMissing)) };
        if let Err(refusal) = media.check_duration(&self.limits).and_then(|()| self.desk.speak_for(file, self.now)) {
            return Ok(Err(refusal));
        }
        let Some(record) = sendable(store, sender, file, self.now_ms, self.unsent_ms)? else { return Ok(Err(Refusal::FileMissing)) };
        if !record.fits(media.kind) {
            return Ok(Err(Refusal::FileType("the file was uploaded as another kind")));
        }
        *media = Media::of_record(media.kind, &record, media.duration_ms);
        Ok(Ok(()))
    }

    /// What an upload of its sender holds, which is no larger than a combined message may be.
    fn read_whole(&self, store: &dyn Store, sender: &UserId, file: FileUid) -> Result<Result<Vec<u8>, Refusal>, StoreError> {
        let record = store.media(file)?.filter(|record| record.owner == *sender && record.kind == MediaKind::File);
        let Some(record) = record else { return Ok(Err(Refusal::FileMissing)) };
        // In JSON a control character takes six bytes.
        let bytes_max = self.limits.combine_bytes_max.saturating_mul(6) as u64;
        if record.bytes > bytes_max {
            return Ok(Err(Refusal::FileSize { bytes: record.bytes, bytes_max }));
        }
        let blob = Blob { file, rendition: Rendition::Original };
        let reading = async {
            let mut whole = Vec::new();
            while (whole.len() as u64) < record.bytes {
                whole.extend_from_slice(&self.desk.store.read(blob, whole.len() as u64..record.bytes).await?);
            }
            Ok(whole)
        };
        let read = tokio::runtime::Handle::current().block_on(reading);
        Ok(read.map_err(|error: crate::media::MediaError| Refusal::FileServer(error.to_string())))
    }
}

type Completed = (Draft, Option<Arc<Message>>);

/// The draft with all it refers to, and the message it answers.
pub(super) fn complete(
    store: &dyn Store,
    sender: &UserId,
    conversation: &Conversation,
    mut draft: Draft,
    files: &Files,
) -> Result<Result<Completed, Refusal>, StoreError> {
    let mut quoted = None;
    if let Some(reply) = &mut draft.terms.reply {
        let handle = MessageHandle { seq: Some(reply.seq).filter(|seq| *seq > 0), id: Some(reply.id).filter(|id| *id > 0) };
        match find::message(store, conversation, handle, 1)? {
            Some(message) if load::may_read(store, sender, conversation, message.seq)? => {
                if !message.body.is_sendable() {
                    return Ok(Err(Invalid::new("toOriginalMessage", "is of a kind that is not answered").into()));
                }
                let root_seq = message.terms.reply.map_or(message.seq, |above| above.root_seq);
                *reply = ReplyTo { seq: message.seq, id: message.id, root_seq };
                quoted = Some(message);
            }
            _ => return Ok(Err(Refusal::MessageMissing)),
        }
    }
    if let Body::Media(media) = &mut draft.body
        && let Err(refusal) = files.resolve(store, sender, media)?
    {
        return Ok(Err(refusal));
    }
    if let Body::Combine(combine) = &mut draft.body {
        if let Err(refusal) = fill(store, sender, combine, files)? {
            return Ok(Err(refusal));
        }
        if let Err(invalid) = combine.validate(&files.limits) {
            return Ok(Err(invalid.into()));
        }
    }
    Ok(Ok((draft, quoted)))
}

/// Puts copies of what is referred to in its place. Source: spec Q29: an immutable copy.
fn fill(store: &dyn Store, sender: &UserId, combine: &mut Combine, files: &Files) -> Result<Result<(), Refusal>, StoreError> {
    if let Some(file) = combine.uploaded.take() {
        let children = files.read_whole(store, sender, file)?.and_then(|json| uploaded_children(&json, &files.limits));
        match children {
            Ok(children) => combine.children = children,
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    if !combine.copied_from.is_empty() {
        let place = match CombineRef::parse(&combine.copied_from) {
            Ok(place) => place,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        let may_read = load::may_read(store, sender, &place.conversation, place.seq)?;
        let kept = if may_read { store.children(&place.conversation, place.seq)? } else { Vec::new() };
        match child_at(kept, &place.path) {
            Some(children) if !children.is_empty() => combine.children = children,
            _ => return Ok(Err(Refusal::MessageMissing)),
        }
        combine.copied_from.clear();
    }
    for child in &mut combine.children {
        let filled = match &mut child.body {
            Body::Combine(nested) => fill(store, sender, nested, files)?,
            Body::Media(media) => files.resolve(store, sender, media)?,
            _ => Ok(()),
        };
        if filled.is_err() {
            return Ok(filled);
        }
    }
    Ok(Ok(()))
}
