//! Who asks by a session of the console.

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use subtle::ConstantTimeEq as _;

use super::cookie;
use crate::broker::Broker;
use crate::console::{LiveSession, SessionKey};
use crate::http::client_address;
use crate::http::origin;
use crate::http::problem::problem;
use crate::http::socket::tracked::TrackedSocket;

/// The header that a page of another site cannot send.
const CSRF: &str = "X-Tidings-CSRF";

/// An operator who is signed in and has every scope of the server API.
#[derive(Debug, Clone)]
pub(in crate::http) struct ConsoleCaller {
    /// For the audit log: `console@` and the address.
    pub(in crate::http) who: String,
    pub(super) session: SessionKey,
}

impl ConsoleCaller {
    /// Says whether the session still holds; what goes on for longer than a call asks.
    pub(in crate::http) fn is_signed_in(&self, broker: &Broker) -> bool {
        broker.console.holds(&broker.config().console, &self.session)
    }
}

/// Finds out who asks by a session of the console. `None`: the request carries none. Otherwise the caller, or the answer to give in
/// place of what was asked: 401 for a session that ended, 403 for a write without the right `X-Tidings-CSRF` or of a page that
/// is not this host's.
pub(in crate::http) fn authenticate(broker: &Broker, request: &HttpRequest) -> Option<Result<ConsoleCaller, Box<HttpResponse>>> {
    let settings = &broker.config().console;
    let ids = cookie::ids_of(request);
    if !settings.enabled || ids.is_empty() {
        return None;
    }
    let seen = ids.iter().find_map(|id| broker.console.find(settings, id));
    let Some(seen) = seen else {
        return Some(Err(Box::new(problem(StatusCode::UNAUTHORIZED, 6_000_103, "the console's session has ended; sign in again"))));
    };
    if let Err(why) = may_write(broker, request, &seen) {
        return Some(Err(Box::new(problem(StatusCode::FORBIDDEN, 6_000_541, why))));
    }
    if let Some(connection) = request.conn_data::<TrackedSocket>() {
        connection.mark_authenticated();
    }
    Some(Ok(ConsoleCaller { who: who(broker, request), session: seen.key }))
}

/// Names whoever is at the other end, for the audit log.
pub(super) fn who(broker: &Broker, request: &HttpRequest) -> String {
    client_address::of_request(broker, request).map_or_else(|| "console".to_owned(), |address| format!("console@{address}"))
}

fn may_write(broker: &Broker, request: &HttpRequest, seen: &LiveSession) -> Result<(), &'static str> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    check_origin(broker, request)?;
    let given = request.headers().get(CSRF).map_or(b"".as_slice(), |value| value.as_bytes());
    if bool::from(given.ct_eq(seen.csrf.as_bytes())) { Ok(()) } else { Err("X-Tidings-CSRF is missing or not this session's") }
}

/// Checks that the request comes from a page of this host, of a configured one, or from no page at all.
pub(super) fn check_origin(broker: &Broker, request: &HttpRequest) -> Result<(), &'static str> {
    let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_own = match text(header::ORIGIN.as_str()) {
        Some(origin) => {
            let host = text(header::HOST.as_str()).unwrap_or_default();
            // Any origin may open a WebSocket where `*` is configured; the console is not meant by that.
            origin::of_host(origin, host) || broker.config().server.origins.iter().any(|allowed| origin::is_same(allowed, origin))
        }
        None => text("Sec-Fetch-Site").is_none_or(|site| matches!(site, "same-origin" | "none")),
    };
    if is_own { Ok(()) } else { Err("a page of another origin may not use the console") }
}
