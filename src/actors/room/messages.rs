//! What actors ask of a room and tell it, but for messages, attributes and what the host does; and what it tells users.

use std::sync::Arc;

use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::runtime::reply::Reply;
use crate::model::{RoomId, RoomInfo, UserId, UserProfile};
use crate::protocol::RoomStart;

/// How a user comes in.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// The room must not exist.
    Create { info: RoomInfo, start: RoomStart },
    /// It is made when it does not exist.
    Enter { info: RoomInfo, start: RoomStart },
    /// It must exist.
    Join { room: RoomId },
}

impl Entry {
    pub(crate) fn room(&self) -> &RoomId {
        match self {
            Self::Create { info, .. } | Self::Enter { info, .. } => &info.id,
            Self::Join { room } => room,
        }
    }
}

/// A user comes in at a connection.
pub(crate) struct Admit {
    pub(crate) profile: UserProfile,
    pub(crate) connection: Arc<Connection>,
    pub(crate) entry: Entry,
    pub(crate) reply: Reply<RoomInfo>,
}

/// A user leaves for good.
pub(crate) struct Leave {
    pub(crate) user: UserId,
    pub(crate) connection_id: ConnectionId,
    pub(crate) reply: Option<Reply<()>>,
}

/// A member's connection was lost.
pub(crate) struct Disconnected {
    pub(crate) user: UserId,
    pub(crate) connection_id: ConnectionId,
}

/// A member is back at a new connection of the same device.
pub(crate) struct Reconnected {
    pub(crate) user: UserId,
    pub(crate) connection: Arc<Connection>,
}

/// Who is inside? Asked by a member.
pub(crate) struct Members {
    pub(crate) asker: UserId,
    pub(crate) which: Which,
    pub(crate) reply: Reply<MembersPage>,
}

/// Which members are asked for.
pub(crate) enum Which {
    /// Everyone, in pages.
    Page { next: String, count: usize },
    /// Just these.
    Users(Vec<UserId>),
    /// Only how many.
    Count,
}

/// Members and, for pages, where the next begins.
pub(crate) struct MembersPage {
    pub(crate) members: Vec<UserProfile>,
    pub(crate) missing: Vec<UserId>,
    pub(crate) next: String,
    pub(crate) total: usize,
}

/// Only starts the owner, so that a room left over from before a restart is looked after.
pub(crate) struct Wake;

/// A room gave up the place of a session that stayed away, or was put out: told to its user.
pub(crate) struct PlaceLost {
    pub(crate) room: RoomId,
    pub(crate) connection_id: ConnectionId,
}

/// Where a room says that it gave up a user's place: a user's actor knows rooms, and not the other way round.
pub(crate) trait PlaceHolders: std::fmt::Debug + Send + Sync {
    /// Tells the user, waiting while its mailbox is full.
    fn place_lost(&self, user: UserId, lost: PlaceLost) -> futures_util::future::BoxFuture<'static, ()>;
}
