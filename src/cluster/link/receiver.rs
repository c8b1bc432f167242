//! The receiving end: each frame once and in order, asking again, saying what came.
//!
//! What comes before its turn is not kept but asked for again: the bus keeps the order of what it does not lose, so that
//! gaps are rare, and a receiver that keeps nothing needs no bound.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::LinkLimits;
use super::wire::{Ack, Batch, Frame};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Receiver {
    limits: LinkLimits,
    /// Which opening of the other end's the numbers are of; 0: none was heard of.
    opening: u64,
    /// The number of the last frame that came in its turn.
    received: u64,
    /// The parts so far of a payload in several frames.
    parts: Option<BytesMut>,
    /// What was received and not acknowledged yet, bytes.
    unacked_bytes: usize,
    /// When an acknowledgement goes out at the latest.
    ack_at: Option<Duration>,
    /// After which number it asked for more, and when.
    asked: Option<(u64, Duration)>,
    again: bool,
    counts: ReceiverCounts,
}

/// What a receiving end counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReceiverCounts {
    /// Frames that came in their turn.
    pub(crate) received: u64,
    /// Frames that came again.
    pub(crate) repeated: u64,
    /// How often frames were missing and asked for.
    pub(crate) gaps: u64,
    /// How often frames were gone for good.
    pub(crate) losses: u64,
}

/// What a batch brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Frames before these payloads are gone for good.
    pub(crate) lost: bool,
    pub(crate) payloads: Vec<Bytes>,
}

impl Receiver {
    pub(super) fn new(limits: LinkLimits) -> Self {
        Self {
            limits,
            opening: 0,
            received: 0,
            parts: None,
            unacked_bytes: 0,
            ack_at: None,
            asked: None,
            again: false,
            counts: ReceiverCounts::default(),
        }
    }

    /// Takes the frames of a batch.
    pub(super) fn receive(&mut self, batch: Batch, now: Duration) -> Received {
        let mut got = Received::default();
        if batch.opening < self.opening {
            return got;
        }
        if batch.opening > self.opening {
            // The other end began anew, and nobody knows what of its earlier frames did not come.
            got.lost = self.opening > 0;
            (self.opening, self.received, self.parts, self.asked) = (batch.opening, 0, None, None);
        }
        if batch.held_from > self.received + 1 {
            got.lost = true;
            self.received = batch.held_from - 1;
            self.parts = None;
            self.note_ack(0, now);
        }
        self.counts.losses += u64::from(got.lost);
        let skipped = self.take(batch.first, batch.frames, &mut got.payloads, now);
        if skipped || batch.sent > self.received {
            self.ask_again(now);
        }
        got
    }

    /// Takes what comes in its turn; returns whether something is missing before it.
    fn take(&mut self, first: u64, frames: Vec<Frame>, payloads: &mut Vec<Bytes>, now: Duration) -> bool {
        let count = frames.len() as u64;
        if count == 0 {
            return false;
        }
        if first > self.received + 1 {
            return true;
        }
        let known = (self.received + 1 - first).min(count);
        self.counts.repeated += known;
        if known > 0 {
            // Its acknowledgement may have been lost.
            self.note_ack(0, now);
        }
        for frame in frames.into_iter().skip(usize::try_from(known).unwrap_or(usize::MAX)) {
            self.received += 1;
            self.counts.received += 1;
            self.note_ack(frame.cost(), now);
            payloads.extend(self.join(frame));
        }
        false
    }

    /// Puts the parts of a payload together; none: more are to come, or the beginning is gone.
    fn join(&mut self, frame: Frame) -> Option<Bytes> {
        if frame.begins && frame.ends {
            self.parts = None;
            return Some(frame.payload);
        }
        if frame.begins {
            self.parts = Some(BytesMut::new());
        }
        let parts = self.parts.as_mut()?;
        parts.extend_from_slice(&frame.payload);
        if frame.ends { self.parts.take().map(BytesMut::freeze) } else { None }
    }

    fn note_ack(&mut self, bytes: usize, now: Duration) {
        self.unacked_bytes += bytes;
        let at = if self.unacked_bytes >= self.limits.window_bytes_max / 4 { now } else { now + self.limits.ack_after };
        self.ack_at = Some(self.ack_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Asks for what is missing: at once, and again only after a while.
    fn ask_again(&mut self, now: Duration) {
        let is_new = self.asked.is_none_or(|(number, _)| number != self.received);
        let is_due = self.asked.is_none_or(|(_, at)| now.saturating_sub(at) >= self.limits.again_after);
        if is_new || is_due {
            self.counts.gaps += u64::from(is_new);
            self.asked = Some((self.received, now));
            self.again = true;
            self.ack_at = Some(now);
        }
    }

    /// Returns what to tell the other end with what goes out now.
    pub(super) fn take_ack(&mut self) -> Ack {
        self.ack_at = None;
        self.unacked_bytes = 0;
        Ack { opening: self.opening, number: self.received, again: std::mem::take(&mut self.again) }
    }

    /// When an acknowledgement goes out even if nothing else does.
    pub(super) fn due(&self) -> Option<Duration> {
        self.ack_at
    }

    pub(super) fn counts(&self) -> ReceiverCounts {
        self.counts
    }
}
