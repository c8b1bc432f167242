//! The registries of the actors that live under a key. The only file that names all four of them.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::connection::presence::one_per_node;
use super::context::BrokerContext;
use super::conversation::messages::Authorize;
use super::conversation::peer::{self, Peer};
use super::group::Group;
use super::room::{PlaceHolders, PlaceLost, Room, RoomServices};
use super::runtime::command::Command;
use super::runtime::registry::{ActorRegistry, Leased};
use super::runtime::reply::{Asked, answer, ask};
use super::runtime::route::Place;
use super::user::{User, UserServices};
use crate::model::{Conversation, Refusal, Target, UserId};

/// Where the actors of one broker are found.
#[derive(Debug)]
pub(crate) struct Registries {
    pub(crate) context: Arc<BrokerContext>,
    pub(crate) peers: ActorRegistry<Peer>,
    pub(crate) rooms: Arc<ActorRegistry<Room>>,
    pub(crate) groups: Arc<ActorRegistry<Group>>,
    pub(crate) users: Arc<ActorRegistry<User>>,
}

impl Registries {
    /// Starts actors on the context's arbiter as they are needed.
    pub(crate) fn new(context: Arc<BrokerContext>) -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| {
            let arbiter = || context.arbiter.clone();
            let route = || context.route.clone();
            let place_holders: Weak<dyn PlaceHolders> = this.clone();
            let rooms = Arc::new(ActorRegistry::new(RoomServices { context: context.clone(), place_holders }, arbiter(), route()));
            let groups = Arc::new(ActorRegistry::new(context.clone(), arbiter(), route()));
            let services = UserServices { context: context.clone(), rooms: rooms.clone(), groups: groups.clone() };
            Self {
                peers: ActorRegistry::new(context.clone(), arbiter(), route()),
                users: Arc::new(ActorRegistry::new(services, arbiter(), route())),
                rooms,
                groups,
                context: context.clone(),
            }
        })
    }

    /// Hands a message to the conversation that `user` means by `target`.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when its mailbox is full.
    pub(crate) fn send_to<M>(&self, user: &UserId, target: &Target, message: M) -> Result<(), Refusal>
    where
        Peer: Handler<Leased<M>, Result = ()>,
        Room: Handler<Leased<M>, Result = ()>,
        Group: Handler<Leased<M>, Result = ()>,
        M: Command,
    {
        match target {
            Target::Peer(other) => self.peers.try_send(&peer::key(user, other), message),
            Target::Room(room) => self.rooms.try_send(room, message),
            Target::Group(group) => self.groups.try_send(group, message),
        }
    }

    /// Returns where a user has sessions; without any it is here.
    pub(crate) fn places_of(&self, user: &UserId) -> Vec<Place> {
        let Some(connections) = self.context.presence.connections(user) else { return vec![Place::Here] };
        one_per_node(&connections).map(|connection| connection.node().map_or(Place::Here, Place::There)).collect()
    }

    /// Asks whether a user may read, and from which message on. One's own peer conversations need nobody's word.
    pub(crate) fn authorize(&self, target: &Target, user: &UserId) -> Asked<(Conversation, u64)> {
        ask(|reply| match target {
            Target::Peer(other) => {
                answer(reply, Ok((Conversation::peer(user, other), 1)));
                Ok(())
            }
            Target::Room(room) => self.rooms.try_send(room, Authorize { user: user.clone(), reply }),
            Target::Group(group) => self.groups.try_send(group, Authorize { user: user.clone(), reply }),
        })
    }
}

impl PlaceHolders for Registries {
    fn place_lost(&self, user: UserId, lost: PlaceLost) -> BoxFuture<'static, ()> {
        self.users.send(&user, lost).boxed()
    }
}
