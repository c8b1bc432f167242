//! What a conversation has accepted and not yet handed to its members.
//!
//! While a conversation is idle its next message goes out at once. What comes while the members' writers are still at it
//! gathers, and leaves when they have nothing left to write, at the latest with the tick. So a busy conversation costs one
//! frame and one wake-up per member and batch instead of one per message, and on a machine that keeps up nothing waits.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tracing::Span;

use super::written::{InFlight, Written};
use crate::actors::connection::ConnectionId;
use crate::actors::connection::feed::FeedItem;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::actors::view::live::LiveMessage;
use crate::config;
use crate::model::Message;

/// The longest tick, however far the writers are behind.
const TICK_MAX: Duration = Duration::from_millis(500);

/// One accepted message on its way out.
#[derive(Debug)]
pub(crate) struct Item {
    /// The connection the message came from, which does not get it back; none when it came from the host.
    pub(crate) origin: Option<ConnectionId>,
    pub(crate) live: LiveMessage,
    /// The commit of a stored message, 0 of others.
    pub(crate) commit: u64,
    /// Of a stored message: keeps the cursor from passing it until it was handed to all its receivers.
    pub(crate) pending: Option<PendingDelivery>,
    /// The span of its fan-out, which ends with this item.
    #[expect(dead_code, reason = "its end is what counts")]
    pub(crate) span: Span,
}

impl Item {
    /// Makes one of a stored message that is delivered again.
    pub(crate) fn again(live: LiveMessage, commit: u64) -> Self {
        Self { origin: None, live, commit, pending: None, span: Span::none() }
    }
}

/// Returns the stored messages among the items, for their receivers' lists of conversations.
pub(crate) fn feed_item_of(items: &[Item]) -> Option<Arc<FeedItem>> {
    let stored: Vec<Arc<Message>> = items.iter().filter(|item| item.commit > 0).map(|item| item.live.message.clone()).collect();
    let conversation = stored.first()?.conversation.clone();
    Some(Arc::new(FeedItem::Messages(conversation, stored)))
}

/// Gathers items and says when they leave.
#[derive(Debug)]
pub(crate) struct Batch {
    items: Vec<Item>,
    bytes: usize,
    tick: Duration,
    members_per_ms: u64,
    messages_max: usize,
    bytes_max: usize,
    ticking: bool,
    /// Whether a stored message has made the tick shorter.
    hurried: bool,
    /// Of the batch that left last.
    written: Option<Arc<Written>>,
    /// Whether something waits for that batch to be written.
    awaiting: bool,
}

/// An actor that sends out what it gathered.
pub(crate) trait Broadcaster: Actor<Context = Context<Self>> {
    /// Returns the actor's batch.
    fn batch(&mut self) -> &mut Batch;
    /// Returns whether anything besides the batch waits for the tick.
    fn has_more(&self) -> bool {
        false
    }
    /// Returns how many sessions the actor delivers to.
    fn audience(&self) -> usize;
    /// Returns how far the writers of sockets are behind.
    fn write_late(&self) -> Duration;
    /// Hands items to the members, as frames of one batch; none when only something else waited for the tick.
    fn deliver(&mut self, items: Vec<Item>, batch: &Arc<InFlight>);
}

impl Batch {
    pub(crate) fn new(config: &config::Batch) -> Self {
        Self {
            items: Vec::new(),
            bytes: 0,
            tick: Duration::from_millis(config.tick_ms),
            members_per_ms: config.members_per_ms,
            messages_max: config.messages_max,
            bytes_max: config.bytes_max,
            ticking: false,
            hurried: false,
            written: None,
            awaiting: false,
        }
    }

    /// Returns whether nothing waits and no tick runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.items.is_empty() && !self.ticking
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.live.len();
        self.items.push(item);
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.messages_max || self.bytes >= self.bytes_max
    }

    /// Returns how long to gather for an audience: a system call for each of ten thousand takes a tenth of a second of
    /// a core, and must not be due again before it is done. `late` is how far the writers of sockets are behind; what
    /// is written less often costs less, and so they catch up.
    fn tick_for(&self, audience: usize, late: Duration) -> Duration {
        let by_size = self.time_to_write(audience);
        if by_size <= self.tick { self.tick } else { by_size.max(late.min(TICK_MAX)) }
    }

    /// Returns about how long the writers of an audience take for one batch.
    fn time_to_write(&self, audience: usize) -> Duration {
        Duration::from_micros(audience as u64 * 1000 / self.members_per_ms)
    }

    /// Returns how long what gathered waits at least before it leaves earlier than with the tick; none: it waits for that. Where a
    /// batch keeps the writers busy for a tick, smaller ones would only cost more.
    fn leaves_early_after(&self, audience: usize) -> Option<Duration> {
        let least = self.time_to_write(audience);
        // Below a millisecond a timer costs more than it spares.
        let least = if least < Duration::from_millis(1) { Duration::ZERO } else { least };
        Some(least).filter(|least| *least < self.tick)
    }

    /// Returns whether the batch that left last is written.
    fn is_written(&self) -> bool {
        self.written.as_ref().is_none_or(|written| written.is_done())
    }

    fn take(&mut self) -> Vec<Item> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

