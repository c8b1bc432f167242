//! What only whoever operates the broker may see: the metrics, and the description of the server API. On an address of its own,
//! `server.private_listen`; beside everything else only where nobody but this machine asks, or where it was said that all may.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::rt::task::JoinHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

use super::problem::problem;
use crate::broker::Broker;

/// Connections to the private address at a time. Our choice: a few scrapers and a person.
const CONNECTIONS_MAX: usize = 64;

/// Marks requests that came by the private address.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrivatePort;

/// Says whether the private things are shown to this request: it came by the private address, or in demo mode from this machine, or
/// `server.metrics_public` says that all may see them.
pub(super) fn is_shown(broker: &Broker, request: &HttpRequest) -> bool {
    let config = broker.config();
    // There is a demo key exactly while loopback is served with a generated secret.
    let is_demo = broker.demo_key.is_some() && request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    request.app_data::<PrivatePort>().is_some() || config.server.metrics_public || is_demo
}

/// Makes the answer to a request that may not see them.
pub(super) fn not_here() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, 6_000_001, "not shown at this address; see server.private_listen and server.metrics_public")
}

/// The server at `server.private_listen`.
#[derive(Debug)]
pub(super) struct PrivateServer {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

impl PrivateServer {
    /// Listens there, with one thread. Call inside an actix system.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(super) fn start(broker: &Broker, address: SocketAddr) -> io::Result<Self> {
        let (routes, head_seconds) = (broker.clone(), broker.config().server.request_head_seconds);
        let app = move || {
            let broker = routes.clone();
            App::new().configure(move |app| broker.configure_private(app))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .max_connections(CONNECTIONS_MAX)
            .client_request_timeout(Duration::from_secs(head_seconds))
            .shutdown_timeout(1)
            .disable_signals()
            .bind(address)?;
        let address = server.addrs().first().copied().unwrap_or(address);
        let server = server.run();
        let handle = server.handle();
        Ok(Self { address, handle, running: actix_web::rt::spawn(server) })
    }

    /// Stops it at once.
    pub(super) async fn stop(self) {
        self.handle.stop(false).await;
        if !matches!(self.running.await, Ok(Ok(()))) {
            tracing::error!("the server at server.private_listen ended with an error");
        }
    }
}
