//! How a room's attributes and those of its members change and are asked for.
//!
//! A room's own are part of its row: what members agreed on outlives a restart, but for what was to last as long as
//! its owner is inside. Members' are not kept: members are not inside after a restart.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::{Value, json};

use super::Room;
use super::rules::{Update, change_attributes, without};
use super::state::RoomState;
use crate::actors::connection::Connection;
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{AttributeTerms, Attributes, Refusal, RoomChange, UserId};
use crate::store::{RoomRecord, RowWrite};

/// A member changes the room's attributes; the answer is the result object.
pub(crate) struct ChangeAttributes {
    pub(crate) by: UserId,
    pub(crate) changes: Vec<RoomChange>,
    pub(crate) terms: AttributeTerms,
    /// Told as one event of its own kind.
    pub(crate) batch: bool,
    pub(crate) reply: Reply<Value>,
}

/// A member gives members attributes.
pub(crate) struct SetMemberAttributes {
    pub(crate) by: UserId,
    pub(crate) users: Vec<UserId>,
    pub(crate) attributes: Attributes,
    /// They go when their member does.
    pub(crate) until_left: bool,
    pub(crate) reply: Reply<Value>,
}

/// What is agreed on? Asked by a member.
pub(crate) struct QueryAttributes {
    pub(crate) asker: UserId,
    pub(crate) what: Whose,
    pub(crate) reply: Reply<Value>,
}

/// Whose attributes are asked for.
pub(crate) enum Whose {
    Room,
    Members(Vec<UserId>),
    Page { next: String, count: usize },
}

fn infos(updates: &[Update]) -> Value {
    updates.iter().map(|update| json!({"action": u8::from(update.deleted), "roomAttributes": update.attributes})).collect()
}

fn of_member(user: &UserId, attributes: &Attributes) -> Value {
    json!({"userID": user, "attributes": attributes})
}

/// Tells whoever comes in, or back after a change, how things stand. Source: spec 3.12, room life cycle.
pub(super) fn tell_attributes(state: &RoomState, connection: &Arc<Connection>) {
    let id = &state.record.id;
    let data = json!({"roomID": id, "infos": [{"action": 0, "roomAttributes": state.attributes()}], "isSnapshot": true});
    announce("roomAttributesUpdated", &data, std::iter::once(connection));
    let (members, _) = state.members_attributes.page("", usize::MAX);
    if !members.is_empty() {
        let infos: Vec<Value> = members.iter().map(|(user, attributes)| json!({"attributesInfo": of_member(user, attributes)})).collect();
        let data = json!({"roomID": id, "infos": infos, "operatedInfo": {"userID": ""}, "isSnapshot": true});
        announce("roomMemberAttributesUpdated", &data, std::iter::once(connection));
    }
}

impl RoomState {
    /// The room's own, as members see them.
    fn attributes(&self) -> Attributes {
        self.record.attributes.iter().map(|(key, attribute)| (key.clone(), attribute.value.clone())).collect()
    }
}

impl Room {
    /// What was to last as long as these users are inside is over.
    pub(super) fn attributes_left(&mut self, gone: &[UserId]) {
        let Some(state) = self.state_mut() else { return };
        gone.iter().for_each(|user| state.members_attributes.left(user));
        if let Some(update) = without(&mut state.record.attributes, gone) {
            state.attributes_version += 1;
            let data = json!({"roomID": state.record.id, "infos": infos(&[update])});
            announce("roomAttributesUpdated", &data, state.connections().iter());
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
                state.attributes_version += 1;
                let event = if batch { "roomAttributesBatchUpdated" } else { "roomAttributesUpdated" };
                let data = json!({"roomID": state.record.id, "infos": infos(&agreed.updates)});
                announce(event, &data, state.connections().iter());
            }
            let id = room.id().to_string();
            answer(reply, kept.map(|()| json!({"roomID": id, "errorKeys": agreed.error_keys})));
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
            state.attributes_version += 1;
            let told: Vec<Value> =
                inside.iter().map(|user| json!({"attributesInfo": of_member(user, &state.members_attributes.of(user))})).collect();
            let data = json!({"roomID": state.record.id, "infos": told, "operatedInfo": {"userID": by}});
            announce("roomMemberAttributesUpdated", &data, state.connections().iter());
            let done: Vec<Value> =
                inside.iter().map(|user| json!({"attributesInfo": of_member(user, &attributes), "errorKeys": []})).collect();
            Ok(json!({"roomID": state.record.id, "infos": done, "errorUserList": outside}))
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
            let id = &state.record.id;
            match what {
                Whose::Room => json!({"roomID": id, "roomAttributes": state.attributes()}),
                Whose::Members(users) => {
                    let inside = users.iter().filter(|user| state.contains(user));
                    let infos: Vec<Value> = inside.map(|user| of_member(user, &state.members_attributes.of(user))).collect();
                    json!({"roomID": id, "infos": infos})
                }
                Whose::Page { next, count } => {
                    let (page, next) = state.members_attributes.page(&next, count);
                    let infos: Vec<Value> = page.iter().map(|(user, attributes)| of_member(user, attributes)).collect();
                    json!({"roomID": id, "infos": infos, "nextFlag": next})
                }
            }
        });
        answer(reply, found);
        self.leave_if_unused(ctx);
    }
}
