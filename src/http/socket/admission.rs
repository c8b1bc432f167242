//! Whether a connection may become a session: caps and origin, before anything is spent on it.

use actix_http::header::HeaderMap;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};

use super::tracked::TrackedSocket;
use crate::actors::context::BrokerContext;
use crate::http::origin;
use crate::http::problem::problem;

/// Checks whether a request for `/ws` may become a session now.
///
/// # Errors
/// The answer that says which rule refuses it.
pub(super) fn admit(context: &BrokerContext, headers: &HeaderMap, connection: Option<&TrackedSocket>) -> Result<(), Box<HttpResponse>> {
    let server = &context.config().server;
    let refuse = |status, reason| Err(Box::new(problem(status, 6_000_007, reason)));
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let origin = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("unreadable"));
    if !origin::allowed(origin, host, &server.origins) {
        return Err(Box::new(problem(StatusCode::FORBIDDEN, 6_000_001, "Origin is not allowed; see server.origins")));
    }
    if context.accepting().is_err() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the broker is shutting down");
    }
    if context.connections.count() >= server.connections_max {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "server.connections_max is reached");
    }
    if context.connections.unauthenticated() >= server.connections_unauthenticated_max {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "server.connections_unauthenticated_max is reached");
    }
    if connection.map_or(0, TrackedSocket::count_of_address) > server.connections_per_address_max {
        return refuse(StatusCode::TOO_MANY_REQUESTS, "server.connections_per_address_max is reached");
    }
    Ok(())
}
