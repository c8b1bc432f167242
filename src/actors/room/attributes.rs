//! How the attributes of a room and of its members change and are queried.
//!
//! A room's own attributes are part of its row: what members agreed on outlives a restart, except for attributes that
//! last only while the member who set them is inside. Members' attributes are part of it only while the room stands empty,
//! because members are not inside after a restart.

use std::sync::Arc;

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::Room;
use super::rules::{change_attributes, without};
use super::state::RoomState;
use crate::actors::connection::Connection;
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{AttributeTerms, Attributes, Refusal, RoomChange, UserId};
use crate::protocol::event::room::{RoomAttributesUpdated, RoomMemberAttributesUpdated};
use crate::protocol::result::room::{RoomAttributes, RoomAttributesChanged, RoomMembersAttributesSet};
use crate::store::{RoomRecord, RowWrite};

/// Changes the room's attributes for a member.
#[derive(Serialize, Deserialize)]
pub(crate) struct ChangeAttributes {
    pub(crate) by: UserId,
    pub(crate) changes: Vec<RoomChange>,
    pub(crate) terms: AttributeTerms,
    /// Whether it was one batch, which the event says.
    pub(crate) batch: bool,
    #[serde(skip)]
    pub(crate) reply: Reply<RoomAttributesChanged>,
}

/// Gives members attributes in the name of a member.
#[derive(Serialize, Deserialize)]
pub(crate) struct SetMemberAttributes {
    pub(crate) by: UserId,
    pub(crate) users: Vec<UserId>,
    pub(crate) attributes: Attributes,
    /// Whether the attributes go when the member who has them leaves.
    pub(crate) until_left: bool,
    #[serde(skip)]
    pub(crate) reply: Reply<RoomMembersAttributesSet>,
}

/// Asks for attributes; only a member may.
#[derive(Serialize, Deserialize)]
pub(crate) struct QueryAttributes {
    pub(crate) asker: UserId,
    pub(crate) what: Whose,
    #[serde(skip)]
    pub(crate) reply: Reply<RoomAttributes>,
}

/// Whose attributes are asked for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Whose {
    Room,
    Members(Vec<UserId>),
    Page { next: String, count: usize },
}

commands! {
    ChangeAttributes => RoomAttributesChanged,
    SetMemberAttributes => RoomMembersAttributesSet,
    QueryAttributes => RoomAttributes,
}

/// Tells a member that came in, or came back after a change, all attributes. Source: ZIM API reference, event
/// `roomAttributesUpdated`.
pub(super) fn tell_attributes(state: &RoomState, connection: &Arc<Connection>) {
    let id = &state.record.id;
    announce(&RoomAttributesUpdated::snapshot(id, &state.attributes()), std::iter::once(connection));
    let (members, _) = state.members_attributes.page("", usize::MAX);
    if !members.is_empty() {
        announce(&RoomMemberAttributesUpdated::snapshot(id, members.into_iter()), std::iter::once(connection));
    }
}

impl RoomState {
    /// Returns the room's own attributes, as members see them.
    fn attributes(&self) -> Attributes {
        self.record.attributes.iter().map(|(key, attribute)| (key.clone(), attribute.value.clone())).collect()
    }
}

impl Room {
    /// Drops the attributes that were to last as long as these users are inside, and tells the members.
    pub(super) fn attributes_left(&mut self, gone: &[UserId]) {
        let Some(state) = self.state_mut() else { return };
        gone.iter().for_each(|user| state.members_attributes.left(user));
        if let Some(update) = without(&mut state.record.attributes, gone) {
            state.attributes_version += 1;
            let gone = std::iter::once((update.deleted, &update.attributes));
            announce(&RoomAttributesUpdated::new(&state.record.id, gone, false), state.connections().iter());
        }
    }
}

impl Handler<Leased<ChangeAttributes>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<ChangeAttributes>, ctx: &mut Context<Self>) {
        let ChangeAttributes { by, changes, terms, batch, reply } = leased.open();
        let limits = self.context.config().limits.clone();
        let agreed = self.inside(&by).and_then(|state| {
            let agreed = change_attributes(&state.record.attributes, &by, &changes, terms, &limits)?;
            Ok((RoomRecord { attributes: agreed.attributes.clone(), ..state.record.clone() }, agreed))
        });
        let (record, agreed) = match agreed {
            Ok(agreed) => agreed,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_unused(ctx);
            }
        };
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutRoom(record));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, room, _| {
            if let Some(state) = room.state_mut().filter(|_| kept.is_ok()) {
                state.record.attributes = agreed.attributes;
                state.is_unsaved |= !state.members_attributes.to_keep().is_empty();
                state.attributes_version += 1;
                let updates = agreed.updates.iter().map(|update| (update.deleted, &update.attributes));
                announce(&RoomAttributesUpdated::new(&state.record.id, updates, batch), state.connections().iter());
            }
            let room_id = room.id().clone();
            answer(reply, kept.map(|()| RoomAttributesChanged { error_keys: agreed.error_keys, room_id }));
        }));
    }
}

impl Handler<Leased<SetMemberAttributes>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<SetMemberAttributes>, ctx: &mut Context<Self>) {
        let SetMemberAttributes { by, users, attributes, until_left, reply } = leased.open();
        let limits = self.context.config().limits.clone();
        let described = self.inside(&by).and_then(|state| {
            let (inside, outside): (Vec<UserId>, Vec<UserId>) = users.into_iter().partition(|user| state.contains(user));
            if inside.is_empty() {
                return Err(Refusal::NoneInRoom);
            }
            state.members_attributes.set(&inside, &attributes, until_left, &limits)?;
            state.is_unsaved = true;
            state.attributes_version += 1;
            let told = inside.iter().map(|user| (user.clone(), state.members_attributes.of(user)));
            announce(&RoomMemberAttributesUpdated::new(&state.record.id, &by, told), state.connections().iter());
            Ok(RoomMembersAttributesSet::new(state.record.id.clone(), &inside, &attributes, outside))
        });
        answer(reply, described);
        self.leave_if_unused(ctx);
    }
}

impl Handler<Leased<QueryAttributes>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<QueryAttributes>, ctx: &mut Context<Self>) {
        let QueryAttributes { asker, what, reply } = leased.open();
        let found = self.inside(&asker).map(|state| {
            let room_id = state.record.id.clone();
            match what {
                Whose::Room => RoomAttributes::Room { room_attributes: state.attributes(), room_id },
                Whose::Members(users) => {
                    let inside = users.into_iter().filter(|user| state.contains(user));
                    let infos = inside.map(|user| {
                        let attributes = state.members_attributes.of(&user);
                        (user, attributes)
                    });
                    RoomAttributes::of_members(room_id, infos, None)
                }
                Whose::Page { next, count } => {
                    let (page, next) = state.members_attributes.page(&next, count);
                    RoomAttributes::of_members(room_id, page.into_iter(), Some(next))
                }
            }
        });
        answer(reply, found);
        self.leave_if_unused(ctx);
    }
}
