//! What actors need of the other nodes, when several brokers work together.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::connection::Connection;
use super::connection::far::FarConnection;
use super::runtime::route::Route;
use crate::model::{Refusal, RoomId};

/// The other nodes. A single broker has none.
pub(crate) trait Nodes: Route {
    /// Returns the stamp up to which everything that concerns a session of this node was put into its outbox, whoever owns it.
    fn cursor(&self) -> u64;

    /// Returns a stand-in for a connection of another node; none: that node is gone.
    fn stand_in(&self, far: &FarConnection) -> Option<Arc<Connection>>;

    /// Tells all nodes of a session that comes in, and waits until all have answered: each has put out its own sessions of that user
    /// that give way to it, and delivers to it from now on. Returns the rooms that its device had its places in.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: not all that live have answered in time.
    fn arrive(&self, session: FarConnection) -> BoxFuture<'static, Result<Vec<RoomId>, Refusal>>;
}
