//! Finds the actor of a key, and starts it when there is none.
//!
//! An idle actor leaves. So that no message falls between its last look and its leaving, each message leases its
//! addressee: the count is raised under the same lock under which an actor asks to leave, and lowered when the message
//! was handled or dropped. An actor leaves only at zero.
//!
//! The one place where Full and Closed of a mailbox are decided: Full is a temporary refusal, Closed (the actor
//! panicked) starts a fresh actor from the store.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::dev::{ToEnvelope, channel};
use actix::prelude::*;

use crate::model::Refusal;

/// An actor that lives under a key.
pub(crate) trait Registered: Actor<Context = Context<Self>> {
    type Key: Clone + Eq + Hash + Send + 'static;
    /// The name of this kind of actor in metrics and logs.
    const KIND: &'static str;
    /// What the actor needs from outside: the broker's services, and the registries of actors that it sends to.
    type Services: Clone + Send + Sync + 'static;
    /// Returns how many messages may wait for the actor.
    fn mailbox_max(services: &Self::Services) -> usize;
    /// Makes a fresh actor; it reads its state from the store when it starts.
    fn new(services: Self::Services, key: Self::Key, registration: Registration<Self>) -> Self;
}

/// How many messages are on their way to one actor.
#[derive(Debug, Clone, Default)]
struct Leases(Arc<AtomicUsize>);

/// One message on its way, which keeps the actor from leaving until this is dropped.
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

/// A message with the lease that keeps its addressee from leaving until the message was handled.
#[derive(Debug)]
pub(crate) struct Leased<M> {
    message: M,
    lease: Lease,
}

impl<M> Leased<M> {
    /// Takes the message and drops the lease: the actor may leave while it handles the message.
    pub(crate) fn open(self) -> M {
        drop(self.lease);
        self.message
    }
}

impl<M> Message for Leased<M> {
    type Result = ();
}

struct Slot<A: Actor> {
    addr: Addr<A>,
    leases: Leases,
}

type Slots<A> = Arc<Mutex<HashMap<<A as Registered>::Key, Slot<A>>>>;

fn locked<A: Registered>(slots: &Slots<A>) -> MutexGuard<'_, HashMap<A::Key, Slot<A>>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An actor's own entry in its registry.
pub(crate) struct Registration<A: Registered> {
    slots: Slots<A>,
    leases: Leases,
}

impl<A: Registered> Registration<A> {
    /// Takes the actor out when no message is on its way to it. Returns false when it must stay.
    pub(crate) fn leave(&self, key: &A::Key) -> bool {
        let mut slots = locked(&self.slots);
        let is_own = |slot: &Slot<A>| Arc::ptr_eq(&slot.leases.0, &self.leases.0);
        if slots.get(key).is_some_and(is_own) && self.leases.0.load(Ordering::SeqCst) == 0 {
            slots.remove(key);
        }
        // An actor that was replaced after a panic has nothing left to wait for.
        !slots.get(key).is_some_and(is_own)
    }
}

/// The actors of one kind.
pub(crate) struct ActorRegistry<A: Registered> {
    slots: Slots<A>,
    services: A::Services,
    arbiter: ArbiterHandle,
}

impl<A: Registered> fmt::Debug for ActorRegistry<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorRegistry").field("kind", &A::KIND).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<A: Registered> ActorRegistry<A> {
    /// Makes an empty registry, which starts its actors on `arbiter`.
    pub(crate) fn new(services: A::Services, arbiter: ArbiterHandle) -> Self {
        Self { slots: Arc::default(), services, arbiter }
    }

    /// Returns how many actors live.
    pub(crate) fn len(&self) -> usize {
        locked(&self.slots).len()
    }

    /// Hands a message to the actor of `key`, starting it if need be. Calls from one thread arrive in order.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when its mailbox is full.
    pub(crate) fn try_send<M>(&self, key: &A::Key, message: M) -> Result<(), Refusal>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let mut slots = locked(&self.slots);
        let slot = slots.entry(key.clone()).or_insert_with(|| self.start(key));
        match slot.addr.try_send(Leased { message, lease: Lease::on(&slot.leases) }) {
            Ok(()) => Ok(()),
            Err(SendError::Full(_)) => Err(Refusal::Busy("mailbox is full")),
            Err(SendError::Closed(leased)) => {
                tracing::warn!(actor = A::KIND, "owner had ended unexpectedly, starting it again");
                *slot = self.start(key);
                let again = Leased { message: leased.message, lease: Lease::on(&slot.leases) };
                slot.addr.try_send(again).map_err(|_| Refusal::Busy("owner cannot be started"))
            }
        }
    }

    /// Hands over a message that must not be lost. It is in the mailbox when this returns, unless that is full: the future
    /// waits until there is room and the message was handled.
    #[must_use = "a message that found the mailbox full is lost with its future"]
    pub(crate) fn send<M>(&self, key: &A::Key, message: M) -> impl Future<Output = ()> + use<A, M>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let request = {
            let mut slots = locked(&self.slots);
            let slot = slots.entry(key.clone()).or_insert_with(|| self.start(key));
            if !slot.addr.connected() {
                *slot = self.start(key);
            }
            slot.addr.send(Leased { message, lease: Lease::on(&slot.leases) })
        };
        async move {
            if request.await.is_err() {
                tracing::warn!(actor = A::KIND, "owner ended before it heard a message");
            }
        }
    }

    /// Hands over a message as [`send`](Self::send) does, but only if the actor lives: one that starts later reads the
    /// truth by itself.
    pub(crate) async fn send_if_running<M>(&self, key: &A::Key, message: M)
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let request = match locked(&self.slots).get(key) {
            Some(slot) => slot.addr.send(Leased { message, lease: Lease::on(&slot.leases) }),
            None => return,
        };
        if request.await.is_err() {
            tracing::warn!(actor = A::KIND, "owner ended before it heard a message");
        }
    }

    fn start(&self, key: &A::Key) -> Slot<A> {
        let leases = Leases::default();
        let (services, its_key) = (self.services.clone(), key.clone());
        let registration = Registration { slots: self.slots.clone(), leases: leases.clone() };
        let mailbox_max = A::mailbox_max(&self.services);
        let addr = start_with_mailbox(&self.arbiter, mailbox_max, move || A::new(services, its_key, registration));
        Slot { addr, leases }
    }
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
