//! Receipts: notes that users have read messages, then tells the senders and the reader's other devices.

use std::sync::Arc;

use actix::prelude::*;

use super::actor::ConversationActor;
use super::messages::{Confirm, Source};
use crate::actors::context::BrokerContext;
use crate::actors::runtime::reply::answer;
use crate::actors::view::find;
use crate::actors::view::receipts::{Readers, readers};
use crate::actors::view::visibility::Visibility;
use crate::model::{Conversation, Message, Refusal, UserId};
use crate::protocol::MessageHandle;
use crate::protocol::event::encode;
use crate::protocol::event::message::MessageReceiptChanged;
use crate::store::{ChangeKind, Note, NoteRecord, Revision, Store, StoreError};

/// What was newly read, and the ids of messages that take no receipt from this user.
type Confirmed = (Vec<(Arc<Message>, Readers)>, Vec<String>);

/// Notes which messages a user has read, and tells it.
pub(crate) fn confirm<A: ConversationActor>(actor: &mut A, confirm: Confirm, ctx: &mut Context<A>) {
    let Confirm { by, source, messages, reply } = confirm;
    let first_seq = match actor.access_of(&by) {
        Ok(access) => access.first_seq,
        Err(refusal) => {
            answer(reply, Err(refusal));
            return actor.done(ctx);
        }
    };
    let work = note_receipts(actor.context().clone(), actor.conversation(), by.clone(), messages, first_seq);
    ctx.wait(work.into_actor(actor).map(move |outcome, actor, ctx| {
        let failed = outcome.map(|(read, failed)| {
            tell_read(actor.context(), &read, &by, source);
            failed
        });
        answer(reply, failed);
        actor.done(ctx);
    }));
}

async fn note_receipts(
    context: Arc<BrokerContext>,
    conversation: Conversation,
    reader: UserId,
    handles: Vec<MessageHandle>,
    first_seq: u64,
) -> Result<Confirmed, Refusal> {
    let (place, user, wanted) = (conversation.clone(), reader.clone(), handles.clone());
    let found = context.archive.read(move |store| {
        let visibility = Visibility::of(store, &user, &place, first_seq)?;
        wanted.iter().map(|handle| receivable(store, &place, *handle, visibility, &user)).collect::<Result<Vec<_>, StoreError>>()
    });
    let (mut read, mut failed) = (Vec::new(), Vec::new());
    for (handle, found) in handles.iter().zip(found.await?) {
        match found {
            Receivable::Noted => {}
            Receivable::New(message) => {
                let note = (Note::Receipt(reader.clone()), Some(NoteRecord { at_ms: context.clock.wall_ms() }));
                let revision = Revision {
                    conversation: conversation.clone(),
                    seq: message.seq,
                    message: None,
                    notes: vec![note],
                    pins: None,
                    logged: Some(ChangeKind::Confirmed),
                };
                context.archive.revise(&context.watermark, revision).await?;
                read.push(message);
            }
            Receivable::No => failed.push(handle.id.map(|id| id.to_string()).unwrap_or_default()),
        }
    }
    let told = context.archive.read(move |store| {
        let infos = read.into_iter().map(|message| Ok((message.clone(), readers(store, &message)?)));
        infos.collect::<Result<Vec<_>, StoreError>>()
    });
    Ok((told.await?, failed))
}

/// What a receipt of one user would do to a message.
enum Receivable {
    New(Arc<Message>),
    Noted,
    /// The message is not there or not for this user, asks for no receipts, or is the user's own.
    No,
}

fn receivable(
    store: &dyn Store,
    conversation: &Conversation,
    handle: MessageHandle,
    visibility: Visibility,
    user: &UserId,
) -> Result<Receivable, StoreError> {
    let message = find::message(store, user, conversation, handle, visibility)?;
    let Some(message) = message.filter(|message| message.content.options.receipt && message.sender != *user) else {
        return Ok(Receivable::No);
    };
    let notes = store.notes(conversation, message.seq)?;
    let is_noted = notes.iter().any(|(note, _)| matches!(note, Note::Receipt(reader) if reader == user));
    Ok(if is_noted { Receivable::Noted } else { Receivable::New(message) })
}

fn tell_read(context: &BrokerContext, read: &[(Arc<Message>, Readers)], by: &UserId, source: Source) {
    for (message, readers) in read {
        let counts = MessageReceiptChanged { infos: vec![readers.counts(&message.sender, message)] };
        context.push_to(&message.sender, source.connection(), &encode(&counts));
        let own = MessageReceiptChanged { infos: vec![readers.own(by, message)] };
        context.push_to(by, source.connection(), &encode(&own));
    }
}
