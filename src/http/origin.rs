//! Where a browser's request comes from, and whether that is allowed.

use std::net::IpAddr;

use crate::actors::context::BrokerContext;
use crate::config::Config;

/// The longest origin that is named in the log, bytes: a DNS name has 253 at most.
const NAMED_BYTES_MAX: usize = 300;

/// Says whether a page of this origin may open a WebSocket and use files. Requests without an Origin do not come from a page. A refused
/// origin is logged once a minute, with what would let it in.
pub(super) fn may_enter(context: &BrokerContext, origin: Option<&str>, host: &str) -> bool {
    let config = context.config();
    let is_allowed = allowed(origin, host, &config.server.origins) || origin.is_some_and(|origin| is_developed(&config, origin));
    if let Some(origin) = origin.filter(|_| !is_allowed) {
        let named = &origin[..origin.floor_char_boundary(NAMED_BYTES_MAX)];
        if context.refused_origins.is_due(named, context.clock.elapsed()) {
            let setting = line_for(named, &config.server.origins);
            tracing::warn!(origin = named, setting, "a page of this origin was refused; the setting below [server] lets it in");
        }
    }
    is_allowed
}

/// Says whether a page of any other place may use the broker because it, too, is on this machine: while nobody chose a secret and
/// nobody else can reach the broker, it serves whoever develops a page here.
pub(super) fn serves_developers(config: &Config) -> bool {
    config.is_loopback() && config.auth.secret.is_empty()
}

fn is_developed(config: &Config, origin: &str) -> bool {
    serves_developers(config) && Authority::of_origin(origin).is_some_and(|page| is_loopback_name(page.name.trim_matches(['[', ']'])))
}

/// Returns the line of the settings by which a page of an origin is let in, beside those that are.
fn line_for(origin: &str, configured: &[String]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]/_".contains(&byte);
    if Authority::of_origin(origin).is_none() || !origin.bytes().all(is_plain) {
        return "none: the value is no origin that can be named".to_owned();
    }
    let all: Vec<String> = configured.iter().map(String::as_str).chain([origin]).map(|one| format!("\"{one}\"")).collect();
    format!("origins = [{}]", all.join(", "))
}

/// Says whether a page of this origin is of the host that was asked, or of one that is configured.
fn allowed(origin: Option<&str>, host: &str, configured: &[String]) -> bool {
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
    is_loopback_name(name)
}

fn is_loopback_name(name: &str) -> bool {
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
    fn every_loopback_origin_is_a_developers_while_nobody_chose_a_secret() {
        let mut config = Config::default();
        config.server.listen = ([127, 0, 0, 1], 7080).into();
        for origin in ["http://localhost:3000", "http://LOCALHOST", "https://127.0.0.1:5173", "http://127.9.9.9:1", "http://[::1]:8080"] {
            assert!(is_developed(&config, origin), "{origin}");
        }
        for origin in
            ["http://localhost.example", "http://10.0.0.1:3000", "http://[::2]", "null", "", "file://localhost", "http://x@localhost"]
        {
            assert!(!is_developed(&config, origin), "{origin}");
        }
        config.auth.secret = "sixteen or more bytes".into();
        assert!(!is_developed(&config, "http://localhost:3000"));
        config.auth.secret.clear();
        config.server.listen = ([0, 0, 0, 0], 7080).into();
        assert!(!is_developed(&config, "http://localhost:3000"));
    }

    #[test]
    fn the_line_that_lets_an_origin_in_keeps_the_others() {
        let configured = ["https://a.example".to_owned()];
        assert_eq!(line_for("http://b.example:81", &configured), r#"origins = ["https://a.example", "http://b.example:81"]"#);
        assert_eq!(line_for("http://b.example", &[]), r#"origins = ["http://b.example"]"#);
        for other in ["null", "", "http://a\"]\nx", "ftp://a"] {
            assert!(line_for(other, &[]).starts_with("none"), "{other}");
        }
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
