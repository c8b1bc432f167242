//! What a draft refers to and must be found before it is kept: the message it answers, the combined message it passes
//! on. Reads the store.

use std::sync::Arc;

use super::{book_load, seek};
use crate::model::{Body, Combine, Conversation, Draft, Invalid, Limits, Message, Refusal, ReplyTo, UserId};
use crate::protocol::{CombineRef, MessageHandle, child_at};
use crate::store::{Store, StoreError};

/// Whether anything is to be found.
pub(super) fn is_needed(draft: &Draft) -> bool {
    draft.terms.reply.is_some() || matches!(&draft.body, Body::Combine(combine) if has_copies(combine))
}

fn has_copies(combine: &Combine) -> bool {
    !combine.copied_from.is_empty()
        || combine.children.iter().any(|child| matches!(&child.body, Body::Combine(nested) if has_copies(nested)))
}

type Completed = (Draft, Option<Arc<Message>>);

/// The draft with all it refers to, and the message it answers.
pub(super) fn complete(
    store: &dyn Store,
    sender: &UserId,
    conversation: &Conversation,
    mut draft: Draft,
    limits: &Limits,
) -> Result<Result<Completed, Refusal>, StoreError> {
    let mut quoted = None;
    if let Some(reply) = &mut draft.terms.reply {
        let handle = MessageHandle { seq: Some(reply.seq).filter(|seq| *seq > 0), id: Some(reply.id).filter(|id| *id > 0) };
        match seek::message(store, conversation, handle, 1)? {
            Some(message) if book_load::may_read(store, sender, conversation, message.seq)? => {
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
    if let Body::Combine(combine) = &mut draft.body {
        if let Err(refusal) = fill(store, sender, combine)? {
            return Ok(Err(refusal));
        }
        if let Err(invalid) = combine.validate(limits) {
            return Ok(Err(invalid.into()));
        }
    }
    Ok(Ok((draft, quoted)))
}

/// Puts copies of what is referred to in its place. Source: spec Q29: an immutable copy.
fn fill(store: &dyn Store, sender: &UserId, combine: &mut Combine) -> Result<Result<(), Refusal>, StoreError> {
    if !combine.copied_from.is_empty() {
        let place = match CombineRef::parse(&combine.copied_from) {
            Ok(place) => place,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        let may_read = book_load::may_read(store, sender, &place.conversation, place.seq)?;
        let kept = if may_read { store.children(&place.conversation, place.seq)? } else { Vec::new() };
        match child_at(kept, &place.path) {
            Some(children) if !children.is_empty() => combine.children = children,
            _ => return Ok(Err(Refusal::MessageMissing)),
        }
        combine.copied_from.clear();
    }
    for child in &mut combine.children {
        if let Body::Combine(nested) = &mut child.body
            && let Err(refusal) = fill(store, sender, nested)?
        {
            return Ok(Err(refusal));
        }
    }
    Ok(Ok(()))
}
