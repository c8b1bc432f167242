//! What every actor of one broker shares: configuration, clock, counters, and the ways to each other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::ArbiterHandle;
use arc_swap::ArcSwap;
use bytestring::ByteString;
use tokio::sync::broadcast;

use super::connection::far::ConnectionRef;
use super::connection::feed::FeedItem;
use super::connection::last_seen::LastSeen;
use super::connection::outbox::{Outbox, OutboxLimits};
use super::connection::presence::{Presence, feeds};
use super::connection::status::{OnlineStatus, Status, StatusBoard};
use super::connection::{Connection, Socket};
use super::disk::Disk;
use super::files::MediaService;
use super::load::LoadMonitor;
use super::memory::{CombineMemory, MemoryShare};
use super::nodes::{CUT_OFF, Nodes};
use super::places::{Onlooker, RoomPlaces, RoomsElsewhere};
use super::runtime::archive::ArchiveHandle;
use super::runtime::ids::IdGenerator;
use super::runtime::open_requests::{OpenRequest, OpenRequests};
use super::runtime::route::Route;
use super::runtime::watermark::DeliveryWatermark;
use super::standing::StandingRooms;
use crate::actors::connection::ConnectionId;
use crate::clock::Clock;
use crate::clock::guard::ClockGuard;
use crate::config::Config;
use crate::hooks::{DynAuthenticator, DynFirstFrames, DynModerator, Event, EventDetails, EventExporter, FirstFrameBackend};
use crate::metrics::Metrics;
use crate::model::{Refusal, UserId, UserProfile};
use crate::rate::{ByteBudget, OnceInAWhile, QuotaClass, SendGate};
use crate::store::Store;

/// Above all commits there will ever be.
const COMMIT_MAX: u64 = 1 << 53;

/// One broker's shared parts. Nothing here is changed but through the types' own rules.
pub(crate) struct BrokerContext {
    pub(crate) settings: ArcSwap<Config>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) archive: ArchiveHandle,
    pub(crate) watermark: Arc<DeliveryWatermark>,
    pub(crate) last_seen: LastSeen,
    pub(crate) statuses: StatusBoard,
    pub(crate) gate: SendGate,
    /// The origins whose pages were refused, each logged once in a while.
    pub(crate) refused_origins: OnceInAWhile,
    /// What is held of the bodies of requests that anyone may make.
    pub(crate) strangers_bytes: ByteBudget,
    pub(crate) ids: IdGenerator,
    pub(crate) media: Arc<MediaService>,
    pub(crate) arbiter: ArbiterHandle,
    pub(crate) authenticator: Arc<dyn DynAuthenticator>,
    pub(crate) moderator: Option<Arc<dyn DynModerator>>,
    pub(crate) first_frames: Option<Arc<dyn DynFirstFrames>>,
    pub(crate) first_frame_backend: Option<Arc<dyn FirstFrameBackend>>,
    pub(crate) events: broadcast::Sender<Event>,
    /// Hears everything, and misses nothing.
    pub(crate) exporter: Option<Arc<dyn EventExporter>>,
    pub(crate) presence: Presence,
    /// The way to actors of other nodes; none: all are here.
    pub(crate) route: Option<Arc<dyn Route>>,
    /// The other nodes; none: this broker works alone.
    pub(crate) nodes: Option<Arc<dyn Nodes>>,
    pub(crate) places: Arc<RoomPlaces>,
    pub(crate) standing: Arc<StandingRooms>,
    pub(crate) combine_memory: Arc<CombineMemory>,
    pub(crate) connections: ConnectionRegistry,
    pub(crate) load: LoadMonitor,
    pub(crate) draining: AtomicBool,
    pub(crate) requests: OpenRequests,
    /// Some connection came without a handle on its socket.
    pub(crate) eviction_degraded: AtomicBool,
    pub(crate) disk: Disk,
    /// Says by which time things may be deleted.
    pub(crate) clock_guard: Arc<ClockGuard>,
    /// Held while the configuration changes.
    pub(crate) reloading: Mutex<()>,
}

