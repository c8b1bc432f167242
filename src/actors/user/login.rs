//! How a session comes in and goes: which session must make room for it, what it missed, and from which commit on it is
//! live.
//!
//! ```text
//! hold the outbox ─► everyone who delivers knows the connection ─► up_to = last commit, live after it ─► read the missed
//!                                                                   release: answer, replay, what came meanwhile ◄┘
//! ```
//! Between knowing the connection and `up_to` nothing stored is delivered to it: all of that is in the replay. The two lines
//! that fix `up_to` run on the actors' thread, where every fan-out runs, so that no message falls between them.

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;

use super::places::RoomPlace;
use super::profile::ProfileCell;
use super::sessions::Session;
use super::{Ended, Login, SessionSlot, User};
use crate::actors::connection::far::{ConnectionRef, FarConnection};
use crate::actors::connection::status::OnlineStatus;
use crate::actors::connection::{Connection, Identity};
use crate::actors::group;
use crate::actors::media::url_token;
use crate::actors::room::{Disconnected, Reconnected};
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::runtime::route::NodeId;
use crate::actors::view::replay;
use crate::actors::view::replay::Wanted;
use crate::actors::view::replay_changes;
use crate::hooks::{Event, SessionEnd};
use crate::model::{GroupId, Refusal, RoomId, UserProfile};
use crate::protocol::result::session::{LoginResult, MediaToken};
use crate::protocol::{CloseCode, encode_reply};
use crate::store::{RowWrite, Store};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A session that comes in, and is not answered yet.
struct Newcomer {
    connection: Arc<Connection>,
    session: Session,
    request: u64,
    resume_from: Option<u64>,
    /// The last commit when it came.
    began: u64,
    /// Whether another session was there when it came, perhaps one whose place it took: then nobody saw the user come
    /// or go.
    was_online: bool,
    profile: UserProfile,
    reply: Reply<ProfileCell>,
}

/// What is known of a session that all other nodes deliver to.
#[derive(Default)]
struct GivingWay {
    /// Nodes that give something up for it.
    nodes: Vec<NodeId>,
    /// The groups of its user, if they were read.
    groups: Option<Vec<GroupId>>,
}

/// A session that has its place.
struct PendingLogin {
    newcomer: Newcomer,
    rooms: Vec<RoomId>,
    /// Those of them in which the device had its place at another node.
    taken_over: Vec<RoomId>,
    /// Whether no other session of the user was there.
    alone: bool,
}

impl User {
    /// Remembers how far the user has read in the store's order, when this was its last session.
    pub(super) fn note_last_seen(&self, ended: &SessionSlot) {
        if self.sessions.is_empty() && self.context.config().history.offline_days > 0 {
            self.context.last_seen.note(&self.id, self.context.session_has(&ended.connection));
        }
    }

    fn admit(&mut self, login: Login, profile: UserProfile, ctx: &mut Context<Self>) {
        let Login { connection, device, level, resume_from, request, reply, .. } = login;
        let since = self.next_since();
        let identity = Identity { user: self.id.clone(), device: device.clone(), level, since, feed: self.feed.clone() };
        if !connection.identify(identity) {
            return answer(reply, Err(Refusal::AlreadyLoggedIn));
        }
        self.context.connections.note_login(&connection);
        match &self.profile {
            Some(cell) => cell.set(profile.clone()),
            None => self.profile = Some(ProfileCell::new(profile.clone())),
        }
        let was_online = self.context.presence.connections(&self.id).is_some();
        let session = Session { id: connection.id, since, device };
        let began = self.context.newest_cursor();
        let newcomer = Newcomer { connection, session, request, resume_from, began, was_online, profile, reply };
        // From here on every actor may deliver to the connection; the answer leaves before that.
        newcomer.connection.outbox.hold();
        let far = FarConnection::of(&newcomer.connection);
        let Some((nodes, far)) = self.context.nodes.clone().zip(far) else { return self.settle(newcomer, GivingWay::default(), ctx) };
        // Everyone who delivers knows it before anyone makes room for it.
        self.context.presence.set(&self.id, self.connections().into_iter().chain([newcomer.connection.clone()]).collect());
        let (archive, id) = (self.context.archive.clone(), self.id.clone());
        let arriving = async move {
            let asked = id.clone();
            let groups = archive.read(move |store| store.groups_of(&asked)).await?;
            let nodes = nodes.arrive(far, groups).await?;
            // Again: the user may have come into one meanwhile.
            let groups = archive.read(move |store| store.groups_of(&id)).await?;
            Ok(GivingWay { nodes, groups: Some(groups) })
        };
        ctx.wait(arriving.into_actor(self).map(move |giving_way, user, ctx| match giving_way {
            Ok(giving_way) => user.settle(newcomer, giving_way, ctx),
            Err(refusal) => user.turn_away(newcomer, refusal, ctx),
        }));
    }

