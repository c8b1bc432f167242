//! Where a browser's request comes from, and whether that is allowed. Pure.

use std::net::IpAddr;

/// Says whether a page of this origin may open a WebSocket. Requests without an Origin do not come from a page.
pub(super) fn allowed(origin: Option<&str>, host: &str, configured: &[String]) -> bool {
    let Some(origin) = origin else { return true };
    configured.iter().any(|allowed| allowed == "*" || allowed == origin) || of_host(origin, host)
}

/// Says whether an origin is the very host that was asked.
pub(super) fn of_host(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
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
