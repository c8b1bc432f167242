//! How a room goes from one node to another: its row tells what lasts, its members' own nodes tell who is inside.

use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::Room;
use super::attributes::tell_attributes;
use crate::actors::connection::ConnectionId;
use crate::actors::connection::far::ConnectionRef;
use crate::actors::conversation::handover::{self, NodeLost, Redeliver, Retire};
use crate::actors::delivery::batch::Item;
use crate::actors::delivery::fanout::{Audience, announce, fan_out};
use crate::actors::delivery::written::Written;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::registry::Leased;
use crate::model::{UserId, UserProfile};
use crate::protocol::event::room::RoomStateChanged;
use crate::store::RowWrite;

/// How long what is delivered again is kept for members that tell the new owner later that they are inside.
const AGAIN_FOR: Duration = Duration::from_secs(30);

/// Says to a room's new owner that a user is inside.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rejoin {
    pub(crate) profile: UserProfile,
    /// The connection that has the place; none: it is lost, and the place is kept for a while.
    pub(crate) connection: Option<ConnectionRef>,
    pub(crate) connection_id: ConnectionId,
}

commands!(Rejoin);

/// What the last owner may not have delivered, for members that come later; until when it is kept.
#[derive(Debug)]
pub(super) struct Again {
    items: Vec<Item>,
    until: Duration,
}

impl Room {
    fn grace(&self) -> Duration {
        self.context.clock.elapsed() + Duration::from_secs(self.context.config().room.grace_seconds)
    }

    /// Drops what was kept to be delivered again, once its time is over.
    pub(super) fn forget_again(&mut self) {
        let now = self.context.clock.elapsed();
        self.again.take_if(|again| again.until <= now);
    }
}

impl Handler<Leased<Rejoin>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Rejoin>, ctx: &mut Context<Self>) {
        let Rejoin { profile, connection, connection_id } = leased.open();
        let connection = connection.and_then(|connection| self.context.reach(connection));
        let (user, until) = (profile.id.clone(), self.grace());
        let Some(state) = &mut self.state else {
            if let Some(connection) = &connection {
                announce(&RoomStateChanged::destroyed(self.id()), std::iter::once(connection));
            }
            self.tell_place_lost(user, connection_id);
            return self.leave_if_unused(ctx);
        };
        let missed = state.rejoin(profile, connection.clone(), connection_id, until);
        if let (Some(connection), true) = (&connection, missed) {
            tell_attributes(state, connection);
        }
        if let (Some(connection), Some(again)) = (&connection, &self.again) {
            let (batch, _) = Written::begin();
            fan_out(&self.context, &again.items, &Audience::of_all(std::iter::once(connection)), &batch);
        }
    }
}

impl Handler<Leased<NodeLost>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<NodeLost>, _: &mut Context<Self>) {
        let (node, until) = (leased.open().node, self.grace());
        let Some(state) = &mut self.state else { return };
        let there: Vec<(UserId, ConnectionId)> = state
            .connections()
            .iter()
            .filter(|connection| connection.node() == Some(node))
            .filter_map(|connection| Some((connection.identity()?.user.clone(), connection.id)))
            .collect();
        for (user, connection_id) in there {
            state.lose(&user, connection_id, until);
        }
    }
}

impl Handler<Leased<Redeliver>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Redeliver>, ctx: &mut Context<Self>) {
        let until = self.context.clock.elapsed() + AGAIN_FOR;
        handover::redeliver(self, leased.open(), ctx, move |room, items| {
            let kept = room.again.get_or_insert_with(|| Again { items: Vec::new(), until });
            kept.items.extend(items.iter().map(|item| Item::again(item.live.clone(), item.commit)));
            kept.until = until;
        });
    }
}

impl Handler<Leased<Retire>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Retire>, ctx: &mut Context<Self>) {
        let reply = leased.open().reply;
        let Some(state) = self.state.as_ref().filter(|state| state.is_unsaved) else { return handover::retire(self, reply, ctx) };
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutRoom(state.row_at_rest()));
        let save = async move { archive.apply(vec![row]).await };
        ctx.wait(save.into_actor(self).map(move |saved, room, ctx| {
            if let Err(refusal) = saved {
                tracing::warn!(room.id = %room.id(), %refusal, "what members were given could not be handed over");
            }
            if let Some(state) = &mut room.state {
                state.is_unsaved = false;
            }
            handover::retire(room, reply, ctx);
        }));
    }
}
