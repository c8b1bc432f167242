//! The messages that a user's actor is sent by sessions and the host.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::profile::ProfileCell;
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::room::Entry;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::reply::Reply;
use crate::model::{DeviceId, RoomId, RoomInfo, UserId, UserProfile};
use crate::protocol::{ClientLevel, ListRequest, Outcome};

/// Logs in a connection that has proved to be this user.
pub(crate) struct Login {
    pub(crate) connection: Arc<Connection>,
    pub(crate) device: DeviceId,
    pub(crate) level: ClientLevel,
    /// The user's name; empty keeps the stored one.
    pub(crate) name: String,
    /// The commit up to which the client has everything.
    pub(crate) resume_from: Option<u64>,
    /// The id of the request, which is answered before anything is delivered.
    pub(crate) request: u64,
    pub(crate) reply: Reply<ProfileCell>,
}

/// Says that a session is over.
pub(crate) struct Ended {
    pub(crate) connection_id: ConnectionId,
    /// Whether the client logged out: its places are given up at once.
    pub(crate) for_good: bool,
}

/// Brings a session into a room.
pub(crate) struct EnterRoom {
    pub(crate) connection_id: ConnectionId,
    pub(crate) entry: Entry,
    /// A room the session leaves once it is inside.
    pub(crate) instead_of: Option<RoomId>,
    pub(crate) reply: Reply<RoomInfo>,
}

/// Takes a session out of every room it is in.
pub(crate) struct LeaveAllRooms {
    pub(crate) connection_id: ConnectionId,
    pub(crate) reply: Reply<Vec<RoomId>>,
}

/// Takes a session out of a room.
pub(crate) struct LeaveRoom {
    pub(crate) connection_id: ConnectionId,
    pub(crate) room: RoomId,
    pub(crate) reply: Reply<()>,
}

/// Asks for the profiles of users.
pub(crate) struct QueryUsers {
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Vec<(UserId, Option<UserProfile>)>>,
}

/// Asks for an operation on the user's list of conversations.
#[derive(Serialize, Deserialize)]
pub(crate) struct ListOperation {
    pub(crate) request: ListRequest,
    pub(crate) level: ClientLevel,
    /// The session that asks.
    pub(crate) connection_id: Option<ConnectionId>,
    #[serde(skip)]
    pub(crate) reply: Reply<Outcome>,
}

commands!(ListOperation => Outcome);
