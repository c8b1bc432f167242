//! What actors need of the other nodes, when several brokers work together.

use std::sync::Arc;

use bytestring::ByteString;
use futures_util::future::BoxFuture;

use super::connection::Connection;
use super::connection::far::FarConnection;
use super::places::RoomsElsewhere;
use super::runtime::route::Route;
use crate::metrics::ClusterSample;
use crate::model::{Refusal, RoomId, UserId};

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

    /// Tells all nodes of a session that comes in, and waits until all have answered: each has put out its own sessions of that user
    /// that give way to it, and delivers to it from now on. Returns the rooms that its device had its places in.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: not all that live have answered in time.
    fn arrive(&self, session: FarConnection) -> BoxFuture<'static, Result<Vec<RoomId>, Refusal>>;
}
