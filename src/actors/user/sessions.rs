//! Which sessions of a user make room for a new one: the same rule at every node, over what all of them know.

use actix::prelude::*;

use super::User;
use crate::actors::connection::far::FarConnection;
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{DeviceId, RoomId};

/// A session as the rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: ConnectionId,
    pub(crate) since: u64,
    pub(crate) device: DeviceId,
}

impl Session {
    /// Describes a connection that is logged in.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let identity = connection.identity()?;
        Some(Self { id: connection.id, since: identity.since, device: identity.device.clone() })
    }

    /// Describes a connection of another node.
    pub(crate) fn of_far(far: &FarConnection) -> Self {
        Self { id: far.id, since: far.since, device: far.device.clone() }
    }
}

/// Returns the sessions that stay when one comes in beside others: of each device the newest, and so many in all, the newest. Of two
/// that come in at the same time at different nodes each node keeps the same one, in whatever order it hears of them.
pub(crate) fn staying(mut sessions: Vec<Session>, devices_max: usize) -> Vec<Session> {
    sessions.sort_by_key(|session| std::cmp::Reverse((session.since, session.id)));
    let mut staying: Vec<Session> = Vec::new();
    for session in sessions {
        if staying.len() < devices_max && staying.iter().all(|newer| newer.device != session.device) {
            staying.push(session);
        }
    }
    staying
}

/// Says that a session comes in at another node: those that do not stay give way. Answers the rooms in which its device had its
/// places.
pub(crate) struct Displace {
    pub(crate) newcomer: FarConnection,
    pub(crate) reply: Reply<Vec<RoomId>>,
}

impl User {
    /// Returns all sessions of the user, at whatever node.
    fn all_sessions(&self) -> Vec<Session> {
        let known = self.context.presence.connections(&self.id);
        let far = known.iter().flat_map(|connections| connections.iter()).filter(|connection| connection.node().is_some());
        let here = self.sessions.iter().map(|at| &at.connection);
        here.chain(far).filter_map(|connection| Session::of(connection)).collect()
    }

    /// Returns what puts a new session behind all others of the user that this node knows of.
    pub(super) fn next_since(&self) -> u64 {
        let newest = self.all_sessions().iter().map(|session| session.since).max().unwrap_or(0);
        self.context.ids.next().max(newest + 1)
    }

    /// Ends the sessions of this node that do not stay beside a new one. One of another device gives up its places.
    pub(super) fn make_room(&mut self, newcomer: &Session, ctx: &mut Context<Self>) {
        let mut sessions = self.all_sessions();
        sessions.push(newcomer.clone());
        let staying = staying(sessions, self.context.config().users.devices_per_user_max);
        let goes = |at: &super::SessionSlot| staying.iter().all(|session| session.id != at.connection.id);
        while let Some(position) = self.sessions.iter().position(goes) {
            let gone = self.replace_session(position);
            if gone.device != newcomer.device {
                self.give_up_places(gone.connection.id, ctx);
            }
        }
    }

    /// Forgets what only sessions need, when no session of this node is left.
    pub(super) fn forget_if_gone(&mut self) {
        if self.sessions.is_empty() {
            self.list = None;
            self.context.statuses.unfollow(&self.id, self.following.iter().map(|(user, _)| user));
        }
    }

    /// Returns the device of a session of this node.
    pub(super) fn device_of(&self, connection_id: ConnectionId) -> Option<DeviceId> {
        self.sessions.iter().find(|at| at.connection.id == connection_id).map(|at| at.device.clone())
    }
}

impl Handler<Leased<Displace>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<Displace>, ctx: &mut Context<Self>) {
        let Displace { newcomer, reply } = leased.open();
        let newcomer = Session::of_far(&newcomer);
        self.make_room(&newcomer, ctx);
        let taken_over: Vec<RoomId> =
            self.places.iter().filter(|(_, place)| place.device == newcomer.device).map(|(room, _)| room.clone()).collect();
        self.places.retain(|_, place| place.device != newcomer.device);
        self.publish_presence(false, ctx);
        self.forget_if_gone();
        answer(reply, Ok(taken_over));
        self.leave_if_unused(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, device: &str) -> Session {
        Session { id: ConnectionId(id), since: id, device: DeviceId::trusted(device) }
    }

    fn ids(sessions: Vec<Session>, devices_max: usize) -> Vec<u64> {
        staying(sessions, devices_max).into_iter().map(|session| session.id.0).collect()
    }

    #[test]
    fn the_newest_stay_and_one_of_each_device() {
        let sessions = || vec![session(1, "a"), session(2, "b"), session(3, "c"), session(4, "b")];
        assert_eq!(ids(sessions(), 1), [4]);
        assert_eq!(ids(sessions(), 2), [4, 3]);
        assert_eq!(ids(sessions(), 3), [4, 3, 1]);
        assert_eq!(ids(sessions(), 9), [4, 3, 1], "the older one of a device goes in any case");
        assert_eq!(ids(Vec::new(), 1), [0; 0]);
    }

    #[test]
    fn the_order_in_which_they_are_heard_of_does_not_matter() {
        let mut sessions = vec![session(7, "a"), session(5, "b"), session(6, "c"), session(9, "a")];
        let first = ids(sessions.clone(), 2);
        sessions.reverse();
        assert_eq!(first, ids(sessions, 2));
    }
}
