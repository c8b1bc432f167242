//! A socket to a server under test, and how what arrives on it is taken apart.

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::frame::Frames;
use super::peers::Packets;
use super::peers::program::Peer;

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The wire protocol of the broker.
    Broker,
    /// Bare texts, see [`super::baseline`].
    Baseline,
    /// The protocol of another broker, see [`super::peers`].
    Peer(Peer),
}

/// How what a server sends is taken apart.
#[derive(Debug)]
pub(super) enum Inbound {
    WebSocket(Frames),
    Peer(Packets),
}

/// A socket whose greetings are over.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) read: OwnedReadHalf,
    pub(super) inbound: Inbound,
    pub(super) write: OwnedWriteHalf,
}
