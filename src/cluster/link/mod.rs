//! One link: reliable frames between two boots over a bus that loses, doubles, reorders and delays. Pure; time comes in.
//!
//! **Numbers.** Each end numbers its frames from 1. A boot is one process, so numbers begin anew only when a process closes a link and
//! opens it again; `opening` tells these apart.
//!
//! **Sending again.** A batch says the greatest number that was put on the bus, so that a gap is seen with whatever comes next,
//! and asked for. What nobody acknowledges is sent again after a while, one batch at a time, ever more rarely.
//!
//! **Loss.** What waits for an acknowledgement is in a ring, bounded in bytes. A batch says from which number on frames are held: a
//! receiver that misses an earlier one hears of a loss ([`Received::lost`]) and goes on behind it.
//!
//! **Acknowledgements** ride on batches; alone they go after 20 ms, or at once when a quarter of the window waits for one. What was
//! acknowledged was given to the handler.

mod lossy;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use bytes::Bytes;

use self::receiver::Receiver;
use self::sender::Sender;

pub(crate) use self::lossy::{LossyCounts, LossyReceiver, LossySender};
pub(crate) use self::receiver::{Received, ReceiverCounts};
pub(crate) use self::sender::SenderCounts;
#[cfg(test)]
pub(crate) use self::wire::LossyBatch;
pub(crate) use self::wire::{Batch, Packet};

/// The bounds and times of a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkLimits {
    /// What may wait for an acknowledgement.
    pub(crate) ring_bytes_max: usize,
    /// What goes to the bus at once.
    pub(crate) batch_bytes_max: usize,
    /// What may be on its way.
    pub(crate) window_bytes_max: usize,
    /// What lossy frames may wait before the bus.
    pub(crate) lossy_bytes_max: usize,
    /// How long an acknowledgement waits for frames to ride on.
    pub(crate) ack_after: Duration,
    /// How long to wait for an acknowledgement at first,
    pub(crate) resend_after: Duration,
    /// and at the longest, after several in vain.
    pub(crate) resend_after_max: Duration,
    /// How long to wait for what was asked for before asking again.
    pub(crate) again_after: Duration,
    /// How often an idle link says that it is there.
    pub(crate) hello_after: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            // 5.6 s of 1.5 MB/s, which is what a node of 200,000 connections gets from one other at its busiest.
            ring_bytes_max: 8 << 20,
            // NATS takes 1 MB; half of it leaves room for servers that are set lower.
            batch_bytes_max: 512 << 10,
            // With an acknowledgement each 20 ms: 100 MB/s.
            window_bytes_max: 2 << 20,
            lossy_bytes_max: 2 << 20,
            ack_after: Duration::from_millis(20),
            resend_after: Duration::from_millis(200),
            resend_after_max: Duration::from_secs(1),
            again_after: Duration::from_millis(100),
            hello_after: Duration::from_secs(1),
        }
    }
}

/// Both ends of one node of a link to another. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Link {
    me: i64,
    peer: i64,
    opening: u64,
    hello_after: Duration,
    hello_at: Duration,
    heard_at: Option<Duration>,
    sender: Sender,
    receiver: Receiver,
}

impl Link {
    /// Opens a link; `opening` rises with each that this process opens to that boot.
    pub(crate) fn new(me: i64, peer: i64, opening: u64, limits: LinkLimits, now: Duration) -> Self {
        Self {
            me,
            peer,
            opening,
            hello_after: limits.hello_after,
            hello_at: now,
            heard_at: None,
            sender: Sender::new(limits),
            receiver: Receiver::new(limits),
        }
    }

    /// Takes a payload to send; returns its number, which is greater than that of every earlier one.
    pub(crate) fn push(&mut self, payload: Bytes) -> u64 {
        self.sender.push(payload)
    }

    /// Returns what goes to the bus now; none: nothing until [`due`](Self::due).
    pub(crate) fn outgoing(&mut self, now: Duration) -> Option<Batch> {
        self.sender.tick(now);
        let is_due = |at: Duration| at <= now;
        if !self.sender.has_more() && !self.receiver.due().is_some_and(is_due) && !is_due(self.hello_at) {
            return None;
        }
        self.hello_at = now + self.hello_after;
        let (first, frames) = self.sender.take(now);
        Some(Batch {
            from: self.me,
            to: self.peer,
            opening: self.opening,
            first,
            frames,
            sent: self.sender.sent(),
            held_from: self.sender.held_from(),
            ack: self.receiver.take_ack(),
        })
    }

    /// When there is something to send if nothing happens before.
    pub(crate) fn due(&self) -> Duration {
        [self.sender.due(), self.receiver.due()].into_iter().flatten().fold(self.hello_at, Duration::min)
    }

    /// Takes what came from the other end.
    pub(crate) fn receive(&mut self, batch: Batch, now: Duration) -> Received {
        if batch.from != self.peer || batch.to != self.me {
            return Received::default();
        }
        self.heard_at = Some(now);
        if batch.ack.opening == self.opening {
            self.sender.acknowledge(batch.ack.number, batch.ack.again, now);
        }
        self.receiver.receive(batch, now)
    }

    /// The number of the newest payload; 0: none.
    pub(crate) fn last(&self) -> u64 {
        self.sender.last()
    }

    /// Everything up to this number was received.
    pub(crate) fn acked(&self) -> u64 {
        self.sender.acked()
    }

    /// When something came from the other end last.
    pub(crate) fn heard_at(&self) -> Option<Duration> {
        self.heard_at
    }

    pub(crate) fn ring_bytes(&self) -> usize {
        self.sender.ring_bytes()
    }

    pub(crate) fn counts(&self) -> (SenderCounts, ReceiverCounts) {
        (self.sender.counts(), self.receiver.counts())
    }
}
