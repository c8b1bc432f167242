//! One user: the sessions of its devices and its places in rooms.
//!
//! Owns who is logged in as this user and which device has its place in which room; writes the shared presence for its
//! user and tells the user's groups. Full mailbox: temporary refusal. Leaves when no session and no place is left. A
//! crash of the process loses sessions, which reconnect, and places, which are taken anew.

pub(crate) mod admin;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod messages;
pub(crate) mod places;
pub(crate) mod profile;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod status;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use self::list::ConversationList;
pub(crate) use self::messages::{Ended, EnterRoom, LeaveAllRooms, LeaveRoom, ListOperation, Login, QueryUsers};
use self::places::RoomPlace;
use self::profile::ProfileCell;
use crate::actors::connection::Connection;
use crate::actors::connection::feed::ConversationFeed;
use crate::actors::context::BrokerContext;
use crate::actors::group::{self, Group};
use crate::actors::room::Room;
use crate::actors::runtime::registry::{ActorRegistry, Leased, Registered, Registration};
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::route::Home;
use crate::hooks::{Event, EventDetails, SessionDetails, SessionEnd};
use crate::model::{DeviceId, Refusal, RoomId, UserId};
use crate::protocol::CloseCode;

/// The window of the user query quota. Source: ZIM API reference, "queryUsersInfo".
const QUERY_WINDOW: Duration = Duration::from_secs(10);

struct SessionSlot {
    connection: Arc<Connection>,
    device: DeviceId,
    /// When it began, Unix milliseconds.
    began_ms: u64,
    /// Whether it goes on where an earlier one stopped.
    is_back: bool,
}

pub(crate) struct User {
    context: Arc<BrokerContext>,
    id: UserId,
    registration: Registration<Self>,
    rooms: Arc<ActorRegistry<Room>>,
    groups: Arc<ActorRegistry<Group>>,
    profile: Option<ProfileCell>,
    /// The users whose presence this user follows, and until when each, Unix milliseconds.
    following: Vec<(UserId, u64)>,
    /// The sessions, oldest first.
    sessions: Vec<SessionSlot>,
    places: HashMap<RoomId, RoomPlace>,
    entering: usize,
    /// How many messages to rooms and groups are not sent yet.
    telling: usize,
    queries: VecDeque<(Duration, usize)>,
    unreadable: Option<Refusal>,
    /// The queue in which conversations tell this user what happened.
    feed: Arc<ConversationFeed>,
    /// Its list of conversations; none without a session, or when it could not be read.
    list: Option<ConversationList>,
    flush_scheduled: bool,
    /// Whether a search is under way.
    searching: bool,
    /// Whether anything was asked since the last check for idleness: its answer may still be on its way. Only the host
    /// asks a user without a session.
    asked: bool,
}

/// What a user's actor needs from outside.
#[derive(Debug, Clone)]
pub(crate) struct UserServices {
    pub(crate) context: Arc<BrokerContext>,
    pub(crate) rooms: Arc<ActorRegistry<Room>>,
    pub(crate) groups: Arc<ActorRegistry<Group>>,
}

impl Registered for User {
    type Key = UserId;
    const KIND: &'static str = "user";
    type Services = UserServices;

    fn home(id: &UserId) -> Home {
        Home::User(id.clone())
    }

    fn mailbox_max(UserServices { context, .. }: &UserServices) -> usize {
        context.config().actors.user_mailbox
    }

    fn new(UserServices { context, rooms, groups }: UserServices, id: UserId, registration: Registration<Self>) -> Self {
        Self {
            feed: Arc::new(ConversationFeed::new(context.config().actors.user_notices_max)),
            list: None,
            flush_scheduled: false,
            searching: false,
            asked: false,
            context,
            id,
            registration,
            rooms,
            groups,
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
        if unused && self.registration.leave(&self.id) {
            ctx.stop();
        }
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        self.sessions.iter().map(|at| at.connection.clone()).collect()
    }

    /// Makes the sessions of this node known here, and at all others.
    fn set_presence(&self, logged_out: bool) {
        let connections = self.connections();
        if let Some(nodes) = &self.context.nodes {
            nodes.sessions_changed(&self.id, &connections, logged_out);
        }
        self.context.presence.set(&self.id, connections);
    }

    /// Makes the list of sessions known to all who deliver to this user.
    fn publish_presence(&mut self, logged_out: bool, ctx: &mut Context<Self>) {
        self.set_presence(logged_out);
        let (context, running_groups, id) = (self.context.clone(), self.groups.clone(), self.id.clone());
        let tell_groups = async move {
            let asked = id.clone();
            match context.archive.read(move |store| store.groups_of(&asked)).await {
                Ok(groups) => {
                    for group in groups {
                        running_groups.send_if_running(&group, group::MemberPresence { user: id.clone() }).await;
                    }
                }
                Err(refusal) => tracing::warn!(%refusal, "groups of a user could not be read, they do not know its sessions"),
            }
        };
        self.tell(tell_groups, ctx);
    }

    /// Ends a session whose place another takes.
    fn replace_session(&mut self, position: usize) -> SessionSlot {
        let at = self.sessions.remove(position);
        at.connection.close(CloseCode::Kicked);
        self.context.media.standing.put_out_session(&at.connection.session, self.context.clock.wall_ms());
        self.note_last_seen(&at);
        self.tell_ended(&at, SessionEnd::Replaced);
        at
    }

    /// Tells the host that a session ended.
    fn tell_ended(&self, at: &SessionSlot, end: SessionEnd) {
        self.context.tell_host_more(|| {
            let event = Event::SessionEnded { user: self.id.clone(), session: at.connection.session.clone() };
            (event, self.session_details(at, Some(end)))
        });
    }

    fn session_details(&self, at: &SessionSlot, end: Option<SessionEnd>) -> EventDetails {
        let name = self.profile.as_ref().map(|cell| cell.get().name.clone()).unwrap_or_default();
        EventDetails::Session(SessionDetails { name, began_ms: at.began_ms, is_back: at.is_back, end })
    }

    /// Runs `telling` to its end, which keeps the actor from leaving: what an actor has spawned ends with it.
    fn tell(&mut self, telling: impl Future<Output = ()> + 'static, ctx: &mut Context<Self>) {
        self.telling += 1;
        ctx.spawn(telling.into_actor(self).map(|(), user, ctx| {
            user.telling -= 1;
            user.leave_if_unused(ctx);
        }));
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
            let found = archive.read(move |store| Ok(users.iter().cloned().zip(store.users(&users)?).collect())).await;
            answer(reply, found);
        };
        ctx.spawn(look_up.into_actor(self));
    }
}

/// Returns whether a query of `count` users is within the quota, given the queries of the last ten seconds; counts it
/// if so.
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
