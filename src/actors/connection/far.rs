//! Connections of other nodes: what is known of them here, and the stand-ins by which actors deliver to them.
//!
//! A stand-in is a [`Connection`](super::Connection) whose outbox and feed put everything on the way to the connection's node. Who
//! delivers sees no difference; what is said of limits, order and loss of an outbox is decided at the other end.

use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::feed::FeedItem;
use super::outbox::{Dropped, Lossy, Push};
use super::{Connection, ConnectionId};
use crate::model::{DeviceId, UserId};
use crate::protocol::ClientLevel;

/// What other nodes know of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FarConnection {
    pub(crate) id: ConnectionId,
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) level: ClientLevel,
}

/// The way to the connections of one other node.
pub(crate) trait FarEnd: fmt::Debug + Send + Sync {
    /// Puts a frame on its way that must not be lost while the connection lives.
    fn push(&self, to: ConnectionId, frame: ByteString) -> Push;

    /// Puts a frame of so many messages on its way that may be lost.
    fn push_lossy(&self, to: ConnectionId, class: Lossy, frame: ByteString, messages: u32) -> (Push, Dropped);

    /// Tells a user's actor what happened in a conversation.
    fn feed(&self, user: &UserId, item: &Arc<FeedItem>);

    /// Closes a connection.
    fn close(&self, to: ConnectionId, code: u16);

    /// Counts messages dropped on a connection's account.
    fn note_dropped(&self, to: ConnectionId, dropped: Dropped);
}

/// A connection as a command names it: itself in this process, what is known of it in others.
#[derive(Debug, Clone)]
pub(crate) enum ConnectionRef {
    Here(Arc<Connection>),
    There(FarConnection),
}

impl FarConnection {
    /// Describes a connection that is logged in.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let identity = connection.identity()?;
        let (user, device) = (identity.user.clone(), identity.device.clone());
        Some(Self { id: connection.id, user, device, level: identity.level })
    }
}

impl Serialize for ConnectionRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let far = match self {
            Self::Here(connection) => FarConnection::of(connection),
            Self::There(far) => Some(far.clone()),
        };
        far.ok_or_else(|| serde::ser::Error::custom("a connection that is not logged in"))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ConnectionRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FarConnection::deserialize(deserializer).map(Self::There)
    }
}
