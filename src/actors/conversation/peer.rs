//! One conversation of two users.
//!
//! Owns the order of its messages; the users and their sessions belong to other actors. Full mailbox: temporary
//! refusal. Leaves when idle; its state is in the store, so nothing is lost by that.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::actor::{Access, ConversationActor};
use super::handover::{Redeliver, Retire};
use super::messages::{Confirm, Publish, Revise};
use super::pipeline::MessagePipeline;
use super::revise_rules::Moderates;
use super::{handover, publish, receipts, revise};
use crate::actors::connection::feed::FeedItem;
use crate::actors::connection::presence::Connections;
use crate::actors::context::BrokerContext;
use crate::actors::delivery::batch::{Batch, Broadcaster, Item, feed_item_of};
use crate::actors::delivery::broadcast::Listener;
use crate::actors::delivery::fanout::{Audience, fan_out};
use crate::actors::delivery::outsiders;
use crate::actors::delivery::written::InFlight;
use crate::actors::runtime::registry::{Leased, Registered, Registration};
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::route::Home;
use crate::model::{Conversation, Message, Refusal, UserId};

/// The two users, the lesser id first.
pub(crate) type PeerKey = (UserId, UserId);

pub(crate) struct Peer {
    context: Arc<BrokerContext>,
    key: PeerKey,
    registration: Registration<Self>,
    pipeline: MessagePipeline,
    /// Whether each of the two was found in the store; it stays true.
    known: [bool; 2],
    busy: bool,
}

/// Returns the key of the conversation of two users.
pub(crate) fn key(one: &UserId, other: &UserId) -> PeerKey {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

impl Registered for Peer {
    type Key = PeerKey;
    const KIND: &'static str = "peer";
    type Services = Arc<BrokerContext>;

    fn home((one, other): &PeerKey) -> Home {
        Home::Conversation(Conversation::Peer(one.clone(), other.clone()))
    }

    fn mailbox_max(context: &Arc<BrokerContext>) -> usize {
        context.config().actors.peer_mailbox
    }

    fn new(context: Arc<BrokerContext>, key: PeerKey, registration: Registration<Self>) -> Self {
        Self { pipeline: MessagePipeline::new(context.clone()), context, key, registration, known: [false; 2], busy: false }
    }
}

impl Actor for Peer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, 1);
        publish::listen(self, ctx);
        ctx.run_interval(self.context.idle(), |peer, ctx| {
            if !std::mem::take(&mut peer.busy) {
                peer.leave_if_unused(ctx);
            }
        });
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, -1);
    }
}

impl Peer {
    /// Returns the connections of each of the two.
    fn connections(&self) -> [Option<Connections>; 2] {
        [self.context.presence.connections(&self.key.0), self.context.presence.connections(&self.key.1)]
    }

    fn leave_if_unused(&mut self, ctx: &mut Context<Self>) {
        if self.pipeline.is_idle() && self.registration.leave(&self.key) {
            ctx.stop();
        }
    }

    /// Returns the position of the receiver of this sender's message.
    fn receiver(&self, sender: &UserId) -> usize {
        usize::from(*sender == self.key.0)
    }

    fn user(&self, which: usize) -> &UserId {
        if which == 0 { &self.key.0 } else { &self.key.1 }
    }
}

impl Handler<Leased<Publish>> for Peer {
    type Result = ();

    fn handle(&mut self, leased: Leased<Publish>, ctx: &mut Context<Self>) {
        self.busy = true;
        let publish = leased.open();
        let receiver = self.receiver(&publish.sender);
        let conversation = self.conversation();
        if self.known[receiver] || !self.context.config().users.must_exist {
            return publish::publish(self, publish, &conversation, ctx);
        }
        let user = self.user(receiver).clone();
        let archive = self.context.archive.clone();
        let look_up = async move { archive.read(move |store| store.user(&user)).await };
        ctx.wait(look_up.into_actor(self).map(move |found, peer, ctx| match found {
            Ok(Some(_)) => {
                peer.known[receiver] = true;
                publish::publish(peer, publish, &conversation, ctx);
            }
            Ok(None) => {
                answer(publish.reply, Err(Refusal::UserMissing(peer.user(receiver).to_string())));
                peer.leave_if_unused(ctx);
            }
            Err(refusal) => answer(publish.reply, Err(refusal)),
        }));
    }
}

