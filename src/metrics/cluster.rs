//! How this broker works with others at the same time. Nothing is shown where it works alone.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::sampled::{encode_counters, encode_gauges, whole};

/// A moment's figures. Counters run from the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ClusterSample {
    pub(crate) nodes: u64,
    pub(crate) owned_shards: u64,
    pub(crate) cut_off: bool,
    /// How far the cursor is behind this broker's own stamps, seconds.
    pub(crate) behind_seconds: f64,
    pub(crate) parked: u64,
    pub(crate) claims: u64,
    pub(crate) releases: u64,
    pub(crate) remote_calls: u64,
    pub(crate) remote_call_seconds: f64,
    pub(crate) redelivered: u64,
    pub(crate) seat_moves: u64,
    pub(crate) link_sent: u64,
    pub(crate) link_resent: u64,
    pub(crate) link_gaps: u64,
    pub(crate) link_losses: u64,
    pub(crate) link_late: u64,
    pub(crate) link_ring_bytes: u64,
    /// The longest silence of another broker's link, seconds.
    pub(crate) link_silent_seconds: f64,
    pub(crate) link_strange: u64,
    pub(crate) link_overruns: u64,
}

/// The figures as they were last sampled.
#[derive(Debug, Default)]
pub(super) struct ClusterCollector(pub(super) Arc<Mutex<Option<ClusterSample>>>);

impl Collector for ClusterCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sample = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sample) = sample else { return Ok(()) };
        let gauges = [
            ("nodes", "Brokers that work together, as this one sees it", whole(sample.nodes)),
            ("owned_shards", "Shards this broker owns", whole(sample.owned_shards)),
            ("cut_off", "1 while this broker is cut off from the others", f64::from(u8::from(sample.cut_off))),
            ("behind_seconds", "How far behind its own stamps everything was heard", sample.behind_seconds),
            ("parked_orders", "Requests that wait for a conversation's next owner", whole(sample.parked)),
            ("link_silent_seconds", "How long the quietest link of all said nothing", sample.link_silent_seconds),
            ("link_ring_bytes", "What waits for an acknowledgement on links", whole(sample.link_ring_bytes)),
        ];
        encode_gauges(&mut encoder, "cluster", &gauges)?;
        let counters = [
            ("claims", "Shards taken", whole(sample.claims)),
            ("releases", "Shards let go of", whole(sample.releases)),
            ("remote_calls", "Requests that another broker carried out", whole(sample.remote_calls)),
            ("remote_call_seconds", "Time they took", sample.remote_call_seconds),
            ("redelivered", "Messages delivered again after a take-over", whole(sample.redelivered)),
            ("seat_moves", "Sessions that gave way to one at another broker", whole(sample.seat_moves)),
            ("link_frames", "Reliable frames sent to other brokers", whole(sample.link_sent)),
            ("link_resent", "Of these, sent again", whole(sample.link_resent)),
            ("link_gaps", "How often frames were missing and asked for", whole(sample.link_gaps)),
            ("link_losses", "How often frames were gone for good", whole(sample.link_losses)),
            ("link_strange", "What came from brokers of other versions, or from none", whole(sample.link_strange)),
            ("link_overruns", "What NATS brought and nobody took in time", whole(sample.link_overruns)),
            ("link_late", "Frames that may be lost and came behind newer ones, or not at all", whole(sample.link_late)),
        ];
        encode_counters(&mut encoder, "cluster", &counters)
    }
}
