//! The handle a host holds: start a broker, send, listen, mount it, stop it.
//!
//! [`Broker`] is cheap to clone and may be used from any thread and any tokio runtime; the actors live on a thread
//! of the broker's own, so the host needs no actix system.

mod backup;
mod broadcast;
mod builder;
mod drain;
mod groups;
mod on_behalf;
mod reconfigure;
mod rooms;
pub(crate) mod server_api;
mod subscribe;
mod users;
pub(crate) mod vendor_api;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::builder::{BrokerBuilder, StartError};
pub use self::drain::ShutdownReport;
pub use self::groups::Groups;
pub use self::rooms::{RoomSummary, Rooms};
pub use self::subscribe::Subscription;
pub use self::users::{SessionSummary, Users};
use crate::actors::core::Core;
use crate::actors::lane::Publish;
use crate::actors::{answered, peer, trace};
use crate::audit::Audit;
use crate::auth::{SecretSource, Tokens};
use crate::config::Config;
use crate::console::{Console, ConsoleError};
use crate::metrics::{Metrics, Samples};
use crate::model::{Draft, Message, MessageClass, Priority, Refusal, Target, UserId};
use crate::rate::{DropReason, Pressure};
use crate::store::{RowWrite, StoreStats};
use crate::webhooks::Webhooks;

/// A running broker.
#[derive(Debug, Clone)]
pub struct Broker {
    pub(crate) core: Arc<Core>,
    pub(crate) tokens: Option<Arc<Tokens>>,
    pub(crate) secret: SecretSource,
    webhooks: Option<Webhooks>,
    pub(crate) server_api: Arc<server_api::ServerApiState>,
    pub(crate) console: Arc<Console>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) vendor_api: Arc<vendor_api::VendorApiState>,
    thread: Arc<builder::BrokerThread>,
}

/// A moment's figures. Counters run from the start of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Open WebSocket connections.
    pub connections: u64,
    /// Of these, logged in.
    pub sessions: u64,
    /// Users with at least one session.
    pub users_online: u64,
    /// Actors of peer conversations alive now.
    pub peers: u64,
    /// Actors of rooms alive now.
    pub rooms: u64,
    /// Actors of groups alive now.
    pub groups: u64,
    /// Messages accepted: storable, command, barrage.
    pub accepted: [u64; 3],
    /// Messages put into outboxes, once per receiving session.
    pub delivered: u64,
    /// Every drop, by class, priority and reason; only what is above zero.
    pub dropped: Vec<Drops>,
    /// What is shed because the broker itself is behind.
    pub pressure: Pressure,
    /// What the store counted.
    pub store: StoreStats,
    /// Whether stuck sockets can be freed from outside; see [`Broker::on_connect`](crate::Broker::on_connect).
    pub eviction: Eviction,
}

/// One counter of dropped messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drops {
    /// Barrage or command.
    pub class: MessageClass,
    /// The sender's wish.
    pub priority: Priority,
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub messages: u64,
}

/// Whether the broker can free a socket whose client does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Every connection so far came with a handle on its socket.
    Full,
    /// Some connection came without one: its memory is freed, its socket only when the system gives up.
    Degraded,
}

