//! What sessions ask of a user and tell it.

use std::sync::Arc;

use super::profile::ProfileCell;
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::room::Entry;
use crate::actors::runtime::reply::Reply;
use crate::model::{DeviceId, RoomId, RoomInfo, UserId, UserProfile};
use crate::protocol::ClientLevel;

/// A connection proved to be this user.
pub(crate) struct Login {
    pub(crate) connection: Arc<Connection>,
    pub(crate) device: DeviceId,
    pub(crate) level: ClientLevel,
    /// Empty: keep the stored one.
    pub(crate) name: String,
    /// The client has everything up to this commit.
    pub(crate) resume_from: Option<u64>,
    /// The request to answer, before anything is delivered.
    pub(crate) request: u64,
    pub(crate) reply: Reply<ProfileCell>,
}

/// A session is over.
pub(crate) struct Ended {
    pub(crate) connection_id: ConnectionId,
    /// The client said goodbye: places are given up at once.
    pub(crate) for_good: bool,
}

/// A session wants into a room.
pub(crate) struct EnterRoom {
    pub(crate) connection_id: ConnectionId,
    pub(crate) entry: Entry,
    /// Given up for it, once inside.
    pub(crate) instead_of: Option<RoomId>,
    pub(crate) reply: Reply<RoomInfo>,
}

/// A session wants out of every room it is in.
pub(crate) struct LeaveAllRooms {
    pub(crate) connection_id: ConnectionId,
    pub(crate) reply: Reply<Vec<RoomId>>,
}

/// A session wants out of a room.
pub(crate) struct LeaveRoom {
    pub(crate) connection_id: ConnectionId,
    pub(crate) room: RoomId,
    pub(crate) reply: Reply<()>,
}

/// A user wants to know about others.
pub(crate) struct QueryUsers {
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Vec<(UserId, Option<UserProfile>)>>,
}
