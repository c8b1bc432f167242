//! What a conversation has accepted and not yet handed to its members.
//!
//! While a conversation is idle its next message goes out at once. After that it gathers for one tick, so that a
//! busy conversation costs one frame and one wake-up per member and tick instead of one per message (design 4.4:
//! coalescing gains 14–25×, array frames 30–35×).

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::handed::Handing;
use crate::config;
use crate::model::Message;
use crate::protocol::Encoded;

/// One accepted message on its way out.
#[derive(Debug)]
pub(crate) struct Item {
    /// The link it came from, which does not get it back; 0 when it came from the host.
    pub(crate) origin: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) encoded: Encoded,
    /// Of a stored message: its commit. 0 otherwise.
    pub(crate) commit: u64,
    /// Of a stored message: holds back the cursor until the message was handed to all it is for.
    pub(crate) handing: Option<Handing>,
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
}

/// An actor that sends out what it gathered.
pub(crate) trait Deliver: Actor<Context = Context<Self>> {
    /// Its batch.
    fn batch(&mut self) -> &mut Batch;
    /// Whether anything besides the batch waits for the tick.
    fn has_news(&self) -> bool {
        false
    }
    /// How many sessions it delivers to.
    fn audience(&self) -> usize;
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
        }
    }

    /// Whether nothing waits and no tick runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.items.is_empty() && !self.ticking
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.encoded.of(crate::protocol::Variant::Full).map_or(0, |text| text.len());
        self.items.push(item);
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.messages_max || self.bytes >= self.bytes_max
    }

    /// How long to gather for so many: a system call for each of ten thousand takes a tenth of a second of a core, and
    /// must not be due again before it is done.
    fn tick_for(&self, audience: usize) -> Duration {
        self.tick.max(Duration::from_millis(audience as u64 / self.members_per_ms))
    }

    fn take(&mut self) -> Vec<Item> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

/// Adds an item; it leaves now or with the tick.
pub(crate) fn offer<A: Deliver>(actor: &mut A, item: Item, ctx: &mut Context<A>) {
    actor.batch().push(item);
    news(actor, ctx);
}

/// Something waits to go out: sends it now when the conversation was idle or enough has gathered.
pub(crate) fn news<A: Deliver>(actor: &mut A, ctx: &mut Context<A>) {
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
    let audience = actor.audience();
    let batch = actor.batch();
    batch.ticking = true;
    let after = batch.tick_for(audience);
    ctx.run_later(after, |actor, ctx| {
        if actor.batch().items.is_empty() && !actor.has_news() {
            actor.batch().ticking = false;
            return;
        }
        flush(actor);
        tick(actor, ctx);
    });
}
