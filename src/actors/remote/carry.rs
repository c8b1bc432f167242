//! Where actors live among the nodes, and how orders get to them.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::cluster::{Cluster, count, lock};
use super::letter::Letter;
use super::orders;
use super::parked::{Parked, Waits};
use crate::actors::runtime::route::{Carried, Home, MOVING, NodeId, Order, Place, Route};
use crate::model::Refusal;

/// Tries to put an order on its way; whoever waits for it hears of the refusal, too.
fn told_if_refused(done: Carried, attempt: impl FnOnce(Carried) -> Result<(), Refusal>) {
    let done = Arc::new(Mutex::new(Some(done)));
    let its = done.clone();
    let told: Carried = Box::new(move |outcome| tell(&its, outcome));
    if let Err(refusal) = attempt(told) {
        tell(&done, Err(refusal));
    }
}

/// Tells an outcome, the first that there is.
fn tell(done: &Mutex<Option<Carried>>, outcome: Result<Bytes, Refusal>) {
    let taken = lock(done).take();
    if let Some(done) = taken {
        done(outcome);
    }
}

impl Cluster {
    pub(super) fn owner_of(&self, shard: u16) -> Option<NodeId> {
        self.owners.load().get(usize::from(shard)).copied().flatten()
    }

    /// Returns where a shard's owner is, if it can be reached.
    pub(super) fn place_of(&self, shard: u16) -> Place {
        match self.owner_of(shard) {
            Some(owner) if owner == self.me => Place::Here,
            Some(owner) if self.peers.load().ends.contains_key(&owner) => Place::There(owner),
            _ => Place::Nowhere,
        }
    }

    /// Returns the shard of an actor's conversation; none: it is a user's.
    pub(super) fn shard_of(&self, home: &Home) -> Option<u16> {
        match home {
            Home::Conversation(conversation) => Some(self.shards.shard_of(conversation)),
            Home::User(_) => None,
        }
    }

    /// Returns whether this node owns an actor's conversation, or is about to.
    pub(super) fn will_own(&self, home: &Home) -> bool {
        let Some(shard) = self.shard_of(home) else { return false };
        self.owner_of(shard) == Some(self.me) || lock(&self.inheriting).contains(&shard)
    }

    fn wait_for_owner(&self, home: &Home, order: Order, done: Carried, waits: Waits) -> Result<(), Refusal> {
        self.parked.add(self.shard_of(home).ok_or(MOVING)?, order, done, waits)
    }

    /// Lets an order wait, or answers that it cannot.
    pub(super) fn park_or_refuse(&self, home: &Home, order: Order, done: Carried, waits: Waits) {
        told_if_refused(done, |told| self.wait_for_owner(home, order, told, waits));
    }

    fn carry_for(&self, node: NodeId, home: &Home, order: Order, done: Carried, waits: Waits) -> Result<(), Refusal> {
        let (shard, this, home, again) = (self.shard_of(home), self.this.clone(), home.clone(), order.clone());
        let asked_at = self.clock.elapsed();
        // A node that is not the owner, or not any more, says so: then it waits for whoever is.
        let done: Carried = Box::new(move |outcome| match (outcome, this.upgrade()) {
            (Err(MOVING), Some(cluster)) => {
                let now = cluster.clock.elapsed();
                if waits.until <= now {
                    return done(Err(MOVING));
                }
                cluster.park_or_refuse(&home, again, done, waits.again(now));
            }
            (outcome, cluster) => {
                if let Some(cluster) = cluster {
                    let took = cluster.clock.elapsed().saturating_sub(asked_at);
                    count(&cluster.counts.remote_calls, 1);
                    count(&cluster.counts.remote_call_us, usize::try_from(took.as_micros()).unwrap_or(usize::MAX));
                }
                done(outcome);
            }
        });
        self.ask(node, shard, |asked| Letter::Order { asked, order }, done)
    }

    /// Hands on the orders that waited for an owner that there is now. On the actors' thread.
    pub(super) fn hand_on_parked(&self) {
        let has_owner = |shard| self.place_of(shard) != Place::Nowhere;
        self.parked.hand_on(self.clock.elapsed(), has_owner, |parked| self.hand_on(parked));
    }

    fn hand_on(&self, Parked { order, done, waits }: Parked) {
        let Some(actors) = self.actors() else { return done(Err(MOVING)) };
        let Some(home) = orders::home_of(&order) else { return done(Err(MOVING)) };
        let Some(shard) = self.shard_of(&home) else { return done(Err(MOVING)) };
        match self.owner_of(shard) {
            Some(owner) if owner == self.me => orders::carry_out(&actors, order, done),
            Some(owner) => told_if_refused(done, |told| self.carry_for(owner, &home, order, told, waits)),
            None => done(Err(MOVING)),
        }
    }
}

impl Route for Cluster {
    fn place(&self, home: &Home) -> Place {
        match home {
            Home::Conversation(conversation) => {
                let shard = self.shards.shard_of(conversation);
                if self.parked.holds(shard) {
                    return Place::Nowhere;
                }
                self.place_of(shard)
            }
            Home::User(user) => {
                let Some(context) = self.context() else { return Place::Here };
                let node = context.presence.connections(user).and_then(|connections| connections.first()?.node());
                node.map_or(Place::Here, Place::There)
            }
        }
    }

    fn park(&self, home: &Home, order: Order, done: Carried) -> Result<(), Refusal> {
        self.wait_for_owner(home, order, done, Waits::from(self.clock.elapsed()))
    }

    fn carry(&self, node: NodeId, home: &Home, order: Order, done: Carried) -> Result<(), Refusal> {
        self.carry_for(node, home, order, done, Waits::from(self.clock.elapsed()))
    }
}
