//! The way of a message through its conversation's owner: what peers, rooms and groups do alike.
//!
//! ```text
//! publish ─ retry? ─ send gate ─ moderator ─► archive ─► completion ─ reply to the sender
//!              │                                              └────── batch ─► members' outboxes
//!              └ a retry costs no rate and is answered with the first result
//! ```
//! Membership and mute are the owner's own check, made before this, and once more when a moderator has thought about it
//! ([`super::moderation`]). While a retry is looked up, the owner takes no other message; those that a moderator looks at stand in
//! a queue: so the order of arrival is the order of appending.
//! A crash loses what has no completion yet; its sender was told nothing and sends again.

use crate::actors::connection::ConnectionId;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::mpsc;
use tracing::Span;

use super::moderation::{Reviews, carry, review};
use crate::actors::context::BrokerContext;
use crate::actors::delivery::batch::{Batch, Deliver, Item, offer};
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::runtime::trace;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::hooks::{Event, Origin};
use crate::model::{Conversation, Draft, LocalMessageId, Message, MessageClass, Priority, Refusal, Target, UserId};
use crate::protocol::{Encoded, MessageView};
use crate::rate::{Class, DropReason};
use crate::store::{Append, Appended, Asked, Done, SINGLE_NODE_EPOCH, StoreError};

/// 2024-01-01T00:00:00Z in Unix milliseconds: where order keys begin.
const ORDER_EPOCH_MS: u64 = 1_704_067_200_000;

/// Someone wants a message in this conversation.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) sender: UserId,
    /// The connection it came from, 0 for the host.
    pub(crate) origin: Option<ConnectionId>,
    /// The host sends in its sender's name: no quota of the sender's, no moderator.
    pub(crate) by_host: bool,
    /// Its sender need not be inside: a room or group hears it all the same.
    pub(crate) from_outside: bool,
    pub(crate) target: Target,
    pub(crate) draft: Draft,
    /// What the sender asked for, where something else is kept in its place.
    pub(crate) asked: Option<Asked>,
    pub(crate) reply: Reply<Accepted>,
    /// Of the request it is for.
    pub(crate) span: Span,
}

/// A message that has its place; encoded, because its sender gets the same bytes as everyone.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) message: Arc<Message>,
    pub(crate) encoded: Encoded,
}

impl Publish {
    pub(super) fn came_from(&self) -> Origin {
        if self.by_host || self.origin.is_none() { Origin::Host } else { Origin::Client }
    }
}

type SendKey = (UserId, LocalMessageId);

struct Waiting {
    reply: Reply<Accepted>,
    /// The message that is answered.
    quoted: Option<Arc<Message>>,
    origin: Option<ConnectionId>,
    key: Option<SendKey>,
    handed_over: Duration,
    /// Of the request it is for.
    span: Span,
}

/// The outcome of one append.
pub(crate) struct Completion {
    ticket: u64,
    outcome: Result<Appended, StoreError>,
    pending: Option<PendingDelivery>,
}

/// The part of an owner that carries messages.
pub(crate) struct MessagePipeline {
    pub(super) context: Arc<BrokerContext>,
    pub(super) reviews: Reviews,
    batch: Batch,
    waiting: HashMap<u64, Waiting>,
    in_flight: HashSet<SendKey>,
    next_ticket: u64,
    last_order_key: u64,
    completions: mpsc::UnboundedSender<Completion>,
    inlet: Option<mpsc::UnboundedReceiver<Completion>>,
}

/// An actor with a lane.
pub(crate) trait Owner: Deliver {
    fn pipeline(&mut self) -> &mut MessagePipeline;
    /// Whether this sender may write here now, and into which conversation.
    ///
    /// # Errors
    /// The owner's own refusals.
    fn may_write(&mut self, publish: &Publish) -> Result<Conversation, Refusal>;
    /// A message below this one was accepted.
    fn answered(&mut self, _root_seq: u64, _ctx: &mut Context<Self>) {}
}

impl MessagePipeline {
    pub(crate) fn new(context: Arc<BrokerContext>) -> Self {
        // Unbounded in type only: it holds at most one entry per append under way, which the archive bounds.
        let (completions, inlet) = mpsc::unbounded_channel();
        Self {
            batch: Batch::new(&context.config().batch),
            context,
            reviews: Reviews::default(),
            waiting: HashMap::new(),
            in_flight: HashSet::new(),
            next_ticket: 0,
            last_order_key: 0,
            completions,
            inlet: Some(inlet),
        }
    }

