//! One user: the sessions of its devices and its places in rooms.
//!
//! Owns who is logged in as this user and which device holds which room; writes the shared presence for its user
//! and tells the user's groups. Full mailbox: temporary refusal. Leaves when no session and no place is left.
//! A crash of the process loses sessions, which reconnect, and places, which are taken anew.

pub(crate) mod admin;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod profile;
pub(crate) mod search;

use crate::actors::connection::ConnectionId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use self::list::ConversationList;
use self::profile::ProfileCell;
use crate::actors::connection::Connection;
use crate::actors::connection::feed::ConversationFeed;
use crate::actors::context::BrokerContext;
use crate::actors::group;
use crate::actors::room::{Admit, Disconnected, Entry, Leave};
use crate::actors::runtime::registry::{Leased, Leases, Registered};
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::hooks::Event;
use crate::model::{DeviceId, Refusal, RoomId, RoomInfo, UserId, UserProfile};
use crate::protocol::{ClientLevel, CloseCode};

/// The window of the user query quota. Source: spec limits table, queryUsersInfo.
const QUERY_WINDOW: Duration = Duration::from_secs(10);

/// A connection proved to be this user.
pub(crate) struct Login {
    pub(crate) connection: Arc<Connection>,
    pub(crate) device: DeviceId,
    pub(crate) level: ClientLevel,
    /// Empty: keep the stored one.
    pub(crate) name: String,
    /// The client has everything up to this commit.
    pub(crate) resume_from: Option<u64>,
    /// The request to answer, before anything is delivered.
    pub(crate) request: u64,
    pub(crate) reply: Reply<ProfileCell>,
}

/// A session is over.
pub(crate) struct Ended {
    pub(crate) connection_id: ConnectionId,
    /// The client said goodbye: places are given up at once.
    pub(crate) for_good: bool,
}

/// A session wants into a room.
pub(crate) struct EnterRoom {
    pub(crate) connection_id: ConnectionId,
    pub(crate) entry: Entry,
    /// Given up for it, once inside.
    pub(crate) instead_of: Option<RoomId>,
    pub(crate) reply: Reply<RoomInfo>,
}

/// A session wants out of every room it is in.
pub(crate) struct LeaveAllRooms {
    pub(crate) connection_id: ConnectionId,
    pub(crate) reply: Reply<Vec<RoomId>>,
}

/// A session wants out of a room.
pub(crate) struct LeaveRoom {
    pub(crate) connection_id: ConnectionId,
    pub(crate) room: RoomId,
    pub(crate) reply: Reply<()>,
}

/// A room gave up the place of a session that stayed away.
pub(crate) struct PlaceLost {
    pub(crate) room: RoomId,
    pub(crate) connection_id: ConnectionId,
}

/// A user wants to know about others.
pub(crate) struct QueryUsers {
    pub(crate) users: Vec<UserId>,
    pub(crate) reply: Reply<Vec<(UserId, Option<UserProfile>)>>,
}

struct RoomPlace {
    device: DeviceId,
    connection_id: ConnectionId,
}

struct SessionSlot {
    connection: Arc<Connection>,
    device: DeviceId,
}

pub(crate) struct User {
    context: Arc<BrokerContext>,
    id: UserId,
    leases: Leases,
    profile: Option<ProfileCell>,
    /// Whose comings and goings it hears of, and until when each, Unix milliseconds.
    following: Vec<(UserId, u64)>,
    /// Oldest first.
    sessions: Vec<SessionSlot>,
    places: HashMap<RoomId, RoomPlace>,
    entering: usize,
    /// Messages to rooms and groups that are not sent yet.
    telling: usize,
    queries: VecDeque<(Duration, usize)>,
    unreadable: Option<Refusal>,
    /// What conversations tell this user.
    feed: Arc<ConversationFeed>,
    /// Its list of conversations; none without a session, or when it could not be read.
    list: Option<ConversationList>,
    flush_scheduled: bool,
    /// A search is under way.
    searching: bool,
    /// Something was asked since the last look at whether it is needed: perhaps its answer is on the way yet. Who has no
    /// session is asked by the host only.
    asked: bool,
}

impl Registered for User {
    type Key = UserId;
    const KIND: &'static str = "user";

    fn mailbox_max(context: &BrokerContext) -> usize {
        context.config().actors.user_mailbox
    }

