//! The broker as a server of its own.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Request};
use actix_server::ServerHandle;
use actix_service::{
    IntoServiceFactory as _, Service as _, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service, map_config,
};
use actix_web::App;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::rt::task::JoinHandle;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use super::paced_body::pace;
use super::private::PrivateServer;
use super::socket::stream::Stream;
use super::socket::tracked::ConnectionTracker;
use super::socket::upgrade;
#[cfg(feature = "tls")]
use super::tls::{Surroundings, Tls};
use crate::broker::Broker;
#[cfg(not(feature = "tls"))]
use crate::config::Config;

/// Connections the system holds for a busy accept loop.
const BACKLOG: i32 = 1_024;

/// Why the server does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("tls.certificate: {0}")]
    Tls(String),
}

/// A listening server.
pub struct Server {
    address: SocketAddr,
    secure: TlsSetup,
    private: Option<PrivateServer>,
    /// What goes on beside the serving, for as long as it does.
    watches: Vec<JoinHandle<()>>,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).field("secure", &self.is_secure()).finish_non_exhaustive()
    }
}

/// TLS, where it is spoken.
#[cfg(feature = "tls")]
pub(super) type TlsSetup = Option<Tls>;
#[cfg(not(feature = "tls"))]
pub(super) type TlsSetup = Option<std::convert::Infallible>;

/// Sets TLS up as the configuration says.
#[cfg(feature = "tls")]
pub(super) fn tls_setup(around: Surroundings) -> Result<TlsSetup, ServeError> {
    Tls::open(around).map_err(|error| ServeError::Tls(error.to_string()))
}

/// Refuses a certificate, which this program can do nothing with.
#[cfg(not(feature = "tls"))]
pub(super) fn tls_setup(config: &Config) -> Result<TlsSetup, ServeError> {
    match config.tls.certificate.as_os_str().is_empty() {
        true => Ok(None),
        false => Err(ServeError::Tls("this program was built without the feature `tls`".to_owned())),
    }
}

fn tls_of(broker: &Broker) -> Result<TlsSetup, ServeError> {
    #[cfg(feature = "tls")]
    let setup = tls_setup(Surroundings::of(&broker.context));
    #[cfg(not(feature = "tls"))]
    let setup = tls_setup(&broker.config());
    setup
}

/// Makes the stream that the HTTP layer reads, after the handshake if there is one.
async fn accept(secure: TlsSetup, tracker: ConnectionTracker, io: TcpStream) -> Result<(Stream, Option<SocketAddr>), DispatchError> {
    let peer = io.peer_addr().ok();
    let Some(connection) = tracker.admit(&io).await else { return Err(DispatchError::SlowRequestTimeout) };
    #[cfg(feature = "tls")]
    if let Some(tls) = secure {
        let shaking = tls.accept(io);
        let cut = connection.cut();
        let stream = tokio::select! {
            shaken = shaking => shaken?,
            () = cut => return Err(DispatchError::SlowRequestTimeout),
        };
        return Ok((Stream::tls(stream, Some(connection.over_tls())), peer));
    }
    #[cfg(not(feature = "tls"))]
    let None = secure;
    Ok((Stream::bare(io, Some(connection)), peer))
}

impl Server {
    /// Listens where the broker's configuration says, on threads of its own. Call inside an actix system.
    ///
    /// # Errors
    /// [`ServeError`] when the address cannot be had, or the certificate not be used.
    pub fn start(broker: &Broker) -> Result<Self, ServeError> {
        Self::start_with(broker, false)
    }

    /// The same with a WebSocket at `/echo` that says back what it hears, for tests of the socket code.
    ///
    /// # Errors
    /// As [`Server::start`].
    #[cfg(feature = "bench")]
    #[doc(hidden)]
    pub fn start_with_echo(broker: &Broker) -> Result<Self, ServeError> {
        Self::start_with(broker, true)
    }

