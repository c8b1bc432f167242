//! The sending end: numbers, a ring of what is not acknowledged, sending again.
//!
//! The ring is bounded in bytes. When it overflows, the oldest frames go, sent or not, and every batch says from which number on
//! frames are held; so whoever misses one of them knows that it is gone for good.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::LinkLimits;
use super::wire::{FRAME_OVERHEAD, Frame};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Sender {
    limits: LinkLimits,
    /// Frames that are not acknowledged, with consecutive numbers up to `last`.
    ring: VecDeque<Frame>,
    ring_bytes: usize,
    /// The number of the newest frame.
    last: u64,
    /// The number to put on the bus next.
    next: u64,
    /// The greatest number that was ever put on the bus.
    sent: u64,
    acked: u64,
    /// What is on its way, bytes: the frames of the ring before `next`.
    in_flight: usize,
    window: usize,
    /// When what is on its way is taken for lost.
    resend_at: Option<Duration>,
    resend_after: Duration,
    /// To which number it went back last, and when.
    went_back: Option<(u64, Duration)>,
    counts: SenderCounts,
}

/// What a sending end counted, frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SenderCounts {
    pub(crate) sent: u64,
    pub(crate) resent: u64,
    /// Fell out of the ring before they were acknowledged.
    pub(crate) overflowed: u64,
}

impl Sender {
    pub(super) fn new(limits: LinkLimits) -> Self {
        Self {
            limits,
            ring: VecDeque::new(),
            ring_bytes: 0,
            last: 0,
            next: 1,
            sent: 0,
            acked: 0,
            in_flight: 0,
            window: limits.window_bytes_max,
            resend_at: None,
            resend_after: limits.resend_after,
            went_back: None,
            counts: SenderCounts::default(),
        }
    }

    /// Takes a payload in as many frames as it needs; returns the number of the last of them.
    pub(super) fn push(&mut self, mut payload: Bytes) -> u64 {
        let part_bytes_max = self.limits.batch_bytes_max - FRAME_OVERHEAD;
        let mut begins = true;
        loop {
            let part = payload.split_to(payload.len().min(part_bytes_max));
            let ends = payload.is_empty();
            self.push_frame(Frame { begins, ends, payload: part });
            if ends {
                return self.last;
            }
            begins = false;
        }
    }

    fn push_frame(&mut self, frame: Frame) {
        self.ring_bytes += frame.cost();
        self.ring.push_back(frame);
        self.last += 1;
        while self.ring_bytes > self.limits.ring_bytes_max && self.ring.len() > 1 {
            self.drop_oldest();
            self.counts.overflowed += 1;
        }
        self.next = self.next.max(self.held_from());
    }

    fn drop_oldest(&mut self) {
        let is_on_its_way = self.held_from() < self.next;
        if let Some(frame) = self.ring.pop_front() {
            self.ring_bytes -= frame.cost();
            if is_on_its_way {
                self.in_flight -= frame.cost();
            }
        }
    }

    /// Returns the next frames to put on the bus, of one batch at most, with the number of the first.
    pub(super) fn take(&mut self, now: Duration) -> (u64, Vec<Frame>) {
        let first = self.next;
        let mut frames = Vec::new();
        let mut bytes = 0;
        let start = usize::try_from(first - self.held_from()).unwrap_or(usize::MAX);
        for frame in self.ring.iter().skip(start) {
            let cost = frame.cost();
            let is_over = bytes + cost > self.limits.batch_bytes_max || self.in_flight + cost > self.window;
            if is_over && self.in_flight > 0 {
                break;
            }
            bytes += cost;
            self.in_flight += cost;
            frames.push(frame.clone());
        }
        let count = frames.len() as u64;
        self.next += count;
        let again = (self.sent + 1).saturating_sub(first).min(count);
        self.counts.resent += again;
        self.counts.sent += count - again;
        self.sent = self.sent.max(self.next - 1);
        if count > 0 && self.resend_at.is_none() {
            self.resend_at = Some(now + self.resend_after);
        }
        (first, frames)
    }

    /// Hears what the other end received. What makes no sense is ignored.
    pub(super) fn acknowledge(&mut self, number: u64, again: bool, now: Duration) {
        if number > self.sent || number < self.acked {
            return;
        }
        if number > self.acked {
            self.acked = number;
            while !self.ring.is_empty() && self.held_from() <= number {
                self.drop_oldest();
            }
            self.next = self.next.max(number + 1);
            self.window = self.limits.window_bytes_max;
            self.resend_after = self.limits.resend_after;
            self.resend_at = (self.in_flight > 0).then(|| now + self.resend_after);
        }
        let is_news = |(to, at): (u64, Duration)| to != number + 1 || now.saturating_sub(at) >= self.limits.again_after / 2;
        if again && self.in_flight > 0 && self.went_back.is_none_or(is_news) {
            self.went_back = Some((number + 1, now));
            self.go_back();
        }
    }

    /// Sends again what was not acknowledged in time: one batch at first, since nobody may be there.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.resend_at.is_some_and(|at| at <= now) {
            self.go_back();
            self.window = self.limits.batch_bytes_max;
            self.resend_after = (self.resend_after * 2).min(self.limits.resend_after_max);
        }
    }

    fn go_back(&mut self) {
        self.next = self.held_from();
        self.in_flight = 0;
        self.resend_at = None;
    }

    /// Whether [`take`](Self::take) would return anything.
    pub(super) fn has_more(&self) -> bool {
        let start = usize::try_from(self.next - self.held_from()).unwrap_or(usize::MAX);
        self.ring.get(start).is_some_and(|frame| self.in_flight == 0 || self.in_flight + frame.cost() <= self.window)
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        self.resend_at
    }

    /// The least number that can still be sent; the next one if there is none.
    pub(super) fn held_from(&self) -> u64 {
        self.last + 1 - self.ring.len() as u64
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    pub(super) fn ring_bytes(&self) -> usize {
        self.ring_bytes
    }

    pub(super) fn counts(&self) -> SenderCounts {
        self.counts
    }
}