    /// Makes room for a session, gives it the places of its device, and tells everyone who delivers of it.
    fn settle(&mut self, newcomer: Newcomer, giving_way: GivingWay, ctx: &mut Context<Self>) {
        self.make_room(&newcomer.session, ctx);
        let Newcomer { connection, session, resume_from, .. } = &newcomer;
        let mut rooms: Vec<RoomId> = Vec::new();
        for (room, place) in self.places.iter_mut().filter(|(_, place)| place.device == session.device) {
            place.connection_id = connection.id;
            rooms.push(room.clone());
        }
        rooms.sort();
        let alone = self.sessions.is_empty();
        if alone {
            // The host may have looked at the list while nobody told the user anything.
            self.list = None;
        }
        let (began_ms, is_back) = (self.context.clock.wall_ms(), resume_from.is_some());
        self.sessions.push(SessionSlot { connection: connection.clone(), device: session.device.clone(), began_ms, is_back });
        self.context.presence.set(&self.id, self.connections());
        let GivingWay { nodes: giving_way, groups } = giving_way;
        let far = FarConnection::of(&newcomer.connection).filter(|_| !giving_way.is_empty());
        let displacing = self.context.nodes.as_ref().zip(far).map(|(nodes, far)| nodes.displace(far, giving_way));
        let (context, id) = (self.context.clone(), self.id.clone());
        let (running_rooms, running_groups) = (self.rooms.clone(), self.groups.clone());
        let announce = async move {
            let taken_over = match displacing {
                Some(displacing) => displacing.await,
                None => Vec::new(),
            };
            rooms.extend(taken_over.iter().cloned());
            let asked = id.clone();
            let groups = match groups {
                Some(groups) => Ok(groups),
                None => context.archive.read(move |store| store.groups_of(&asked)).await,
            };
            for group in groups.as_deref().unwrap_or_default() {
                running_groups.send_if_running(group, group::MemberPresence { user: id.clone() }).await;
            }
            for room in &rooms {
                let connection = ConnectionRef::Here(newcomer.connection.clone());
                running_rooms.send(room, Reconnected { user: id.clone(), connection }).await;
            }
            (PendingLogin { newcomer, rooms, taken_over, alone }, groups.map(drop))
        };
        ctx.wait(announce.into_actor(self).map(|(pending, groups), user, ctx| user.catch_up(pending, groups, ctx)));
    }

    /// Fixes the commit from which the connection is live, once every actor knows it, and reads what it missed until
    /// there.
    fn catch_up(&mut self, pending: PendingLogin, groups: Result<(), Refusal>, ctx: &mut Context<Self>) {
        let newcomer = &pending.newcomer;
        let (up_to, read_to) = self.context.begin_live(&newcomer.connection);
        for room in pending.taken_over.clone() {
            let (device, connection_id) = (self.device_of(newcomer.connection.id), newcomer.connection.id);
            self.places.extend(device.map(|device| (room, RoomPlace { device, connection_id })));
        }
        let history = &self.context.config().history;
        let now_ms = self.context.clock.wall_ms();
        let (after, since_ms) = match (newcomer.resume_from, groups) {
            (_, Err(refusal)) => {
                tracing::warn!(%refusal, user.id = %self.id, "what a session missed could not be read");
                return self.complete_login(pending, up_to, None, ctx);
            }
            // A cursor of a store that went further than this one.
            (Some(after), _) if after > up_to && self.context.nodes.is_none() => return self.complete_login(pending, up_to, None, ctx),
            (Some(after), _) => (after, 0),
            (None, Ok(())) => match self.context.last_seen.of(&self.id).filter(|_| pending.alone && history.offline_days > 0) {
                Some(left) => (left, now_ms.saturating_sub(u64::from(history.offline_days) * DAY_MS)),
                None => (newcomer.began, 0),
            },
        };
        if after >= read_to {
            return self.complete_login(pending, up_to, Some((up_to, Vec::new())), ctx);
        }
        let wanted = Wanted {
            user: self.id.clone(),
            // A client that comes anew asks a room for its history.
            rooms: newcomer.resume_from.map_or(Vec::new(), |_| pending.rooms.clone()),
            after,
            up_to: read_to,
            since_ms,
            messages_max: history.resume_messages_max,
            bytes_max: self.context.config().shed.outbox_reliable_bytes / 2,
        };
        let (archive, level) = (self.context.archive.clone(), newcomer.connection.level());
        let read = async move {
            let read = move |store: &dyn Store| {
                let missed = replay::read(store, &wanted)?;
                missed.map(|missed| Ok((missed, replay_changes::frames(store, &wanted, level)?))).transpose()
            };
            archive.read(read).await
        };
        ctx.wait(read.into_actor(self).map(move |missed, user, ctx| {
            let missed = missed.unwrap_or_else(|refusal| {
                tracing::warn!(%refusal, user.id = %user.id, "what a session missed could not be read");
                None
            });
            let replay = missed.map(|(missed, changes)| {
                // Changes first: the last frame of the replay carries the cursor that stands for all of it.
                let mut frames = changes;
                frames.extend(replay::frames(&missed, level, up_to));
                (after, frames)
            });
            user.complete_login(pending, up_to, replay, ctx);
        }));
    }

