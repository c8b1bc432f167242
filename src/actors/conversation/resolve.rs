//! Looks up what a draft refers to before it is kept: the message it answers, the combined message it passes on, the
//! files it carries.

use std::sync::Arc;

use super::carried::Files;
use super::passed_on;
use crate::actors::memory::MemoryShare;
use crate::actors::places::Onlooker;
use crate::actors::runtime::archive::ArchiveHandle;
use crate::actors::runtime::reply::ReadError;
use crate::actors::view::find;
use crate::actors::view::visibility::{Visibility, seen_by};
use crate::model::{Body, Conversation, Draft, Invalid, Message, Refusal, ReplyTo};
use crate::protocol::MessageHandle;
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

/// A draft with all it refers to.
pub(super) struct Resolved {
    pub(super) draft: Draft,
    /// The message it answers.
    pub(super) quoted: Option<Arc<Message>>,
    /// What of it had to be read, for as long as it is in memory.
    pub(super) memory: MemoryShare,
}

/// Finds all that a draft refers to. How much has to be read is known before anything is.
///
/// # Errors
/// [`Refusal::MessageMissing`], [`Refusal::FileMissing`] and every other refusal that keeps the draft from being sent;
/// [`Refusal::Busy`] where too much is in memory already.
pub(super) async fn resolve(
    archive: &ArchiveHandle,
    sender: Onlooker,
    conversation: Conversation,
    mut draft: Draft,
    files: Files,
    mut memory: MemoryShare,
) -> Result<Resolved, Refusal> {
    if let Body::Combine(combine) = &mut draft.content.body {
        files.load_children(archive, &sender.user, combine, &mut memory).await?;
    }
    archive
        .look_up(move |store| {
            let quoted = match &mut draft.content.options.reply {
                Some(reply) => Some(answered_message(store, &sender, &conversation, reply)?),
                None => None,
            };
            match &mut draft.content.body {
                Body::Media(media) => files.resolve(store, &sender, media)?,
                Body::Combine(combine) => passed_on::resolve(store, &sender, combine, &files, &mut memory)?,
                _ => {}
            }
            Ok(Resolved { draft, quoted, memory })
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
