//! Where an actor lives when several brokers work together, and how a message gets there.
//!
//! A single broker has no [`Route`]: all its actors are here. With one, each registry asks it for the place of a key; what belongs to
//! another node is encoded ([`Command`](super::command::Command)) and carried there, and its answer comes back the same way. While a
//! part of the conversations moves from one node to another they have no place, and requests are refused temporarily.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::{Conversation, Refusal, UserId};

/// One running broker among several: the number of its process in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct NodeId(pub(crate) i64);

/// By what the place of an actor is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Home {
    /// It lives where the conversation is owned; of rooms the id alone counts.
    Conversation(Conversation),
    /// It lives where the user has a session, or where it is asked for.
    User(UserId),
}

/// Where an actor lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    There(NodeId),
    /// Nobody owns it at the moment.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    Nowhere,
}

/// What requests are refused with whose place is not known at the moment.
pub(crate) const MOVING: Refusal = Refusal::Busy("the conversation is moving to another node");

/// A message for an actor of another node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The kind of actor.
    pub(crate) kind: String,
    /// The command's name.
    pub(crate) name: String,
    pub(crate) key: Bytes,
    pub(crate) body: Bytes,
    /// Only for an actor that runs: one that starts later reads the truth by itself.
    pub(crate) if_running: bool,
}

/// Hears what became of an order: the encoded answer.
pub(crate) type Carried = Box<dyn FnOnce(Result<Bytes, Refusal>) + Send>;

/// The way to other nodes.
pub(crate) trait Route: fmt::Debug + Send + Sync {
    /// Returns where an actor lives now.
    fn place(&self, home: &Home) -> Place;

    /// Lets a message wait until its actor has a place, for a while. `done` is called once.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: too much waits; `done` is dropped.
    fn park(&self, home: &Home, order: Order, done: Carried) -> Result<(), Refusal>;

    /// Carries a message to a node. Those to one node arrive in the order of the calls. `done` is called once; a node that ends
    /// before it answers reads as a temporary refusal.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: too much waits for that node; `done` is dropped.
    fn carry(&self, node: NodeId, home: &Home, order: Order, done: Carried) -> Result<(), Refusal>;
}
