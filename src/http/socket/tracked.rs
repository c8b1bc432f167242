//! What is noted of a TCP connection when it opens: whom it counts for, and a second handle on its socket
//! when the HTTP layer keeps the first.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as AsyncTcpStream;
use socket2::SockRef;

use crate::actors::connection::Socket;
use crate::actors::context::BrokerContext;
use crate::broker::Broker;

/// How long the kernel may hold bytes nobody acknowledges before it gives the connection up. Our choice: the grace
/// of a room, so that a dead line is noticed before its place is lost.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Connections that may be open for pages and health beside those `connections_unauthenticated_max` allows.
const CONNECTIONS_BESIDE_MAX: usize = 256;

/// A duplicated handle: shutting it shuts the connection, whatever its tasks are doing.
#[derive(Debug, Clone)]
pub(super) struct SocketHandle(Arc<TcpStream>);

impl Socket for SocketHandle {
    fn abort(&self) {
        cut(SockRef::from(&*self.0));
    }
}

/// Connections open per address, and in all.
#[derive(Debug, Default)]
struct ConnectionCounts {
    of: Mutex<HashMap<IpAddr, usize>>,
    open: AtomicUsize,
    /// Of these, those that sent a request with a good token.
    authenticated: AtomicUsize,
}

/// Counts one connection for as long as it lives.
#[derive(Debug)]
struct CountedConnection {
    counts: Arc<ConnectionCounts>,
    address: IpAddr,
    count: usize,
    authenticated: AtomicBool,
}

impl ConnectionCounts {
    fn count(self: &Arc<Self>, address: IpAddr) -> CountedConnection {
        let mut counts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        self.open.fetch_add(1, Ordering::Relaxed);
        let count = counts.entry(address).or_default();
        *count += 1;
        CountedConnection { counts: self.clone(), address, count: *count, authenticated: AtomicBool::new(false) }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut counts = self.counts.of.lock().unwrap_or_else(PoisonError::into_inner);
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        if *self.authenticated.get_mut() {
            self.counts.authenticated.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What a request can learn of its connection.
#[derive(Debug)]
pub(in crate::http) struct TrackedSocket {
    pub(super) socket: Option<SocketHandle>,
    counted: CountedConnection,
    is_secure: bool,
}

impl TrackedSocket {
    /// Returns how many connections its address had when this one opened, itself included.
    pub(super) fn count_of_address(&self) -> usize {
        self.counted.count
    }

    /// Says whether it is TLS that this server ended itself.
    pub(in crate::http) fn is_secure(&self) -> bool {
        self.is_secure
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
    }
}

/// Counts connections as they open.
#[derive(Debug, Clone)]
pub(in crate::http) struct ConnectionTracker {
    context: Arc<BrokerContext>,
    counts: Arc<ConnectionCounts>,
}

impl ConnectionTracker {
    pub(in crate::http) fn new(broker: &Broker) -> Self {
        Self { context: broker.context.clone(), counts: Arc::default() }
    }

    /// Sets the socket's options and counts it; cuts it when too many have no session.
    pub(in crate::http) fn track(&self, stream: &AsyncTcpStream) -> Option<TrackedSocket> {
        let peer = stream.peer_addr().ok()?;
        let options = SockRef::from(stream);
        if let Err(error) = options.set_tcp_nodelay(true).and_then(|()| options.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))) {
            tracing::debug!(%error, "socket options could not be set");
        }
        let counted = self.counts.count(peer.ip());
        // Each may hold a request head of some 128 KiB, which the HTTP layer takes before anyone can refuse it.
        let without_session = self
            .counts
            .open
            .load(Ordering::Relaxed)
            .saturating_sub(self.context.connections.logged_in() + self.counts.authenticated.load(Ordering::Relaxed));
        if without_session > self.context.config().server.connections_unauthenticated_max + CONNECTIONS_BESIDE_MAX {
            tracing::debug!(without_session, "connection cut: too many without a session");
            cut(options);
        }
        Some(TrackedSocket { socket: None, counted, is_secure: false })
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
