//! The lossy part of an outbox: four rings under one byte cap, shed by class, every loss counted.

use std::collections::VecDeque;

use bytestring::ByteString;

use crate::model::Priority;

/// What a lossy frame costs at least against `lossy_bytes_max`, so that empty frames are bounded in number too.
pub(super) const LOSSY_FRAME_BYTES_MIN: usize = 64;
/// A queue that was longer than this gives its memory back when it is empty again.
const IDLE_CAPACITY_MAX: usize = 64;
/// The rings, lowest class first: barrage low, medium, high; command.
const RINGS: usize = 4;
const COMMAND: usize = RINGS - 1;

/// The class of a frame that may be dropped. Shed in this order: barrage low, medium, high; then command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// So many barrages of one priority.
    pub(crate) fn barrage_of(priority: Priority, messages: u32) -> Self {
        let barrage = Priority::ALL.map(|one| if one == priority { messages } else { 0 });
        Self { barrage, command: 0 }
    }

    /// Whether nothing was dropped.
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

#[derive(Default)]
struct Ring {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Ring {
    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= cost(&frame.text);
        give_back(&mut self.frames);
        Some(frame)
    }
}

/// The rings of one session.
#[derive(Default)]
pub(super) struct Rings([Ring; RINGS]);

impl Rings {
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|ring| ring.bytes).sum()
    }

    pub(super) fn frames(&self) -> usize {
        self.0.iter().map(|ring| ring.frames.len()).sum()
    }

    /// Adds a frame, dropping the oldest of the lowest classes until it fits under `bytes_max`. A frame that would not
    /// fit with every lower and equal class gone is dropped alone: a sacrifice that helps nobody is not made.
    pub(super) fn push(&mut self, class: Lossy, text: ByteString, messages: u32, bytes_max: usize) -> Dropped {
        let mut dropped = Dropped::default();
        let (own, cost) = (class.ring(), cost(&text));
        let higher: usize = self.0.iter().skip(own + 1).map(|ring| ring.bytes).sum();
        if higher.saturating_add(cost) > bytes_max {
            dropped.count(own, messages);
            return dropped;
        }
        while self.bytes() + cost > bytes_max {
            let Some((ring, frame)) = (0..=own).find_map(|n| Some((n, self.0[n].pop()?))) else { break };
            dropped.count(ring, frame.messages);
        }
        self.0[own].bytes += cost;
        self.0[own].frames.push_back(Frame { text, messages });
        dropped
    }

    /// The frame that leaves next: commands, then barrages from high to low; oldest first within each.
    pub(super) fn front(&self) -> Option<&ByteString> {
        self.0.iter().rev().find_map(|ring| ring.frames.front()).map(|frame| &frame.text)
    }

    /// Takes what [`front`](Self::front) showed.
    pub(super) fn pop(&mut self) -> Option<ByteString> {
        self.0.iter_mut().rev().find_map(Ring::pop).map(|frame| frame.text)
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        for (n, ring) in self.0.iter_mut().enumerate() {
            for frame in std::mem::take(ring).frames {
                dropped.count(n, frame.messages);
            }
        }
        dropped
    }
}

/// What one frame of `messages` messages counts as when it is dropped before it was ever queued.
pub(super) fn dropped_one(class: Lossy, messages: u32) -> Dropped {
    let mut dropped = Dropped::default();
    dropped.count(class.ring(), messages);
    dropped
}

/// Gives the memory of a queue back that was long once and is empty now.
pub(super) fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > IDLE_CAPACITY_MAX {
        *queue = VecDeque::new();
    }
}

fn cost(frame: &ByteString) -> usize {
    frame.len().max(LOSSY_FRAME_BYTES_MIN)
}