/// Adds an item; it leaves now or with the tick.
pub(crate) fn offer<A: Broadcaster>(actor: &mut A, item: Item, ctx: &mut Context<A>) {
    let stored = item.commit > 0;
    actor.batch().push(item);
    schedule(actor, ctx);
    if stored {
        hurry(actor, ctx);
    }
}

/// Shortens the tick: a stored message waits for a part of a large conversation's long tick only.
fn hurry<A: Broadcaster>(actor: &mut A, ctx: &mut Context<A>) {
    let audience = actor.audience();
    let batch = actor.batch();
    let soon = (batch.tick_for(audience, Duration::ZERO) / 4).max(batch.tick);
    if batch.items.is_empty() || batch.hurried || soon <= batch.tick {
        return;
    }
    batch.hurried = true;
    ctx.run_later(soon, |actor, _| {
        actor.batch().hurried = false;
        deliver_accepted(actor);
    });
}

/// Sends what waits: now, when the conversation was idle or enough has gathered; otherwise when what left before is written, at the
/// latest with the tick.
pub(crate) fn schedule<A: Broadcaster>(actor: &mut A, ctx: &mut Context<A>) {
    let audience = actor.audience();
    let batch = actor.batch();
    if batch.ticking && !batch.is_full() {
        match batch.leaves_early_after(audience) {
            // Two who talk, a small group: what left before is written already, as a rule.
            Some(Duration::ZERO) if batch.is_written() => deliver_accepted(actor),
            Some(least) => leave_early(actor, least, ctx),
            None => {}
        }
        return;
    }
    let start_ticking = !batch.ticking;
    flush(actor);
    if start_ticking {
        tick(actor, ctx);
    }
}

/// Sends what waits once what left before is written, after a least time. What is not a message, such as who came and went, waits
/// for the tick.
fn leave_early<A: Broadcaster>(actor: &mut A, least: Duration, ctx: &mut Context<A>) {
    let batch = actor.batch();
    let Some(written) = batch.written.clone().filter(|_| !batch.items.is_empty() && !batch.awaiting) else { return };
    batch.awaiting = true;
    let until_written = async move {
        if !least.is_zero() {
            actix::clock::sleep(least).await;
        }
        written.done().await;
    };
    ctx.spawn(until_written.into_actor(actor).map(|(), actor, _| {
        actor.batch().awaiting = false;
        deliver_accepted(actor);
    }));
}

/// Hands out what was accepted so far. Called before a change of these messages, or of their receivers.
pub(crate) fn deliver_accepted<A: Broadcaster>(actor: &mut A) {
    if !actor.batch().items.is_empty() {
        flush(actor);
    }
}

fn flush<A: Broadcaster>(actor: &mut A) {
    let items = actor.batch().take();
    let (batch, written) = Written::begin();
    actor.batch().written = Some(written);
    actor.deliver(items, &batch);
}

fn tick<A: Broadcaster>(actor: &mut A, ctx: &mut Context<A>) {
    let (audience, late) = (actor.audience(), actor.write_late());
    let batch = actor.batch();
    batch.ticking = true;
    batch.hurried = false;
    let after = batch.tick_for(audience, late);
    ctx.run_later(after, |actor, ctx| {
        if actor.batch().items.is_empty() && !actor.has_more() {
            actor.batch().ticking = false;
            return;
        }
        flush(actor);
        tick(actor, ctx);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_grows_with_the_audience_and_with_the_lateness_of_a_large_one() {
        let batch = Batch::new(&config::Config::default().batch);
        let ms = Duration::from_millis;
        assert_eq!(batch.tick_for(2, ms(0)), ms(10));
        assert_eq!(batch.tick_for(1_000, ms(300)), ms(10), "what is small is not why the writers are late");
        assert_eq!(batch.tick_for(10_000, ms(0)), ms(100));
        assert_eq!(batch.tick_for(10_000, ms(300)), ms(300));
        assert_eq!(batch.tick_for(10_000, ms(3_000)), ms(500));
    }

    #[test]
    fn a_small_audience_waits_for_nothing_and_a_large_one_for_the_tick() {
        let batch = Batch::new(&config::Config::default().batch);
        let least: Vec<Option<Duration>> = [2, 99, 100, 500, 999, 1_000, 10_000].map(|audience| batch.leaves_early_after(audience)).into();
        let ms = |ms: f64| Some(Duration::from_secs_f64(ms / 1000.0));
        assert_eq!(least, [ms(0.0), ms(0.0), ms(1.0), ms(5.0), ms(9.99), None, None]);
    }
}
