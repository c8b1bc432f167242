//! How a room begins, rests while nobody is inside, and ends.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::prelude::*;

use super::Room;
use super::messages::Wake;
use super::state::RoomState;
use crate::actors::context::BrokerContext;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::hooks::{Event, EventDetails};
use crate::model::{Refusal, RoomAttribute, RoomInfo, UserId};
use crate::protocol::RoomStart;
use crate::store::{RoomRecord, RowWrite};

impl Room {
    pub(super) fn empty(&self, record: RoomRecord, until: Duration) -> RoomState {
        RoomState::empty(record, until, self.context.places.clone(), self.context.standing.clone())
    }

    /// Stops when nobody is inside: the row says the rest.
    pub(super) fn leave_if_unused(&mut self, ctx: &mut Context<Self>) {
        let is_at_rest = self.state.as_ref().is_none_or(|state| state.is_empty() && !state.is_unsaved && !state.awaits_an_owner());
        if is_at_rest && self.movements.is_empty() && self.pipeline.is_idle() && self.registration.leave(&self.id) {
            ctx.stop();
        }
    }

    /// Writes what members were given into the row of a room that nobody is inside, so that its actor may stop.
    pub(super) fn save_at_rest(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.state.as_mut().filter(|state| state.is_empty() && state.is_unsaved) else { return };
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutRoom(state.row_at_rest()));
        let save = async move { archive.apply(vec![row]).await };
        ctx.wait(save.into_actor(self).map(|saved, room, ctx| match saved {
            Ok(()) => {
                if let Some(state) = &mut room.state {
                    state.is_unsaved = false;
                }
                room.leave_if_unused(ctx);
            }
            Err(refusal) => tracing::debug!(room.id = %room.id, %refusal, "a room could not be put to rest yet"),
        }));
    }

    /// Ends the room if it has stood empty long enough; returns whether it has.
    pub(super) fn end_if_over(&mut self, ctx: &mut Context<Self>) -> bool {
        let now = self.context.clock.elapsed();
        let Some(state) = self.state.take_if(|state| state.is_over(now)) else { return false };
        self.end(&state, None, None, ctx);
        true
    }

    /// Ends a room that was taken out of this actor, and deletes its history. `by`: who ends it; none, when it is over.
    pub(super) fn end(&mut self, state: &RoomState, by: Option<UserId>, told: Option<Reply<()>>, ctx: &mut Context<Self>) {
        let users: Vec<UserId> = state.places().map(|(user, _)| user.clone()).collect();
        self.context.standing.take(&self.id);
        // In this order: a removal once begun is finished after a crash, a row without messages is looked after at the
        // next start. Only the row is waited for: deleting a long history must not keep the next room of this name.
        let forgotten = self.context.archive.forget(state.conversation());
        let (archive, id) = (self.context.archive.clone(), self.id.clone());
        let remove = async move { archive.apply(vec![RowWrite::DeleteRoom(id)]).await };
        ctx.wait(remove.into_actor(self).map(move |removed, room, ctx| {
            match &removed {
                Ok(()) => {
                    tracing::debug!(room.id = %room.id, "room destroyed");
                    room.context.tell_host_more(|| (Event::RoomDestroyed(room.id.clone()), EventDetails::RoomDestroyed { by, users }));
                }
                Err(refusal) => tracing::warn!(room.id = %room.id, %refusal, "room could not be removed from the store"),
            }
            if let Some(told) = told {
                answer(told, removed);
            }
            room.leave_if_unused(ctx);
        }));
        let id = self.id.clone();
        actix::spawn(async move {
            if let Err(refusal) = forgotten.await {
                tracing::warn!(room.id = %id, %refusal, "a room's history could not be deleted yet");
            }
        });
    }

    /// Keeps a new room, empty; it stands for its delay, or as long as its maker says.
    pub(super) fn create(
        &mut self,
        maker: Maker,
        info: RoomInfo,
        start: RoomStart,
        ctx: &mut Context<Self>,
        then: impl FnOnce(Result<(), Refusal>, &mut Self, &mut Context<Self>) + 'static,
    ) {
        let RoomStart { destroy_delay_seconds, attributes, until_left } = start;
        let until = self.context.clock.elapsed() + Duration::from_secs(destroy_delay_seconds.max(maker.stands_seconds(&self.context)));
        if let Err(refusal) = maker.may_make(&self.context) {
            return then(Err(refusal), self, ctx);
        }
        let (owner, made_by) = maker.into_owner(&self.context);
        let by = owner.clone();
        let own = |key: String, value: String| {
            let until_left = until_left.contains(&key);
            (key, RoomAttribute { value, owner: owner.clone(), until_left })
        };
        let record = RoomRecord {
            id: info.id,
            incarnation: self.context.ids.next(),
            name: info.name,
            destroy_delay_seconds,
            attributes: attributes.into_iter().map(|(key, value)| own(key, value)).collect(),
            made_by,
            members_attributes: BTreeMap::new(),
        };
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutRoom(record.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, room, ctx| match kept {
            Ok(()) => {
                tracing::debug!(room.id = %room.id, "room created");
                room.context.tell_host_more(|| {
                    let (name, attributes) = (record.name.clone(), record.attributes.clone());
                    (Event::RoomCreated(room.id.clone()), EventDetails::RoomCreated { by, name, attributes })
                });
                room.state = Some(room.empty(record, until));
                then(Ok(()), room, ctx);
            }
            Err(refusal) => {
                then(Err(refusal), room, ctx);
                room.leave_if_unused(ctx);
            }
        }));
    }
}

/// Who makes a room.
pub(super) enum Maker {
    /// A user, who is inside so many other rooms, or about to be.
    User { id: UserId, others: usize },
    /// The host, in a user's name or its own: nobody needs to be inside at once.
    Host(Option<UserId>),
}

impl Maker {
    /// Returns how long the room stands empty at least, seconds, though nobody came in yet.
    fn stands_seconds(&self, context: &BrokerContext) -> u64 {
        if matches!(self, Self::Host(_)) { context.config().room.grace_seconds } else { 0 }
    }

    /// Refuses a user who has as many rooms as it may.
    fn may_make(&self, context: &BrokerContext) -> Result<(), Refusal> {
        let Self::User { id, others } = self else { return Ok(()) };
        let rooms_max = context.config().limits.rooms_per_user_max;
        if context.standing.may_make(id, *others, rooms_max) { Ok(()) } else { Err(Refusal::TooManyRooms { rooms_max }) }
    }

    /// Returns who owns the first attributes, and whom the room counts for.
    fn into_owner(self, context: &BrokerContext) -> (UserId, Option<UserId>) {
        match self {
            Self::User { id, .. } => (id.clone(), Some(id)),
            Self::Host(by) => (by.unwrap_or_else(|| context.system().id), None),
        }
    }
}

impl Handler<Leased<Wake>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Wake>, ctx: &mut Context<Self>) {
        let Wake = leased.open();
        if self.state.is_none() && self.unreadable.is_none() {
            self.context.standing.take(&self.id);
        }
        if !self.end_if_over(ctx) {
            self.leave_if_unused(ctx);
        }
    }
}
