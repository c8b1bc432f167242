//! What a broker that stands by answers: that it lives, and who is active. Everything else is there.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Method, Request, Response, StatusCode};
use actix_server::ServerHandle;
use actix_service::{ServiceFactoryExt as _, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::rt::task::JoinHandle;
use serde_json::json;

use super::ServeError;
use super::health::life;
use super::serve::{TlsSetup, listen, tls_setup};
use super::socket::stream::Stream;
#[cfg(feature = "tls")]
use super::tls::Surroundings;
#[cfg(feature = "tls")]
use crate::clock::SystemClock;
use crate::config::Config;
#[cfg(feature = "tls")]
use crate::metrics::Metrics;
use crate::model::Refusal;
use crate::protocol::code_of;
use crate::store::ActiveNode;

/// Connections at a time. Our choice: whoever is sent away is so at once.
const CONNECTIONS_MAX: usize = 4_096;

/// Who is active, as it was last seen.
#[derive(Debug, Clone, Default)]
pub struct ActiveView(Arc<Mutex<Option<ActiveNode>>>);

impl ActiveView {
    /// Notes who is active.
    pub fn set(&self, active: Option<&ActiveNode>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = active.cloned();
    }

    fn get(&self) -> Option<ActiveNode> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The server of a broker that stands by.
pub struct StandbyServer {
    address: SocketAddr,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

impl std::fmt::Debug for StandbyServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandbyServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What TLS needs where there is no broker.
#[cfg(feature = "tls")]
fn surroundings(config: &Config) -> Surroundings {
    let config = Arc::new(config.clone());
    Surroundings { metrics: Arc::new(Metrics::new()), clock: Arc::new(SystemClock::new()), config: Arc::new(move || config.clone()) }
}

async fn accept(secure: TlsSetup, io: TcpStream) -> Result<(Stream, Option<SocketAddr>), DispatchError> {
    let peer = io.peer_addr().ok();
    #[cfg(feature = "tls")]
    if let Some(tls) = secure {
        return Ok((Stream::tls(tls.accept(io).await?, None), peer));
    }
    #[cfg(not(feature = "tls"))]
    let None = secure;
    Ok((Stream::bare(io, None), peer))
}

impl StandbyServer {
    /// Listens where the configuration says, with one thread. Call inside an actix system.
    ///
    /// # Errors
    /// [`ServeError`] when the address cannot be had, or the certificate not be used.
    pub fn start(config: &Config, active: &ActiveView) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: config.server.listen, source };
        #[cfg(feature = "tls")]
        let secure = tls_setup(surroundings(config))?;
        #[cfg(not(feature = "tls"))]
        let secure = tls_setup(config)?;
        let listener = listen(config.server.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (head_deadline, active) = (Duration::from_secs(config.server.request_head_seconds), active.clone());
        let service = move || {
            let (active, secure) = (active.clone(), secure.clone());
            let http = HttpService::build().client_request_timeout(head_deadline).h1(fn_service(move |request: Request| {
                let answer = answer(&request, active.get().as_ref());
                async move { Ok::<_, actix_http::Error>(answer) }
            }));
            fn_service(move |io| accept(secure.clone(), io)).and_then(http)
        };
        let server = actix_server::Server::build()
            .workers(1)
            .max_concurrent_connections(CONNECTIONS_MAX)
            .shutdown_timeout(0)
            .disable_signals()
            .listen("tidings-standby", listener, service)
            .map_err(failed)?
            .run();
        let handle = server.handle();
        Ok(Self { address, handle, running: actix_web::rt::spawn(server) })
    }

    /// Returns where it listens; the port is the real one when the configuration said 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it at once.
    pub async fn stop(self) {
        self.handle.stop(false).await;
        if !matches!(self.running.await, Ok(Ok(()))) {
            tracing::error!("the server of a broker that stands by ended with an error");
        }
    }
}

/// Answers a request: alive, and not ready.
fn answer(request: &Request, active: Option<&ActiveNode>) -> Response<String> {
    if request.path() == "/healthz" && matches!(*request.method(), Method::GET | Method::HEAD) {
        return Response::build(StatusCode::OK).content_type("application/json").message_body(life().to_string()).unwrap_or_default();
    }
    let detail = match active {
        Some(ActiveNode { name, address }) if address.is_empty() => format!("standby: {name} is active"),
        Some(ActiveNode { name, address }) => format!("standby: {name} at {address} is active"),
        None => "standby: nobody is active yet".to_owned(),
    };
    let body = json!({
        "type": "about:blank", "title": "standby", "status": 503, "detail": detail, "code": code_of(&Refusal::Busy("standby")),
        "active": active.map(|active| json!({"node": active.name, "address": active.address})),
    });
    Response::build(StatusCode::SERVICE_UNAVAILABLE)
        .insert_header(("Retry-After", "1"))
        .insert_header(("Connection", "close"))
        .content_type("application/problem+json")
        .message_body(body.to_string())
        .unwrap_or_default()
}
