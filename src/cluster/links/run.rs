//! The links' thread: what listens, a task per peer and kind that publishes, and one that asks whether the bus answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{LinkHandler, LinkOptions, LinkParts, LinksError, Peer, lock};
use crate::clock::Clock;
use crate::cluster::bus::{Bus, BusError};
use crate::cluster::link::{Link, LossyReceiver, LossySender, Packet};
use crate::store::SPEAKS;

/// How often whoever waits for the bus looks whether it is there.
const AWAY_POLL: Duration = Duration::from_millis(50);

/// What the links' thread is told.
pub(super) enum Command {
    Open(Arc<PeerLink>),
    Close(Arc<PeerLink>),
    Stop,
}

/// What all of it shares.
pub(super) struct Shared {
    pub(super) me: Peer,
    pub(super) reliable: Arc<dyn Bus>,
    pub(super) lossy: Arc<dyn Bus>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) peers: ArcSwap<HashMap<i64, Arc<PeerLink>>>,
    /// How many links were opened; also what keeps two changes of the peers apart.
    pub(super) openings: Mutex<u64>,
    options: LinkOptions,
    handler: Arc<dyn LinkHandler>,
    commands: mpsc::UnboundedSender<Command>,
    /// When the newest probe that came back was sent, milliseconds.
    answered_ms: AtomicU64,
    strange: AtomicU64,
    /// What all nodes speak.
    pub(super) version: AtomicU8,
}

impl Shared {
    pub(super) fn new(parts: LinkParts, commands: mpsc::UnboundedSender<Command>) -> Self {
        let LinkParts { me, reliable, lossy, options, clock, handler } = parts;
        let answered_ms = AtomicU64::new(millis(clock.elapsed()));
        let (peers, openings, strange, version) = (ArcSwap::default(), Mutex::new(0), AtomicU64::new(0), SPEAKS.from.into());
        Self { me, reliable, lossy, clock, peers, openings, options, handler, commands, answered_ms, strange, version }
    }

    pub(super) fn command(&self, command: Command) {
        // The thread is gone only after `stop`, and nothing is to be done then.
        self.commands.send(command).ok();
    }

    pub(super) fn cut_off_for(&self) -> Duration {
        let now = millis(self.clock.elapsed());
        let since = Duration::from_millis(now.saturating_sub(self.answered_ms.load(Ordering::Relaxed)));
        // One probe may be under way, and one may just have missed the tick.
        if since <= self.options.probe_every * 2 { Duration::ZERO } else { since }
    }

    pub(super) fn strange(&self) -> u64 {
        self.strange.load(Ordering::Relaxed)
    }

    fn subject(&self, kind: &str, boot: i64) -> String {
        format!("tidings.{}.{kind}.{boot}", self.options.cluster)
    }
}

/// A link and what runs it.
pub(super) struct PeerLink {
    pub(super) peer: Peer,
    pub(super) link: Mutex<Link>,
    pub(super) lossy: Mutex<LossySender>,
    pub(super) lossy_received: Mutex<LossyReceiver>,
    wake: Notify,
    wake_lossy: Notify,
    /// Whether the handler heard of its beginning, and not of its end.
    is_open: AtomicBool,
}

impl PeerLink {
    pub(super) fn new(shared: &Shared, peer: Peer, opening: u64) -> Self {
        let (me, limits) = (shared.me.boot, shared.options.limits);
        Self {
            link: Mutex::new(Link::new(me, peer.boot, opening, limits, shared.clock.elapsed())),
            lossy: Mutex::new(LossySender::new(me, peer.boot, opening, limits)),
            lossy_received: Mutex::default(),
            wake: Notify::new(),
            wake_lossy: Notify::new(),
            is_open: AtomicBool::new(false),
            peer,
        }
    }

    pub(super) fn send(&self, payload: Bytes) -> u64 {
        let number = lock(&self.link).push(payload);
        self.wake.notify_one();
        number
    }

    pub(super) fn send_lossy(&self, payload: Bytes) -> bool {
        let is_taken = lock(&self.lossy).push(payload);
        self.wake_lossy.notify_one();
        is_taken
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }
}

/// Runs until told to stop.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    opened: impl FnOnce(Result<(), LinksError>) + Send,
) {
    match open(&shared).await {
        Ok(()) => opened(Ok(())),
        Err(error) => return opened(Err(error.into())),
    }
    tokio::spawn(listen(shared.clone(), shared.reliable.clone(), shared.subject("r", shared.me.boot)));
    tokio::spawn(listen(shared.clone(), shared.lossy.clone(), shared.subject("l", shared.me.boot)));
    tokio::spawn(probe(shared.clone()));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Open(link) => {
                info!(peer.name = %link.peer.name, peer.boot = link.peer.boot, "link opened");
                shared.handler.opened(&link.peer);
                link.is_open.store(true, Ordering::Relaxed);
                tokio::spawn(write(shared.clone(), link.clone()));
                tokio::spawn(write_lossy(shared.clone(), link));
            }
            Command::Close(link) => {
                info!(peer.name = %link.peer.name, peer.boot = link.peer.boot, "link closed");
                close(&shared, &link);
            }
            Command::Stop => break,
        }
    }
    for link in shared.peers.swap(Arc::default()).values() {
        close(&shared, link);
    }
}

