//! Whether a connection may become a session: caps and origin, before anything is spent on it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use actix_http::header::HeaderMap;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};

use super::tracked::{AddressFull, TrackedSocket};
use crate::actors::context::BrokerContext;
use crate::http::client_address::client_of;
use crate::http::origin;
use crate::http::problem::problem;

/// What a connection without a login is left in any case, when another one comes for which there is no place.
const UNTOUCHED: Duration = Duration::from_secs(1);

/// Checks whether a request for `/ws` may become a session now. Returns the address of its client.
///
/// # Errors
/// The answer that says which rule refuses it.
pub(super) fn admit(
    context: &BrokerContext,
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
    connection: Option<&TrackedSocket>,
) -> Result<Option<IpAddr>, Box<HttpResponse>> {
    let server = &context.config().server;
    let client = peer.map(|peer| client_of(peer.ip(), headers, server));
    let refuse = |status, reason| {
        tracing::debug!(client.address = client.map(tracing::field::display), reason, "no WebSocket");
        Err(Box::new(problem(status, 6_000_007, reason)))
    };
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let origin = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("unreadable"));
    if !origin::may_enter(context, origin, host) {
        return Err(Box::new(problem(
            StatusCode::FORBIDDEN,
            6_000_001,
            "Origin is not allowed; see server.origins, and the log for the line to put into the settings",
        )));
    }
    if context.accepting().is_err() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the broker is shutting down");
    }
    if context.connections.count() >= server.connections_max {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "server.connections_max is reached");
    }
    let now = context.clock.elapsed();
    let counted = connection.zip(client).map_or(Ok(()), |(connection, client)| connection.count_for(client, now, server));
    match counted {
        Ok(()) => {}
        Err(AddressFull::Connections) => return refuse(StatusCode::TOO_MANY_REQUESTS, "server.connections_per_address_max is reached"),
        Err(AddressFull::Unauthenticated) => {
            let reason = "server.connections_unauthenticated_per_address_max is reached";
            return refuse(StatusCode::TOO_MANY_REQUESTS, reason);
        }
    }
    let is_full = context.connections.unauthenticated() >= server.connections_unauthenticated_max;
    if is_full && !context.connections.oldest_gives_way(now, UNTOUCHED) {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "server.connections_unauthenticated_max is reached");
    }
    Ok(client)
}
