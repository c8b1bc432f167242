//! The connections of a conversation, in a form that is quick to loop over and to change.

use crate::actors::connection::ConnectionId;
use std::collections::HashMap;
use std::sync::Arc;

use crate::actors::connection::Connection;
use crate::actors::runtime::route::NodeId;

/// A set of connections by number. Insertion and removal do not move more than one other connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionSet {
    connections: Vec<Arc<Connection>>,
    at: HashMap<ConnectionId, usize>,
    /// How many each node has; this one has no number here.
    by_node: HashMap<Option<NodeId>, usize>,
}

impl ConnectionSet {
    /// Adds a connection; adding it twice changes nothing.
    pub(crate) fn insert(&mut self, connection: Arc<Connection>) {
        if let std::collections::hash_map::Entry::Vacant(slot) = self.at.entry(connection.id) {
            slot.insert(self.connections.len());
            *self.by_node.entry(connection.node()).or_default() += 1;
            self.connections.push(connection);
        }
    }

    /// Removes a connection, if it is there.
    pub(crate) fn remove(&mut self, connection_id: ConnectionId) {
        let Some(position) = self.at.remove(&connection_id) else { return };
        let removed = self.connections.swap_remove(position);
        if let Some(count) = self.by_node.get_mut(&removed.node()) {
            *count -= 1;
        }
        self.by_node.retain(|_, count| *count > 0);
        if let Some(moved) = self.connections.get(position) {
            self.at.insert(moved.id, position);
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<Connection>> {
        self.connections.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().len()
    }

    /// Returns how many the node has that has most of them.
    pub(crate) fn most_at_one_node(&self) -> usize {
        self.by_node.values().copied().max().unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }
}