impl fmt::Debug for BrokerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("links", &self.connections.count()).finish_non_exhaustive()
    }
}

impl BrokerContext {
    /// The configuration as it is now: part of it can be reloaded.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.settings.load_full()
    }

    /// Whether the broker goes on, be it cut off from others.
    pub(crate) fn accepting_or_cut_off(&self) -> Result<(), Refusal> {
        if self.draining.load(Ordering::SeqCst) { Err(Refusal::Busy("the broker is shutting down")) } else { Ok(()) }
    }

    /// Whether the broker still takes new work.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while it drains.
    pub(crate) fn accepting(&self) -> Result<(), Refusal> {
        self.accepting_or_cut_off()?;
        match &self.nodes {
            Some(nodes) if nodes.is_cut_off() => Err(CUT_OFF),
            _ => Ok(()),
        }
    }

    /// Takes a request that a shutdown shall wait for: it stays open until the returned value is dropped.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while the broker drains.
    pub(crate) fn take_request(&self) -> Result<OpenRequest, Refusal> {
        let request = self.requests.open();
        self.accepting().map(|()| request)
    }

    /// Whether what is given to the store would be kept.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`].
    pub(crate) fn keeping(&self) -> Result<(), Refusal> {
        self.store.writable()?;
        self.disk.room()
    }

    /// Whether messages must wait, because what happens cannot be noted down.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub(crate) fn can_tell(&self) -> Result<(), Refusal> {
        if self.exporter.as_ref().is_some_and(|exporter| exporter.is_full()) {
            return Err(Refusal::Busy("the webhook queue is full"));
        }
        Ok(())
    }

    /// Returns the connection that a command names, or its stand-in; none: it is gone.
    pub(crate) fn reach(&self, connection: ConnectionRef) -> Option<Arc<Connection>> {
        let far = match connection {
            ConnectionRef::Here(connection) => return Some(connection),
            ConnectionRef::There(far) => far,
        };
        let known = self.presence.connections(&far.user);
        let known = known.and_then(|connections| connections.iter().find(|connection| connection.id == far.id).cloned());
        known.or_else(|| self.nodes.as_ref()?.stand_in(&far))
    }

    /// Returns the commit up to which everything that concerns a session of this node was put into its outbox, when it has everything
    /// up to `floor` by another way.
    pub(crate) fn cursor_after(&self, floor: u64) -> u64 {
        self.cursor_or(|| self.watermark.mark_after(floor))
    }

    /// Returns the commit up to which everything was delivered or can be read.
    pub(crate) fn newest_cursor(&self) -> u64 {
        self.cursor_or(|| self.store.last_commit())
    }

    /// Returns the cursor of a node among several, or of a broker that works alone.
    pub(crate) fn cursor_or(&self, alone: impl FnOnce() -> u64) -> u64 {
        self.nodes.as_ref().map_or_else(alone, |nodes| nodes.cursor())
    }

    /// Makes a connection live, once everyone who delivers knows it. Returns the cursor it begins with, and up to which commit what it
    /// missed is to be read. Among several nodes that is all there is: what comes live meanwhile may be among it, and is told from its
    /// repetition by its id.
    pub(crate) fn begin_live(&self, connection: &Connection) -> (u64, u64) {
        let (up_to, live_from, read_to) = match &self.nodes {
            None => {
                let last = self.store.last_commit();
                (last, last, last)
            }
            Some(nodes) => (nodes.cursor(), 0, COMMIT_MAX),
        };
        connection.set_live_from_commit(live_from);
        (up_to, read_to)
    }

    /// Returns the commit up to which everything for its user was put into a connection's outbox.
    pub(crate) fn session_has(&self, connection: &Connection) -> u64 {
        match connection.live_from_commit() {
            u64::MAX => 0,
            live_from_commit => self.cursor_after(live_from_commit),
        }
    }

    /// Tells the host and its backend; nobody listening is fine.
    pub(crate) fn tell_host(&self, event: impl FnOnce() -> Event) {
        self.tell_host_more(|| (event(), EventDetails::Nothing));
    }

    /// Tells the same, and the backend what its callback says besides.
    pub(crate) fn tell_host_more(&self, event: impl FnOnce() -> (Event, EventDetails)) {
        let Some(exporter) = &self.exporter else { return self.tell_listeners(|| event().0) };
        let (event, details) = event();
        self.tell_listeners(|| event.clone());
        exporter.put(event, details, 0);
    }

    /// Whether anyone hears what happens.
    pub(crate) fn is_heard(&self) -> bool {
        self.exporter.is_some() || self.events.receiver_count() > 0
    }

    /// Returns this node's part of what all nodes together may do.
    pub(crate) fn share_of(&self, all: usize) -> usize {
        all.div_ceil(self.nodes.as_ref().map_or(1, |nodes| nodes.count()))
    }

    /// Returns the commit up to which the backend's messages are written down; none: no one waits to be.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn exported_to(&self) -> Option<u64> {
        self.exporter.as_ref()?.held_at()
    }

    /// Tells the host alone: of what its backend hears at the moment it is durable.
    pub(crate) fn tell_listeners(&self, event: impl FnOnce() -> Event) {
        if self.events.receiver_count() > 0 && self.events.send(event()).is_err() {
            tracing::trace!("the last listener went away");
        }
    }

    /// Whether this is the user in whose name the server itself speaks.
    pub(crate) fn is_system(&self, user: &UserId) -> bool {
        user.as_str() == self.config().users.system
    }

    /// A user who looks at messages by their handles.
    pub(crate) fn onlooker(&self, user: &UserId) -> Onlooker {
        let elsewhere = self.nodes.clone().map(|nodes| -> Arc<dyn RoomsElsewhere> { nodes });
        Onlooker::new(user.clone(), self.places.clone(), self.is_system(user)).with(elsewhere)
    }

    /// A share of the memory for combined messages, which holds nothing yet.
    pub(crate) fn memory_share(&self, user: &UserId) -> MemoryShare {
        let config = self.config();
        let (user_max, total_max) = (config.limits.combine_bytes_max, config.actors.combine_bytes_in_flight_max);
        MemoryShare::new(self.combine_memory.clone(), user.clone(), user_max, total_max)
    }

    /// Charges what is about to be written for a user.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub(crate) fn charge_stored(&self, user: &UserId, bytes: usize) -> Result<(), Refusal> {
        if self.config().limits.stored_bytes_per_user_per_day_max == 0 {
            return Ok(());
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let charged = self.gate.check_many(user, QuotaClass::StoredBytes, bytes);
        charged.map_err(|retry| Refusal::RateLimited { retry_after_ms: retry.ms })
    }

    /// The user in whose name the server itself speaks.
    pub(crate) fn system(&self) -> UserProfile {
        let id = &self.config().users.system;
        UserProfile::new(UserId::trusted(id), id.clone())
    }

    fn connection(&self, socket: Option<Box<dyn Socket>>) -> Arc<Connection> {
        let config = self.config();
        let shed = &config.shed;
        let heartbeat = Duration::from_secs(config.server.heartbeat_seconds);
        let limits = OutboxLimits {
            reliable_bytes_max: shed.outbox_reliable_bytes,
            reliable_frames_max: shed.outbox_reliable_frames,
            lossy_bytes_max: shed.outbox_lossy_bytes,
        };
        let outbox = Outbox::new(limits, self.clock.clone());
        Arc::new(Connection::new(ConnectionId(self.ids.next()), outbox, socket, self.clock.elapsed(), heartbeat))
    }

    /// A connection begins.
    pub(crate) fn open_connection(&self, socket: Option<Box<dyn Socket>>) -> Arc<Connection> {
        let connection = self.connection(socket);
        self.connections.insert(connection.clone());
        self.metrics.connections_changed(1);
        connection
    }

    /// A connection is gone.
    pub(crate) fn end_connection(&self, connection: &Connection) {
        if self.connections.remove(connection.id) {
            self.metrics.connections_changed(-1);
            tracing::debug!(session.id = %connection.session, dropped = ?connection.outbox.dropped_total(), "connection ended");
            if let Some(closed) = connection.outbox.closed() {
                self.metrics.closed(closed.reason);
            }
        }
    }

    /// Tells a user's actors, at whatever node, if the user is online; whoever comes later reads the truth by itself.
    pub(crate) fn notify(&self, user: &UserId, item: &Arc<FeedItem>) {
        self.notify_where(user, item, |_| true);
    }

    /// Tells a user's actor of this node.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn notify_here(&self, user: &UserId, item: &Arc<FeedItem>) {
        self.notify_where(user, item, |connection| connection.node().is_none());
    }

    /// Tells a user's actors at other nodes what its actor here has done.
    pub(crate) fn notify_elsewhere(&self, user: &UserId, item: &Arc<FeedItem>) {
        self.notify_where(user, item, |connection| connection.node().is_some());
    }

    fn notify_where(&self, user: &UserId, item: &Arc<FeedItem>, is_meant: impl Fn(&Connection) -> bool) {
        let Some(connections) = self.presence.connections(user) else { return };
        feeds(&connections, is_meant).for_each(|feed| feed.push(item.clone()));
    }

    /// Sends a frame to all of a user's sessions but one.
    pub(crate) fn push_to(&self, user: &UserId, but: Option<ConnectionId>, frame: &ByteString) {
        let connections = self.presence.connections(user);
        let others = connections.iter().flat_map(|connections| connections.iter());
        for connection in others.filter(|connection| Some(connection.id) != but) {
            let _queued_or_closed = connection.outbox.push(frame.clone());
        }
    }

    /// Whether a user is online, and since when.
    pub(crate) fn status_of(&self, user: &UserId) -> Status {
        let status = self.statuses.of(user);
        if self.presence.connections(user).is_some() { Status { online: OnlineStatus::Online, ..status } } else { status }
    }

    /// How long an owner without work stays.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.config().actors.idle_seconds)
    }
}

