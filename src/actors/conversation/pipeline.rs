//! What a conversation has under way: messages that wait for their moderator, for the disk, and for the tick that delivers them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Span;

use super::messages::{Publish, Source};
use super::moderation::Reviews;
use crate::actors::connection::outbox::Dropped;
use crate::actors::context::BrokerContext;
use crate::actors::delivery::batch::{Batch, Item};
use crate::actors::delivery::drops;
use crate::actors::memory::MemoryShare;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::runtime::trace;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::actors::view::live::LiveMessage;
use crate::hooks::{Event, EventDetails};
use crate::model::order_key::next_order_key;
use crate::model::{Conversation, Draft, LocalMessageId, Message, MessageClass, Refusal, Target, UserId};
use crate::rate::DropReason;
use crate::store::{Append, Appended, Done, SINGLE_NODE_EPOCH, StoreError};

type SendKey = (UserId, LocalMessageId);

/// A message that is on its way to the disk.
struct Waiting {
    reply: Reply<LiveMessage>,
    /// The message that is answered.
    quoted: Option<Arc<Message>>,
    source: Source,
    key: Option<SendKey>,
    handed_over: Duration,
    /// What of it is in memory until then.
    _memory: Option<MemoryShare>,
    /// Of the request it is for.
    span: Span,
}

/// The outcome of one append.
pub(crate) struct Completion {
    ticket: u64,
    outcome: Result<Appended, StoreError>,
    pending: Option<PendingDelivery>,
}

/// One conversation's messages under way.
pub(crate) struct MessagePipeline {
    pub(super) context: Arc<BrokerContext>,
    pub(super) reviews: Reviews,
    batch: Batch,
    waiting: HashMap<u64, Waiting>,
    in_flight: HashSet<SendKey>,
    next_ticket: u64,
    last_order_key: u64,
    completions: mpsc::UnboundedSender<Completion>,
    pub(super) completed: Option<mpsc::UnboundedReceiver<Completion>>,
}

impl MessagePipeline {
    pub(crate) fn new(context: Arc<BrokerContext>) -> Self {
        // Unbounded in type only: it holds at most one entry per append under way, which the archive bounds.
        let (completions, completed) = mpsc::unbounded_channel();
        Self {
            batch: Batch::new(&context.config().batch),
            context,
            reviews: Reviews::default(),
            waiting: HashMap::new(),
            in_flight: HashSet::new(),
            next_ticket: 0,
            last_order_key: 0,
            completions,
            completed: Some(completed),
        }
    }

