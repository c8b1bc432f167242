//! What the clients of the other brokers have in common: roles, packets, and which message an answer is to.

/// Where a room publishes and subscribes.
pub(in crate::bench) const ROOM: &str = "bench.room";

/// Returns where this sender publishes what is for one receiver.
pub(in crate::bench) fn topic_of(sender: u32) -> String {
    format!("bench.{sender}")
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    /// It receives what is published to this topic.
    Receiver(String),
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::bench) enum PeerPacket<'a> {
    /// Bytes with one or more messages in them.
    Message(&'a [u8]),
    /// Something published was taken, or not.
    Ack { to: AckOf, accepted: bool },
    /// Neither.
    Other,
}

/// What an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum AckOf {
    /// The oldest message without one.
    Next,
    /// The message of this number.
    Number(u32),
    /// The message whose number makes this MQTT packet identifier.
    Packet(u16),
}

impl AckOf {
    /// Returns whether it can be the answer to message `number`.
    pub(in crate::bench) fn fits(self, number: u32) -> bool {
        match self {
            Self::Next => true,
            Self::Number(other) => number == other,
            Self::Packet(id) => packet_id(number) == id,
        }
    }
}

/// Returns the identifier of a sender's message: 1 to 65,535 and round again.
pub(super) fn packet_id(number: u32) -> u16 {
    u16::try_from((number.wrapping_sub(1)) % 65_535 + 1).unwrap_or(1)
}
