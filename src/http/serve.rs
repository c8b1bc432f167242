//! The broker as a server of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use thiserror::Error;

use crate::broker::Broker;

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
    running: actix_web::rt::task::JoinHandle<io::Result<()>>,
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
        let routes = broker.clone();
        let http = HttpServer::new(move || {
            let broker = routes.clone();
            App::new().configure(move |app| broker.configure(app))
        })
        .workers(workers)
        .on_connect(broker.on_connect())
        .client_request_timeout(Duration::from_secs(server.request_head_seconds))
        // The broker's own caps answer with a reason; this one, which counts per worker, only keeps them from drowning
        // in sockets. A quarter more than a fair share: sockets are not dealt out evenly.
        .max_connections((server.connections_max + 1_024).div_ceil(workers) * 5 / 4)
        .shutdown_timeout(server.shutdown_seconds)
        .disable_signals()
        .bind(server.listen)
        .map_err(failed)?;
        let address = http.addrs().first().copied().unwrap_or(server.listen);
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
