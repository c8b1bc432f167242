//! Finds the actor that owns a key, starting it when there is none.
//!
//! An idle owner leaves. So that no message falls between its last look and its leaving, each message holds its
//! addressee: the count is raised under the same lock under which an owner asks to leave, and lowered when the
//! message was handled or dropped. An owner leaves only at zero.
//!
//! The one place where Full and Closed of a mailbox are decided: Full is a temporary refusal, Closed (the owner
//! panicked) starts a fresh owner from the store.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::dev::{ToEnvelope, channel};
use actix::prelude::*;

use crate::actors::context::BrokerContext;
use crate::model::Refusal;

/// An actor that lives under a key.
pub(crate) trait Registered: Actor<Context = Context<Self>> {
    type Key: Clone + Eq + Hash + Send + 'static;
    /// For metrics and logs.
    const KIND: &'static str;
    /// How many messages may wait for it.
    fn mailbox_max(context: &BrokerContext) -> usize;
    /// A fresh owner; it reads its state from the store when it starts.
    fn new(context: Arc<BrokerContext>, key: Self::Key, leases: Leases) -> Self;
}

/// How many messages are on their way to one owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases(Arc<AtomicUsize>);

/// Keeps an owner from leaving.
#[derive(Debug)]
struct Lease(Leases);

impl Lease {
    fn on(leases: &Leases) -> Self {
        leases.0.fetch_add(1, Ordering::SeqCst);
        Self(leases.clone())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A message that keeps its addressee from leaving until it was handled.
#[derive(Debug)]
pub(crate) struct Leased<M> {
    message: M,
    lease: Lease,
}

impl<M> Leased<M> {
    /// Takes the message in hand: from here on it no longer keeps the owner, which may leave while handling it.
    pub(crate) fn open(self) -> M {
        drop(self.lease);
        self.message
    }
}

impl<M> Message for Leased<M> {
    type Result = ();
}

#[derive(Debug)]
struct Slot<A: Actor> {
    addr: Addr<A>,
    leases: Leases,
}

/// The owners of one kind.
#[derive(Debug)]
pub(crate) struct ActorRegistry<A: Registered> {
    slots: Mutex<HashMap<A::Key, Slot<A>>>,
}

impl<A: Registered> ActorRegistry<A> {
    pub(crate) fn new() -> Self {
        Self { slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<A::Key, Slot<A>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many owners live.
    pub(crate) fn len(&self) -> usize {
        self.slots().len()
    }

    /// Hands a message to the owner of `key`, starting it if need be. Calls from one thread arrive in order.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when its mailbox is full.
    pub(crate) fn tell<M>(&self, context: &Arc<BrokerContext>, key: &A::Key, message: M) -> Result<(), Refusal>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let mut slots = self.slots();
        let slot = slots.entry(key.clone()).or_insert_with(|| start(context, key));
        match slot.addr.try_send(Leased { message, lease: Lease::on(&slot.leases) }) {
            Ok(()) => Ok(()),
            Err(SendError::Full(_)) => Err(Refusal::Busy("mailbox is full")),
            Err(SendError::Closed(leased)) => {
                tracing::warn!(actor = A::KIND, "owner had ended unexpectedly, starting it again");
                *slot = start(context, key);
                let again = Leased { message: leased.message, lease: Lease::on(&slot.leases) };
                slot.addr.try_send(again).map_err(|_| Refusal::Busy("owner cannot be started"))
            }
        }
    }

    /// Hands over a message that must not be lost, waiting while the mailbox is full.
    pub(crate) async fn send<M>(&self, context: &Arc<BrokerContext>, key: &A::Key, message: M)
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let request = {
            let mut slots = self.slots();
            let slot = slots.entry(key.clone()).or_insert_with(|| start(context, key));
            if !slot.addr.connected() {
                *slot = start(context, key);
            }
            slot.addr.send(Leased { message, lease: Lease::on(&slot.leases) })
        };
        if request.await.is_err() {
            tracing::warn!(actor = A::KIND, "owner ended before it heard a message");
        }
    }

    /// The same, but only if the owner lives: one that starts later reads the truth by itself.
    pub(crate) async fn send_if_running<M>(&self, key: &A::Key, message: M)
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let request = match self.slots().get(key) {
            Some(slot) => slot.addr.send(Leased { message, lease: Lease::on(&slot.leases) }),
            None => return,
        };
        if request.await.is_err() {
            tracing::warn!(actor = A::KIND, "owner ended before it heard a message");
        }
    }

    /// Takes an owner out when no message is on its way to it. False: it must stay.
    pub(crate) fn leave(&self, key: &A::Key, leases: &Leases) -> bool {
        let mut slots = self.slots();
        let mine = slots.get(key).is_some_and(|slot| Arc::ptr_eq(&slot.leases.0, &leases.0));
        if mine && leases.0.load(Ordering::SeqCst) == 0 {
            slots.remove(key);
        }
        // An owner that was replaced after a panic has nothing left to wait for.
        !slots.get(key).is_some_and(|slot| Arc::ptr_eq(&slot.leases.0, &leases.0))
    }
}

fn start<A: Registered>(context: &Arc<BrokerContext>, key: &A::Key) -> Slot<A> {
    let leases = Leases::default();
    let (its_context, its_key, its_holds) = (context.clone(), key.clone(), leases.clone());
    let mailbox_max = A::mailbox_max(context);
    let addr = start_with_mailbox(&context.arbiter, mailbox_max, move || A::new(its_context, its_key, its_holds));
    Slot { addr, leases }
}

/// Starts an actor whose mailbox has its size from the first message on. `start_in_arbiter` makes one of 16, which
/// holds until the actor runs, so that a first burst would find it full.
pub(super) fn start_with_mailbox<A>(arbiter: &ArbiterHandle, mailbox_max: usize, make: impl FnOnce() -> A + Send + 'static) -> Addr<A>
where
    A: Actor<Context = Context<A>>,
{
    let (sender, receiver) = channel::channel(mailbox_max);
    let started = arbiter.spawn_fn(move || {
        let _its_own_address = Context::with_receiver(receiver).run(make());
    });
    if !started {
        tracing::debug!("the actors' thread has ended");
    }
    Addr::new(sender)
}
