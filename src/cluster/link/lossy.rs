//! Frames that may be lost: numbered, too, so that what comes late is dropped and what does not come is counted.
//!
//! After a stall a bus brings old frames seconds late, behind newer ones. They are worth nothing then.

use std::collections::VecDeque;

use bytes::Bytes;

use super::LinkLimits;
use super::wire::{FRAME_OVERHEAD, LossyBatch};

/// What both ends counted, frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LossyCounts {
    pub(crate) sent: u64,
    /// Dropped before the bus: too many waited, or there was no bus.
    pub(crate) dropped: u64,
    pub(crate) received: u64,
    /// Came behind newer ones and were dropped.
    pub(crate) late: u64,
    /// Did not come before newer ones.
    pub(crate) missing: u64,
}

/// What waits to be put on the bus.
#[derive(Debug)]
pub(crate) struct LossySender {
    me: i64,
    peer: i64,
    opening: u64,
    limits: LinkLimits,
    queue: VecDeque<Bytes>,
    queue_bytes: usize,
    next: u64,
    sent: u64,
    dropped: u64,
}

impl LossySender {
    pub(crate) fn new(me: i64, peer: i64, opening: u64, limits: LinkLimits) -> Self {
        Self { me, peer, opening, limits, queue: VecDeque::new(), queue_bytes: 0, next: 1, sent: 0, dropped: 0 }
    }

    /// Takes a payload if there is room for it; returns whether there was. It is counted as dropped otherwise.
    pub(crate) fn push(&mut self, payload: Bytes) -> bool {
        let cost = payload.len() + FRAME_OVERHEAD;
        let fits = cost <= self.limits.batch_bytes_max && self.queue_bytes + cost <= self.limits.lossy_bytes_max;
        if fits {
            self.queue_bytes += cost;
            self.queue.push_back(payload);
        } else {
            self.dropped += 1;
        }
        fits
    }

    /// Returns what goes to the bus next; none: nothing waits.
    pub(crate) fn outgoing(&mut self) -> Option<LossyBatch> {
        let mut payloads = Vec::new();
        let mut bytes = 0;
        while let Some(payload) = self.queue.front() {
            let cost = payload.len() + FRAME_OVERHEAD;
            if bytes + cost > self.limits.batch_bytes_max {
                break;
            }
            bytes += cost;
            payloads.extend(self.queue.pop_front());
        }
        self.queue_bytes -= bytes;
        let first = self.next;
        self.next += payloads.len() as u64;
        self.sent += payloads.len() as u64;
        (!payloads.is_empty()).then_some(LossyBatch { from: self.me, to: self.peer, opening: self.opening, first, payloads })
    }

    /// Drops what waits: there is no bus, and when it is back this is old. Returns how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        let count = self.queue.len();
        self.queue.clear();
        self.queue_bytes = 0;
        self.dropped += count as u64;
        count
    }

    #[cfg(test)]
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What came last.
#[derive(Debug, Default)]
pub(crate) struct LossyReceiver {
    opening: u64,
    seen: u64,
    received: u64,
    late: u64,
    missing: u64,
}

impl LossyReceiver {
    /// Returns what of a batch is newer than everything before it.
    pub(crate) fn receive(&mut self, batch: LossyBatch) -> Vec<Bytes> {
        let count = batch.payloads.len() as u64;
        if batch.opening > self.opening {
            (self.opening, self.seen) = (batch.opening, 0);
        }
        if batch.opening < self.opening || batch.first <= self.seen {
            self.late += count;
            return Vec::new();
        }
        self.missing += batch.first - self.seen - 1;
        self.seen = batch.first.saturating_add(count) - 1;
        self.received += count;
        batch.payloads
    }

    /// Returns the counts of both ends.
    pub(crate) fn counts(&self, sender: &LossySender) -> LossyCounts {
        let LossySender { sent, dropped, .. } = *sender;
        LossyCounts { sent, dropped, received: self.received, late: self.late, missing: self.missing }
    }
}
