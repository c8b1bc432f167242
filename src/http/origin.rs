//! Where a browser's request comes from, and whether that is allowed. Pure.

use std::net::IpAddr;

/// Says whether a page of this origin may open a WebSocket. Requests without an Origin do not come from a page.
pub(super) fn allowed(origin: Option<&str>, host: &str, configured: &[String]) -> bool {
    let Some(origin) = origin else { return true };
    configured.iter().any(|allowed| allowed == "*" || is_same(allowed, origin)) || of_host(origin, host)
}

/// Says whether two origins are one, whatever is said of the port that its scheme has anyway.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    match (Authority::of_origin(one), Authority::of_origin(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Scheme, name and port of an origin.
#[derive(Debug, PartialEq, Eq)]
struct Authority {
    is_secure: bool,
    name: String,
    port: u16,
}

impl Authority {
    fn of_origin(origin: &str) -> Option<Self> {
        let (is_secure, authority) = match origin.strip_prefix("https://") {
            Some(authority) => (true, authority),
            None => (false, origin.strip_prefix("http://")?),
        };
        Self::new(is_secure, authority)
    }

    /// Reads `name` or `name:port`. `None`: that is not what it is.
    fn new(is_secure: bool, authority: &str) -> Option<Self> {
        // The colons inside brackets are an address's.
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if is_secure => 443,
            None => 80,
        };
        (!name.is_empty()).then(|| Self { is_secure, name: name.to_ascii_lowercase(), port })
    }
}

/// Says whether an origin is the very host that was asked.
pub(super) fn of_host(origin: &str, host: &str) -> bool {
    // The scheme is the page's: TLS may end at a proxy.
    let asked = Authority::of_origin(origin).and_then(|of_page| Some((Authority::new(of_page.is_secure, host)?, of_page)));
    asked.is_some_and(|(asked, of_page)| asked == of_page)
}

/// Says whether a Host header names this machine's loopback.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_host_is_allowed_and_others_only_when_configured() {
        let host = "chat.example:7080";
        assert!(allowed(None, host, &[]));
        assert!(allowed(Some("https://chat.example:7080"), host, &[]));
        assert!(
            allowed(Some("https://x"), "x:443", &[]) && allowed(Some("https://x:443"), "X", &[]) && allowed(Some("http://x"), "x:80", &[])
        );
        for (foreign, host) in
            [("http://x", "x:443"), ("https://x", "x:80"), ("https://y", "x:443"), ("https://x:444", "x:443"), ("https://x", "")]
        {
            assert!(!allowed(Some(foreign), host, &[]), "{foreign} at {host}");
        }
        assert!(allowed(Some("https://[::1]"), "[::1]:443", &[]) && !allowed(Some("https://[::1]"), "[::1]:7080", &[]));
        assert!(allowed(Some("https://app.example"), host, &["https://app.example:443".into()]));
        for foreign in ["https://evil.example", "https://chat.example", "https://chat.example:7080.evil", "null", ""] {
            assert!(!allowed(Some(foreign), host, &[]), "{foreign}");
        }
        assert!(allowed(Some("https://app.example"), host, &["https://app.example".into()]));
        assert!(allowed(Some("https://any.example"), host, &["*".into()]));
    }

    #[test]
    fn loopback_is_known_by_name_and_by_address() {
        for host in ["localhost", "LOCALHOST:7080", "127.0.0.1:7080", "127.9.9.9", "[::1]:7080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "localhost.example:1", "10.0.0.1:7080", "[::2]:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
