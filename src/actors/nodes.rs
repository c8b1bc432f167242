//! What actors need of the other nodes, when several brokers work together.

use std::sync::Arc;

use bytestring::ByteString;
use futures_util::future::BoxFuture;

use super::connection::Connection;
use super::connection::far::FarConnection;
use super::places::RoomsElsewhere;
use super::runtime::route::{NodeId, Route};
use crate::metrics::ClusterSample;
use crate::model::{GroupId, Refusal, RoomId, UserId};

/// What is answered while a node is cut off.
pub(crate) const CUT_OFF: Refusal = Refusal::Busy("this node is cut off from the others");

/// The other nodes. A single broker has none.
pub(crate) trait Nodes: Route + RoomsElsewhere {
    /// Returns the stamp up to which everything that concerns a session of this node was put into its outbox, whoever owns it.
    fn cursor(&self) -> u64;

    /// Returns whether this node is cut off from the others: it may not know what they do.
    fn is_cut_off(&self) -> bool;

    /// Says whether every conversation has an owner that can be reached.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: what is missing.
    fn ready(&self) -> Result<(), Refusal>;

    /// Wants to own nothing any more: this node is about to stop.
    fn leave(&self);

    /// Returns how many nodes there are, with this one.
    fn count(&self) -> usize;

    /// Returns the figures of this moment.
    fn sample(&self) -> ClusterSample;

    /// Ends the ways to other nodes.
    fn stop(&self);

    /// Returns a stand-in for a connection of another node; none: that node is gone.
    fn stand_in(&self, far: &FarConnection) -> Option<Arc<Connection>>;

    /// Tells all nodes which sessions a user has at this one.
    /// `logged_out`: the last one said goodbye.
    fn sessions_changed(&self, user: &UserId, connections: &[Arc<Connection>], logged_out: bool);

    /// Sends a frame to everyone online at other nodes whose client knows broadcasts; returns how many sessions there were.
    fn broadcast(&self, text: &ByteString) -> BoxFuture<'static, usize>;

    /// Makes a session that comes in here known at all other nodes, so that they deliver to it. Nobody makes room for it yet: a login
    /// that is refused now has cost no other session anything. `groups` are its user's: whichever node owns one of them by now, whatever
    /// this one knows of that, delivers to the session before this is answered. Answers which nodes have something to give up.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: a node does not answer, and could go on without knowing the session.
    fn arrive(&self, session: FarConnection, groups: Vec<GroupId>) -> BoxFuture<'static, Result<Vec<NodeId>, Refusal>>;

    /// Lets these nodes end what does not stay beside a session that came in, and returns the rooms in which its device had its places.
    /// A node that does not answer is about to close its sessions by itself.
    fn displace(&self, session: FarConnection, nodes: Vec<NodeId>) -> BoxFuture<'static, Vec<RoomId>>;
}
