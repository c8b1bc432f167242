//! The broker as a server of its own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::{Extensions, HttpService, Request};
use actix_server::ServerHandle;
use actix_service::{IntoServiceFactory as _, ServiceFactory, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::rt::task::JoinHandle;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use super::connection::Doorman;
use super::takeover;
use crate::broker::Broker;

/// Connections the system holds for a busy accept loop.
const BACKLOG: i32 = 1_024;

/// Why the server does not start.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServeError {
    address: SocketAddr,
    source: io::Error,
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Listens where the broker's configuration says, on threads of its own. Call inside an actix system.
    ///
    /// # Errors
    /// [`ServeError`] when the address cannot be had.
    pub fn start(broker: &Broker) -> Result<Self, ServeError> {
        let server = &broker.config().server;
        let failed = |source| ServeError { address: server.listen, source };
        let workers = match server.http_workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let listener = listen(server.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let building = actix_server::Server::build();
        let stopping = building.graceful_shutdown_signal();
        let (broker, doorman) = (broker.clone(), Doorman::new(broker));
        let head_deadline = Duration::from_secs(server.request_head_seconds);
        let service = move || {
            let (stopping, doorman) = (stopping.clone(), doorman.clone());
            HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .client_request_timeout(head_deadline)
                .local_addr(address)
                .on_connect_ext(move |stream: &TcpStream, extensions: &mut Extensions| {
                    if let Some(connection) = doorman.note(stream) {
                        extensions.insert(connection);
                    }
                })
                .upgrade(takeover::upgrades(broker.clone(), routes))
                .h1(routes(&broker))
                .tcp()
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
        let http = http.run();
        let handle = http.handle();
        Ok(Self { address, handle, running: actix_web::rt::spawn(http) })
    }

    /// Where it listens; the port is the real one when the configuration said 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and waits until the connections ended, `server.shutdown_seconds` at most.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the HTTP server ended with an error"),
            Err(error) => tracing::error!(%error, "the HTTP server's task ended unexpectedly"),
        }
    }
}

/// Every route, as a service of the HTTP layer.
fn routes(
    broker: &Broker,
) -> impl ServiceFactory<Request, Config = (), Response = ServiceResponse<BoxBody>, Error = actix_web::Error, InitError = ()> + use<> {
    let broker = broker.clone();
    map_config(App::new().configure(move |app| broker.configure(app)).into_factory(), |()| AppConfig::default())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last connections of the process before it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
