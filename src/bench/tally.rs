//! What the clients of one thread count, and the clock by which they do.

use super::marker::LoadClass;
use super::stats::Latency;
use crate::clock::{Clock as _, SystemClock};

/// Width of a point of the curve over time.
pub(super) const SLOT_US: u64 = 100_000;
/// Points of it: an hour.
const SLOTS_MAX: usize = 36_000;

/// The clock of sender and receiver alike: microseconds since the bench began.
#[derive(Debug, Default)]
pub(super) struct BenchClock(SystemClock);

impl BenchClock {
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What the clients of one thread counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bytes: u64,
    pub(super) delivered: u64,
    /// By group, lossy and storable apart.
    pub(super) latency: Vec<[Latency; 2]>,
    /// Until the answer came, lossy and storable apart.
    pub(super) answers: [Latency; 2],
    began_us: u64,
    /// When the newest delivery came.
    pub(super) last_us: u64,
    /// Delivered per [`SLOT_US`].
    pub(super) timeline: Vec<u64>,
}

impl Tally {
    pub(super) fn delivered(&mut self, group: usize, kind: LoadClass, late_us: u64) {
        if self.latency.len() <= group {
            self.latency.resize_with(group + 1, Default::default);
        }
        self.latency[group][usize::from(kind == LoadClass::Storable)].record(late_us);
        self.delivered += 1;
    }

    pub(super) fn acknowledged(&mut self, kind: LoadClass, late_us: u64) {
        self.answers[usize::from(kind == LoadClass::Storable)].record(late_us);
    }

    /// Notes when the deliveries since `before` came. Called once per chunk, not per message.
    fn mark(&mut self, before: u64, now_us: u64) {
        let slot = usize::try_from(now_us.saturating_sub(self.began_us) / SLOT_US).unwrap_or(SLOTS_MAX);
        if self.delivered == before {
            return;
        }
        self.last_us = now_us;
        if slot < SLOTS_MAX {
            if self.timeline.len() <= slot {
                self.timeline.resize(slot + 1, 0);
            }
            self.timeline[slot] += self.delivered - before;
        }
    }

    /// Runs `work` and files what it delivered under this moment.
    pub(super) fn at<T>(&mut self, now_us: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.delivered;
        let done = work(self);
        self.mark(before, now_us);
        done
    }

    pub(super) fn clear(&mut self, now_us: u64) {
        *self = Self { began_us: now_us, ..Self::default() };
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.last_us = self.last_us.max(other.last_us);
        self.delivered += other.delivered;
        self.latency.resize_with(self.latency.len().max(other.latency.len()), Default::default);
        for (mine, theirs) in self.latency.iter_mut().zip(&other.latency) {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.add(theirs));
        }
        self.answers.iter_mut().zip(&other.answers).for_each(|(mine, theirs)| mine.add(theirs));
        self.timeline.resize(self.timeline.len().max(other.timeline.len()), 0);
        self.timeline.iter_mut().zip(&other.timeline).for_each(|(mine, theirs)| *mine += theirs);
    }
}
