//! The requests that actors send to a room, except those about chat messages, attributes and the host, and what a room tells
//! users.

use serde::{Deserialize, Serialize};

use crate::actors::connection::ConnectionId;
use crate::actors::connection::far::ConnectionRef;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::reply::Reply;
use crate::model::{RoomId, RoomInfo, UserId, UserProfile};
use crate::protocol::RoomStart;

/// How a user comes in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The room must not exist.
    Create { info: RoomInfo, start: RoomStart },
    /// The room is made when it does not exist.
    Enter { info: RoomInfo, start: RoomStart },
    /// The room must exist.
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

/// Lets a user in at a connection.
#[derive(Serialize, Deserialize)]
pub(crate) struct Admit {
    pub(crate) profile: UserProfile,
    pub(crate) connection: ConnectionRef,
    pub(crate) entry: Entry,
    /// In how many other rooms the user is, or is about to be.
    pub(crate) others: usize,
    #[serde(skip)]
    pub(crate) reply: Reply<RoomInfo>,
}

/// Takes a user out for good.
#[derive(Serialize, Deserialize)]
pub(crate) struct Leave {
    pub(crate) user: UserId,
    pub(crate) connection_id: ConnectionId,
    #[serde(skip)]
    pub(crate) reply: Reply<()>,
}

/// Says that a member's connection was lost.
#[derive(Serialize, Deserialize)]
pub(crate) struct Disconnected {
    pub(crate) user: UserId,
    pub(crate) connection_id: ConnectionId,
}

/// Says that a member is back at a new connection of the same device.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reconnected {
    pub(crate) user: UserId,
    pub(crate) connection: ConnectionRef,
}

/// Asks who is inside; only a member may.
#[derive(Serialize, Deserialize)]
pub(crate) struct Members {
    pub(crate) asker: UserId,
    pub(crate) which: Which,
    #[serde(skip)]
    pub(crate) reply: Reply<MembersPage>,
}

/// Which members are asked for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Which {
    /// Everyone, in pages.
    Page { next: String, count: usize },
    /// Just these.
    Users(Vec<UserId>),
    /// Only how many.
    Count,
}

/// Members and, for pages, where the next begins.
#[derive(Serialize, Deserialize)]
pub(crate) struct MembersPage {
    pub(crate) members: Vec<UserProfile>,
    pub(crate) missing: Vec<UserId>,
    pub(crate) next: String,
    pub(crate) total: usize,
}

/// Starts the room's actor and asks nothing, so that a room left over from before a restart ends in time.
pub(crate) struct Wake;

/// Tells a user's actor that a room gave up the place of a session that stayed away or was put out.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlaceLost {
    pub(crate) room: RoomId,
    pub(crate) connection_id: ConnectionId,
}

/// The way from a room to the actors of its users. A trait, because users know rooms and rooms must not know users.
pub(crate) trait PlaceHolders: std::fmt::Debug + Send + Sync {
    /// Tells the user's actor; waits while its mailbox is full.
    fn place_lost(&self, user: UserId, lost: PlaceLost) -> futures_util::future::BoxFuture<'static, ()>;
}

commands! {
    Admit => RoomInfo,
    Leave => (),
    Disconnected,
    Reconnected,
    Members => MembersPage,
    PlaceLost,
}
