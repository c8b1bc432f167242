//! One conversation of two users.
//!
//! Owns its order; the users and their sessions belong to others. Full mailbox: temporary refusal. Leaves when
//! idle; its state is in the store, so nothing is lost by that.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::publish;
use super::publish::{Lane, Owner, Publish};
use super::revise;
use super::revise::{Amend, Confirm, Keeper, Right};
use super::revise_rules::Moderates;
use crate::actors::connection::Link;
use crate::actors::connection::feed::News;
use crate::actors::context::Core;
use crate::actors::delivery::batch::{Batch, Deliver, Item, news_of};
use crate::actors::delivery::fanout::{Envelope, fan_out};
use crate::actors::runtime::registry::{Held, Holds, Resident};
use crate::actors::runtime::reply::answer;
use crate::model::{Conversation, Refusal, UserId};

/// The two users, the lesser id first.
pub(crate) type PeerKey = (UserId, UserId);

pub(crate) struct Peer {
    core: Arc<Core>,
    key: PeerKey,
    holds: Holds,
    lane: Lane,
    /// Whether each of the two was seen in the store; once true, true for good.
    known: [bool; 2],
    busy: bool,
}

/// The key of the conversation of two users.
pub(crate) fn key(one: &UserId, other: &UserId) -> PeerKey {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

impl Resident for Peer {
    type Key = PeerKey;
    const KIND: &'static str = "peer";

    fn mailbox_max(core: &Core) -> usize {
        core.config().actors.peer_mailbox
    }

    fn new(core: Arc<Core>, key: PeerKey, holds: Holds) -> Self {
        Self { lane: Lane::new(core.clone()), core, key, holds, known: [false; 2], busy: false }
    }
}

impl Actor for Peer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.core.metrics.actors_changed(Self::KIND, 1);
        publish::open(self, ctx);
        ctx.run_interval(self.core.idle(), |peer, ctx| {
            if !std::mem::take(&mut peer.busy) {
                peer.leave_if_unused(ctx);
            }
        });
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.core.metrics.actors_changed(Self::KIND, -1);
    }
}

impl Peer {
    fn conversation(&self) -> Conversation {
        Conversation::Peer(self.key.0.clone(), self.key.1.clone())
    }

    fn leave_if_unused(&mut self, ctx: &mut Context<Self>) {
        if self.lane.is_idle() && self.core.peers.leave(&self.key, &self.holds) {
            ctx.stop();
        }
    }

    /// Which of the two the receiver of this sender's message is.
    fn receiver(&self, sender: &UserId) -> usize {
        usize::from(*sender == self.key.0)
    }

    fn user(&self, which: usize) -> &UserId {
        if which == 0 { &self.key.0 } else { &self.key.1 }
    }
}

impl Handler<Held<Publish>> for Peer {
    type Result = ();

    fn handle(&mut self, held: Held<Publish>, ctx: &mut Context<Self>) {
        self.busy = true;
        let publish = held.open();
        let receiver = self.receiver(&publish.sender);
        let conversation = self.conversation();
        if self.known[receiver] || !self.core.config().users.must_exist {
            return publish::publish(self, publish, &conversation, ctx);
        }
        let user = self.user(receiver).clone();
        let archive = self.core.archive.clone();
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

impl Owner for Peer {
    fn lane(&mut self) -> &mut Lane {
        &mut self.lane
    }

    fn may_write(&mut self, _: &Publish) -> Result<Conversation, Refusal> {
        Ok(self.conversation())
    }

    fn answered(&mut self, root_seq: u64, ctx: &mut Context<Self>) {
        revise::answered(self, root_seq, ctx);
    }
}

impl Keeper for Peer {
    fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn place(&self) -> Conversation {
        self.conversation()
    }

    fn right_of(&mut self, _: &UserId) -> Result<Right, Refusal> {
        Ok(Right { moderates: Moderates::Nobody, first_seq: 1 })
    }

    fn everyone(&self) -> Vec<Arc<Link>> {
        let links = [self.core.presence.links(&self.key.0), self.core.presence.links(&self.key.1)];
        links.iter().flatten().flat_map(|links| links.iter().cloned()).collect()
    }

    fn notify(&self, news: &Arc<News>) {
        self.core.notify(&self.key.0, news);
        self.core.notify(&self.key.1, news);
    }

    /// Changes keep no owner: who asks for what is not there must not fill the memory with owners of nothing.
    fn settled(&mut self, ctx: &mut Context<Self>) {
        if !self.busy {
            self.leave_if_unused(ctx);
        }
    }
}

impl Handler<Held<Amend>> for Peer {
    type Result = ();

    fn handle(&mut self, held: Held<Amend>, ctx: &mut Context<Self>) {
        revise::amend(self, held.open(), ctx);
    }
}

impl Handler<Held<Confirm>> for Peer {
    type Result = ();

    fn handle(&mut self, held: Held<Confirm>, ctx: &mut Context<Self>) {
        revise::confirm(self, held.open(), ctx);
    }
}

impl Deliver for Peer {
    fn batch(&mut self) -> &mut Batch {
        self.lane.batch()
    }

    fn write_late(&self) -> Duration {
        self.core.pressure.write_late()
    }

    fn audience(&self) -> usize {
        2
    }

    /// The event names the sender, so each run of one sender's messages is an event of its own; both sides see
    /// the runs in the conversation's order.
    fn deliver(&mut self, items: Vec<Item>) {
        let links = [self.core.presence.links(&self.key.0), self.core.presence.links(&self.key.1)];
        let links: Vec<&Arc<Link>> = links.iter().flatten().flat_map(|links| links.iter()).collect();
        if links.is_empty() {
            return;
        }
        if let Some(news) = news_of(&items) {
            self.core.notify(&self.key.0, &news);
            self.core.notify(&self.key.1, &news);
        }
        for run in items.chunk_by(|one, next| one.message.sender == next.message.sender) {
            let envelope = Envelope { event: "receivePeerMessage", from: run[0].message.sender.as_str() };
            fan_out(&self.core, envelope, run, links.iter().copied());
        }
    }
}
