//! The links of a node to all others, on a thread of their own.
//!
//! Whoever has something to tell another node hands it over here, from any thread, and does not wait; whatever comes is given to a
//! [`LinkHandler`] on the links' thread, in order per peer. While a publish is under way, what is handed over gathers and goes in one
//! batch: a batch costs the bus as much as a frame.

mod run;
mod stats;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;

use self::run::{Command, PeerLink, Shared};
use super::bus::{Bus, BusError};
use super::link::LinkLimits;
use crate::clock::Clock;

pub(crate) use self::stats::{LinkStats, PeerStats};

/// Another node, or this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The number of its process; never used again.
    pub(crate) boot: i64,
    pub(crate) slot: u16,
    pub(crate) name: String,
}

/// What becomes of what comes. All of it is called on the links' thread, in order per peer, and must not block: every link waits.
pub(crate) trait LinkHandler: Send + Sync {
    /// Takes a reliable payload. When it has returned, the payload counts as received.
    fn receive(&self, from: &Peer, payload: Bytes);
    /// Takes a payload that was sent lossily.
    fn receive_lossy(&self, from: &Peer, payload: Bytes);
    /// Hears that reliable payloads which were sent before those to come are gone for good.
    fn lost(&self, from: &Peer);
    /// Hears that a link begins; nothing came from it before.
    fn opened(&self, to: &Peer);
    /// Hears that a link ended; nothing comes from it any more.
    fn closed(&self, to: &Peer);
}

/// How the links run.
#[derive(Debug, Clone)]
pub(crate) struct LinkOptions {
    /// Names the cluster on the bus: subjects begin with it. Letters, digits, `-` and `_`.
    pub(crate) cluster: String,
    pub(crate) limits: LinkLimits,
    /// How often the bus is asked whether it answers.
    pub(crate) probe_every: Duration,
}

impl LinkOptions {
    /// Returns the usual ones.
    pub(crate) fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), limits: LinkLimits::default(), probe_every: Duration::from_millis(500) }
    }
}

/// What links are made of.
pub(crate) struct LinkParts {
    pub(crate) me: Peer,
    pub(crate) reliable: Arc<dyn Bus>,
    pub(crate) lossy: Arc<dyn Bus>,
    pub(crate) options: LinkOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) handler: Arc<dyn LinkHandler>,
}

/// The links did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum LinksError {
    /// The name of the cluster cannot stand in a subject.
    #[error("`{0}` cannot name a cluster: letters, digits, `-` and `_`")]
    Cluster(String),
    /// A thread or its runtime.
    #[error("cannot start the links' thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A bus cannot work with its settings.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// See the module's documentation.
pub(crate) struct Links {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("me", &self.shared.me).finish_non_exhaustive()
    }
}

impl Links {
    /// Opens both buses on a thread of its own and listens for this node. There are no peers yet.
    ///
    /// # Errors
    /// [`LinksError`]: trying again does not help. A bus that nobody serves is no error.
    pub(crate) fn start(parts: LinkParts) -> Result<Arc<Self>, LinksError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let cluster = &parts.options.cluster;
        if cluster.is_empty() || !cluster.chars().all(is_name) {
            return Err(LinksError::Cluster(cluster.clone()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(parts, commands));
        let (opened, is_open) = std::sync::mpsc::channel();
        let running = shared.clone();
        let thread = thread::Builder::new().name("links".into()).spawn(move || {
            runtime.block_on(run::run(running, received, |result| {
                // Nobody waits any more only when `start` itself was ended.
                opened.send(result).ok();
            }));
        })?;
        match is_open.recv() {
            Ok(result) => result?,
            Err(_) => return Err(LinksError::Bus(BusError::Closed)),
        }
        Ok(Arc::new(Self { shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Opens links to the boots that are new and closes those to the gone; what waits for them is dropped. This node's own is ignored.
    /// From now on payloads are taken for the new ones: those that are handed over before [`LinkHandler::opened`] is called go first.
    pub(crate) fn set_peers(&self, peers: &[Peer]) {
        let mut openings = lock(&self.shared.openings);
        let known = self.shared.peers.load_full();
        let mut next: HashMap<i64, Arc<PeerLink>> = HashMap::new();
        let mut opened = Vec::new();
        for peer in peers.iter().filter(|peer| peer.boot != self.shared.me.boot) {
            let link = known.get(&peer.boot).cloned().unwrap_or_else(|| {
                *openings += 1;
                let link = Arc::new(PeerLink::new(&self.shared, peer.clone(), *openings));
                opened.push(link.clone());
                link
            });
            next.insert(peer.boot, link);
        }
        let closed: Vec<Arc<PeerLink>> = known.values().filter(|link| !next.contains_key(&link.peer.boot)).cloned().collect();
        // Before the handler hears of it: it may send at once.
        self.shared.peers.store(Arc::new(next));
        closed.into_iter().for_each(|link| self.shared.command(Command::Close(link)));
        opened.into_iter().for_each(|link| self.shared.command(Command::Open(link)));
    }

    /// Speaks a version from now on; returns whether it is another than before.
    pub(crate) fn speak(&self, version: u8) -> bool {
        self.shared.version.swap(version, Ordering::Relaxed) != version
    }

    /// Hands over a payload; returns its number, or none when there is no link to this boot. What overflows the ring is told to
    /// the other end as lost.
    pub(crate) fn send(&self, to: i64, payload: Bytes) -> Option<u64> {
        self.shared.peers.load().get(&to).map(|peer| peer.send(payload))
    }

    /// Hands over a payload that may be lost; returns false when it already is: no such peer, no bus, or too much waits for it.
    pub(crate) fn send_lossy(&self, to: i64, payload: Bytes) -> bool {
        self.shared.peers.load().get(&to).is_some_and(|peer| peer.send_lossy(payload))
    }

    /// Returns the number up to which the other end received everything.
    pub(crate) fn acked(&self, to: i64) -> Option<u64> {
        self.shared.peers.load().get(&to).map(|peer| lock(&peer.link).acked())
    }

    /// Returns the number of the newest payload that was handed over; 0: none was.
    pub(crate) fn sent(&self, to: i64) -> Option<u64> {
        self.shared.peers.load().get(&to).map(|peer| lock(&peer.link).last())
    }

    /// Returns since when the bus for reliable frames does not answer; zero: it does. Whether it answers is asked by publishing to
    /// oneself, so that a way which is open in one direction only counts as none.
    pub(crate) fn cut_off_for(&self) -> Duration {
        self.shared.cut_off_for()
    }

    /// Returns what the links counted.
    pub(crate) fn stats(&self) -> LinkStats {
        stats::of(&self.shared)
    }

    /// Ends the links and their thread. What was not acknowledged is dropped. Does nothing the second time.
    pub(crate) fn stop(&self) {
        self.shared.command(Command::Stop);
        let thread = lock(&self.thread).take();
        // A handler may stop the links that call it; the thread ends by itself then.
        if let Some(thread) = thread
            && thread::current().id() != thread.thread().id()
            && thread.join().is_err()
        {
            tracing::error!("the links' thread panicked");
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
