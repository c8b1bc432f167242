//! The places of a user in rooms: which device has which, and how places come and go.

use std::collections::HashSet;
use std::sync::Arc;

use actix::prelude::*;

use super::User;
use super::messages::{EnterRoom, LeaveAllRooms, LeaveRoom};
use crate::actors::connection::ConnectionId;
use crate::actors::connection::far::ConnectionRef;
use crate::actors::room::{Admit, Disconnected, Leave, PlaceLost, Rejoin, Room};
use crate::actors::runtime::command::Command;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::actors::runtime::route::Place;
use crate::model::{DeviceId, Refusal, RoomId};
use crate::store::SharedShards;

/// Which device has a place, and at which connection.
pub(super) struct RoomPlace {
    pub(super) device: DeviceId,
    pub(super) connection_id: ConnectionId,
}

impl User {
    fn is_in(&self, room: &RoomId, connection_id: ConnectionId) -> bool {
        self.places.get(room).is_some_and(|place| place.connection_id == connection_id)
    }

    /// Notes that a room has let a session of this user in.
    fn entered(&mut self, room: RoomId, place: RoomPlace, instead_of: Option<RoomId>, ctx: &mut Context<Self>) {
        let connection_id = place.connection_id;
        self.places.insert(room.clone(), place);
        if let Some(from) = instead_of.filter(|from| self.is_in(from, connection_id)) {
            self.places.remove(&from);
            self.tell_room(&from, Leave { user: self.id.clone(), connection_id, reply: Reply::default() }, ctx);
        }
        if !self.sessions.iter().any(|at| at.connection.id == connection_id) {
            // The session ended while it entered: the room is told as if it had been inside and was lost.
            self.tell_room(&room, Disconnected { user: self.id.clone(), connection_id }, ctx);
        }
    }

    pub(super) fn give_up_places(&mut self, connection_id: ConnectionId, ctx: &mut Context<Self>) {
        let given_up: Vec<RoomId> =
            self.places.iter().filter(|(_, place)| place.connection_id == connection_id).map(|(room, _)| room.clone()).collect();
        for room in given_up {
            self.places.remove(&room);
            self.tell_room(&room, Leave { user: self.id.clone(), connection_id, reply: Reply::default() }, ctx);
        }
    }

    /// Tells a room something that it must hear, before it hears what is said to it by whoever learns of this later.
    pub(super) fn tell_room<M>(&mut self, room: &RoomId, message: M, ctx: &mut Context<Self>)
    where
        Room: Handler<Leased<M>, Result = ()>,
        M: Command,
    {
        let told = self.rooms.send(room, message);
        self.tell(told, ctx);
    }
}

impl Handler<Leased<EnterRoom>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<EnterRoom>, ctx: &mut Context<Self>) {
        let EnterRoom { connection_id, entry, instead_of, reply } = leased.open();
        let at = self.sessions.iter().find(|at| at.connection.id == connection_id).map(|at| (at.connection.clone(), at.device.clone()));
        let (Some((connection, device)), Some(profile)) = (at, self.profile.as_ref().map(|cell| (*cell.get()).clone())) else {
            return answer(reply, Err(Refusal::NotLoggedIn));
        };
        let room = entry.room().clone();
        if let Some(from) = &instead_of
            && !self.is_in(from, connection_id)
        {
            return answer(reply, Err(Refusal::NotInRoom(from.to_string())));
        }
        let rooms_max = self.context.config().limits.rooms_per_user_max;
        let places = self.places.len() + self.entering - usize::from(instead_of.is_some());
        let others = places.saturating_sub(usize::from(self.places.contains_key(&room)));
        if !self.places.contains_key(&room) && places >= rooms_max {
            return answer(reply, Err(Refusal::TooManyRooms { rooms_max }));
        }
        let (admitted, outcome) = Reply::channel();
        if let Err(refusal) =
            self.rooms.try_send(&room, Admit { profile, connection: ConnectionRef::Here(connection), entry, others, reply: admitted })
        {
            return answer(reply, Err(refusal));
        }
        self.entering += 1;
        ctx.spawn(answered(outcome).into_actor(self).map(move |outcome, user, ctx| {
            user.entering -= 1;
            if outcome.is_ok() {
                user.entered(room, RoomPlace { device, connection_id }, instead_of, ctx);
            }
            answer(reply, outcome);
        }));
    }
}

