//! Counts the answers below a message.

use std::sync::Arc;

use actix::prelude::*;

use super::actor::ConversationActor;
use crate::actors::delivery::broadcast::broadcast;
use crate::model::{Message, MessageState, Refusal};
use crate::protocol::event::encode;
use crate::protocol::event::message::MessageRepliedCountChanged;
use crate::store::{Revision, Store, StoreError};

/// The most answers of one tree that are told of a change to what they quote.
const QUOTING_MAX: usize = 50;

/// Notes that a message below the root was accepted, and tells everyone who sees the root how many there are.
pub(super) fn count_below<A: ConversationActor>(actor: &mut A, root_seq: u64, ctx: &mut Context<A>) {
    let (context, conversation) = (actor.context().clone(), actor.conversation());
    let work = async move {
        let wanted = conversation.clone();
        let found = context.archive.read(move |store| {
            let count = store.replies(&wanted, root_seq)?.len();
            Ok(store.message(&wanted, root_seq)?.map(|root| (root, count)))
        });
        let Some((root, count)) = found.await? else { return Ok(None) };
        if !root.state.replied {
            let marked = Message { state: MessageState { replied: true, ..root.state.clone() }, ..(*root).clone() };
            let revision =
                Revision { conversation, seq: root_seq, message: Some(Arc::new(marked)), notes: Vec::new(), pins: None, logged: None };
            context.archive.revise(&context.watermark, revision).await?;
        }
        Ok(Some((root, count)))
    };
    ctx.wait(work.into_actor(actor).map(|counted: Result<_, Refusal>, actor, ctx| {
        match counted {
            Ok(Some((root, count))) => tell_count(actor, &root, count),
            Ok(None) => {}
            Err(refusal) => tracing::warn!(%refusal, "the answers below a message could not be counted"),
        }
        actor.done(ctx);
    }));
}

fn tell_count<A: ConversationActor>(actor: &A, root: &Message, count: usize) {
    // In a peer conversation each of the two names it by the other user.
    let class_of = |user: &crate::model::UserId| match &root.conversation {
        crate::model::Conversation::Peer(..) => Some(user.clone()),
        _ => None,
    };
    broadcast(
        &actor.listeners(),
        None,
        |listener| {
            let user = &listener.connection.identity()?.user;
            (listener.first_seq <= root.seq).then(|| class_of(user))
        },
        |user| {
            let reader = user.as_ref().unwrap_or(&root.sender);
            Some(encode(&MessageRepliedCountChanged::new(reader, &root.conversation, root.id, count)))
        },
    );
}

/// Returns the seqs of answers that quote this message, the newest [`QUOTING_MAX`] of them, oldest first.
///
/// # Errors
/// Every error of the store.
pub(super) fn quoting(store: &dyn Store, message: &Message) -> Result<Vec<u64>, StoreError> {
    let root_seq = message.content.options.reply.map_or(message.seq, |reply| reply.root_seq);
    if message.content.options.reply.is_none() && !message.state.replied {
        return Ok(Vec::new());
    }
    let mut quoting = Vec::new();
    for seq in store.replies(&message.conversation, root_seq)?.into_iter().rev() {
        let quotes = store
            .message(&message.conversation, seq)?
            .is_some_and(|answer| answer.content.options.reply.is_some_and(|reply| reply.seq == message.seq));
        if quotes && quoting.len() < QUOTING_MAX {
            quoting.push(seq);
        }
    }
    quoting.reverse();
    Ok(quoting)
}