/// Every open connection, for the reaper, the shutdown and the caps.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRegistry {
    connections: Mutex<HashMap<ConnectionId, Arc<Connection>>>,
    /// Those of them without a login, the oldest first.
    strangers: Mutex<BTreeMap<ConnectionId, Arc<Connection>>>,
    logged_in: AtomicU64,
}

impl ConnectionRegistry {
    fn insert(&self, connection: Arc<Connection>) {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner).insert(connection.id, connection.clone());
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(connection.id, connection);
    }

    fn remove(&self, connection_id: ConnectionId) -> bool {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection_id);
        let removed = self.connections.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection_id);
        if removed.as_ref().is_some_and(|connection| connection.identity().is_some()) {
            self.logged_in.fetch_sub(1, Ordering::Relaxed);
        }
        removed.is_some()
    }

    /// One of them proved who it is.
    pub(crate) fn note_login(&self, connection: &Connection) {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection.id);
        self.logged_in.fetch_add(1, Ordering::Relaxed);
    }

    /// Cuts the oldest connection without a login, if it is as old as that. Returns whether there was one.
    pub(crate) fn oldest_gives_way(&self, now: Duration, age_min: Duration) -> bool {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |connection: &Arc<Connection>| now.saturating_sub(connection.opened) >= age_min;
        let Some(oldest) = strangers.first_entry().filter(|oldest| is_old(oldest.get())) else { return false };
        oldest.remove().abort();
        true
    }

    /// How many connections are open.
    pub(crate) fn count(&self) -> usize {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many of them proved who they are.
    pub(crate) fn logged_in(&self) -> usize {
        usize::try_from(self.logged_in.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// How many of them did not.
    pub(crate) fn unauthenticated(&self) -> usize {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns those of some numbers that are open.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn some(&self, wanted: &[ConnectionId]) -> Vec<Arc<Connection>> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.iter().filter_map(|id| connections.get(id).cloned()).collect()
    }

    /// All of them, as of now.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