/// Says that shards have a new owner, which is told of the user's places in their rooms.
pub(crate) struct PlacesMoved {
    pub(crate) shards: Arc<HashSet<u16>>,
    pub(crate) of: Arc<dyn SharedShards>,
    /// Where the new owner is.
    pub(crate) owner: Place,
}

impl Handler<Leased<PlacesMoved>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<PlacesMoved>, _: &mut Context<Self>) {
        let PlacesMoved { shards, of, owner } = leased.open();
        let Some(profile) = self.profile.as_ref().map(|cell| (*cell.get()).clone()) else { return };
        let is_moved = |room: &RoomId| shards.contains(&of.shard_of_room(room));
        let moved: Vec<(RoomId, ConnectionId)> =
            self.places.iter().filter(|(room, _)| is_moved(room)).map(|(room, place)| (room.clone(), place.connection_id)).collect();
        for (room, connection_id) in moved {
            let at = self.sessions.iter().find(|at| at.connection.id == connection_id);
            let connection = at.map(|at| ConnectionRef::Here(at.connection.clone()));
            let rejoin = Rejoin { profile: profile.clone(), connection, connection_id };
            if let Err(refusal) = self.rooms.try_send_at(owner, &room, rejoin) {
                tracing::warn!(user.id = %self.id, room.id = %room, %refusal, "a room's new owner was not told who is inside");
            }
        }
    }
}

impl Handler<Leased<LeaveRoom>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<LeaveRoom>, ctx: &mut Context<Self>) {
        let LeaveRoom { connection_id, room, reply } = leased.open();
        let (left, outcome) = Reply::channel();
        let leave = Leave { user: self.id.clone(), connection_id, reply: left };
        if let Err(refusal) = self.rooms.try_send(&room, leave) {
            return answer(reply, Err(refusal));
        }
        ctx.spawn(answered(outcome).into_actor(self).map(move |outcome, user, _| {
            if outcome.is_ok() && user.is_in(&room, connection_id) {
                user.places.remove(&room);
            }
            answer(reply, outcome);
        }));
    }
}

impl Handler<Leased<LeaveAllRooms>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<LeaveAllRooms>, ctx: &mut Context<Self>) {
        let LeaveAllRooms { connection_id, reply } = leased.open();
        let mine = self.places.iter().filter(|(_, place)| place.connection_id == connection_id);
        let rooms: Vec<RoomId> = mine.map(|(room, _)| room.clone()).collect();
        let (registry, user) = (self.rooms.clone(), self.id.clone());
        // Answered when every room has let go, so that a late farewell cannot put out a user who comes in again at
        // once.
        let leave = async move {
            let mut left = Vec::new();
            for room in rooms {
                let (reply, outcome) = Reply::channel();
                registry.send(&room, Leave { user: user.clone(), connection_id, reply }).await;
                if answered(outcome).await.is_ok() {
                    left.push(room);
                }
            }
            left
        };
        ctx.spawn(leave.into_actor(self).map(move |left, user, _| {
            user.places.retain(|room, place| place.connection_id != connection_id || !left.contains(room));
            answer(reply, Ok(left));
        }));
    }
}

impl Handler<Leased<PlaceLost>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<PlaceLost>, ctx: &mut Context<Self>) {
        let PlaceLost { room, connection_id } = leased.open();
        if self.is_in(&room, connection_id) {
            self.places.remove(&room);
        }
        self.leave_if_unused(ctx);
    }
}
