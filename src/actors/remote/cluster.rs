//! This node among the others: where actors live, what is asked and answered, who is online elsewhere.
//!
//! What comes from other nodes is heard on the links' thread, in order per node, and nothing is waited for there. Actors of this node
//! are reached by their registries as ever; connections directly.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::contact::Contact;
use super::end::{FarEnd, FarUser, NodeEnd, Post};
use super::letter::{EncodedRefusal, Letter};
use super::marks::Marks;
use super::parked::ParkedOrders;
use super::questions::{GONE, Questions};
use crate::actors::connection::far::FarConnection;
use crate::actors::connection::feed::ConversationFeed;
use crate::actors::connection::outbox::{Dropped, Lossy, Outbox};
use crate::actors::connection::{Connection, Identity};
use crate::actors::context::BrokerContext;
use crate::actors::delivery::drops;
use crate::actors::registries::Registries;
use crate::actors::runtime::route::{Carried, NodeId};
use crate::clock::Clock;
use crate::cluster::links::{Links, Peer};
use crate::model::Refusal;
use crate::rate::DropReason;
use crate::store::{SharedShards, StoreError};

/// How often who waits looks whether this node is cut off.
const CUT_OFF_LOOK: Duration = Duration::from_millis(50);

/// The other nodes there are links to.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) ends: HashMap<NodeId, Arc<NodeEnd>>,
    pub(super) slots: HashMap<u16, NodeId>,
    /// Those that say by the database that they hear nothing and have no sessions: nobody waits for them.
    pub(super) alone: HashSet<NodeId>,
}

impl Peers {
    /// Returns the nodes that are waited for: all but these and those that hear nothing.
    pub(super) fn awaited_but<'a>(&'a self, these: &'a HashSet<NodeId>) -> impl Iterator<Item = &'a NodeId> {
        self.ends.keys().filter(move |node| !these.contains(node) && !self.alone.contains(node))
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) claims: AtomicU64,
    pub(super) releases: AtomicU64,
    pub(super) remote_calls: AtomicU64,
    pub(super) remote_call_us: AtomicU64,
    pub(super) redelivered: AtomicU64,
    pub(super) seat_moves: AtomicU64,
}

