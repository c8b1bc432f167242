//! Connections of other nodes: what is known of them here, and the stand-ins by which actors deliver to them.
//!
//! A stand-in is a [`Connection`](super::Connection) whose outbox and feed put everything on the way to the connection's node. Who
//! delivers sees no difference; what is said of limits, order and loss of an outbox is decided at the other end.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// See [`Identity::since`](super::Identity::since).
    pub(crate) since: u64,
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
        Some(Self { id: connection.id, user, device, level: identity.level, since: identity.since })
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