    pub(crate) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_idle() && self.reviews.is_idle()
    }

    /// Charges the sender's quota.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    fn charge(&self, sender: &UserId, draft: &Draft) -> Result<(), Refusal> {
        let Some(class) = Class::of(draft.body.class(), draft.priority) else { return Ok(()) };
        self.context.gate.check(sender, class).map_err(|retry| Refusal::RateLimited { retry_after_ms: retry.ms })
    }

    pub(super) fn append(&mut self, publish: Publish, quoted: Option<Arc<Message>>, conversation: &Conversation) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let Publish { sender, origin, draft, asked, reply, span, .. } = publish;
        let key = draft.local_id.clone().map(|local_id| (sender.clone(), local_id));
        let append = Append {
            conversation: conversation.clone(),
            epoch: SINGLE_NODE_EPOCH,
            id: self.context.ids.next(),
            sender,
            local_id: draft.local_id,
            priority: draft.priority,
            extended_data: draft.extended_data,
            mentions: draft.mentions,
            body: draft.body,
            terms: draft.terms,
            asked,
            now_ms: self.context.clock.wall_ms(),
        };
        let (completions, watermark, outlet) = (self.completions.clone(), self.context.watermark.clone(), self.context.outlet.clone());
        let done: Done<Appended> = Box::new(move |outcome| {
            let new = outcome.as_ref().ok().filter(|appended| !appended.duplicate);
            // Here, and not when its owner hears of it: outcomes come in the order of commits, whoever's they are.
            if let (Some(outlet), Some(new)) = (outlet, new) {
                outlet.put(Event::MessageAccepted(new.message.clone()), new.commit);
            }
            let pending = new.map(|appended| watermark.begin(appended.commit));
            if completions.send(Completion { ticket, outcome, pending }).is_err() {
                tracing::debug!("a message became durable after its owner ended; its sender will ask again");
            }
        });
        if let Err(refusal) = self.context.archive.append(append, done, &span) {
            answer(reply, Err(refusal));
            return;
        }
        if let Some(key) = &key {
            self.in_flight.insert(key.clone());
        }
        self.waiting.insert(ticket, Waiting { reply, quoted, origin, key, handed_over: self.context.clock.elapsed(), span });
    }

    fn settle(&mut self, completion: Completion) -> Option<Item> {
        let waiting = self.waiting.remove(&completion.ticket)?;
        if let Some(key) = &waiting.key {
            self.in_flight.remove(key);
        }
        let appended = match completion.outcome {
            Ok(appended) => appended,
            Err(error) => {
                answer(waiting.reply, Err(error.into()));
                return None;
            }
        };
        let span = trace::fan_out(&waiting.span);
        let encoded = Encoded::of_view(&appended.message, &MessageView { quoted: waiting.quoted, ..MessageView::default() });
        answer(waiting.reply, Ok(Accepted { message: appended.message.clone(), encoded: encoded.clone() }));
        if appended.duplicate {
            self.context.metrics.retried();
            return None;
        }
        self.context.metrics.append_took(self.context.clock.elapsed().saturating_sub(waiting.handed_over).as_secs_f64());
        self.context.metrics.accepted(MessageClass::Storable);
        self.context.tell_listeners(|| Event::MessageAccepted(appended.message.clone()));
        Some(Item {
            origin: waiting.origin,
            message: appended.message,
            encoded,
            commit: appended.commit,
            pending: completion.pending,
            span,
        })
    }

    /// Lets its sender believe that a message went out.
    pub(super) fn pretend(&mut self, publish: Publish, quoted: Option<Arc<Message>>, conversation: &Conversation) {
        let Publish { sender, draft, reply, .. } = publish;
        let message = Arc::new(unstored(&self.context, sender, conversation.clone(), draft, self.last_order_key + 1));
        let encoded = Encoded::of_view(&message, &MessageView { quoted, ..MessageView::default() });
        answer(reply, Ok(Accepted { message, encoded }));
    }

    /// Gives a message that is not stored its place in time.
    pub(crate) fn pass_on(&mut self, publish: Publish, conversation: &Conversation) -> Item {
        let Publish { sender, origin, draft, reply, span, .. } = publish;
        let message = Arc::new(unstored(&self.context, sender, conversation.clone(), draft, self.last_order_key + 1));
        self.last_order_key = message.order_key;
        let encoded = Encoded::new(&message);
        self.context.metrics.accepted(message.body.class());
        self.context.tell_host(|| Event::MessageAccepted(message.clone()));
        answer(reply, Ok(Accepted { message: message.clone(), encoded: encoded.clone() }));
        Item { origin, message, encoded, commit: 0, pending: None, span: trace::fan_out(&span) }
    }
}

