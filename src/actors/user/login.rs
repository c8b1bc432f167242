//! How a session comes in and goes: who must make room for it, what it missed, and from where on it hears live.
//!
//! ```text
//! hold the outbox ─► everyone who delivers knows the link ─► up_to = last commit, live after it ─► read the missed
//!                                                                   release: answer, replay, what came meanwhile ◄┘
//! ```
//! Between knowing the link and `up_to` nothing stored is delivered to it: all of that is in the replay. The two lines
//! that fix `up_to` run on the actors' thread, where every fan-out runs, so that no message falls between them.

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;
use serde_json::json;

use super::profile::ProfileCell;
use super::{At, Ended, Login, User};
use crate::actors::connection::status::OnlineStatus;
use crate::actors::connection::{Identity, Link};
use crate::actors::group;
use crate::actors::media::url_token;
use crate::actors::room::{Back, Lost};
use crate::actors::runtime::registry::Held;
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::view::replay;
use crate::actors::view::replay::Wanted;
use crate::actors::view::replay_changes;
use crate::hooks::Event;
use crate::model::{Refusal, RoomId, UserProfile};
use crate::protocol::encode_reply;
use crate::store::{RowWrite, Store};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A session on its way in.
struct Arrival {
    link: Arc<Link>,
    request: u64,
    resume_from: Option<u64>,
    rooms: Vec<RoomId>,
    /// The last commit when it came.
    began: u64,
    /// No other session of the user was there.
    alone: bool,
    profile: UserProfile,
    reply: Reply<ProfileCell>,
}

impl User {
    fn admit(&mut self, login: Login, profile: UserProfile, ctx: &mut Context<Self>) {
        let Login { link, device, variant, resume_from, request, reply, .. } = login;
        if !link.identify(Identity { user: self.id.clone(), device: device.clone(), variant, notices: self.notices.clone() }) {
            return answer(reply, Err(Refusal::AlreadyLoggedIn));
        }
        self.core.links.note_login();
        match &self.profile {
            Some(cell) => cell.set(profile.clone()),
            None => self.profile = Some(ProfileCell::new(profile.clone())),
        }
        if let Some(position) = self.sessions.iter().position(|at| at.device == device) {
            self.displace(position);
        }
        while self.sessions.len() >= self.core.config().users.devices_per_user_max {
            let oldest = self.displace(0);
            self.give_up_places(oldest.link.number, ctx);
        }
        let mut rooms: Vec<RoomId> = Vec::new();
        for (room, place) in self.places.iter_mut().filter(|(_, place)| place.device == device) {
            place.number = link.number;
            rooms.push(room.clone());
        }
        rooms.sort();
        // From here on everyone may deliver to it; the answer leaves before.
        link.outbox.hold();
        let (began, alone) = (self.core.store.last_commit(), self.sessions.is_empty());
        if alone {
            // Perhaps the host looked at it while nobody told it anything.
            self.book = None;
        }
        self.sessions.push(At { link: link.clone(), device });
        self.set_presence();
        let arrival = Arrival { link, request, resume_from, rooms, began, alone, profile, reply };
        let (core, id) = (self.core.clone(), self.id.clone());
        let announce = async move {
            let asked = id.clone();
            let groups = core.archive.read(move |store| store.groups_of(&asked)).await;
            for group in groups.as_deref().unwrap_or_default() {
                core.groups.tell_if_living(group, group::Presence { user: id.clone() }).await;
            }
            for room in &arrival.rooms {
                core.rooms.tell_surely(&core, room, Back { user: id.clone(), link: arrival.link.clone() }).await;
            }
            (arrival, groups.map(drop))
        };
        ctx.wait(announce.into_actor(self).map(|(arrival, groups), user, ctx| user.catch_up(arrival, groups, ctx)));
    }