/// Adds to a count.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// See the module's documentation.
pub(crate) struct Cluster {
    pub(super) this: Weak<Self>,
    pub(super) me: NodeId,
    pub(super) shards: Arc<dyn SharedShards>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) marks: Marks,
    pub(super) lease: Duration,
    pub(super) links: OnceLock<Arc<Links>>,
    actors: OnceLock<Weak<Registries>>,
    pub(super) peers: ArcSwap<Peers>,
    /// The ways to nodes: a link may bring something before its node is among the peers.
    ends: Mutex<HashMap<NodeId, Arc<NodeEnd>>>,
    /// By shard.
    pub(super) owners: ArcSwap<Vec<Option<NodeId>>>,
    pub(super) questions: Questions,
    pub(super) contact: Contact,
    /// The nodes that have told all their sessions.
    pub(super) told_all: Mutex<HashSet<NodeId>>,
    /// It is worth a look who owns what.
    pub(super) look: Notify,
    /// Shards that were claimed and are not delivered again yet.
    pub(super) inheriting: Mutex<HashSet<u16>>,
    pub(super) is_cut_off: AtomicBool,
    pub(super) parked: ParkedOrders,
    pub(super) counts: Counts,
    /// Up to which stamp each shard owned was delivered to every node, by shard.
    delivered: Mutex<HashMap<u16, u64>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("me", &self.me).finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    /// Makes this node, which owns nothing yet and knows no other.
    pub(crate) fn new(shards: Arc<dyn SharedShards>, clock: Arc<dyn Clock>, lease: Duration) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            me: NodeId(shards.boot()),
            marks: Marks::new(shards.count()),
            owners: ArcSwap::from_pointee(vec![None; shards.count().into()]),
            shards,
            clock,
            lease,
            links: OnceLock::new(),
            actors: OnceLock::new(),
            peers: ArcSwap::default(),
            ends: Mutex::default(),
            questions: Questions::default(),
            contact: Contact::default(),
            told_all: Mutex::default(),
            look: Notify::new(),
            inheriting: Mutex::default(),
            is_cut_off: AtomicBool::new(false),
            parked: ParkedOrders::default(),
            counts: Counts::default(),
            delivered: Mutex::default(),
        })
    }

    /// Says what runs the links, and where the actors are that are told what comes.
    pub(crate) fn begin(&self, links: Arc<Links>, actors: &Arc<Registries>) {
        let _only_once = (self.links.set(links), self.actors.set(Arc::downgrade(actors)));
    }

    /// Returns the way to a node.
    pub(super) fn end(&self, node: NodeId) -> Arc<NodeEnd> {
        lock(&self.ends).entry(node).or_insert_with(|| NodeEnd::new(node, self.this.clone())).clone()
    }

    /// Forgets the way to a node that is gone.
    pub(super) fn forget_end(&self, node: NodeId) {
        lock(&self.ends).remove(&node);
    }

    /// Returns who this node is to others.
    pub(crate) fn peer(&self, name: &str) -> Peer {
        Peer { boot: self.me.0, slot: self.shards.slot(), name: name.to_owned() }
    }

    /// Notes shards that were claimed: they are not vouched for yet.
    pub(super) fn inherit(&self, shards: impl Iterator<Item = u16>) {
        lock(&self.inheriting).extend(shards);
    }

    /// Notes that everything in shards was delivered again that may not have been.
    pub(super) fn inherited(&self, shards: &[u16]) {
        let mut inheriting = lock(&self.inheriting);
        inheriting.retain(|shard| !shards.contains(shard));
    }

    /// Returns whether all that was inherited is delivered again.
    pub(super) fn inherits_nothing(&self) -> bool {
        lock(&self.inheriting).is_empty()
    }

    /// Notes up to which stamp shards were delivered to every node.
    pub(super) fn note_delivered(&self, shards: impl Iterator<Item = u16>, stamp: u64) {
        lock(&self.delivered).extend(shards.map(|shard| (shard, stamp)));
    }

    /// Returns up to which stamp all of these shards were delivered to every node, and forgets it.
    pub(super) fn take_delivered(&self, shards: &[u16]) -> u64 {
        let mut delivered = lock(&self.delivered);
        shards.iter().map(|shard| delivered.remove(shard).unwrap_or(0)).min().unwrap_or(0)
    }

    /// Returns whether all other nodes have told their sessions.
    pub(super) fn heard_all(&self) -> bool {
        self.heard_all_but(&HashSet::new())
    }

    /// Returns whether all other nodes but these have told their sessions.
    pub(super) fn heard_all_but(&self, these: &HashSet<NodeId>) -> bool {
        let (told, peers) = (lock(&self.told_all), self.peers.load());
        peers.awaited_but(these).all(|node| told.contains(node))
    }

    /// Waits until this node is cut off from the others; for ever, where it is not.
    pub(super) async fn until_cut_off(&self) {
        while !self.is_cut_off.load(Ordering::Acquire) {
            tokio::time::sleep(CUT_OFF_LOOK).await;
        }
    }

    /// Says to all whether others should own what this node owns.
    pub(super) fn drain(&self, drain: bool) {
        let shards = self.shards.clone();
        self.spawn(async move {
            let told = tokio::task::spawn_blocking(move || shards.set_draining(drain)).await;
            if let Ok(Err(error)) = told {
                tracing::debug!(%error, drain, "the other nodes were not told whether to own what this one does");
            }
        });
    }

    /// Returns those of the shards owned that this node vouches for.
    pub(super) fn vouched(&self, mut owned: Vec<u16>) -> Vec<u16> {
        let inheriting = lock(&self.inheriting);
        owned.retain(|shard| !inheriting.contains(shard));
        owned
    }

    /// Notes who owns shards from now on; none: nobody.
    pub(super) fn set_owner(&self, shards: &[u16], owner: Option<NodeId>) {
        let mut owners = (**self.owners.load()).clone();
        for shard in shards {
            if let Some(known) = owners.get_mut(usize::from(*shard)) {
                *known = owner;
            }
        }
        self.owners.store(Arc::new(owners));
    }

    pub(super) fn links(&self) -> Option<&Arc<Links>> {
        self.links.get()
    }

    pub(super) fn actors(&self) -> Option<Arc<Registries>> {
        self.actors.get().and_then(Weak::upgrade)
    }

    pub(super) fn context(&self) -> Option<Arc<BrokerContext>> {
        Some(self.actors()?.context.clone())
    }

    /// Runs something on the actors' thread; returns false when that has ended.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        self.context().is_some_and(|context| context.arbiter.spawn(task))
    }

    /// Sends everything that is pending for other nodes.
    pub(super) fn flush_all(&self) {
        self.peers.load().ends.values().for_each(|end| end.flush());
    }

    /// Sends a letter to all other nodes.
    pub(super) fn tell_all(&self, letter: &Letter) {
        self.peers.load().ends.values().for_each(|end| end.send(letter));
    }

    /// Asks a node something, which may be about a shard; the answer goes to `done`.
    pub(super) fn ask(&self, node: NodeId, shard: Option<u16>, letter: impl FnOnce(u64) -> Letter, done: Carried) -> Result<(), Refusal> {
        let peers = self.peers.load();
        let end = peers.ends.get(&node).ok_or(GONE)?;
        let asked = self.questions.put(node, shard, done, self.clock.elapsed())?;
        end.send(&letter(asked));
        // It may have been taken for gone since it was looked up: then nobody answers any more.
        if !self.peers.load().ends.contains_key(&node) {
            self.questions.answered(asked, Err(GONE));
        }
        Ok(())
    }

    /// Answers another node.
    pub(super) fn answer(&self, node: NodeId, asked: u64, outcome: Result<Bytes, Refusal>) {
        let outcome = outcome.map_err(|refusal| EncodedRefusal::of(&refusal));
        self.end(node).send(&Letter::Answer { asked, outcome });
    }

    /// Answers whoever waits in vain. Called again and again.
    pub(super) fn give_up_waiting(&self) {
        self.questions.give_up(self.clock.elapsed(), |shard| self.owner_of(shard));
    }

    /// Asks all other nodes but these and those that hear nothing, and collects what those answer that live.
    pub(super) fn ask_all_but(
        &self,
        these: &HashSet<NodeId>,
        letter: impl Fn(u64) -> Letter,
    ) -> Vec<(NodeId, oneshot::Receiver<Result<Bytes, Refusal>>)> {
        let peers = self.peers.load();
        // Who is gone needs to hear nothing.
        peers.awaited_but(these).filter_map(|node| Some((*node, self.ask_one(*node, &letter)?))).collect()
    }

    /// Asks a node; none: it is gone.
    pub(super) fn ask_one(&self, node: NodeId, letter: impl Fn(u64) -> Letter) -> Option<oneshot::Receiver<Result<Bytes, Refusal>>> {
        let (sender, answer) = oneshot::channel();
        let done: Carried = Box::new(move |outcome| {
            if sender.send(outcome).is_err() {
                tracing::trace!("nobody waits for an answer any more");
            }
        });
        self.ask(node, None, letter, done).is_ok().then_some(answer)
    }

    /// Makes a stand-in for a connection of a node.
    pub(super) fn stand_in_at(&self, node: NodeId, far: &FarConnection) -> Arc<Connection> {
        let end = self.end(node);
        let feed = Arc::new(ConversationFeed::far(Box::new(FarUser { end: end.clone(), user: far.user.clone() })));
        let identity = Identity { user: far.user.clone(), device: far.device.clone(), level: far.level, since: far.since, feed };
        let outbox = Outbox::far(Box::new(FarEnd { end, to: far.id }), self.clock.clone());
        Arc::new(Connection::stand_in(far.id, node, identity, outbox))
    }
}

