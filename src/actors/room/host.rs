//! What the host does to a room from outside: makes it, ends it, puts members out. Nobody inside is asked.

use std::collections::BTreeMap;

use actix::prelude::*;
use serde_json::json;

use super::{Movement, Room};
use crate::actors::delivery::batch::{deliver_accepted, news};
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::registry::Held;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::user::PlaceLost;
use crate::model::{Refusal, RoomAttribute, RoomId, RoomInfo, UserId};
use crate::protocol::RoomStart;

/// `roomStateChanged`: the room does not exist any more. Source: spec 2.9, `RoomEvent`.
const ROOM_NOT_EXIST: u8 = 3;
/// The same: put out by the host.
const KICKED_OUT: u8 = 8;

/// Make the room, with nobody inside. Source: spec 6.2, `CreateRoom`.
pub(crate) struct Found {
    pub(crate) info: RoomInfo,
    pub(crate) start: RoomStart,
    pub(crate) reply: Reply<()>,
}

/// End the room, whoever is inside. Source: spec 6.2, `DestroyRoom`.
pub(crate) struct Abolish {
    pub(crate) reply: Reply<()>,
}

/// Put members out. Source: spec 6.2, `KickoutRoomUser`.
pub(crate) struct Expel {
    pub(crate) users: Vec<UserId>,
    /// Told to those who are put out.
    pub(crate) reason: String,
    /// Those who were not inside.
    pub(crate) reply: Reply<Vec<UserId>>,
}

/// What a room is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portrait {
    pub(crate) info: RoomInfo,
    pub(crate) incarnation: u64,
    pub(crate) destroy_delay_seconds: u64,
    pub(crate) members: usize,
    pub(crate) attributes: BTreeMap<String, RoomAttribute>,
    pub(crate) attributes_version: u64,
}

/// What is the room now?
pub(crate) struct About {
    pub(crate) reply: Reply<Portrait>,
}

impl Room {
    fn tell_place_lost(&self, user: UserId, number: u64) {
        let (core, room): (_, RoomId) = (self.core.clone(), self.id().clone());
        actix::spawn(async move { core.users.tell_surely(&core, &user, PlaceLost { room, number }).await });
    }
}

impl Handler<Held<Found>> for Room {
    type Result = ();

    fn handle(&mut self, held: Held<Found>, ctx: &mut Context<Self>) {
        let Found { info, start, reply } = held.open();
        if let Some(refusal) = &self.unreadable {
            return answer(reply, Err(refusal.clone()));
        }
        if self.state.is_some() {
            return answer(reply, Err(Refusal::RoomExists(self.id().to_string())));
        }
        let (owner, stands_seconds) = (self.core.system().id, self.core.config().room.grace_seconds);
        self.create(&owner, info, start, stands_seconds, ctx, |kept, _, _| answer(reply, kept));
    }
}

impl Handler<Held<Abolish>> for Room {
    type Result = ();

    fn handle(&mut self, held: Held<Abolish>, ctx: &mut Context<Self>) {
        let reply = held.open().reply;
        if let Err(refusal) = self.existing() {
            answer(reply, Err(refusal));
            return self.leave_if_unused(ctx);
        }
        // What was said before the end is heard before it.
        deliver_accepted(self);
        let Some(state) = self.state.take() else { return };
        let data = json!({"roomID": self.id(), "state": 0, "event": ROOM_NOT_EXIST, "extendedData": ""});
        announce("roomStateChanged", &data, state.roster().iter());
        for (user, number) in state.places() {
            self.tell_place_lost(user.clone(), number);
        }
        self.movements.clear();
        self.end(&state, Some(reply), ctx);
    }
}

impl Handler<Held<Expel>> for Room {
    type Result = ();

    fn handle(&mut self, held: Held<Expel>, ctx: &mut Context<Self>) {
        let Expel { users, reason, reply } = held.open();
        let now = self.core.clock.elapsed();
        if let Err(refusal) = self.existing() {
            answer(reply, Err(refusal));
            return self.leave_if_unused(ctx);
        }
        deliver_accepted(self);
        let (mut gone, mut missing) = (Vec::new(), Vec::new());
        let data = json!({"roomID": self.id(), "state": 0, "event": KICKED_OUT, "extendedData": reason});
        for user in users {
            match self.state.as_mut().and_then(|state| state.expel(&user, now)) {
                Some((profile, number, link)) => {
                    announce("roomStateChanged", &data, link.iter());
                    self.tell_place_lost(user.clone(), number);
                    self.tell_left(&user, true);
                    self.movements.push((Movement::Left, profile));
                    gone.push(user);
                }
                None => missing.push(user),
            }
        }
        self.attributes_left(&gone);
        news(self, ctx);
        answer(reply, if gone.is_empty() { Err(Refusal::NoneInRoom) } else { Ok(missing) });
        self.end_if_over(ctx);
    }
}

impl Handler<Held<About>> for Room {
    type Result = ();

    fn handle(&mut self, held: Held<About>, ctx: &mut Context<Self>) {
        let portrait = self.existing().map(|state| Portrait {
            info: RoomInfo { id: state.record.id.clone(), name: state.record.name.clone() },
            incarnation: state.record.incarnation,
            destroy_delay_seconds: state.record.destroy_delay_seconds,
            members: state.len(),
            attributes: state.record.attributes.clone(),
            attributes_version: state.attributes_version,
        });
        answer(held.open().reply, portrait);
        self.leave_if_unused(ctx);
    }
}
