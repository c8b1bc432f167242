//! Who asks for an operation, and where it is handed on: the same for sessions, the host and the server API.

use std::sync::Arc;

use crate::actors::connection::Connection;
use crate::actors::context::BrokerContext;
use crate::actors::conversation::messages::Source;
use crate::actors::registries::Registries;
use crate::model::{UserId, UserProfile};
use crate::protocol::ClientLevel;

/// Who asks, at which connection, and which level the answer is encoded for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) profile: UserProfile,
    pub(crate) source: Source,
    pub(crate) level: ClientLevel,
}

/// Hands one caller's operations to the actors that decide on them.
pub(crate) struct Dispatcher {
    pub(super) actors: Arc<Registries>,
    pub(super) caller: Caller,
}

impl Dispatcher {
    pub(crate) fn new(actors: Arc<Registries>, caller: Caller) -> Self {
        Self { actors, caller }
    }

    pub(super) fn context(&self) -> &Arc<BrokerContext> {
        &self.actors.context
    }

    pub(super) fn user(&self) -> &UserId {
        &self.caller.profile.id
    }

    /// Returns the connection of the caller; none for the host.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        let id = self.caller.source.connection()?;
        let connections = self.context().presence.connections(self.user())?;
        connections.iter().find(|connection| connection.id == id).cloned()
    }
}
