//! How much of what a room does is told to everybody in it, as it grows. Pure: time is passed in.
//!
//! What one node writes for a room is what passes, times the members it has there. A room of any size stays within what a node may
//! write for it: the more members, the fewer barrages and the fewer comings and goings by name.

use std::time::Duration;

/// One of what is allowed, in the units that an allowance gains each nanosecond.
const ONE: u64 = 1_000_000_000;
/// About what one member's coming or going takes in a frame, bytes.
const MOVEMENT_BYTES: u64 = 120;
/// The part of a node's bytes that goes to comings and goings at most.
const MOVEMENTS_PART: u64 = 4;
/// What a barrage takes in a frame before any was seen, bytes. Source: a frame of one short barrage, as PROTOCOL.md shows it.
const BARRAGE_BYTES: u64 = 300;

/// How much a room may have told, as it is just now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomSize {
    /// Members at the node that has most of them.
    members: u64,
    /// About what a barrage takes, bytes.
    barrage_bytes: u64,
}

impl Default for RoomSize {
    fn default() -> Self {
        Self { members: 0, barrage_bytes: BARRAGE_BYTES }
    }
}

impl RoomSize {
    /// Notes how many members the node has that has most of them.
    pub(crate) fn set_members(&mut self, members: usize) {
        self.members = members as u64;
    }

    /// Notes what a barrage takes, bytes: the estimate follows the last few.
    pub(crate) fn note_barrage(&mut self, bytes: usize) {
        self.barrage_bytes = (7 * self.barrage_bytes + bytes as u64) / 8;
    }

    /// Returns how many barrages may pass each second, of `wanted` that are configured. `node_bytes`: what a node may write for the
    /// room, bytes a second; 0: as much as it can.
    pub(crate) fn barrages_per_second(&self, wanted: u32, node_bytes: u64) -> u32 {
        self.within(wanted, node_bytes, self.barrage_bytes)
    }

    /// Returns how many comings and goings may be told by name each second.
    pub(crate) fn movements_per_second(&self, wanted: u32, node_bytes: u64) -> u32 {
        self.within(wanted, node_bytes.div_ceil(MOVEMENTS_PART), MOVEMENT_BYTES)
    }

    fn within(&self, wanted: u32, node_bytes: u64, bytes_each: u64) -> u32 {
        if node_bytes == 0 || self.members == 0 {
            return wanted;
        }
        let most = node_bytes / self.members.saturating_mul(bytes_each).max(1);
        u32::try_from(most.max(1)).unwrap_or(u32::MAX).min(wanted)
    }
}

/// So many a second, and a second's worth at once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowance {
    level: u64,
    refilled_at: Option<Duration>,
}

impl Allowance {
    /// Takes up to `wanted` at `now`, the elapsed time of one clock; returns how many there were.
    pub(crate) fn take(&mut self, now: Duration, per_second: u32, wanted: usize) -> usize {
        let (per_second, full) = (u64::from(per_second), u64::from(per_second) * ONE);
        let passed = self.refilled_at.map_or(Duration::from_secs(1), |at| now.saturating_sub(at));
        self.refilled_at = Some(now.max(self.refilled_at.unwrap_or_default()));
        let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(passed.saturating_mul(per_second)).min(full);
        let taken = (self.level / ONE).min(wanted as u64);
        self.level -= taken * ONE;
        usize::try_from(taken).unwrap_or(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(members: usize) -> RoomSize {
        RoomSize { members: members as u64, ..RoomSize::default() }
    }

    #[test]
    fn a_room_of_any_size_stays_within_a_nodes_bytes() {
        let node_bytes = 100_000_000;
        assert_eq!(of(100).barrages_per_second(1000, node_bytes), 1000, "a small room has what is configured");
        assert_eq!(of(0).barrages_per_second(1000, node_bytes), 1000);
        assert_eq!(of(333).barrages_per_second(1000, node_bytes), 1000);
        assert_eq!(of(334).barrages_per_second(1000, node_bytes), 998);
        assert_eq!(of(18_000).barrages_per_second(1000, node_bytes), 18);
        assert_eq!(of(10_000_000).barrages_per_second(1000, node_bytes), 1, "nobody is silenced for good");
        assert_eq!(of(10_000_000).barrages_per_second(1000, 0), 1000, "0: no bound");
        for members in [1, 7, 399, 5_000, 250_000] {
            let passed = u64::from(of(members).barrages_per_second(u32::MAX, node_bytes));
            assert!(passed * members as u64 * BARRAGE_BYTES <= node_bytes, "{members}");
        }
        assert_eq!(of(5_000).movements_per_second(1000, node_bytes), 41);
    }

    #[test]
    fn the_estimate_of_a_barrage_follows_what_is_said() {
        let mut size = of(1_000);
        let short = size.barrages_per_second(u32::MAX, 100_000_000);
        (0..100).for_each(|_| size.note_barrage(5_000));
        let long = size.barrages_per_second(u32::MAX, 100_000_000);
        assert_eq!(short, 333);
        assert!((19..=21).contains(&long), "{long}");
    }

    #[test]
    fn n_are_allowed_and_no_more() {
        let second = Duration::from_secs(1);
        let mut allowance = Allowance::default();
        assert_eq!(allowance.take(5 * second, 10, 4), 4);
        assert_eq!(allowance.take(5 * second, 10, 100), 6, "a second's worth at once");
        assert_eq!(allowance.take(5 * second, 10, 1), 0);
        assert_eq!(allowance.take(5 * second + second / 10, 10, 9), 1);
        assert_eq!(allowance.take(4 * second, 10, 9), 0, "a clock that goes back gives nothing");
        assert_eq!(allowance.take(500 * second, 10, 99), 10);
        assert_eq!(allowance.take(501 * second, 0, 99), 0);
    }
}