impl Broker {
    /// Begins to describe a broker.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::new()
    }

    /// The configuration it runs with now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.core.config()
    }

    /// Sends as a user, who need not be online. The same rules hold as for a client: rates, membership, limits.
    /// A storable message is on disk when this returns.
    ///
    /// # Errors
    /// Every [`Refusal`] a client could get; [`Refusal::is_temporary`] says whether to try again.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the message back. Send again with the same `local_id` to learn its fate.
    pub async fn send(&self, from: &UserId, to: &Target, draft: Draft) -> Result<Arc<Message>, Refusal> {
        let core = &self.core;
        core.accepting()?;
        draft.validate(from, to, &core.config().limits)?;
        let (reply, outcome) = oneshot::channel();
        let (sender, target, span) = (from.clone(), to.clone(), trace::host());
        let publish = Publish { sender, origin: 0, by_host: false, from_outside: false, target, draft, asked: None, reply, span };
        match to {
            Target::Peer(other) => core.peers.tell(core, &peer::key(from, other), publish)?,
            Target::Room(room) => core.rooms.tell(core, room, publish)?,
            Target::Group(group) => core.groups.tell(core, group, publish)?,
        }
        Ok(answered(outcome).await?.message)
    }

    /// Makes a user known who has not logged in yet, so that others can write to it. Known users stay as they are.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for the name, [`Refusal::StoreUnavailable`].
    pub async fn register(&self, user: &UserId, name: &str) -> Result<(), Refusal> {
        self.core.accepting()?;
        crate::model::UserProfile::check_name(name, &self.core.config().limits)?;
        let (core, user, name) = (self.core.clone(), user.clone(), name.to_owned());
        let registering = async move {
            let asked = user.clone();
            match core.archive.read(move |store| store.user(&asked)).await? {
                Some(_) => Ok(()),
                None => core.archive.apply(vec![RowWrite::PutUser(crate::model::UserProfile::new(user, name))]).await,
            }
        };
        self.on_thread(registering).await
    }

    /// Deletes files that no kept message carries any more, and those that waited too long for their message. Done every
    /// hour besides. Says how many were deleted.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn collect_files(&self) -> Result<usize, Refusal> {
        let core = self.core.clone();
        self.on_thread(async move { crate::actors::media::collect(&core).await }).await
    }

    /// The token of a new link to the console, while it has no password: `…/console#setup=TOKEN` lets one set it, for half an
    /// hour, once. A link made before works no more. `None`: there is a password, or the console is switched off.
    ///
    /// # Errors
    /// [`ConsoleError`] when the console's file in the data directory cannot be read.
    pub fn console_link(&self) -> Result<Option<String>, ConsoleError> {
        if self.core.config().console.enabled { self.console.link() } else { Ok(None) }
    }

    /// Hears what happens from now on. A listener that falls more than 1,024 events behind is told how many it
    /// missed and goes on with the newest.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(self.core.events.subscribe())
    }

    /// What is told to, and asked of, a backend; none without `webhooks.url` and `webhooks.before_send_url`.
    #[must_use]
    pub fn webhooks(&self) -> Option<Webhooks> {
        self.webhooks.clone()
    }

    /// The figures of this moment.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        let core = &self.core;
        let metrics: &Metrics = &core.metrics;
        let mut dropped = Vec::new();
        for class in [MessageClass::Command, MessageClass::Barrage] {
            for priority in Priority::ALL {
                for reason in DropReason::ALL {
                    let messages = metrics.dropped_total(class, priority, reason.label());
                    if messages > 0 {
                        dropped.push(Drops { class, priority, reason, messages });
                    }
                }
            }
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        BrokerStats {
            connections: count(core.links.count()),
            sessions: u64::try_from(metrics.sessions()).unwrap_or(0),
            users_online: count(core.presence.users_online()),
            peers: count(core.peers.len()),
            rooms: count(core.rooms.len()),
            groups: count(core.groups.len()),
            accepted: [MessageClass::Storable, MessageClass::Command, MessageClass::Barrage].map(|class| metrics.accepted_total(class)),
            delivered: metrics.delivered_total(),
            dropped,
            pressure: core.pressure.level(),
            store: core.store.stats(),
            eviction: if core.eviction_degraded.load(Ordering::Relaxed) { Eviction::Degraded } else { Eviction::Full },
        }
    }

    /// The same figures and more, as a Prometheus scrape reads them.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let (core, store) = (&self.core, self.core.store.stats());
        let (media_bytes, uploads) = core.media.figures();
        core.metrics.encode(&Samples {
            store_waiting: store.waiting,
            store_flushes: store.flushes,
            store_appended: store.appended,
            pressure: core.pressure.level().number(),
            media_bytes,
            uploads,
            users_online: core.presence.users_online(),
            unauthenticated: core.links.unauthenticated(),
            appends_in_flight: core.archive.in_flight(),
            outbox_bytes: core.links.all().iter().map(|link| link.outbox.waiting_bytes()).sum(),
            turn_late_seconds: core.pressure.turn_late().as_secs_f64(),
            write_late_seconds: core.pressure.write_late().as_secs_f64(),
            store_bytes: core.disk.store_bytes(),
            disk_free_bytes: core.disk.free(),
            disk_full: core.disk.is_full(),
            ready: self.ready().is_ok(),
        })
    }

    /// Whether new work is taken and can be kept.
    ///
    /// # Errors
    /// The [`Refusal`] a send would get: draining, a store that does not take writes, or a disk that is nearly full.
    pub fn ready(&self) -> Result<(), Refusal> {
        self.core.accepting()?;
        self.core.keeping()
    }

    /// Whether the actors' thread takes its turns: false when one does not come within `patience`. For a watchdog.
    pub async fn is_alive(&self, patience: Duration) -> bool {
        let (reply, turn) = oneshot::channel();
        let asked = self.core.arbiter.spawn(async move { crate::actors::answer(reply, Ok(())) });
        asked && tokio::time::timeout(patience, answered(turn)).await.is_ok_and(|turn| turn.is_ok())
    }

    /// Stops: takes nothing new, answers what it took, tells every session to reconnect elsewhere, flushes, and
    /// releases the store. Returns after `grace` at the latest plus the time the store needs to close. The host goes on.
    /// Later calls wait for the first one's end.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        drain::shutdown(&self.core, self.webhooks.as_ref(), &self.thread, grace).await
    }
}
