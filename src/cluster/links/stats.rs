//! What the links counted, for metrics.

use std::time::Duration;

use super::lock;
use super::run::Shared;
use crate::cluster::link::{LossyCounts, ReceiverCounts, SenderCounts};

/// The counts of a node's links.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkStats {
    pub(crate) peers: Vec<PeerStats>,
    /// What came and was none of ours: another version, a boot that is no peer.
    pub(crate) strange: u64,
    /// Payloads that both buses threw away on this side because nobody took them in time.
    pub(crate) overruns: u64,
}

/// The counts of one link since it was opened.
#[derive(Debug, Clone)]
pub(crate) struct PeerStats {
    pub(crate) boot: i64,
    pub(crate) sent: SenderCounts,
    pub(crate) received: ReceiverCounts,
    pub(crate) lossy: LossyCounts,
    /// What waits for an acknowledgement.
    pub(crate) ring_bytes: usize,
    /// How long ago something came; none: nothing ever did.
    pub(crate) heard_ago: Option<Duration>,
}

pub(super) fn of(shared: &Shared) -> LinkStats {
    let now = shared.clock.elapsed();
    let peers = shared.peers.load();
    let peers = peers.values().map(|peer| {
        let link = lock(&peer.link);
        let (sent, received) = link.counts();
        let (ring_bytes, heard_at) = (link.ring_bytes(), link.heard_at());
        drop(link);
        let lossy = lock(&peer.lossy_received).counts(&lock(&peer.lossy));
        let heard_ago = heard_at.map(|at| now.saturating_sub(at));
        PeerStats { boot: peer.peer.boot, sent, received, lossy, ring_bytes, heard_ago }
    });
    let mut peers: Vec<PeerStats> = peers.collect();
    peers.sort_by_key(|peer| peer.boot);
    LinkStats { peers, strange: shared.strange(), overruns: shared.reliable.overruns() + shared.lossy.overruns() }
}