/// The least order key of a moment.
pub(crate) fn order_key_at(now_ms: u64) -> u64 {
    now_ms.saturating_sub(ORDER_EPOCH_MS) << 11
}

/// A message that is not stored: seq 0, an order key made from the time, at least `order_key_min`.
pub(crate) fn unstored(context: &BrokerContext, sender: UserId, conversation: Conversation, draft: Draft, order_key_min: u64) -> Message {
    let now_ms = context.clock.wall_ms();
    Message {
        id: context.ids.next(),
        local_id: draft.local_id,
        sender,
        conversation,
        seq: 0,
        order_key: order_key_min.max(order_key_at(now_ms)),
        timestamp_ms: now_ms,
        priority: draft.priority,
        extended_data: draft.extended_data,
        mentions: draft.mentions,
        body: draft.body,
        terms: draft.terms,
        fate: crate::model::Fate::default(),
    }
}

/// Begins to hear of completions. Called once, when the owner starts.
pub(crate) fn open<A: Owner>(owner: &mut A, ctx: &mut Context<A>) {
    let Some(mut inlet) = owner.pipeline().inlet.take() else { return };
    let completions = futures_util::stream::poll_fn(move |cx| inlet.poll_recv(cx));
    let heard = completions.into_actor(owner).map(|completion, owner, ctx| {
        if let Some(item) = owner.pipeline().settle(completion) {
            let root = item.message.terms.reply.map(|reply| reply.root_seq);
            offer(owner, item, ctx);
            if let Some(root_seq) = root {
                owner.answered(root_seq, ctx);
            }
        }
    });
    ctx.spawn(heard.finish());
}

/// Carries a message of the broker's own: no quota, no moderator.
pub(crate) fn say<A: Owner>(owner: &mut A, publish: Publish, conversation: &Conversation) {
    owner.pipeline().append(publish, None, conversation);
}

/// Carries a message whose sender may write here.
pub(crate) fn publish<A: Owner>(owner: &mut A, publish: Publish, conversation: &Conversation, ctx: &mut Context<A>) {
    let _in_conversation = trace::conversation(&publish.span, conversation).entered();
    let pipeline = owner.pipeline();
    let Some(local_id) = publish.draft.local_id.clone().filter(|_| publish.draft.body.class() == MessageClass::Storable) else {
        return charge_and_review(owner, publish, conversation.clone(), ctx);
    };
    let sender = publish.sender.clone();
    if pipeline.in_flight.contains(&(sender.clone(), local_id.clone())) || pipeline.reviews.holds(&sender, &local_id) {
        // A retry that overtakes its own first outcome: the engine answers both alike. Reviewed, because the first
        // may yet fail and this one be kept.
        return review(owner, publish, conversation.clone(), ctx);
    }
    if !pipeline.context.store.may_know(&sender, &local_id) {
        return charge_and_review(owner, publish, conversation.clone(), ctx);
    }
    let archive = pipeline.context.archive.clone();
    let conversation = conversation.clone();
    let look_up = async move { archive.read(move |store| store.find(&sender, &local_id)).await };
    ctx.wait(look_up.into_actor(owner).map(move |found, owner, ctx| match found {
        Ok(Some(_)) => owner.pipeline().append(publish, None, &conversation),
        Ok(None) => charge_and_review(owner, publish, conversation, ctx),
        Err(refusal) => answer(publish.reply, Err(refusal)),
    }));
}

fn charge_and_review<A: Owner>(owner: &mut A, publish: Publish, conversation: Conversation, ctx: &mut Context<A>) {
    let pipeline = owner.pipeline();
    let (class, priority) = (publish.draft.body.class(), publish.draft.priority);
    if class == MessageClass::Storable
        && let Err(refusal) = pipeline.context.disk.room()
    {
        return answer(publish.reply, Err(refusal));
    }
    if class != MessageClass::Barrage
        && let Err(refusal) = pipeline.context.can_tell()
    {
        return answer(publish.reply, Err(refusal));
    }
    if class == MessageClass::Command && pipeline.context.load.level().sheds(class, priority, 0) {
        pipeline.context.metrics.dropped(class, Priority::Low, DropReason::Overloaded.label(), 1);
        return answer(publish.reply, Err(Refusal::Busy("the broker is behind")));
    }
    if publish.by_host {
        return carry(owner, publish, conversation, false, ctx);
    }
    if let Err(refusal) = pipeline.charge(&publish.sender, &publish.draft) {
        return answer(publish.reply, Err(refusal));
    }
    review(owner, publish, conversation, ctx);
}
