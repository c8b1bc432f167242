//! What the host does to a room from outside: makes it, ends it, puts members out. Nobody inside is asked.

use std::collections::BTreeMap;

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::Room;
use super::lifetime::Maker;
use super::messages::PlaceLost;
use crate::actors::connection::ConnectionId;
use crate::actors::delivery::batch::{deliver_accepted, schedule};
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Refusal, RoomAttribute, RoomInfo, UserId};
use crate::protocol::RoomStart;
use crate::protocol::event::room::{Movement, RoomStateChanged};

/// Makes the room, with nobody inside. Source: ZIM server API reference, `CreateRoom`.
#[derive(Serialize, Deserialize)]
pub(crate) struct CreateByHost {
    pub(crate) info: RoomInfo,
    pub(crate) start: RoomStart,
    /// In whose name; in the server's, if in nobody's.
    #[serde(default)]
    pub(crate) by: Option<UserId>,
    #[serde(skip)]
    pub(crate) reply: Reply<()>,
}

/// Ends the room, whoever is inside. Source: ZIM server API reference, `DestroyRoom`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Destroy {
    #[serde(skip)]
    pub(crate) reply: Reply<()>,
}

/// Puts members out. Source: ZIM server API reference, `KickoutRoomUser`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kick {
    pub(crate) users: Vec<UserId>,
    /// The reason told to those who are put out.
    pub(crate) reason: String,
    /// Those who were not inside.
    #[serde(skip)]
    pub(crate) reply: Reply<Vec<UserId>>,
}

/// A room as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomSnapshot {
    pub(crate) info: RoomInfo,
    pub(crate) incarnation: u64,
    pub(crate) destroy_delay_seconds: u64,
    pub(crate) members: usize,
    pub(crate) attributes: BTreeMap<String, RoomAttribute>,
    pub(crate) attributes_version: u64,
}

/// Asks what the room is now.
#[derive(Serialize, Deserialize)]
pub(crate) struct DescribeRoom {
    #[serde(skip)]
    pub(crate) reply: Reply<RoomSnapshot>,
}

commands! {
    CreateByHost => (),
    Destroy => (),
    Kick => Vec<UserId>,
    DescribeRoom => RoomSnapshot,
}

impl Room {
    /// Tells a user's actor that the room gave up its place.
    pub(super) fn tell_place_lost(&self, user: UserId, connection_id: ConnectionId) {
        let lost = PlaceLost { room: self.id().clone(), connection_id };
        if let Some(holders) = self.place_holders.upgrade() {
            actix::spawn(holders.place_lost(user, lost));
        }
    }
}

impl Handler<Leased<CreateByHost>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<CreateByHost>, ctx: &mut Context<Self>) {
        let CreateByHost { info, start, by, reply } = leased.open();
        if let Some(refusal) = &self.unreadable {
            return answer(reply, Err(refusal.clone()));
        }
        if self.state.is_some() {
            return answer(reply, Err(Refusal::RoomExists(self.id().to_string())));
        }
        self.create(Maker::Host(by), info, start, ctx, |kept, _, _| answer(reply, kept));
    }
}

impl Handler<Leased<Destroy>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Destroy>, ctx: &mut Context<Self>) {
        let reply = leased.open().reply;
        if let Err(refusal) = self.existing() {
            answer(reply, Err(refusal));
            return self.leave_if_unused(ctx);
        }
        // What was said before the end is heard before it.
        deliver_accepted(self);
        let Some(state) = self.state.take() else { return };
        announce(&RoomStateChanged::destroyed(self.id()), state.connections().iter());
        for (user, connection_id) in state.places() {
            self.tell_place_lost(user.clone(), connection_id);
        }
        self.movements.clear();
        let by = self.context.system().id;
        self.end(&state, Some(by), Some(reply), ctx);
    }
}

impl Handler<Leased<Kick>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Kick>, ctx: &mut Context<Self>) {
        let Kick { users, reason, reply } = leased.open();
        let now = self.context.clock.elapsed();
        if let Err(refusal) = self.existing() {
            answer(reply, Err(refusal));
            return self.leave_if_unused(ctx);
        }
        deliver_accepted(self);
        let (mut gone, mut missing) = (Vec::new(), Vec::new());
        for user in users {
            match self.state.as_mut().and_then(|state| state.expel(&user, now)) {
                Some((profile, connection_id, connection)) => {
                    announce(&RoomStateChanged::kicked(self.id(), &reason), connection.iter());
                    self.tell_place_lost(user.clone(), connection_id);
                    self.tell_left(&user, true);
                    self.movements.push((Movement::Left, profile));
                    gone.push(user);
                }
                None => missing.push(user),
            }
        }
        self.attributes_left(&gone);
        schedule(self, ctx);
        answer(reply, if gone.is_empty() { Err(Refusal::NoneInRoom) } else { Ok(missing) });
        let _is_over = self.end_if_over(ctx);
    }
}

impl Handler<Leased<DescribeRoom>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<DescribeRoom>, ctx: &mut Context<Self>) {
        let portrait = self.existing().map(|state| RoomSnapshot {
            info: RoomInfo { id: state.record.id.clone(), name: state.record.name.clone() },
            incarnation: state.record.incarnation,
            destroy_delay_seconds: state.record.destroy_delay_seconds,
            members: state.len(),
            attributes: state.record.attributes.clone(),
            attributes_version: state.attributes_version,
        });
        answer(leased.open().reply, portrait);
        self.leave_if_unused(ctx);
    }
}
