//! The connections of a conversation, in a form that is quick to loop over and to change.

use crate::actors::connection::ConnectionId;
use std::collections::HashMap;
use std::sync::Arc;

use crate::actors::connection::Connection;

/// A set of connections by number. Insertion and removal do not move more than one other connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionSet {
    connections: Vec<Arc<Connection>>,
    at: HashMap<ConnectionId, usize>,
}

impl ConnectionSet {
    /// Adds a connection; adding it twice changes nothing.
    pub(crate) fn insert(&mut self, connection: Arc<Connection>) {
        if let std::collections::hash_map::Entry::Vacant(slot) = self.at.entry(connection.id) {
            slot.insert(self.connections.len());
            self.connections.push(connection);
        }
    }

    /// Removes a connection, if it is there.
    pub(crate) fn remove(&mut self, connection_id: ConnectionId) {
        let Some(position) = self.at.remove(&connection_id) else { return };
        self.connections.swap_remove(position);
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

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }
}
