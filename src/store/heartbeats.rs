//! Who is dead: whose heartbeats were watched standing still for the lease.
//!
//! A beat that is old proves nothing: the database may have been away, the clocks may differ, this process may have slept. So only
//! one's own watching counts, by one's own monotonic clock, without gaps in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The longest pause between two looks that still counts as watching.
const LOOK_GAP_MAX: Duration = Duration::from_millis(1500);

/// What was seen of the heartbeats.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    /// Of each boot: its last beat, and since when it stands still.
    seen: BTreeMap<i64, (i64, Duration)>,
    last_look: Option<Duration>,
}

impl Heartbeats {
    /// Notes of each boot the beat that the database knows, at a time of the monotonic clock; returns the boots that are dead. A boot
    /// that is not named is watched anew when it is named again.
    pub(crate) fn look(&mut self, beats: impl Iterator<Item = (i64, i64)>, now: Duration, lease: Duration) -> BTreeSet<i64> {
        let is_watched = self.last_look.is_some_and(|last| now.saturating_sub(last) <= LOOK_GAP_MAX);
        self.last_look = Some(now);
        let seen = std::mem::take(&mut self.seen);
        let since = |boot: i64, beat_us: i64| match seen.get(&boot) {
            Some((before_us, since)) if is_watched && *before_us == beat_us => *since,
            _ => now,
        };
        self.seen = beats.map(|(boot, beat_us)| (boot, (beat_us, since(boot, beat_us)))).collect();
        let is_still = |since: Duration| now.saturating_sub(since) >= lease;
        self.seen.iter().filter(|(_, (_, since))| is_still(*since)).map(|(boot, _)| *boot).collect()
    }
}