async fn open(shared: &Shared) -> Result<(), BusError> {
    shared.reliable.open().await?;
    shared.lossy.open().await
}

fn close(shared: &Shared, link: &PeerLink) {
    if link.is_open.swap(false, Ordering::Relaxed) {
        link.wake.notify_one();
        link.wake_lossy.notify_one();
        shared.handler.closed(&link.peer);
    }
}

/// Gives what comes on a subject to whom it belongs.
async fn listen(shared: Arc<Shared>, bus: Arc<dyn Bus>, subject: String) {
    loop {
        match bus.subscribe(&subject).await {
            Ok(mut incoming) => {
                while let Some(payload) = incoming.next().await {
                    receive(&shared, &payload);
                }
            }
            Err(error) => warn!(%error, subject, "cannot listen for other nodes"),
        }
        sleep(AWAY_POLL).await;
    }
}

fn receive(shared: &Shared, payload: &[u8]) {
    let is_taken = match Packet::decode(payload) {
        Some(Packet::Batch(batch)) => with_peer(shared, batch.from, batch.to, |link| {
            let received = lock(&link.link).receive(batch, shared.clock.elapsed());
            if received.lost {
                warn!(peer.name = %link.peer.name, peer.boot = link.peer.boot, "frames of another node are gone for good");
                shared.handler.lost(&link.peer);
            }
            for payload in received.payloads {
                shared.handler.receive(&link.peer, payload);
            }
            // Acknowledgements and room in the window.
            link.wake.notify_one();
        }),
        Some(Packet::Lossy(batch)) => with_peer(shared, batch.from, batch.to, |link| {
            let payloads = lock(&link.lossy_received).receive(batch);
            for payload in payloads {
                shared.handler.receive_lossy(&link.peer, payload);
            }
        }),
        Some(Packet::Probe { boot, sent_ms }) if boot == shared.me.boot => {
            shared.answered_ms.fetch_max(sent_ms, Ordering::Relaxed);
            true
        }
        Some(Packet::Probe { .. }) | None => false,
    };
    if !is_taken {
        shared.strange.fetch_add(1, Ordering::Relaxed);
    }
}

fn with_peer(shared: &Shared, from: i64, to: i64, action: impl FnOnce(&PeerLink)) -> bool {
    let link = shared.peers.load().get(&from).cloned();
    let Some(link) = link.filter(|link| link.is_open() && to == shared.me.boot) else { return false };
    action(&link);
    true
}

/// Publishes the reliable frames of one link. While the bus is away they stay in the ring: a client that buffers would lose them,
/// or bring them twice.
async fn write(shared: Arc<Shared>, link: Arc<PeerLink>) {
    let subject = shared.subject("r", link.peer.boot);
    while link.is_open() {
        if !shared.reliable.is_connected() {
            sleep(AWAY_POLL).await;
            continue;
        }
        let now = shared.clock.elapsed();
        let (batch, due) = {
            let mut state = lock(&link.link);
            (state.outgoing(now), state.due())
        };
        match batch {
            Some(batch) => publish(&shared, &*shared.reliable, &subject, &Packet::Batch(batch)).await,
            // Ended early by whatever there is to send.
            None => drop(timeout(due.saturating_sub(now), link.wake.notified()).await),
        }
    }
}

/// Publishes the lossy frames of one link; while the bus is away they are dropped.
async fn write_lossy(shared: Arc<Shared>, link: Arc<PeerLink>) {
    let subject = shared.subject("l", link.peer.boot);
    while link.is_open() {
        link.wake_lossy.notified().await;
        loop {
            if !shared.lossy.is_connected() {
                lock(&link.lossy).clear();
            }
            let batch = lock(&link.lossy).outgoing();
            let Some(batch) = batch else { break };
            publish(&shared, &*shared.lossy, &subject, &Packet::Lossy(batch)).await;
        }
    }
}

async fn publish(shared: &Shared, bus: &dyn Bus, subject: &str, packet: &Packet) {
    let bytes = packet.encode(shared.version.load(Ordering::Relaxed));
    if let Err(error) = bus.publish(subject, bytes).await {
        warn!(%error, subject, "cannot publish to another node");
        sleep(AWAY_POLL).await;
    }
}

/// Sends something to this node over the bus, again and again.
async fn probe(shared: Arc<Shared>) {
    let subject = shared.subject("r", shared.me.boot);
    loop {
        if shared.reliable.is_connected() {
            let probe = Packet::Probe { boot: shared.me.boot, sent_ms: millis(shared.clock.elapsed()) };
            publish(&shared, &*shared.reliable, &subject, &probe).await;
        }
        sleep(shared.options.probe_every).await;
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