    /// Refuses a login that other nodes did not answer in time: they may not deliver to it.
    fn turn_away(&mut self, newcomer: Newcomer, refusal: Refusal, ctx: &mut Context<Self>) {
        self.sessions.retain(|at| at.connection.id != newcomer.connection.id);
        self.publish_presence(false, ctx);
        answer(newcomer.reply, Err(refusal));
        newcomer.connection.close(CloseCode::Shutdown);
        self.leave_if_unused(ctx);
    }

    /// Answers the login and releases the outbox. `replay` is the commit it begins after, and its frames; none when it
    /// is too much or unknown, and the client must ask for history.
    fn complete_login(&mut self, pending: PendingLogin, up_to: u64, replay: Option<(u64, Vec<ByteString>)>, ctx: &mut Context<Self>) {
        let PendingLogin { newcomer, rooms, .. } = pending;
        let Newcomer { connection, request, profile, reply, resume_from, was_online, .. } = newcomer;
        let resync = replay.is_none();
        let (after, frames) = replay.unwrap_or((up_to, Vec::new()));
        // Until the replay has arrived, the client has no more than what it came with.
        let cursor = if frames.is_empty() { up_to.max(after) } else { after };
        self.context.media.standing.let_in(&self.id);
        let result = LoginResult {
            cursor,
            heartbeat_seconds: connection.heartbeat.as_secs(),
            media_token: MediaToken::new(url_token(&self.context, &self.id, &connection)),
            resync,
            rooms: &rooms,
            server_time: self.context.clock.wall_ms(),
            session_id: &connection.session,
            user_id: &self.id,
            user_name: &profile.name,
        };
        let mut first = vec![encode_reply(request, &result)];
        first.extend(frames);
        let _queued_or_closed = connection.outbox.release(first);
        tracing::debug!(user.id = %self.id, session.id = %connection.session, client.address = connection.client().map(tracing::field::display), devices = self.sessions.len(), resync, "session started");
        if let Some(at) = self.sessions.iter().find(|at| at.connection.id == connection.id) {
            self.context.tell_host_more(|| {
                let event = Event::SessionStarted { user: self.id.clone(), session: connection.session.clone() };
                (event, self.session_details(at, None))
            });
        }
        answer(reply, self.profile.clone().ok_or(Refusal::NotLoggedIn));
        if !was_online {
            self.context.statuses.follow(&self.id, &self.following);
            self.tell_status(OnlineStatus::Online);
        }
        self.open_list(connection, resume_from, ctx);
    }
}

impl Handler<Leased<Login>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<Login>, ctx: &mut Context<Self>) {
        let login = leased.open();
        if let Some(refusal) = &self.unreadable {
            return answer(login.reply, Err(refusal.clone()));
        }
        let known = self.profile.as_ref().map(|cell| (*cell.get()).clone());
        let now_ms = self.context.clock.wall_ms();
        if known.as_ref().and_then(|profile| profile.ban.as_ref()).is_some_and(|ban| ban.holds(now_ms)) {
            return answer(login.reply, Err(Refusal::Banned(self.id.to_string())));
        }
        let profile = match &known {
            None => UserProfile::new(self.id.clone(), login.name.clone()),
            Some(profile) if login.name.is_empty() => profile.clone(),
            Some(profile) => UserProfile { name: login.name.clone(), ..profile.clone() },
        };
        if known.as_ref() == Some(&profile) {
            return self.admit(login, profile, ctx);
        }
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutUser(profile.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| match kept {
            Ok(()) => {
                if known.is_some() {
                    user.tell_peers(profile.clone(), ctx);
                }
                user.admit(login, profile, ctx);
            }
            // A known user may come in with its old name while the disk refuses writes: reads still work.
            Err(refusal) => match known {
                Some(known) => user.admit(login, known, ctx),
                None => answer(login.reply, Err(refusal)),
            },
        }));
    }
}

impl Handler<Leased<Ended>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<Ended>, ctx: &mut Context<Self>) {
        let Ended { connection_id, for_good } = leased.open();
        let Some(position) = self.sessions.iter().position(|at| at.connection.id == connection_id) else { return };
        let at = self.sessions.remove(position);
        self.publish_presence(for_good, ctx);
        self.note_last_seen(&at);
        self.forget_if_gone();
        if self.context.presence.connections(&self.id).is_none() {
            self.tell_status(if for_good { OnlineStatus::Logout } else { OnlineStatus::Offline });
        }
        if for_good {
            self.give_up_places(connection_id, ctx);
        } else {
            let lost: Vec<RoomId> =
                self.places.iter().filter(|(_, place)| place.connection_id == connection_id).map(|(room, _)| room.clone()).collect();
            for room in lost {
                self.tell_room(&room, Disconnected { user: self.id.clone(), connection_id }, ctx);
            }
        }
        tracing::debug!(user.id = %self.id, session.id = %at.connection.session, for_good, "session ended");
        self.tell_ended(&at, if for_good { SessionEnd::LoggedOut } else { SessionEnd::Lost });
        self.leave_if_unused(ctx);
    }
}
