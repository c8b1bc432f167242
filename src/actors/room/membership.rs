//! How users come into a room, leave it and keep their place, and who is told.

use std::time::Duration;

use actix::prelude::*;

use super::Room;
use super::attributes::tell_attributes;
use super::lifetime::Maker;
use super::messages::{Admit, Disconnected, Entry, Leave, Members, MembersPage, Reconnected, Which};
use super::state::{Entered, RoomState};
use crate::actors::connection::Connection;
use crate::actors::delivery::batch::{deliver_accepted, schedule};
use crate::actors::delivery::fanout::announce;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::answer;
use crate::hooks::Event;
use crate::model::{Refusal, RoomId, RoomInfo, UserId, UserProfile};
use crate::protocol::event::room::{MembersMoved, Movement, RoomStateChanged};

impl Room {
    fn admit(&mut self, admit: Admit, ctx: &mut Context<Self>) {
        deliver_accepted(self);
        let Admit { profile, connection, reply, .. } = admit;
        let Some(connection) = self.context.reach(connection) else { return answer(reply, Err(Refusal::NotLoggedIn)) };
        let members_max = self.context.config().limits.room_members_max;
        let entered = self.existing().and_then(|state| {
            if state.len() >= members_max && !state.contains(&profile.id) {
                return Err(Refusal::RoomFull { members_max });
            }
            let info = RoomInfo { id: state.record.id.clone(), name: state.record.name.clone() };
            Ok((state.enter(profile.clone(), connection.clone()), info))
        });
        match entered {
            Err(refusal) => answer(reply, Err(refusal)),
            Ok((entered, info)) => {
                answer(reply, Ok(info));
                if let Some(state) = self.state.as_ref().filter(|state| !state.record.attributes.is_empty()) {
                    tell_attributes(state, &connection);
                }
                match entered {
                    Entered::Joined => {
                        self.context.tell_host(|| Event::RoomEntered { room: self.id.clone(), user: profile.id.clone() });
                        self.movements.push((Movement::Joined, profile));
                        schedule(self, ctx);
                    }
                    Entered::Back => {}
                    Entered::Replaced(old) => announce(&RoomStateChanged::replaced(&self.id), std::iter::once(&old)),
                }
            }
        }
    }
}

impl Handler<Leased<Admit>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Admit>, ctx: &mut Context<Self>) {
        let admit = leased.open();
        if let Some(refusal) = &self.unreadable {
            return answer(admit.reply, Err(refusal.clone()));
        }
        match (self.state.is_some(), admit.entry.clone()) {
            (true, Entry::Create { .. }) => answer(admit.reply, Err(Refusal::RoomExists(self.id.to_string()))),
            (true, Entry::Enter { .. } | Entry::Join { .. }) => self.admit(admit, ctx),
            (false, Entry::Create { info, start } | Entry::Enter { info, start }) => {
                let maker = Maker::User { id: admit.profile.id.clone(), others: admit.others };
                self.create(maker, info, start, ctx, |kept, room, ctx| match kept {
                    Ok(()) => room.admit(admit, ctx),
                    Err(refusal) => {
                        answer(admit.reply, Err(refusal));
                        room.leave_if_unused(ctx);
                    }
                });
            }
            (false, Entry::Join { .. }) => {
                answer(admit.reply, Err(Refusal::RoomMissing(self.id.to_string())));
                self.leave_if_unused(ctx);
            }
        }
    }
}

impl Handler<Leased<Leave>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Leave>, ctx: &mut Context<Self>) {
        let Leave { user, connection_id, reply } = leased.open();
        let now = self.context.clock.elapsed();
        let not_in_room = Refusal::NotInRoom(self.id.to_string());
        deliver_accepted(self);
        // A room that does not exist is one the caller is not in: the protocol has one code for leaving.
        let left = match self.existing() {
            Ok(state) => state.leave(&user, connection_id, now).ok_or(not_in_room),
            Err(Refusal::RoomMissing(_)) => Err(not_in_room),
            Err(refusal) => Err(refusal),
        };
        match left {
            Ok(profile) => {
                self.attributes_left(std::slice::from_ref(&profile.id));
                self.tell_left(&profile.id, false);
                self.movements.push((Movement::Left, profile));
                schedule(self, ctx);
                answer(reply, Ok(()));
                let _is_over = self.end_if_over(ctx);
            }
            Err(refusal) => {
                answer(reply, Err(refusal));
                self.leave_if_unused(ctx);
            }
        }
    }
}

impl Handler<Leased<Disconnected>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Disconnected>, _: &mut Context<Self>) {
        let until = self.context.clock.elapsed() + Duration::from_secs(self.context.config().room.grace_seconds);
        let Disconnected { user, connection_id } = leased.open();
        if let Some(state) = &mut self.state {
            state.lose(&user, connection_id, until);
        }
    }
}

impl Handler<Leased<Reconnected>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Reconnected>, ctx: &mut Context<Self>) {
        let Reconnected { user, connection } = leased.open();
        let Some(connection) = self.context.reach(connection) else { return };
        deliver_accepted(self);
        let back = self.state.as_mut().and_then(|state| state.come_back(&user, connection.clone()));
        if let (Some(state), Some(true)) = (&self.state, back) {
            tell_attributes(state, &connection);
        }
        if back.is_none() {
            let out = if self.state.is_some() { RoomStateChanged::timed_out(&self.id) } else { RoomStateChanged::destroyed(&self.id) };
            announce(&out, std::iter::once(&connection));
            self.leave_if_unused(ctx);
        }
    }
}

impl Handler<Leased<Members>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Members>, ctx: &mut Context<Self>) {
        let Members { asker, which, reply } = leased.open();
        let page = self.inside(&asker).and_then(|state| {
            let total = state.len();
            match which {
                Which::Page { next, count } => {
                    let (members, next) = state.page(&next, count);
                    Ok(MembersPage { members, missing: Vec::new(), next, total })
                }
                Which::Count => Ok(MembersPage { members: Vec::new(), missing: Vec::new(), next: String::new(), total }),
                Which::Users(users) => {
                    let (found, missing): (Vec<UserId>, Vec<UserId>) = users.into_iter().partition(|user| state.contains(user));
                    if found.is_empty() {
                        return Err(Refusal::NoneInRoom);
                    }
                    let members = found.iter().filter_map(|user| state.member(user).cloned()).collect();
                    Ok(MembersPage { members, missing, next: String::new(), total })
                }
            }
        });
        answer(reply, page);
        self.leave_if_unused(ctx);
    }
}

/// Tells everyone who came or went; those who came hear of the others only.
pub(super) fn announce_members(room: &RoomId, run: &[(Movement, UserProfile)], state: &RoomState) {
    let Some((movement, _)) = run.first() else { return };
    let moved_but = |but: Option<&UserId>| {
        let others = run.iter().map(|(_, profile)| profile).filter(|profile| Some(&profile.id) != but);
        MembersMoved::new(room, *movement, others)
    };
    let moved =
        |connection: &Connection| connection.identity().and_then(|identity| run.iter().find(|(_, profile)| profile.id == identity.user));
    announce(&moved_but(None), state.connections().iter().filter(|connection| moved(connection).is_none()));
    if run.len() > 1 {
        for connection in state.connections().iter() {
            if let Some((_, profile)) = moved(connection) {
                announce(&moved_but(Some(&profile.id)), std::iter::once(connection));
            }
        }
    }
}