    fn new(context: Arc<BrokerContext>, id: UserId, leases: Leases) -> Self {
        Self {
            feed: Arc::new(ConversationFeed::new(context.config().actors.user_notices_max)),
            list: None,
            flush_scheduled: false,
            searching: false,
            asked: false,
            context,
            id,
            leases,
            profile: None,
            following: Vec::new(),
            sessions: Vec::new(),
            places: HashMap::new(),
            entering: 0,
            telling: 0,
            queries: VecDeque::new(),
            unreadable: None,
        }
    }
}

impl Actor for User {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, 1);
        self.listen(ctx);
        ctx.run_interval(self.context.idle(), |user, ctx| {
            if !std::mem::take(&mut user.asked) {
                user.leave_if_unused(ctx);
            }
        });
        let (archive, id) = (self.context.archive.clone(), self.id.clone());
        let load = async move { archive.read(move |store| Ok((store.user(&id)?, store.following(&id)?))).await };
        ctx.wait(load.into_actor(self).map(|found, user, _| match found {
            Ok((profile, following)) => {
                user.profile = profile.map(ProfileCell::new);
                user.following = following;
            }
            Err(refusal) => user.unreadable = Some(refusal),
        }));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, -1);
    }
}

impl User {
    fn leave_if_unused(&mut self, ctx: &mut Context<Self>) {
        let unused = !self.asked && self.sessions.is_empty() && self.places.is_empty() && self.entering == 0 && self.telling == 0;
        if unused && self.context.users.leave(&self.id, &self.leases) {
            ctx.stop();
        }
    }

    fn set_presence(&self) {
        self.context.presence.set(&self.id, self.sessions.iter().map(|at| at.connection.clone()).collect());
    }

    /// Makes the list of sessions known to everyone who delivers to this user.
    fn publish_presence(&mut self, ctx: &mut Context<Self>) {
        self.set_presence();
        let (context, id) = (self.context.clone(), self.id.clone());
        let tell_groups = async move {
            let asked = id.clone();
            match context.archive.read(move |store| store.groups_of(&asked)).await {
                Ok(groups) => {
                    for group in groups {
                        context.groups.send_if_running(&group, group::Presence { user: id.clone() }).await;
                    }
                }
                Err(refusal) => tracing::warn!(%refusal, "groups of a user could not be read, they do not know its sessions"),
            }
        };
        self.tell(tell_groups, ctx);
    }

    /// Ends a session that another takes the place of.
    fn replace_session(&mut self, position: usize) -> SessionSlot {
        let at = self.sessions.remove(position);
        at.connection.close(CloseCode::Kicked);
        let session = at.connection.session.clone();
        self.context.tell_host(|| Event::SessionEnded { user: self.id.clone(), session });
        at
    }

    fn give_up_places(&mut self, connection_id: ConnectionId, ctx: &mut Context<Self>) {
        let given_up: Vec<RoomId> =
            self.places.iter().filter(|(_, place)| place.connection_id == connection_id).map(|(room, _)| room.clone()).collect();
        for room in given_up {
            self.places.remove(&room);
            self.tell_room(room, Leave { user: self.id.clone(), connection_id, reply: None }, ctx);
        }
    }

    fn tell_room<M>(&mut self, room: RoomId, message: M, ctx: &mut Context<Self>)
    where
        crate::actors::room::Room: Handler<Leased<M>, Result = ()>,
        M: Send + 'static,
    {
        let context = self.context.clone();
        self.tell(async move { context.rooms.send(&context, &room, message).await }, ctx);
    }

