//! Who lives: whose heartbeats were not watched standing still for the lease.
//!
//! A beat that is old proves nothing: the database may have been away, the clocks may differ, this process may have slept. So only
//! one's own watching counts, by one's own monotonic clock, without gaps in it. `store::postgres` takes over by the same rule; here it
//! says of each boot by itself whether it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::store::NodeRow;

/// The longest pause between two looks that still counts as watching.
const LOOK_GAP_MAX: Duration = Duration::from_millis(1500);

/// What was seen of the heartbeats.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Of each boot: its last beat, and since when it stands still.
    seen: BTreeMap<i64, (i64, Duration)>,
    last_look: Option<Duration>,
}

impl Watch {
    /// Notes what the database says at a time of the monotonic clock; returns the boots that are dead. Called with every view, and
    /// with nothing while the database does not answer.
    pub(crate) fn look(&mut self, nodes: &[NodeRow], now: Duration, lease: Duration) -> BTreeSet<i64> {
        let is_watched = self.last_look.is_some_and(|last| now.saturating_sub(last) <= LOOK_GAP_MAX);
        self.last_look = Some(now);
        if !is_watched {
            self.seen.clear();
        }
        self.seen.retain(|boot, _| nodes.iter().any(|node| node.boot == *boot));
        let mut dead = BTreeSet::new();
        for node in nodes {
            let (beat_us, since) = self.seen.entry(node.boot).or_insert((node.beat_us, now));
            if *beat_us != node.beat_us {
                (*beat_us, *since) = (node.beat_us, now);
            }
            if now.saturating_sub(*since) >= lease {
                dead.insert(node.boot);
            }
        }
        dead
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
            beat_us: *beat_us,
            draining: false,
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
