//! Who lives: of the nodes that the database knows, all but those whose heartbeats stand still.
//!
//! `store::postgres` takes over by the same rule ([`Heartbeats`]); here it says of each boot by itself whether it lives.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::store::{Heartbeats, NodeRow};

/// What was seen of the heartbeats.
#[derive(Debug, Default)]
pub(crate) struct Watch(Heartbeats);

impl Watch {
    /// Notes what the database says at a time of the monotonic clock; returns the boots that are dead. Called with every view, and
    /// with nothing while the database does not answer.
    pub(crate) fn look(&mut self, nodes: &[NodeRow], now: Duration, lease: Duration) -> BTreeSet<i64> {
        self.0.look(nodes.iter().map(|node| (node.boot, node.beat_us)), now, lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    fn nodes(beats: &[(i64, i64)]) -> Vec<NodeRow> {
        let node = |(boot, beat_us): &(i64, i64)| NodeRow {
            boot: *boot,
            slot: None,
            name: String::new(),
            address: String::new(),
            version: String::new(),
            speaks: crate::store::Speaks::default(),
            beat_us: *beat_us,
            draining: false,
            alone: false,
        };
        beats.iter().map(node).collect()
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_boot_is_dead_when_its_beat_was_watched_standing_still_for_the_lease() {
        let mut watch = Watch::default();
        for ms in (0..3000).step_by(250) {
            assert!(watch.look(&nodes(&[(1, 7), (2, i64::try_from(ms).unwrap())]), at(ms), LEASE).is_empty(), "{ms}");
        }
        assert_eq!(watch.look(&nodes(&[(1, 7), (2, 3000)]), at(3000), LEASE), BTreeSet::from([1]));
        assert!(watch.look(&nodes(&[(1, 8), (2, 3001)]), at(3250), LEASE).is_empty(), "it beat again");
        assert!(watch.look(&nodes(&[(1, 8), (2, 3001)]), at(9000), LEASE).is_empty(), "nobody looked for a while");
    }

    #[test]
    fn each_boot_is_watched_from_when_it_was_seen_first() {
        let mut watch = Watch::default();
        for ms in (0..=2750).step_by(250) {
            assert!(watch.look(&nodes(&[(1, 7)]), at(ms), LEASE).is_empty());
        }
        assert_eq!(watch.look(&nodes(&[(1, 7), (2, 7)]), at(3000), LEASE), BTreeSet::from([1]));
        assert!(watch.look(&nodes(&[]), at(3250), LEASE).is_empty(), "its row is gone");
        assert!(watch.look(&nodes(&[(1, 7)]), at(3500), LEASE).is_empty(), "it is watched anew");
    }
}
