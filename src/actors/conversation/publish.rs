//! The way of a message through its conversation, from top to bottom.
//!
//! ```text
//! publish ─ is it a retry? ─ admit ─ moderate ─ resolve ─► append ─ complete ─ reply to the sender
//!              │                                                        └────── deliver ─► members' outboxes
//!              └ a retry costs no rate, and is answered with the first result
//! ```
//! Membership and mute are the peer's, room's or group's own check, made before this, and once more when a moderator has
//! thought about it. While a retry is looked up, the actor takes no other message; those that a moderator looks at stand in
//! a queue ([`super::moderation`]): so the order of arrival is the order of appending. A crash loses what has no completion
//! yet; its sender was told nothing and sends again.

use std::sync::Arc;

use actix::prelude::*;

use super::actor::ConversationActor;
use super::carried::Files;
use super::messages::Publish;
use super::moderation::{FULL, Review, apply_verdict};
use super::replies;
use super::resolve::{self, Resolved};
use crate::actors::connection::outbox::Dropped;
use crate::actors::delivery::batch::offer;
use crate::actors::delivery::drops;
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::trace;
use crate::hooks::Verdict;
use crate::model::{Conversation, Draft, LocalMessageId, Message, MessageClass, Refusal, UserId};
use crate::rate::{DropReason, QuotaClass, SendGate};
use crate::store::{Store, StoreError};

/// Takes a message whose sender may write here. 1: a retry is answered with the first result.
pub(crate) fn publish<A: ConversationActor>(actor: &mut A, publish: Publish, conversation: &Conversation, ctx: &mut Context<A>) {
    let _in_conversation = trace::conversation(&publish.span, conversation).entered();
    let pipeline = actor.pipeline();
    let Some(local_id) = publish.draft.local_id.clone().filter(|_| publish.draft.content.body.class() == MessageClass::Storable) else {
        return admit(actor, publish, conversation.clone(), ctx);
    };
    let sender = publish.sender.clone();
    if pipeline.carries(&sender, &local_id) {
        // It overtakes its own first outcome: the engine answers both alike. Moderated, because the first may yet fail
        // and this one be kept.
        return moderate(actor, publish, conversation.clone(), ctx);
    }
    if !pipeline.context.store.may_know(conversation, &sender, &local_id) {
        return admit(actor, publish, conversation.clone(), ctx);
    }
    let archive = pipeline.context.archive.clone();
    let (conversation, place) = (conversation.clone(), conversation.clone());
    let look_up = async move { archive.read(move |store| first_result(store, &place, &sender, &local_id)).await };
    ctx.wait(look_up.into_actor(actor).map(move |found, actor, ctx| match found {
        Ok(Some(quoted)) => actor.pipeline().append(publish, quoted, &conversation),
        Ok(None) => admit(actor, publish, conversation, ctx),
        Err(refusal) => answer(publish.reply, Err(refusal)),
    }));
}

/// Whether a message under this id is kept, and what it answers: the first answer to its sender carried that, too.
fn first_result(
    store: &dyn Store,
    conversation: &Conversation,
    sender: &UserId,
    local_id: &LocalMessageId,
) -> Result<Option<Option<Arc<Message>>>, StoreError> {
    let Some(first) = store.find(conversation, sender, local_id)? else { return Ok(None) };
    Ok(Some(match &first.message.content.options.reply {
        Some(reply) => store.message(conversation, reply.seq)?,
        None => None,
    }))
}

/// 2: there must be room for it, and its sender within its quota.
fn admit<A: ConversationActor>(actor: &mut A, publish: Publish, conversation: Conversation, ctx: &mut Context<A>) {
    let pipeline = actor.pipeline();
    let context = &pipeline.context;
    let (class, priority) = (publish.draft.content.body.class(), publish.draft.priority);
    if class == MessageClass::Command && context.load.level().sheds(class, priority, 0) {
        drops::count(&context.metrics, Dropped { command: 1, ..Dropped::default() }, DropReason::Overloaded);
        return answer(publish.reply, Err(Refusal::Busy("the broker is behind")));
    }
    let has_room = match class {
        MessageClass::Storable => context.disk.room().and_then(|()| context.can_tell()),
        MessageClass::Command => context.can_tell(),
        MessageClass::Barrage => Ok(()),
    };
    if let Err(refusal) = has_room {
        return answer(publish.reply, Err(refusal));
    }
    if publish.source.is_trusted() {
        return resolve(actor, publish, conversation, false, ctx);
    }
    let charged = if publish.is_charged { Ok(()) } else { charge(&pipeline.context.gate, &publish.sender, &publish.draft) };
    if let Err(refusal) = charged {
        return answer(publish.reply, Err(refusal));
    }
    moderate(actor, publish, conversation, ctx);
}

/// Charges a message to its sender's quota.
///
/// # Errors
/// [`Refusal::RateLimited`].
pub(crate) fn charge(gate: &SendGate, sender: &UserId, draft: &Draft) -> Result<(), Refusal> {
    let Some(class) = QuotaClass::of(draft.content.body.class(), draft.priority) else { return Ok(()) };
    gate.check(sender, class).map_err(|retry| Refusal::RateLimited { retry_after_ms: retry.ms })
}

