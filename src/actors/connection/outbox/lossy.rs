//! The lossy part of an outbox: four rings under one byte cap, shed by class, every loss counted.

use std::collections::VecDeque;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::Push;
use crate::model::Priority;

/// What a lossy frame costs at least against `lossy_bytes_max`, so that empty frames are bounded in number too.
pub(super) const LOSSY_FRAME_BYTES_MIN: usize = 64;
/// A queue that was longer than this gives its memory back when it is empty again.
const IDLE_CAPACITY_MAX: usize = 64;
/// The rings, lowest class first: barrage low, medium, high; command.
const RINGS: usize = 4;
const COMMAND: usize = RINGS - 1;

/// The class of a frame that may be dropped. Shed in this order: barrage low, medium, high; then command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Lossy {
    /// Dropped first, the lowest priority before the others.
    Barrage(Priority),
    /// Dropped when no barrage is left to drop.
    Command,
}

impl Lossy {
    fn ring(self) -> usize {
        match self {
            Self::Barrage(Priority::Low) => 0,
            Self::Barrage(Priority::Medium) => 1,
            Self::Barrage(Priority::High) => 2,
            Self::Command => COMMAND,
        }
    }
}

/// Messages dropped, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dropped {
    /// Barrages, by priority as in [`Priority::ALL`]: low, medium, high.
    pub barrage: [u32; 3],
    /// Commands.
    pub command: u32,
}

impl Dropped {
    /// Makes the count of dropped barrages of one priority.
    pub(crate) fn barrage_of(priority: Priority, messages: u32) -> Self {
        let barrage = Priority::ALL.map(|one| if one == priority { messages } else { 0 });
        Self { barrage, command: 0 }
    }

    /// Returns whether nothing was dropped.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another count to this one.
    pub(crate) fn add(&mut self, other: Self) {
        for (sum, more) in self.barrage.iter_mut().zip(other.barrage) {
            *sum = sum.saturating_add(more);
        }
        self.command = self.command.saturating_add(other.command);
    }

    fn count(&mut self, ring: usize, messages: u32) {
        let slot = self.barrage.get_mut(ring).unwrap_or(&mut self.command);
        *slot = slot.saturating_add(messages);
    }
}

/// Messages dropped over a session's life, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dropped64 {
    /// Barrages, by priority as in [`Priority::ALL`]: low, medium, high.
    pub barrage: [u64; 3],
    /// Commands.
    pub command: u64,
}

impl Dropped64 {
    /// Returns the sum of all classes.
    pub(crate) fn sum(self) -> u64 {
        self.barrage.iter().fold(self.command, |sum, more| sum.saturating_add(*more))
    }

    /// Adds a count to this one.
    pub(crate) fn add(&mut self, other: Dropped) {
        for (sum, more) in self.barrage.iter_mut().zip(other.barrage) {
            *sum = sum.saturating_add(u64::from(more));
        }
        self.command = self.command.saturating_add(u64::from(other.command));
    }
}

struct Frame {
    text: ByteString,
    messages: u32,
}

/// The rings of one session.
#[derive(Default)]
#[repr(C)]
pub(super) struct Rings {
    frames: usize,
    /// The bytes of each ring. Zero only when the ring is empty, because each frame costs something.
    bytes: [usize; RINGS],
    rings: [VecDeque<Frame>; RINGS],
}

impl Rings {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.iter().sum()
    }

    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Adds a frame, dropping the oldest of the lowest classes until it fits under `bytes_max`. A frame that would not
    /// fit with every lower and equal class gone is dropped alone, because dropping the others would not help it.
    pub(super) fn push(&mut self, class: Lossy, text: ByteString, messages: u32, bytes_max: usize) -> (Push, Dropped) {
        let mut dropped = Dropped::default();
        let (own, cost) = (class.ring(), cost(&text));
        let higher: usize = self.bytes.iter().skip(own + 1).sum();
        if higher.saturating_add(cost) > bytes_max {
            dropped.count(own, messages);
            return (Push::Dropped, dropped);
        }
        while self.bytes() + cost > bytes_max {
            let Some((ring, frame)) = (0..=own).find_map(|n| Some((n, self.pop_from(n)?))) else { break };
            dropped.count(ring, frame.messages);
        }
        self.frames += 1;
        self.bytes[own] += cost;
        self.rings[own].push_back(Frame { text, messages });
        (Push::Queued, dropped)
    }

    fn pop_from(&mut self, ring: usize) -> Option<Frame> {
        if self.bytes[ring] == 0 {
            return None;
        }
        let frame = self.rings[ring].pop_front()?;
        self.frames -= 1;
        self.bytes[ring] -= cost(&frame.text);
        give_back(&mut self.rings[ring]);
        Some(frame)
    }

    /// Returns the highest ring that has a frame.
    fn first(&self) -> Option<usize> {
        self.bytes.iter().rposition(|bytes| *bytes > 0)
    }

    /// Takes the frame that leaves next, if it is of at most `bytes_max` bytes: commands, then barrages from high to
    /// low; oldest first within each.
    pub(super) fn pop_within(&mut self, bytes_max: usize) -> Option<ByteString> {
        let ring = self.first()?;
        let fits = self.rings[ring].front()?.text.len() <= bytes_max;
        fits.then(|| self.pop_from(ring))?.map(|frame| frame.text)
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        for (n, ring) in std::mem::take(self).rings.into_iter().enumerate() {
            for frame in ring {
                dropped.count(n, frame.messages);
            }
        }
        dropped
    }
}

/// Returns what one frame of `messages` messages counts as when it is dropped before it was queued.
pub(super) fn dropped_one(class: Lossy, messages: u32) -> Dropped {
    let mut dropped = Dropped::default();
    dropped.count(class.ring(), messages);
    dropped
}

/// Frees the memory of a queue that was long once and is empty now.
pub(super) fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > IDLE_CAPACITY_MAX {
        *queue = VecDeque::new();
    }
}

fn cost(frame: &ByteString) -> usize {
    frame.len().max(LOSSY_FRAME_BYTES_MIN)
}
