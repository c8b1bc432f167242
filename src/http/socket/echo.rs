//! A WebSocket that says back what it hears, for tests of the socket code alone: Autobahn's cases, and the suite itself.
//!
//! All of a connection is as it is with a session, from the guard to the shard; only the session is another. Text only, as
//! there. No part of the interface.

use std::sync::Arc;

use actix::prelude::*;

use super::inbound::Receiver;
use crate::actors::connection::feed::ConversationFeed;
use crate::actors::connection::{Connection, Identity};
use crate::actors::registries::Registries;
use crate::actors::session::{Gone, Inbound};
use crate::model::{DeviceId, UserId};
use crate::protocol::ClientLevel;

/// The path it is at.
pub(super) const PATH: &str = "/echo";

pub(super) struct Echo {
    actors: Arc<Registries>,
    connection: Arc<Connection>,
}

impl Receiver for Echo {
    fn start_for(actors: Arc<Registries>, connection: Arc<Connection>) -> Addr<Self> {
        // As if it had logged in, so that it may send what a session may.
        let identity = Identity {
            user: UserId::trusted("echo"),
            device: DeviceId::trusted("echo"),
            level: ClientLevel::Since2_15,
            since: 1,
            feed: Arc::new(ConversationFeed::new(1)),
        };
        if connection.identify(identity) {
            actors.context.connections.note_login(&connection);
        }
        Self { actors, connection }.start()
    }
}

impl Actor for Echo {
    type Context = Context<Self>;
}

impl Handler<Inbound> for Echo {
    type Result = ();

    fn handle(&mut self, inbound: Inbound, _: &mut Context<Self>) {
        let _queued_or_closed = self.connection.outbox.push(inbound.frame);
    }
}

impl Handler<Gone> for Echo {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Context<Self>) {
        self.actors.context.end_connection(&self.connection);
        ctx.stop();
    }
}
