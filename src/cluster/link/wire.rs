//! How packets between nodes look in bytes: a version, then `postcard`.
//!
//! All nodes speak the newest version that all of them know: see [`SPEAKS`]. A version that is not known is no packet.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::store::SPEAKS;

/// What a frame costs in a batch and in the ring beside its payload, bytes; a little more than it does.
pub(super) const FRAME_OVERHEAD: usize = 16;

/// A payload, or a part of a large one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Whether a payload begins with it.
    pub(crate) begins: bool,
    /// Whether a payload ends with it.
    pub(crate) ends: bool,
    // Copied when it is read, not a slice of the batch: a small payload that waits in an outbox would keep all 512 KiB of it.
    pub(crate) payload: Bytes,
}

impl Frame {
    /// What it takes of a bound in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.payload.len() + FRAME_OVERHEAD
    }
}

/// What one end of a link says of the frames of the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ack {
    /// Which opening of the other's it speaks of; 0: it heard of none.
    pub(crate) opening: u64,
    /// All frames up to this one were received.
    pub(crate) number: u64,
    /// Whether what comes after it is missing and should be sent again.
    pub(crate) again: bool,
}

/// Reliable frames from one boot to another, and what the sender received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Rises with each time the sender opens a link to this boot: numbers begin anew then.
    pub(crate) opening: u64,
    /// The number of the first frame.
    pub(crate) first: u64,
    pub(crate) frames: Vec<Frame>,
    /// The greatest number that was put on the bus.
    pub(crate) sent: u64,
    /// The least number that the sender can still send: what was neither received before nor is held is gone for good.
    pub(crate) held_from: u64,
    pub(crate) ack: Ack,
}

/// Frames that may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LossyBatch {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) opening: u64,
    /// The number of the first payload.
    pub(crate) first: u64,
    pub(crate) payloads: Vec<Bytes>,
}

/// Everything that travels between nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Packet {
    Batch(Batch),
    Lossy(LossyBatch),
    /// To oneself: whether the bus answers. When it was sent, by the sender's own monotonic clock, milliseconds.
    Probe {
        boot: i64,
        sent_ms: u64,
    },
}

impl Packet {
    /// Returns the bytes in a version.
    pub(crate) fn encode(&self, version: u8) -> Bytes {
        // Only a type that serde cannot describe fails, and these are none.
        postcard::to_extend(self, vec![version]).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    /// Reads bytes; none: they are no packet of a version that this program speaks.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        if !SPEAKS.contains(*version) {
            return None;
        }
        let (packet, rest) = postcard::take_from_bytes(rest).ok()?;
        rest.is_empty().then_some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Packet {
        let frame = |payload: &'static [u8]| Frame { begins: true, ends: false, payload: Bytes::from_static(payload) };
        let ack = Ack { opening: 3, number: u64::MAX, again: true };
        let frames = vec![frame(b"one"), frame(b"")];
        Packet::Batch(Batch { from: -1, to: i64::MAX, opening: 7, first: 300, frames, sent: 301, held_from: 299, ack })
    }

    #[test]
    fn what_is_written_is_read() {
        let lossy = LossyBatch { from: 1, to: 2, opening: 1, first: 9, payloads: vec![Bytes::from(vec![7; 70_000])] };
        for packet in [batch(), Packet::Lossy(lossy), Packet::Probe { boot: 4, sent_ms: 1 }] {
            assert_eq!(Packet::decode(&packet.encode(SPEAKS.to)), Some(packet));
        }
    }

    #[test]
    fn what_is_cut_off_too_long_or_of_another_version_is_no_packet() {
        let bytes = batch().encode(SPEAKS.to);
        for len in 0..bytes.len() {
            assert_eq!(Packet::decode(&bytes[..len]), None, "{len}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(Packet::decode(&longer), None);
        for version in [SPEAKS.from - 1, SPEAKS.to + 1] {
            assert_eq!(Packet::decode(&[&[version], &bytes[1..]].concat()), None, "{version}");
        }
    }

    #[test]
    fn a_frame_costs_no_more_than_is_reckoned() {
        let frame = Frame { begins: true, ends: true, payload: Bytes::from(vec![0; 300_000]) };
        let bytes = postcard::to_extend(&frame, Vec::new()).unwrap();
        assert!(bytes.len() <= frame.cost(), "{} {}", bytes.len(), frame.cost());
    }
}
