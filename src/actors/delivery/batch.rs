//! What a conversation has accepted and not yet handed to its members.
//!
//! While a conversation is idle its next message goes out at once. After that it gathers for one tick, so that a
//! busy conversation costs one frame and one wake-up per member and tick instead of one per message (design 4.4:
//! coalescing gains 14–25×, array frames 30–35×).

use crate::actors::connection::ConnectionId;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tracing::Span;

use crate::actors::connection::feed::FeedItem;
use crate::actors::runtime::watermark::PendingDelivery;
use crate::config;
use crate::model::Message;
use crate::protocol::Encoded;

/// The longest tick, however far the writers are behind.
const TICK_MAX: Duration = Duration::from_millis(500);

/// One accepted message on its way out.
#[derive(Debug)]
pub(crate) struct Item {
    /// The connection it came from, which does not get it back; 0 when it came from the host.
    pub(crate) origin: Option<ConnectionId>,
    pub(crate) message: Arc<Message>,
    pub(crate) encoded: Encoded,
    /// Of a stored message: its commit. 0 otherwise.
    pub(crate) commit: u64,
    /// Of a stored message: holds back the cursor until the message was handed to all it is for.
    pub(crate) pending: Option<PendingDelivery>,
    /// Ends when it was handed to all it is for: with this item.
    #[expect(dead_code, reason = "its end is what counts")]
    pub(crate) span: Span,
}

/// The stored ones among them, for the lists of those they are for.
pub(crate) fn feed_item_of(items: &[Item]) -> Option<Arc<FeedItem>> {
    let stored: Vec<Arc<Message>> = items.iter().filter(|item| item.commit > 0).map(|item| item.message.clone()).collect();
    let conversation = stored.first()?.conversation.clone();
    Some(Arc::new(FeedItem::Messages(conversation, stored)))
}

/// Gathers items and says when they go.
#[derive(Debug)]
pub(crate) struct Batch {
    items: Vec<Item>,
    bytes: usize,
    tick: Duration,
    members_per_ms: u64,
    messages_max: usize,
    bytes_max: usize,
    ticking: bool,
    /// A stored message has made the tick shorter.
    hurried: bool,
}

/// An actor that sends out what it gathered.
pub(crate) trait Deliver: Actor<Context = Context<Self>> {
    /// Its batch.
    fn batch(&mut self) -> &mut Batch;
    /// Whether anything besides the batch waits for the tick.
    fn has_more(&self) -> bool {
        false
    }
    /// How many sessions it delivers to.
    fn audience(&self) -> usize;
    /// How far the writers of sockets are behind.
    fn write_late(&self) -> Duration;
    /// Hands items (possibly none, when there is other news) to the members.
    fn deliver(&mut self, items: Vec<Item>);
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
        }
    }

    /// Whether nothing waits and no tick runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.items.is_empty() && !self.ticking
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.encoded.of(crate::protocol::ClientLevel::Since2_15).map_or(0, |text| text.len());
        self.items.push(item);
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.messages_max || self.bytes >= self.bytes_max
    }

    /// How long to gather for so many: a system call for each of ten thousand takes a tenth of a second of a core, and
    /// must not be due again before it is done. `late`: how far the writers of sockets are behind; what is written
    /// less often costs less, and so they catch up.
    fn tick_for(&self, audience: usize, late: Duration) -> Duration {
        let by_size = Duration::from_millis(audience as u64 / self.members_per_ms);
        if by_size <= self.tick { self.tick } else { by_size.max(late.min(TICK_MAX)) }
    }

    fn take(&mut self) -> Vec<Item> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

/// Adds an item; it leaves now or with the tick.
pub(crate) fn offer<A: Deliver>(actor: &mut A, item: Item, ctx: &mut Context<A>) {
    let stored = item.commit > 0;
    actor.batch().push(item);
    schedule(actor, ctx);
    if stored {
        hurry(actor, ctx);
    }
}

/// A stored message does not wait for the long tick of a large conversation, only for a part of it.
fn hurry<A: Deliver>(actor: &mut A, ctx: &mut Context<A>) {
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

/// Something waits to go out: sends it now when the conversation was idle or enough has gathered.
pub(crate) fn schedule<A: Deliver>(actor: &mut A, ctx: &mut Context<A>) {
    let batch = actor.batch();
    if batch.ticking && !batch.is_full() {
        return;
    }
    let start_ticking = !batch.ticking;
    flush(actor);
    if start_ticking {
        tick(actor, ctx);
    }
}

/// Hands out what was accepted so far: called before a change of those it is for.
pub(crate) fn deliver_accepted<A: Deliver>(actor: &mut A) {
    if !actor.batch().items.is_empty() {
        flush(actor);
    }
}

fn flush<A: Deliver>(actor: &mut A) {
    let items = actor.batch().take();
    actor.deliver(items);
}

fn tick<A: Deliver>(actor: &mut A, ctx: &mut Context<A>) {
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
}