impl ConversationActor for Peer {
    fn context(&self) -> &Arc<BrokerContext> {
        &self.context
    }

    fn pipeline(&mut self) -> &mut MessagePipeline {
        &mut self.pipeline
    }

    fn may_write(&mut self, _: &Publish) -> Result<Conversation, Refusal> {
        Ok(self.conversation())
    }

    fn access_of(&mut self, _: &UserId) -> Result<Access, Refusal> {
        Ok(Access { moderates: Moderates::Nobody, first_seq: 1 })
    }

    fn conversation(&self) -> Conversation {
        Conversation::Peer(self.key.0.clone(), self.key.1.clone())
    }

    fn listeners(&self) -> Vec<Listener> {
        Listener::to_all(self.connections().iter().flatten().flat_map(|connections| connections.iter()))
    }

    fn feed(&self, item: &Arc<FeedItem>) {
        self.context.notify(&self.key.0, item);
        self.context.notify(&self.key.1, item);
    }

    fn stop_for_good(&mut self, ctx: &mut Context<Self>) {
        self.registration.leave_for_good(&self.key);
        ctx.stop();
    }

    /// Stops: changes keep no actor, because requests about what is not there must not fill the memory with actors.
    fn done(&mut self, ctx: &mut Context<Self>) {
        if !self.busy {
            self.leave_if_unused(ctx);
        }
    }
}

impl Handler<Leased<Revise>> for Peer {
    type Result = ();

    fn handle(&mut self, leased: Leased<Revise>, ctx: &mut Context<Self>) {
        revise::revise(self, leased.open(), ctx);
    }
}

impl Handler<Leased<Confirm>> for Peer {
    type Result = ();

    fn handle(&mut self, leased: Leased<Confirm>, ctx: &mut Context<Self>) {
        receipts::confirm(self, leased.open(), ctx);
    }
}

impl Handler<Leased<Redeliver>> for Peer {
    type Result = ();

    fn handle(&mut self, leased: Leased<Redeliver>, ctx: &mut Context<Self>) {
        handover::redeliver(self, leased.open(), ctx, |_, _| {});
    }
}

impl Handler<Leased<Retire>> for Peer {
    type Result = ();

    fn handle(&mut self, leased: Leased<Retire>, ctx: &mut Context<Self>) {
        handover::retire(self, leased.open().reply, ctx);
    }
}

/// Returns whether one event may carry both to the same connections: it names the sender.
fn goes_to_the_same(one: &Message, next: &Message) -> bool {
    one.sender == next.sender && one.content.options.unaware == next.content.options.unaware
}

impl Broadcaster for Peer {
    fn batch(&mut self) -> &mut Batch {
        self.pipeline.batch()
    }

    fn write_late(&self) -> Duration {
        self.context.load.write_late()
    }

    fn audience(&self) -> usize {
        2
    }

    /// The event names the sender, so each run of one sender's messages is an event of its own; both sides see
    /// the runs in the conversation's order.
    fn deliver(&mut self, items: Vec<Item>, batch: &Arc<InFlight>) {
        outsiders::tell(&self.context, &items, |user| [&self.key.0, &self.key.1].contains(&user));
        let connections = self.connections();
        let of = |which: usize| connections[which].iter().flat_map(|connections| connections.iter());
        if (0..2).flat_map(of).next().is_none() {
            return;
        }
        for run in items.chunk_by(|one, next| goes_to_the_same(&one.live.message, &next.live.message)) {
            let Some(message) = run.first().map(|item| &item.live.message) else { continue };
            let (receiver, is_unaware) = (self.receiver(&message.sender), message.content.options.unaware);
            match feed_item_of(run) {
                Some(item) if is_unaware => self.context.notify(self.user(receiver), &item),
                Some(item) => self.feed(&item),
                None => {}
            }
            let hears = move |which: &usize| !is_unaware || *which == receiver;
            fan_out(&self.context, run, &Audience::of_all((0..2).filter(hears).flat_map(of)), batch);
        }
    }
}