    fn start_with(broker: &Broker, has_echo: bool) -> Result<Self, ServeError> {
        let server = &broker.config().server;
        let failed = |source| ServeError::Listen { address: server.listen, source };
        let secure = tls_of(broker)?;
        let workers = match server.http_workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let listener = listen(server.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let building = actix_server::Server::build();
        let stopping = building.graceful_shutdown_signal();
        let (watched, broker, tracker) = (broker.clone(), broker.clone(), ConnectionTracker::new(broker));
        let sweeper = tracker.clone();
        let head_deadline = Duration::from_secs(server.request_head_seconds);
        let accept_tls = secure.clone();
        let service = move || {
            let (stopping, tracker, secure) = (stopping.clone(), tracker.clone(), accept_tls.clone());
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .client_request_timeout(head_deadline)
                .local_addr(address)
                .on_connect_ext(|stream: &Stream, extensions: &mut Extensions| {
                    if let Some(connection) = stream.take_connection() {
                        extensions.insert(connection);
                    }
                })
                .upgrade(upgrade::upgrades(broker.clone(), has_echo, routes))
                .h1(routes(&broker));
            let served = apply_fn_factory(http, |(stream, peer): (Stream, _), http| {
                let (handover, answered) = (stream.handover(), Box::pin(http.call((stream, peer))));
                async move {
                    // Dropped with its answer: what comes then needs nothing of the HTTP layer.
                    answered.await?;
                    handover.finish().await;
                    Ok(())
                }
            });
            // Boxed: each connection's task would keep room for a handshake for as long as it lives.
            fn_service(move |io| Box::pin(accept(secure.clone(), tracker.clone(), io))).and_then(served)
        };
        let http = building
            .workers(workers)
            // The broker's own caps answer with a reason; this one, which counts per worker, only keeps them from
            // drowning in sockets. A quarter more than a fair share: sockets are not dealt out evenly.
            .max_concurrent_connections((server.connections_max + 1_024).div_ceil(workers) * 5 / 4)
            .shutdown_timeout(server.shutdown_seconds)
            .disable_signals()
            .listen("tidings", listener, service)
            .map_err(failed)?;
        let private = private(&watched)?;
        let http = http.run();
        let handle = http.handle();
        let watches = watches(&secure, sweeper);
        Ok(Self { address, secure, private, watches, handle, running: actix_web::rt::spawn(http) })
    }

    /// Returns where it listens; the port is the real one when the configuration said 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where it shows what only the operator may see; `None` without `server.private_listen`.
    #[must_use]
    pub fn private_address(&self) -> Option<SocketAddr> {
        self.private.as_ref().map(|private| private.address)
    }

    /// Says whether it speaks TLS: its URLs begin with `https` and `wss`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Reads certificate and key again. A pair that is no good is logged and counted, and the one in use stays; one
    /// that is good is used from the next connection on. The server does it by itself, too, every `tls.check_seconds`. Blocks.
    pub fn reload_certificate(&self) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.secure {
            tls.reload();
        }
    }

    /// Stops accepting and waits until the connections ended, `server.shutdown_seconds` at most.
    pub async fn stop(self) {
        if let Some(private) = self.private {
            private.stop().await;
        }
        self.handle.stop(true).await;
        self.watches.iter().for_each(JoinHandle::abort);
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the HTTP server ended with an error"),
            Err(error) => tracing::error!(%error, "the HTTP server's task ended unexpectedly"),
        }
    }
}

/// Starts the server at `server.private_listen`, where there is one.
fn private(broker: &Broker) -> Result<Option<PrivateServer>, ServeError> {
    let Ok(address) = broker.config().server.private_listen.parse() else { return Ok(None) };
    PrivateServer::start(broker, address).map(Some).map_err(|source| ServeError::Listen { address, source })
}

/// Starts what goes on beside the serving.
fn watches(secure: &TlsSetup, sweeper: ConnectionTracker) -> Vec<JoinHandle<()>> {
    #[cfg(feature = "tls")]
    let certificate_watch = secure.as_ref().map(Tls::watch);
    #[cfg(not(feature = "tls"))]
    let certificate_watch = secure.map(|never| match never {});
    std::iter::once(actix_web::rt::spawn(sweep(sweeper))).chain(certificate_watch).collect()
}

/// Looks once a second for sockets that stand still.
async fn sweep(tracker: ConnectionTracker) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        tracker.sweep();
    }
}

/// Makes a service of the HTTP layer of every route.
fn routes(
    broker: &Broker,
) -> impl ServiceFactory<Request, Config = (), Response = ServiceResponse<BoxBody>, Error = actix_web::Error, InitError = ()> + use<> {
    let broker = broker.clone();
    map_config(App::new().configure(move |app| broker.configure(app)).wrap(from_fn(pace)).into_factory(), |()| AppConfig::default())
}

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last connections of the process before it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