    pub(crate) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Returns whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_idle() && self.reviews.is_idle()
    }

    /// Returns whether a message under this id is under way: what comes under it now is a retry.
    pub(super) fn carries(&self, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.in_flight.contains(&(sender.clone(), local_id.clone())) || self.reviews.holds(sender, local_id)
    }

    /// Charges the sender for what is about to be written. A retry that meets its first sending on its way writes nothing.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub(super) fn charge_bytes(&self, publish: &Publish) -> Result<(), Refusal> {
        let Publish { sender, source, draft, .. } = publish;
        let is_on_its_way = draft.local_id.as_ref().is_some_and(|local_id| self.carries(sender, local_id));
        if source.is_trusted() || is_on_its_way {
            return Ok(());
        }
        self.context.charge_stored(sender, draft.content.weight())
    }

    /// Hands a message to the archive; its sender is answered when it is on disk.
    pub(super) fn append(&mut self, publish: Publish, quoted: Option<Arc<Message>>, conversation: &Conversation) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let Publish { sender, source, draft, asked, memory, reply, span, .. } = publish;
        let key = draft.local_id.clone().map(|local_id| (sender.clone(), local_id));
        let append = Append {
            conversation: conversation.clone(),
            epoch: SINGLE_NODE_EPOCH,
            id: self.context.ids.next(),
            sender,
            draft,
            asked,
            now_ms: self.context.clock.wall_ms(),
        };
        if let Err(refusal) = self.context.archive.append(append, self.completion_of(ticket), &span) {
            return answer(reply, Err(refusal));
        }
        if let Some(key) = &key {
            self.in_flight.insert(key.clone());
        }
        self.waiting
            .insert(ticket, Waiting { reply, quoted, source, key, handed_over: self.context.clock.elapsed(), _memory: memory, span });
    }

    fn completion_of(&self, ticket: u64) -> Done<Appended> {
        let (completions, watermark, exporter) = (self.completions.clone(), self.context.watermark.clone(), self.context.exporter.clone());
        Box::new(move |outcome| {
            let new = outcome.as_ref().ok().filter(|appended| !appended.duplicate);
            // Here, and not when the conversation hears of it: outcomes come in the order of commits, whoever's they are.
            if let (Some(exporter), Some(new)) = (exporter, new) {
                exporter.put(Event::MessageAccepted(new.message.clone()), EventDetails::Nothing, new.commit);
            }
            let pending = new.map(|appended| watermark.begin(appended.commit));
            if completions.send(Completion { ticket, outcome, pending }).is_err() {
                tracing::debug!("a message became durable after its conversation's actor ended; its sender will ask again");
            }
        })
    }

    /// Answers the sender of a message that is on disk; gives what is to be delivered, which of a retry is nothing.
    pub(super) fn complete(&mut self, completion: Completion) -> Option<Item> {
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
        let live = LiveMessage::answering(appended.message, waiting.quoted);
        // Counted before it is answered: whoever has the answer finds it in the figures.
        if appended.duplicate {
            self.context.metrics.retried();
            answer(waiting.reply, Ok(live));
            return None;
        }
        self.context.metrics.append_took(self.context.clock.elapsed().saturating_sub(waiting.handed_over).as_secs_f64());
        self.context.metrics.accepted(MessageClass::Storable);
        answer(waiting.reply, Ok(live.clone()));
        self.context.tell_listeners(|| Event::MessageAccepted(live.message.clone()));
        Some(Item { origin: waiting.source.connection(), live, commit: appended.commit, pending: completion.pending, span })
    }

    /// Answers a sender as if its message had been accepted, and keeps and delivers nothing.
    pub(super) fn answer_without_delivery(&self, publish: Publish, quoted: Option<Arc<Message>>, conversation: &Conversation) {
        let Publish { sender, draft, reply, .. } = publish;
        let message = unstored(&self.context, sender, conversation.clone(), draft, self.last_order_key);
        answer(reply, Ok(LiveMessage::answering(Arc::new(message), quoted)));
    }

    /// Accepts a message that is not kept: gives it its place in time and answers its sender.
    pub(super) fn accept_unstored(&mut self, publish: Publish, conversation: &Conversation) -> Item {
        let Publish { sender, source, draft, reply, span, .. } = publish;
        let live = accept(&self.context, sender, conversation.clone(), draft, self.last_order_key);
        self.last_order_key = live.message.order_key;
        answer(reply, Ok(live.clone()));
        Item { origin: source.connection(), live, commit: 0, pending: None, span: trace::fan_out(&span) }
    }

    /// Accepts a barrage and drops it, for want of room.
    pub(crate) fn shed(&self, publish: Publish, conversation: &Conversation, reason: DropReason) {
        let Publish { sender, draft, reply, .. } = publish;
        answer(reply, Ok(shed(&self.context, sender, conversation.clone(), draft, self.last_order_key, reason)));
    }
}

/// Accepts a barrage and drops it before it reached anyone: its sender is answered and the host told as of any other,
/// because delivery of barrage is not promised, and the loss is counted.
pub(crate) fn shed(
    context: &BrokerContext,
    sender: UserId,
    conversation: Conversation,
    draft: Draft,
    last_order_key: u64,
    reason: DropReason,
) -> LiveMessage {
    drops::count(&context.metrics, Dropped::barrage_of(draft.priority, 1), reason);
    accept(context, sender, conversation, draft, last_order_key)
}

fn accept(context: &BrokerContext, sender: UserId, conversation: Conversation, draft: Draft, last_order_key: u64) -> LiveMessage {
    let message = Arc::new(unstored(context, sender, conversation, draft, last_order_key));
    context.metrics.accepted(message.content.body.class());
    context.tell_host(|| Event::MessageAccepted(message.clone()));
    LiveMessage::new(message)
}

/// Tells the host of a message that would have been stored and was refused. Nobody gets it, nor does anyone get its id.
pub(crate) fn tell_refused(context: &BrokerContext, sender: &UserId, target: &Target, draft: Draft, source: Source, refusal: &Refusal) {
    let conversation = match target {
        Target::Peer(other) => Conversation::peer(sender, other),
        Target::Room(room) => Conversation::Room(room.clone(), 0),
        Target::Group(group) => Conversation::Group(group.clone()),
    };
    let mut message = draft.into_message(0, sender.clone(), conversation, 0, context.clock.wall_ms());
    message.content.options.server = source.is_backend();
    context.tell_host(|| Event::MessageRefused { message: Arc::new(message), refusal: refusal.clone() });
}

/// Makes a message that is not stored: seq 0, and an order key after `last_order_key`.
fn unstored(context: &BrokerContext, sender: UserId, conversation: Conversation, draft: Draft, last_order_key: u64) -> Message {
    let now_ms = context.clock.wall_ms();
    draft.into_message(context.ids.next(), sender, conversation, next_order_key(last_order_key, now_ms), now_ms)
}
