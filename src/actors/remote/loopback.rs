//! One broker whose actors say everything to each other as if another node were between them: encoded, carried, decoded. For tests.

use std::sync::{Arc, OnceLock, Weak};

use super::orders;
use crate::actors::registries::Registries;
use crate::actors::runtime::command::{decode, encode};
use crate::actors::runtime::route::{Carried, Home, NodeId, Order, Place, Route};
use crate::model::Refusal;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Loopback {
    actors: OnceLock<Weak<Registries>>,
}

impl Loopback {
    /// Says where the actors are that everything is carried to.
    pub(crate) fn lead_to(&self, actors: &Arc<Registries>) {
        let _only_once = self.actors.set(Arc::downgrade(actors));
    }
}

impl Route for Loopback {
    fn place(&self, _: &Home) -> Place {
        Place::There(NodeId(0))
    }

    fn park(&self, home: &Home, order: Order, done: Carried) -> Result<(), Refusal> {
        self.carry(NodeId(0), home, order, done)
    }

    fn carry(&self, _: NodeId, _: &Home, order: Order, done: Carried) -> Result<(), Refusal> {
        let actors = self.actors.get().and_then(Weak::upgrade).ok_or(Refusal::Busy("the broker is shutting down"))?;
        let order: Order = decode(&encode(&order))?;
        orders::carry_out(&actors, order, done);
        Ok(())
    }
}
