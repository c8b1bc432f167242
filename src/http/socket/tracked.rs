//! What is noted of a TCP connection when it opens: whom it counts for, and a second handle on its socket
//! when the HTTP layer keeps the first.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as AsyncTcpStream;
use socket2::SockRef;

use super::activity::{Activity, Deadlines};
use super::places::{AddressKey, Place, PlaceLimits, Places};
use crate::actors::context::BrokerContext;
use crate::broker::Broker;
use crate::config::Server;
use crate::http::client_address::is_trusted;
use crate::metrics::SocketCut;

/// How long the kernel may hold bytes nobody acknowledges before it gives the connection up. Our choice: the grace
/// of a room, so that a dead line is noticed before its place is lost.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Connections that may be open for pages and health beside those `connections_unauthenticated_max` allows.
const CONNECTIONS_BESIDE_MAX: usize = 256;

/// A duplicated handle: shutting it shuts the connection, whatever its tasks are doing.
#[derive(Debug, Clone)]
pub(super) struct SocketHandle(Arc<TcpStream>);

impl SocketHandle {
    pub(super) fn abort(&self) {
        cut(SockRef::from(&*self.0));
    }
}

/// How long an answer may take beside what the request may: reading a file, checking a password.
const ANSWERING: Duration = Duration::from_secs(5);

/// Connections open per address, and in all.
#[derive(Debug, Default)]
struct ConnectionCounts {
    of: Mutex<HashMap<AddressKey, usize>>,
    open: AtomicUsize,
    /// Of these, those that sent a request with a good token.
    authenticated: AtomicUsize,
}

/// Counts one connection for as long as it lives.
#[derive(Debug)]
struct CountedConnection {
    counts: Arc<ConnectionCounts>,
    /// The address it counts for, and how many that one had when it began to.
    counted_for: Mutex<(AddressKey, usize)>,
    authenticated: AtomicBool,
}

impl ConnectionCounts {
    fn count(self: &Arc<Self>, address: IpAddr) -> CountedConnection {
        let key = AddressKey::of(address);
        let count = self.add(key);
        self.open.fetch_add(1, Ordering::Relaxed);
        CountedConnection { counts: self.clone(), counted_for: Mutex::new((key, count)), authenticated: AtomicBool::new(false) }
    }

    fn add(&self, key: AddressKey) -> usize {
        let mut counts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        *count += 1;
        *count
    }

    fn subtract(&self, key: AddressKey) {
        let mut counts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&key);
            }
        }
    }
}

impl CountedConnection {
    fn lock(&self) -> std::sync::MutexGuard<'_, (AddressKey, usize)> {
        self.counted_for.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts it for this address from now on. Returns how many connections the address has, this one included; of an address it
    /// counted for already, how many it had when this one opened.
    fn count_for(&self, address: IpAddr) -> usize {
        let mut counted_for = self.lock();
        let key = AddressKey::of(address);
        if counted_for.0 != key {
            self.counts.subtract(counted_for.0);
            *counted_for = (key, self.counts.add(key));
        }
        counted_for.1
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        if *self.authenticated.get_mut() {
            self.counts.authenticated.fetch_sub(1, Ordering::Relaxed);
        }
        let key = self.lock().0;
        self.counts.subtract(key);
    }
}

/// What a request can learn of its connection.
#[derive(Debug)]
pub(in crate::http) struct TrackedSocket {
    pub(super) socket: Option<SocketHandle>,
    counted: CountedConnection,
    is_secure: bool,
    /// Of the broker's own server only.
    own: Option<OwnSocket>,
}

/// What the broker's own server knows of a socket besides.
#[derive(Debug)]
struct OwnSocket {
    activity: Arc<Activity>,
    place: Arc<Place>,
}

/// Why a WebSocket is not let in for its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressFull {
    /// `server.connections_per_address_max`.
    Connections,
    /// `server.connections_unauthenticated_per_address_max`.
    Unauthenticated,
}

impl TrackedSocket {
    /// Counts the connection for its client, and checks that the client's address may have one more.
    ///
    /// # Errors
    /// [`AddressFull`]: which of its limits is reached.
    pub(super) fn count_for(&self, client: IpAddr, now: Duration, server: &Server) -> Result<(), AddressFull> {
        if self.counted.count_for(client) > server.connections_per_address_max {
            return Err(AddressFull::Connections);
        }
        // A proxy's own address is never full, as it is not when the socket opens.
        let is_full = |own: &OwnSocket| !is_trusted(client, server) && !own.place.count_for(client, now, limits(server));
        if self.own.as_ref().is_some_and(is_full) { Err(AddressFull::Unauthenticated) } else { Ok(()) }
    }

    /// Returns what the socket does, where it is the broker's own server's.
    pub(in crate::http) fn activity(&self) -> Option<&Arc<Activity>> {
        self.own.as_ref().map(|own| &own.activity)
    }

    /// Returns the place it holds until it logs in.
    pub(super) fn place(&self) -> Option<Arc<Place>> {
        self.own.as_ref().map(|own| own.place.clone())
    }

    /// Says whether it is TLS that this server ended itself.
    pub(in crate::http) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Waits until another socket takes its place, or it is cut otherwise.
    #[cfg(feature = "tls")]
    pub(in crate::http) fn cut(&self) -> impl Future<Output = ()> + use<> {
        let activity = self.activity().cloned();
        std::future::poll_fn(move |cx| match &activity {
            Some(activity) if activity.check(cx).is_err() => std::task::Poll::Ready(()),
            _ => std::task::Poll::Pending,
        })
    }

    #[cfg(feature = "tls")]
    pub(in crate::http) fn over_tls(mut self) -> Self {
        self.is_secure = true;
        self
    }