/// 3: the moderator looks at it, if there is one; barrage does not wait for that.
fn moderate<A: ConversationActor>(actor: &mut A, publish: Publish, conversation: Conversation, ctx: &mut Context<A>) {
    let pipeline = actor.pipeline();
    let moderator = pipeline.context.moderator.clone().filter(|_| publish.draft.content.body.class() != MessageClass::Barrage);
    let Some(moderator) = moderator else { return resolve(actor, publish, conversation, false, ctx) };
    if pipeline.reviews.is_full() {
        return answer(publish.reply, Err(FULL));
    }
    let Review { ticket, request } = pipeline.reviews.enqueue(publish);
    let review = async move { moderator.review(request).await };
    ctx.spawn(review.into_actor(actor).map(move |verdict, actor, ctx| {
        actor.pipeline().reviews.record_verdict(ticket, verdict);
        drain_reviews(actor, ctx);
    }));
}

/// Goes on with what stands first and has its verdict, until the actor has to wait for the store.
fn drain_reviews<A: ConversationActor>(actor: &mut A, ctx: &mut Context<A>) {
    while !ctx.waiting() {
        let Some((publish, verdict)) = actor.pipeline().reviews.next() else { return };
        proceed(actor, publish, verdict, ctx);
    }
}

fn proceed<A: ConversationActor>(actor: &mut A, mut publish: Publish, verdict: Verdict, ctx: &mut Context<A>) {
    let is_silent = matches!(verdict, Verdict::Silent);
    // Whoever was put out meanwhile says nothing more.
    let judged = actor.may_write(&publish).and_then(|conversation| {
        apply_verdict(&mut publish, verdict, &actor.context().config().limits)?;
        Ok(conversation)
    });
    match judged {
        Ok(conversation) => resolve(actor, publish, conversation, is_silent, ctx),
        Err(refusal) => answer(publish.reply, Err(refusal)),
    }
}

/// 4: what it refers to is found: the message it answers, the files it carries, what it passes on.
fn resolve<A: ConversationActor>(actor: &mut A, publish: Publish, conversation: Conversation, is_silent: bool, ctx: &mut Context<A>) {
    if publish.draft.content.body.class() != MessageClass::Storable || !resolve::is_needed(&publish.draft) {
        return accept(actor, publish, None, &conversation, is_silent, ctx);
    }
    let context = actor.context();
    let (archive, files) = (context.archive.clone(), Files::of(context));
    let (sender, draft, place) = (context.onlooker(&publish.sender), publish.draft.clone(), conversation.clone());
    let memory = context.memory_share(&publish.sender);
    let look_up = async move { resolve::resolve(&archive, sender, place, draft, files, memory).await };
    ctx.wait(look_up.into_actor(actor).map(move |resolved, actor, ctx| {
        match resolved {
            Ok(Resolved { draft, quoted, memory }) => {
                let mut publish = publish;
                let asked = std::mem::replace(&mut publish.draft, draft);
                publish.asked.get_or_insert(asked.content);
                publish.memory = Some(memory);
                accept(actor, publish, quoted, &conversation, is_silent, ctx);
            }
            Err(refusal) => answer(publish.reply, Err(refusal)),
        }
        drain_reviews(actor, ctx);
    }));
}

/// 5: what is kept goes to the archive; what is not kept is delivered at once.
fn accept<A: ConversationActor>(
    actor: &mut A,
    publish: Publish,
    quoted: Option<Arc<Message>>,
    conversation: &Conversation,
    is_silent: bool,
    ctx: &mut Context<A>,
) {
    match publish.draft.content.body.class() {
        _ if is_silent => actor.pipeline().answer_without_delivery(publish, quoted, conversation),
        MessageClass::Storable => match actor.pipeline().charge_bytes(&publish) {
            Ok(()) => actor.pipeline().append(publish, quoted, conversation),
            Err(refusal) => answer(publish.reply, Err(refusal)),
        },
        MessageClass::Command | MessageClass::Barrage => publish_unstored(actor, publish, conversation, ctx),
    }
}

/// Accepts and delivers a message that is not kept.
pub(crate) fn publish_unstored<A: ConversationActor>(actor: &mut A, publish: Publish, conversation: &Conversation, ctx: &mut Context<A>) {
    let item = actor.pipeline().accept_unstored(publish, conversation);
    offer(actor, item, ctx);
}

/// Says something of the broker's own: no quota, no moderator.
pub(crate) fn publish_system<A: ConversationActor>(actor: &mut A, publish: Publish, conversation: &Conversation) {
    actor.pipeline().append(publish, None, conversation);
}

/// 6: what is on disk is delivered. Called once, when the actor starts.
pub(crate) fn listen<A: ConversationActor>(actor: &mut A, ctx: &mut Context<A>) {
    let Some(mut completed) = actor.pipeline().completed.take() else { return };
    let completions = futures_util::stream::poll_fn(move |cx| completed.poll_recv(cx));
    let heard = completions.into_actor(actor).map(|completion, actor, ctx| {
        if let Some(item) = actor.pipeline().complete(completion) {
            let root = item.live.message.content.options.reply.map(|reply| reply.root_seq);
            offer(actor, item, ctx);
            if let Some(root_seq) = root {
                replies::count_below(actor, root_seq, ctx);
            }
        }
    });
    ctx.spawn(heard.finish());
}