    /// Carries on until it is told: what an actor has spawned ends with it.
    fn tell(&mut self, telling: impl Future<Output = ()> + 'static, ctx: &mut Context<Self>) {
        self.telling += 1;
        ctx.spawn(telling.into_actor(self).map(|(), user, ctx| {
            user.telling -= 1;
            user.leave_if_unused(ctx);
        }));
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
            && self.places.get(from).is_none_or(|place| place.connection_id != connection_id)
        {
            return answer(reply, Err(Refusal::NotInRoom(from.to_string())));
        }
        let rooms_max = self.context.config().limits.rooms_per_user_max;
        let places = self.places.len() + self.entering - usize::from(instead_of.is_some());
        if !self.places.contains_key(&room) && places >= rooms_max {
            return answer(reply, Err(Refusal::TooManyRooms { rooms_max }));
        }
        let (admitted, outcome) = oneshot::channel();
        if let Err(refusal) = self.context.rooms.tell(&self.context, &room, Admit { profile, connection, entry, reply: admitted }) {
            return answer(reply, Err(refusal));
        }
        self.entering += 1;
        ctx.spawn(answered(outcome).into_actor(self).map(move |outcome, user, ctx| {
            user.entering -= 1;
            if outcome.is_ok() {
                user.places.insert(room.clone(), RoomPlace { device, connection_id });
                if let Some(from) =
                    instead_of.filter(|from| user.places.get(from).is_some_and(|place| place.connection_id == connection_id))
                {
                    user.places.remove(&from);
                    user.tell_room(from, Leave { user: user.id.clone(), connection_id, reply: None }, ctx);
                }
                if !user.sessions.iter().any(|at| at.connection.id == connection_id) {
                    // The session ended while it entered: as if it had been inside and was lost.
                    user.tell_room(room, Disconnected { user: user.id.clone(), connection_id }, ctx);
                }
            }
            answer(reply, outcome);
        }));
    }
}

impl Handler<Leased<LeaveRoom>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<LeaveRoom>, ctx: &mut Context<Self>) {
        let LeaveRoom { connection_id, room, reply } = leased.open();
        let (left, outcome) = oneshot::channel();
        let leave = Leave { user: self.id.clone(), connection_id, reply: Some(left) };
        if let Err(refusal) = self.context.rooms.tell(&self.context, &room, leave) {
            return answer(reply, Err(refusal));
        }
        ctx.spawn(answered(outcome).into_actor(self).map(move |outcome, user, _| {
            if outcome.is_ok() && user.places.get(&room).is_some_and(|place| place.connection_id == connection_id) {
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
        let (context, user) = (self.context.clone(), self.id.clone());
        // Answered when every room has let go: who comes in again at once must not be sent out by a late farewell.
        let leave = async move {
            let mut left = Vec::new();
            for room in rooms {
                let (reply, outcome) = oneshot::channel();
                context.rooms.send(&context, &room, Leave { user: user.clone(), connection_id, reply: Some(reply) }).await;
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
        if self.places.get(&room).is_some_and(|place| place.connection_id == connection_id) {
            self.places.remove(&room);
        }
        self.leave_if_unused(ctx);
    }
}

impl Handler<Leased<QueryUsers>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<QueryUsers>, ctx: &mut Context<Self>) {
        self.asked = true;
        let QueryUsers { users, reply } = leased.open();
        let now = self.context.clock.elapsed();
        if let Err(refusal) = admit_query(&mut self.queries, now, users.len(), self.context.config().limits.user_query_max) {
            return answer(reply, Err(refusal));
        }
        let archive = self.context.archive.clone();
        let look_up = async move {
            let found = archive.read(move |store| users.into_iter().map(|user| Ok((user.clone(), store.user(&user)?))).collect()).await;
            answer(reply, found);
        };
        ctx.spawn(look_up.into_actor(self));
    }
}

/// Whether so many users may be asked for now, given what was asked in the last ten seconds.
fn admit_query(queries: &mut VecDeque<(Duration, usize)>, now: Duration, count: usize, max: usize) -> Result<(), Refusal> {
    while queries.front().is_some_and(|(at, _)| *at + QUERY_WINDOW <= now) {
        queries.pop_front();
    }
    let asked: usize = queries.iter().map(|(_, count)| count).sum();
    if asked + count > max {
        let reason = format!("{asked} users were asked for in the last 10 s and {count} now, the limit is {max}");
        return Err(Refusal::UserQueryLimit(reason));
    }
    queries.push_back((now, count));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_users_in_ten_seconds_and_not_eleven() {
        let mut queries = VecDeque::new();
        let at = Duration::from_millis;
        assert!(admit_query(&mut queries, at(0), 6, 10).is_ok());
        assert!(admit_query(&mut queries, at(5_000), 4, 10).is_ok());
        assert!(matches!(admit_query(&mut queries, at(9_999), 1, 10), Err(Refusal::UserQueryLimit(_))));
        assert!(admit_query(&mut queries, at(10_000), 6, 10).is_ok());
        assert!(admit_query(&mut queries, at(10_000), 1, 10).is_err());
    }
}
