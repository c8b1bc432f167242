//! A message under test, and who is to receive it.

use super::marker::LoadClass;

/// Whose messages reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscription {
    /// All that the clients of its own group send, but not its own.
    Room,
    /// All of one other client.
    Peer(u32),
    /// None.
    Nothing,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct TestMessage {
    /// A conversation; on another broker a topic.
    pub(super) to: String,
    /// 0 peer, 1 room, 2 group.
    pub(super) conversation_type: u8,
    pub(super) kind: LoadClass,
    pub(super) bytes: usize,
}
