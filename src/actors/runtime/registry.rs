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
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, join_all};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::command::{Command, decode, encode};
use super::reply::answer;
use super::route::{Home, MOVING, NodeId, Order, Place, Route};
use crate::model::Refusal;

/// An actor that lives under a key.
pub(crate) trait Registered: Actor<Context = Context<Self>> {
    type Key: Clone + Eq + Hash + Send + Serialize + DeserializeOwned + 'static;
    /// The name of this kind of actor in metrics and logs.
    const KIND: &'static str;
    /// What the actor needs from outside: the broker's services, and the registries of actors that it sends to.
    type Services: Clone + Send + Sync + 'static;
    /// Returns by what the actor's place is found.
    fn home(key: &Self::Key) -> Home;
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
    /// Takes the actor out, whatever is on its way to it.
    pub(crate) fn leave_for_good(&self, key: &A::Key) {
        let mut slots = locked(&self.slots);
        if slots.get(key).is_some_and(|slot| Arc::ptr_eq(&slot.leases.0, &self.leases.0)) {
            slots.remove(key);
        }
    }

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
    /// None: all actors live here.
    route: Option<Arc<dyn Route>>,
}

impl<A: Registered> fmt::Debug for ActorRegistry<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorRegistry").field("kind", &A::KIND).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<A: Registered> ActorRegistry<A> {
    /// Makes an empty registry, which starts its actors on `arbiter`.
    pub(crate) fn new(services: A::Services, arbiter: ArbiterHandle, route: Option<Arc<dyn Route>>) -> Self {
        Self { slots: Arc::default(), services, arbiter, route }
    }

    /// Returns how many actors live.
    pub(crate) fn len(&self) -> usize {
        locked(&self.slots).len()
    }

    /// Hands a message to the actor of `key`, wherever it lives, starting it if need be. Calls from one thread arrive in order.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when its mailbox is full, or nobody owns it at the moment.
    pub(crate) fn try_send<M>(&self, key: &A::Key, message: M) -> Result<(), Refusal>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Command,
    {
        match self.away(key) {
            None => self.try_send_here(key, message),
            Some(away) => away.carry::<A, M>(key, message, false, || {}),
        }
    }

    /// Hands a message to the actor of `key` at a place, whatever the route says.
    ///
    /// # Errors
    /// As [`ActorRegistry::try_send`].
    pub(crate) fn try_send_at<M>(&self, place: Place, key: &A::Key, message: M) -> Result<(), Refusal>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Command,
    {
        match (place, &self.route) {
            (Place::There(node), Some(route)) => {
                Away { route, home: A::home(key), node: Some(node) }.carry::<A, M>(key, message, false, || {})
            }
            (Place::Nowhere, Some(_)) => Err(MOVING),
            (_, None) | (Place::Here, _) => self.try_send_here(key, message),
        }
    }

    /// Returns the way to an actor that does not live here; none: it does.
    fn away(&self, key: &A::Key) -> Option<Away<'_>> {
        let route = self.route.as_ref()?;
        let home = A::home(key);
        let node = match route.place(&home) {
            Place::Here => return None,
            Place::There(node) => Some(node),
            Place::Nowhere => None,
        };
        Some(Away { route, home, node })
    }

    /// Hands a message to the actor of `key` in this process, starting it if need be. Calls from one thread arrive in order.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when its mailbox is full.
    pub(crate) fn try_send_here<M>(&self, key: &A::Key, message: M) -> Result<(), Refusal>
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

    /// Hands over a message that must not be lost, wherever the actor lives. It is in the mailbox, or on its way, when this returns,
    /// unless the mailbox is full: the future waits until there is room and the message was handled. Where nobody owns the actor at
    /// the moment, or its node ends, whoever owns it next is told anew of all that still holds.
    #[must_use = "a message that found the mailbox full is lost with its future"]
    pub(crate) fn send<M>(&self, key: &A::Key, message: M) -> impl Future<Output = ()> + use<A, M>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Command,
    {
        match self.away(key) {
            None => Either::Left(self.send_here(key, message)),
            Some(away) => Either::Right(carried::<A, M>(away, key, message, false)),
        }
    }

    /// Does the same for an actor in this process.
    #[must_use = "a message that found the mailbox full is lost with its future"]
    pub(crate) fn send_here<M>(&self, key: &A::Key, message: M) -> impl Future<Output = ()> + use<A, M>
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

    /// Hands over a message as [`send`](Self::send) does, but only if the actor runs: one that starts later reads the
    /// truth by itself. One that runs in this process hears it in any case: its node may have just taken it, and still take another for
    /// its owner.
    pub(crate) async fn send_if_running<M>(&self, key: &A::Key, message: M)
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Command + Clone,
    {
        if let Some(heard) = self.send_here_if_running(key, message.clone()) {
            heard.await;
        }
        if let Some(away) = self.away(key) {
            carried::<A, M>(away, key, message, true).await;
        }
    }

    /// Does the same for an actor in this process; none: it does not run.
    pub(crate) fn send_here_if_running<M>(&self, key: &A::Key, message: M) -> Option<impl Future<Output = ()> + use<A, M>>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        locked(&self.slots).get(key).map(|slot| hand_over(slot, message))
    }

    /// Returns whether the actor of `key` runs in this process.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn runs_here(&self, key: &A::Key) -> bool {
        locked(&self.slots).contains_key(key)
    }

    /// Hands a message to each actor of this process that runs and is wanted; returns what waits until all have handled theirs.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn tell_running<M>(&self, wanted: impl Fn(&A::Key) -> bool, mut message: impl FnMut() -> M) -> BoxFuture<'static, ()>
    where
        A: Handler<Leased<M>>,
        A::Context: ToEnvelope<A, Leased<M>>,
        M: Send + 'static,
    {
        let slots = locked(&self.slots);
        let told: Vec<_> = slots.iter().filter(|(key, _)| wanted(key)).map(|(_, slot)| hand_over(slot, message())).collect();
        join_all(told).map(drop).boxed()
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

/// Puts a message on its way to a running actor; returns what waits until it was handled.
fn hand_over<A, M>(slot: &Slot<A>, message: M) -> impl Future<Output = ()> + use<A, M>
where
    A: Registered + Handler<Leased<M>>,
    A::Context: ToEnvelope<A, Leased<M>>,
    M: Send + 'static,
{
    let request = slot.addr.send(Leased { message, lease: Lease::on(&slot.leases) });
    async move {
        if request.await.is_err() {
            tracing::warn!(actor = A::KIND, "owner ended before it heard a message");
        }
    }
}

/// The way to an actor of another node.
struct Away<'a> {
    route: &'a Arc<dyn Route>,
    home: Home,
    /// None: it has no place at the moment.
    node: Option<NodeId>,
}