impl Post for Cluster {
    fn flush_soon(&self, end: Arc<NodeEnd>) -> bool {
        self.spawn(async move { end.flush() })
    }

    fn put(&self, node: NodeId, letter: &Letter) {
        if let Some(links) = self.links.get() {
            links.send(node.0, letter.encode());
        }
    }

    /// Counts what is lost.
    fn put_lossy(&self, node: NodeId, class: Lossy, messages: u32, letter: Letter) {
        let sent = self.links.get().is_some_and(|links| links.send_lossy(node.0, letter.encode()));
        if let (false, Letter::LossyFrame { to, .. }, Some(context)) = (sent, letter, self.context()) {
            let lost = u32::try_from(to.len()).unwrap_or(u32::MAX).saturating_mul(messages);
            let dropped = match class {
                Lossy::Barrage(priority) => Dropped::barrage_of(priority, lost),
                Lossy::Command => Dropped { command: lost, ..Dropped::default() },
            };
            drops::count(&context.metrics, dropped, DropReason::Link);
        }
    }
}

/// Runs a question to the store where it may wait.
pub(super) async fn on_store<T, F>(cluster: &Arc<Cluster>, ask: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&Cluster) -> Result<T, StoreError> + Send + 'static,
{
    let asked = cluster.clone();
    match tokio::task::spawn_blocking(move || ask(&asked)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::Unavailable(format!("a question ended early: {error}"))),
    }
}