    /// Everyone knows the link: fixes from where on it hears live, and reads what it missed until there.
    fn catch_up(&mut self, arrival: Arrival, groups: Result<(), Refusal>, ctx: &mut Context<Self>) {
        let up_to = self.core.store.last_commit();
        arrival.link.live_after(up_to);
        let history = &self.core.config().history;
        let now_ms = self.core.clock.wall_ms();
        let (after, since_ms) = match (arrival.resume_from, groups) {
            (_, Err(refusal)) => {
                tracing::warn!(%refusal, user.id = %self.id, "what a session missed could not be read");
                return self.welcome(arrival, up_to, None, ctx);
            }
            // Given out by a store that went further than this one.
            (Some(after), _) if after > up_to => return self.welcome(arrival, up_to, None, ctx),
            (Some(after), _) => (after, 0),
            (None, Ok(())) => match self.core.left.of(&self.id).filter(|_| arrival.alone && history.offline_days > 0) {
                Some(left) => (left, now_ms.saturating_sub(u64::from(history.offline_days) * DAY_MS)),
                None => (arrival.began, 0),
            },
        };
        if after >= up_to {
            return self.welcome(arrival, up_to, Some((up_to, Vec::new())), ctx);
        }
        let wanted = Wanted {
            user: self.id.clone(),
            // Who comes anew asks a room for its history.
            rooms: arrival.resume_from.map_or(Vec::new(), |_| arrival.rooms.clone()),
            after,
            up_to,
            since_ms,
            messages_max: history.resume_messages_max,
            bytes_max: self.core.config().shed.outbox_reliable_bytes / 2,
        };
        let (archive, variant) = (self.core.archive.clone(), arrival.link.variant());
        let read = async move {
            let read = move |store: &dyn Store| {
                let missed = replay::read(store, &wanted)?;
                missed.map(|missed| Ok((missed, replay_changes::frames(store, &wanted, variant)?))).transpose()
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
                frames.extend(replay::frames(&missed, variant, up_to));
                (after, frames)
            });
            user.welcome(arrival, up_to, replay, ctx);
        }));
    }

    /// Answers the login and lets out what was held. `replay`: since which commit, and the frames; none: too much or
    /// unknown, the client must ask for history.
    fn welcome(&mut self, arrival: Arrival, up_to: u64, replay: Option<(u64, Vec<ByteString>)>, ctx: &mut Context<Self>) {
        let Arrival { link, request, rooms, profile, reply, resume_from, .. } = arrival;
        let resync = replay.is_none();
        let (after, frames) = replay.unwrap_or((up_to, Vec::new()));
        // Until the replay has arrived, the client has no more than what it came with.
        let cursor = if frames.is_empty() { up_to } else { after };
        let mut result = json!({
            "userID": self.id, "userName": profile.name, "sessionID": link.session, "serverTime": self.core.clock.wall_ms(),
            "heartbeatSeconds": link.heartbeat.as_secs(), "cursor": cursor.to_string(), "rooms": rooms,
        });
        let (media_token, media_token_seconds) = url_token(&self.core, &self.id, link.token_expires_at());
        result["mediaToken"] = media_token.into();
        result["mediaTokenSeconds"] = media_token_seconds.into();
        if resync {
            result["resync"] = true.into();
        }
        let mut first = vec![encode_reply(request, &result)];
        first.extend(frames);
        let _queued_or_closed = link.outbox.release(first);
        tracing::debug!(user.id = %self.id, session.id = %link.session, devices = self.sessions.len(), resync, "session started");
        self.core.tell_host(|| Event::SessionStarted { user: self.id.clone(), session: link.session.clone() });
        answer(reply, self.profile.clone().ok_or(Refusal::NotLoggedIn));
        if self.sessions.len() == 1 {
            self.core.statuses.follow(&self.id, &self.following);
            self.tell_status(OnlineStatus::Online);
        }
        self.open_book(link, resume_from, ctx);
    }
}

impl Handler<Held<Login>> for User {
    type Result = ();

    fn handle(&mut self, held: Held<Login>, ctx: &mut Context<Self>) {
        let login = held.open();
        if let Some(refusal) = &self.unreadable {
            return answer(login.reply, Err(refusal.clone()));
        }
        let known = self.profile.as_ref().map(|cell| (*cell.get()).clone());
        let now_ms = self.core.clock.wall_ms();
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
        let (archive, row) = (self.core.archive.clone(), RowWrite::PutUser(profile.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| match kept {
            Ok(()) => {
                if known.is_some() {
                    user.tell_peers(profile.clone(), ctx);
                }
                user.admit(login, profile, ctx);
            }
            // Who is known already may come in with the old name while the disk refuses: reads still work.
            Err(refusal) => match known {
                Some(known) => user.admit(login, known, ctx),
                None => answer(login.reply, Err(refusal)),
            },
        }));
    }
}

impl Handler<Held<Ended>> for User {
    type Result = ();

    fn handle(&mut self, held: Held<Ended>, ctx: &mut Context<Self>) {
        let Ended { number, for_good } = held.open();
        let Some(position) = self.sessions.iter().position(|at| at.link.number == number) else { return };
        let at = self.sessions.remove(position);
        self.publish_presence(ctx);
        if self.sessions.is_empty() && self.core.config().history.offline_days > 0 {
            self.core.left.note(&self.id, at.link.has_up_to(&self.core.handed));
        }
        if self.sessions.is_empty() {
            self.book = None;
            self.core.statuses.unfollow(&self.id, self.following.iter().map(|(user, _)| user));
            self.tell_status(if for_good { OnlineStatus::Logout } else { OnlineStatus::Offline });
        }
        if for_good {
            self.give_up_places(number, ctx);
        } else {
            let lost: Vec<RoomId> = self.places.iter().filter(|(_, place)| place.number == number).map(|(room, _)| room.clone()).collect();
            for room in lost {
                self.tell_room(room, Lost { user: self.id.clone(), number }, ctx);
            }
        }
        tracing::debug!(user.id = %self.id, session.id = %at.link.session, for_good, "session ended");
        self.core.tell_host(|| Event::SessionEnded { user: self.id.clone(), session: at.link.session.clone() });
        self.leave_if_unused(ctx);
    }
}