impl Away<'_> {
    fn carry<A, M>(&self, key: &A::Key, mut message: M, if_running: bool, handled: impl FnOnce() + Send + 'static) -> Result<(), Refusal>
    where
        A: Registered,
        M: Command,
    {
        let reply = message.take_reply();
        let order = Order { kind: A::KIND.into(), name: M::NAME.into(), key: encode(key), body: encode(&message), if_running };
        let done = Box::new(move |outcome: Result<Bytes, Refusal>| {
            if let Some(reply) = reply {
                answer(reply, outcome.and_then(|bytes| decode(&bytes)));
            }
            handled();
        });
        match self.node {
            Some(node) => self.route.carry(node, &self.home, order, done),
            None => self.route.park(&self.home, order, done),
        }
    }
}

/// Carries a message and returns what waits until it was handled.
fn carried<A, M>(away: Away<'_>, key: &A::Key, message: M, if_running: bool) -> impl Future<Output = ()> + use<A, M>
where
    A: Registered,
    M: Command,
{
    let (handled, waits) = oneshot::channel::<()>();
    let sent = away.carry::<A, M>(key, message, if_running, move || {
        if handled.send(()).is_err() {
            tracing::trace!("nobody waits for a message to be handled any more");
        }
    });
    async move {
        match sent {
            Ok(()) if waits.await.is_ok() => {}
            Ok(()) => tracing::debug!(actor = A::KIND, "a node ended before it heard a message"),
            Err(refusal) => tracing::debug!(actor = A::KIND, %refusal, "a message was not carried to another node"),
        }
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
