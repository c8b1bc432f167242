//! What nodes say to each other, and how it is encoded.

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::actors::connection::ConnectionId;
use crate::actors::connection::far::FarConnection;
use crate::actors::connection::outbox::Lossy;
use crate::actors::connection::status::OnlineStatus;
use crate::actors::runtime::command;
use crate::actors::runtime::route::Order;
use crate::model::{GroupId, Refusal, RoomId, UserId};

/// One thing that a node says to another, in order with all others between these two.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Letter {
    /// Something for an actor; the answer goes by the number.
    Order { asked: u64, order: Order },
    /// The encoded answer to what was asked by that number.
    Answer { asked: u64, outcome: Result<Bytes, EncodedRefusal> },
    /// A frame for connections of the receiver. Where it carries stored messages the receiver adds the cursor.
    Frame { to: Vec<ConnectionId>, text: ByteString, stored: bool },
    /// The same for one that may be lost.
    LossyFrame { to: Vec<ConnectionId>, text: ByteString, class: Lossy, messages: u32 },
    /// Something for the feeds of users at the receiver.
    Feed { users: Vec<UserId>, item: Bytes },
    /// Which sessions users have at the sender. An empty list: none any more.
    Sessions(Vec<UserSessions>),
    /// All sessions there were when the link began have been told.
    SessionsTold,
    /// A session comes in at the sender, of a user who is in these groups; answered, once those of them that run at the receiver know it, with
    /// whether the receiver has something to give up for it.
    Arrive { asked: u64, session: FarConnection, groups: Vec<GroupId> },
    /// A connection of the receiver is to be closed.
    Close { connection: ConnectionId, code: u16 },
    /// A message to everyone online, for clients that know such; answered with how many there were.
    Broadcast { asked: u64, text: ByteString },
    /// Everything stored in these shards up to the stamp was put on this link before.
    Mark { stamp: u64, shards: Vec<u16> },
    /// The sender took these shards; answered once the users of the receiver have told it in which of their rooms they are.
    WhoIsInside { asked: u64, shards: Vec<u16> },
    /// What was said is lost: all sessions are to be told again.
    TellAgain,
    /// Who owns what has changed: it is worth a look.
    Look,
    /// A session has come in at the sender: what does not stay beside it ends; answered with the rooms in which its device had its places.
    Displace { asked: u64, session: FarConnection },
}

/// A refusal as its own encoding.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EncodedRefusal(Bytes);

impl EncodedRefusal {
    pub(super) fn of(refusal: &Refusal) -> Self {
        Self(command::encode(refusal))
    }

    pub(super) fn read(&self) -> Refusal {
        command::decode(&self.0).unwrap_or_else(|refusal| refusal)
    }
}

/// The sessions of a user at one node, and its status as that node saw it change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UserSessions {
    pub(super) user: UserId,
    pub(super) sessions: Vec<FarConnection>,
    /// Whether the user said goodbye, when none is left.
    pub(super) logged_out: bool,
}

impl UserSessions {
    /// Returns the user's status once no session is left anywhere.
    pub(super) fn gone(&self) -> OnlineStatus {
        if self.logged_out { OnlineStatus::Logout } else { OnlineStatus::Offline }
    }
}

impl Letter {
    pub(super) fn encode(&self) -> Bytes {
        postcard::to_allocvec(self).expect("letters are made of what postcard knows").into()
    }

    /// Reads a letter; none: a program of another version wrote it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// What is answered to an arrival.
pub(super) type TakenOver = Vec<RoomId>;
