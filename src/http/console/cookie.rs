//! The cookie a session travels in.
//!
//! It is sent to the folder the broker is mounted at, because the page and the server API share it: `/`, or a host's scope.
//! Over TLS its name begins with `__Host-` (below a scope: `__Secure-`), so that nothing but this host could have set it so.
//! Ids are base64url and need no escape.

use std::net::SocketAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::broker::Broker;
use crate::http::client_address::is_forwarded_over_tls;
use crate::http::socket::tracked::TrackedSocket;

const NAME: &str = "tidings-console";

/// Returns the ids of sessions that come with a request; more than one when a browser has cookies of several folders.
pub(super) fn ids_of(request: &HttpRequest) -> Vec<&str> {
    let is_ours = |name: &str| name.strip_prefix("__Host-").or_else(|| name.strip_prefix("__Secure-")).unwrap_or(name) == NAME;
    let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, id)| is_ours(name) && !id.is_empty()).map(|(_, id)| id).collect()
}

/// Makes a session's `Set-Cookie`; `route` is what was asked, as it stands below the broker's folder.
pub(super) fn give(broker: &Broker, request: &HttpRequest, route: &str, id: &str) -> (header::HeaderName, String) {
    (header::SET_COOKIE, text(broker, request, route, id))
}

/// Makes the `Set-Cookie` that takes it away again.
pub(super) fn take(broker: &Broker, request: &HttpRequest, route: &str) -> (header::HeaderName, String) {
    (header::SET_COOKIE, format!("{}; Max-Age=0", text(broker, request, route, "")))
}

fn text(broker: &Broker, request: &HttpRequest, route: &str, id: &str) -> String {
    let folder = request.path().strip_suffix(route).unwrap_or_default();
    let is_secure = is_over_tls(broker, request);
    let (prefix, secure) = match (is_secure, folder.is_empty()) {
        (true, true) => ("__Host-", "; Secure"),
        (true, false) => ("__Secure-", "; Secure"),
        (false, _) => ("", ""),
    };
    format!("{prefix}{NAME}={id}; Path={folder}/; HttpOnly; SameSite=Strict{secure}")
}

/// Says whether the browser speaks TLS: with this server, with a trusted proxy that says so, or by the page's own word, which
/// its Origin is.
fn is_over_tls(broker: &Broker, request: &HttpRequest) -> bool {
    let of_proxy = |peer: SocketAddr| is_forwarded_over_tls(peer.ip(), request.headers(), &broker.config().server);
    request.conn_data::<TrackedSocket>().is_some_and(TrackedSocket::is_secure)
        || request.peer_addr().is_some_and(of_proxy)
        || request.headers().get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}
