//! What a host may know of users, and do to them.

use std::time::Duration;

use super::handle::Broker;
use crate::actors::connection::status::{OnlineStatus, Status};
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::user::admin::{Kick, SetBan};
use crate::model::{Ban, DeviceId, Refusal, SessionId, UserId, UserProfile};
use crate::store::RowWrite;

/// One session that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSummary {
    /// Which.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// How long ago its connection began.
    pub age: Duration,
    /// How long nothing came from it.
    pub silent: Duration,
    /// Bytes that wait to be read by it.
    pub outbox_bytes: usize,
    /// Messages that were dropped for it.
    pub dropped: u64,
}

/// Everything about users; see [`Broker::users`].
#[derive(Debug, Clone)]
pub struct Users {
    broker: Broker,
}

impl Broker {
    /// Returns what a host may know of users and do to them.
    #[must_use]
    pub fn users(&self) -> Users {
        Users { broker: self.clone() }
    }

    /// Makes a user known who has not logged in yet, so that others can write to it. Known users stay as they are.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for the name, [`Refusal::StoreUnavailable`].
    pub async fn register(&self, user: &UserId, name: &str) -> Result<(), Refusal> {
        let _open = self.context.take_request()?;
        UserProfile::check_name(name, &self.context.config().limits)?;
        let (context, user, name) = (self.context.clone(), user.clone(), name.to_owned());
        let registering = async move {
            let asked = user.clone();
            match context.archive.read(move |store| store.user(&asked)).await? {
                Some(_) => Ok(()),
                None => context.archive.apply(vec![RowWrite::PutUser(UserProfile::new(user, name))]).await,
            }
        };
        self.on_thread(registering).await
    }
}

impl Users {
    /// Returns what is known of a user; `None` for one who never logged in nor was registered.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn get(&self, user: &UserId) -> Result<Option<UserProfile>, Refusal> {
        let user = user.clone();
        self.broker.read(move |store| store.user(&user)).await
    }

    /// Returns at most `count_max` known users after one, in the order of their ids.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn list(&self, after: Option<&UserId>, count_max: usize) -> Result<Vec<UserProfile>, Refusal> {
        let after = after.cloned();
        self.broker.read(move |store| store.users_after(after.as_ref(), count_max)).await
    }

    /// Says whether a user is online, and since when (Unix milliseconds; 0: not known since the broker's start).
    #[must_use]
    pub fn online(&self, user: &UserId) -> (bool, u64) {
        let Status { online, since_ms } = self.broker.context.status_of(user);
        (online == OnlineStatus::Online, since_ms)
    }

    /// Returns every session that is logged in, or those of one user, in the order of their beginning.
    #[must_use]
    pub fn sessions(&self, of: Option<&UserId>) -> Vec<SessionSummary> {
        let context = &self.broker.context;
        let now = context.clock.elapsed();
        let mut links = match of {
            Some(user) => context.presence.connections(user).map_or_else(Vec::new, |links| links.to_vec()),
            None => context.connections.all(),
        };
        links.sort_by_key(|link| link.id);
        let portrait = |link: &std::sync::Arc<crate::actors::connection::Connection>| {
            let identity = link.identity()?;
            Some(SessionSummary {
                session: link.session.clone(),
                user: identity.user.clone(),
                device: identity.device.clone(),
                age: now.saturating_sub(link.opened),
                silent: link.silent_for(now),
                outbox_bytes: link.outbox.waiting_bytes(),
                dropped: link.outbox.dropped_total().sum(),
            })
        };
        links.iter().filter_map(portrait).collect()
    }

    /// Ends a user's sessions, or one of them, with close code 4500: they do not come back by themselves, and give up their
    /// places in rooms. How many there were.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub async fn kick(&self, user: &UserId, only: Option<&SessionId>) -> Result<usize, Refusal> {
        let actors = &self.broker.actors;
        let mut sessions = 0;
        for place in actors.places_of(user) {
            let (reply, outcome) = Reply::channel();
            actors.users.try_send_at(place, user, Kick { only: only.cloned(), reply })?;
            sessions += answered(outcome).await?;
        }
        Ok(sessions)
    }

    /// Keeps a user out from now on, for so long or (`None`) for good, and ends its sessions. A user who was never here
    /// becomes known by it. Survives restarts.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`]; nothing was changed.
    pub async fn ban(&self, user: &UserId, lasting: Option<Duration>, reason: &str) -> Result<Ban, Refusal> {
        let since_ms = self.broker.context.clock.wall_ms();
        let lasting_ms = lasting.map(|lasting| u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX));
        let until_ms = lasting_ms.map_or(0, |ms| since_ms.saturating_add(ms));
        let ban = Ban { since_ms, until_ms, reason: reason.to_owned() };
        self.set_ban(user, Some(ban.clone())).await.map(|()| ban)
    }

    /// Lets a user in again.
    ///
    /// # Errors
    /// [`Refusal::UserMissing`]; [`Refusal::StoreUnavailable`], [`Refusal::Busy`]; nothing was changed.
    pub async fn unban(&self, user: &UserId) -> Result<(), Refusal> {
        if self.get(user).await?.is_none() {
            return Err(Refusal::UserMissing(user.to_string()));
        }
        self.set_ban(user, None).await
    }

    async fn set_ban(&self, user: &UserId, ban: Option<Ban>) -> Result<(), Refusal> {
        let context = &self.broker.context;
        let _open = context.take_request()?;
        let (reply, outcome) = Reply::channel();
        let is_banned = ban.is_some();
        self.broker.actors.users.try_send(user, SetBan { ban, reply })?;
        answered(outcome).await?;
        // Whoever has sessions at other nodes loses those, too.
        if is_banned && self.broker.actors.places_of(user).len() > 1 {
            self.kick(user, None).await?;
        }
        Ok(())
    }
}