    /// Notes that whoever is at its other end proved who it is: it does not count among those that may be anyone.
    pub(in crate::http) fn mark_authenticated(&self) {
        if !self.counted.authenticated.swap(true, Ordering::Relaxed) {
            self.counted.counts.authenticated.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(own) = &self.own {
            own.activity.mark_authenticated();
            own.place.give_back();
        }
    }
}

/// Counts connections as they open, and cuts those that stand still.
#[derive(Debug, Clone)]
pub(in crate::http) struct ConnectionTracker {
    context: Arc<BrokerContext>,
    counts: Arc<ConnectionCounts>,
    places: Arc<Places>,
    /// The sockets of the broker's own server that are no WebSockets.
    watched: Arc<Mutex<Vec<Weak<Activity>>>>,
}

fn limits(server: &Server) -> PlaceLimits {
    PlaceLimits {
        in_all: server.connections_unauthenticated_max + CONNECTIONS_BESIDE_MAX,
        per_address: server.connections_unauthenticated_per_address_max,
    }
}

impl ConnectionTracker {
    pub(in crate::http) fn new(broker: &Broker) -> Self {
        let context = broker.context.clone();
        let places = Arc::new(Places::new(context.metrics.clone()));
        Self { context, counts: Arc::default(), places, watched: Arc::default() }
    }

    /// Sets the options of a socket of the broker's own server, counts it, and waits until there is a place for it. `None`: there
    /// was none in time.
    pub(in crate::http) async fn admit(&self, stream: &AsyncTcpStream) -> Option<TrackedSocket> {
        let peer = stream.peer_addr().ok()?.ip();
        set_options(stream);
        let counted = self.counts.count(peer);
        let activity = Arc::new(Activity::new(self.context.clock.clone()));
        let config = self.context.config();
        let key = (!is_trusted(peer, &config.server)).then(|| AddressKey::of(peer));
        let (now, limits) = (|| self.context.clock.elapsed(), || limits(&self.context.config().server));
        let taking = self.places.take(key, &activity, now, limits);
        let place = tokio::time::timeout(Duration::from_secs(config.server.login_timeout_seconds), taking).await.ok().flatten();
        let Some(place) = place else {
            tracing::debug!(client.address = %peer, "connection cut: its address has too many without a login");
            self.context.metrics.socket_cut(SocketCut::NoPlace);
            return None;
        };
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&activity));
        Some(TrackedSocket { socket: None, counted, is_secure: false, own: Some(OwnSocket { activity, place: Arc::new(place) }) })
    }

    /// Cuts every socket that is overdue, and forgets those that are gone.
    pub(in crate::http) fn sweep(&self) {
        let config = self.context.config();
        let server = &config.server;
        let deadlines = Deadlines {
            stalled: Duration::from_secs(config.shed.stalled_seconds),
            unanswered: Duration::from_secs(server.request_head_seconds + server.request_body_seconds) + ANSWERING,
        };
        let now = self.context.clock.elapsed();
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).retain(|watched| {
            let Some(activity) = watched.upgrade().filter(|activity| !activity.is_websocket()) else { return false };
            let Some(why) = activity.overdue(now, &deadlines) else { return true };
            tracing::debug!(reason = why.reason(), "connection cut");
            self.context.metrics.socket_cut(why);
            activity.cut();
            false
        });
    }

    /// Sets the options of a host's socket and counts it; cuts it when too many have no session.
    fn track(&self, stream: &AsyncTcpStream) -> Option<TrackedSocket> {
        let peer = stream.peer_addr().ok()?;
        set_options(stream);
        let options = SockRef::from(stream);
        let counted = self.counts.count(peer.ip());
        // Each may hold a request head of some 128 KiB, which the HTTP layer takes before anyone can refuse it.
        let without_session = self
            .counts
            .open
            .load(Ordering::Relaxed)
            .saturating_sub(self.context.connections.logged_in() + self.counts.authenticated.load(Ordering::Relaxed));
        if without_session > self.context.config().server.connections_unauthenticated_max + CONNECTIONS_BESIDE_MAX {
            tracing::debug!(without_session, "connection cut: too many without a session");
            self.context.metrics.socket_cut(SocketCut::NoPlace);
            cut(options);
        }
        Some(TrackedSocket { socket: None, counted, is_secure: false, own: None })
    }
}

fn set_options(stream: &AsyncTcpStream) {
    let options = SockRef::from(stream);
    if let Err(error) = options.set_tcp_nodelay(true).and_then(|()| options.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))) {
        tracing::debug!(%error, "socket options could not be set");
    }
}

fn cut(socket: SockRef<'_>) {
    if let Err(error) = socket.shutdown(Shutdown::Both) {
        tracing::trace!(%error, "socket was gone before it was cut");
    }
}

impl Broker {
    /// Returns a hook for the host's `HttpServer::on_connect`: it lets the broker free sockets whose clients do not read, count
    /// connections per address and notice dead lines. Without it [`Broker::stats`] says `Eviction::Degraded`: a slow
    /// client still costs no more than its outbox, but its socket is freed only when the system gives up.
    pub fn on_connect(&self) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + Clone + 'static + use<> {
        let tracker = ConnectionTracker::new(self);
        move |io, extensions| {
            let Some(stream) = io.downcast_ref::<AsyncTcpStream>() else { return };
            let Some(mut connection) = tracker.track(stream) else { return };
            connection.socket = stream.as_fd().try_clone_to_owned().ok().map(|handle| SocketHandle(Arc::new(TcpStream::from(handle))));
            extensions.insert(connection);
        }
    }
}
