//! Whose request it is: the address at the other end, or the one that a trusted proxy says it forwards for.
//!
//! A header proves nothing: anyone can send it. So it counts only where the other end is one of `server.trusted_proxies`, and then
//! only what trusted proxies added: read from the right, up to the first address that is none of theirs.

use std::net::{IpAddr, SocketAddr};

use actix_http::header::{self, HeaderMap, HeaderName};
use actix_web::HttpRequest;

use crate::broker::Broker;
use crate::config::{Server, is_in_networks};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the address of the client that makes this request; `None` where the connection has none.
pub(super) fn of_request(broker: &Broker, request: &HttpRequest) -> Option<IpAddr> {
    Some(client_of(request.peer_addr()?.ip(), request.headers(), &broker.config().server))
}

/// Says whether forwarding headers of this address count.
pub(super) fn is_trusted(address: IpAddr, server: &Server) -> bool {
    is_in_networks(&server.trusted_proxies, address.to_canonical())
}

/// Returns the address of the client a request comes from; IPv4 inside IPv6 as IPv4. Where `Forwarded` and `X-Forwarded-For` name
/// different clients one of them is forged, and it is the proxy's address that counts.
pub(super) fn client_of(peer: IpAddr, headers: &HeaderMap, server: &Server) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, server) {
        return peer;
    }
    let forwarded = walk(peer, server, elements(headers).map(for_of));
    let listed = walk(peer, server, values(headers, &X_FORWARDED_FOR).flat_map(|line| line.split(',')).map(address));
    match (forwarded, listed) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => peer,
    }
}

/// Says whether a trusted proxy says that the client speaks TLS with it.
pub(super) fn is_forwarded_over_tls(peer: IpAddr, headers: &HeaderMap, server: &Server) -> bool {
    if !is_trusted(peer, server) {
        return false;
    }
    let protos = elements(headers).filter_map(|element| parameter(element, "proto"));
    let of_x = values(headers, &header::X_FORWARDED_PROTO).flat_map(|line| line.split(',')).map(|proto| proto.trim().to_owned());
    // The nearest proxy's word comes last.
    let last = protos.last().or_else(|| of_x.last());
    last.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

/// Goes from the nearest hop outwards while hops are trusted. `None`: there is no hop. A hop without an address (`unknown`, a name)
/// ends the way at the proxy that reported it.
fn walk(peer: IpAddr, server: &Server, hops: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
    let hops: Vec<Option<IpAddr>> = hops.collect();
    let mut nearest = None;
    for hop in hops.into_iter().rev() {
        let Some(address) = hop else { return Some(nearest.unwrap_or(peer)) };
        nearest = Some(address);
        if !is_trusted(address, server) {
            break;
        }
    }
    nearest
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    headers.get_all(name).map(|value| value.to_str().unwrap_or("unreadable"))
}

/// Returns the elements of the `Forwarded` lines. Source: RFC 7239, 4.
fn elements(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    values(headers, &header::FORWARDED).flat_map(|line| split(line, ','))
}

/// Cuts a text at a separator. Inside quotes it is none.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if c == separator && !is_quoted => {
                parts.push(&text[begin..at]);
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// Returns a parameter of an element, without quotes.
fn parameter(element: &str, wanted: &str) -> Option<String> {
    let pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?.1.trim();
    Some(value.trim_matches('"').to_owned())
}

fn for_of(element: &str) -> Option<IpAddr> {
    address(&parameter(element, "for")?)
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_http::header::HeaderValue;

    use super::*;
    use crate::config::Config;

    fn client(peer: &str, lines: &[(&str, &str)]) -> String {
        let mut config = Config::default();
        config.server.trusted_proxies = vec!["10.0.0.0/8".into(), "192.0.2.1".into(), "2001:db8::/32".into()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        client_of(peer.parse().unwrap(), &headers, &config.server).to_string()
    }

    #[test]
    fn of_whom_nobody_trusts_no_header_counts() {
        let lines = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(client("203.0.113.9", &lines), "203.0.113.9");
        assert_eq!(client("192.0.2.2", &lines), "192.0.2.2");
        assert_eq!(client("::ffff:203.0.113.9", &lines), "203.0.113.9");
    }

    #[test]
    fn of_a_proxy_the_rightmost_address_counts_that_is_no_proxys() {
        for (lines, expected) in [
            (&[][..], "10.1.2.3"),
            (&[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], "2.2.2.2"),
            (&[("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.9.9.9,192.0.2.1")], "2.2.2.2"),
            (&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2:4711")], "2.2.2.2"),
            (&[("x-forwarded-for", "10.4.4.4, 10.5.5.5")], "10.4.4.4"),
            (&[("x-forwarded-for", "1.1.1.1, nonsense")], "10.1.2.3"),
            (&[("x-forwarded-for", "1.1.1.1, unknown, 10.5.5.5")], "10.5.5.5"),
            (&[("x-forwarded-for", "2001:db9::1")], "2001:db9::1"),
            (&[("x-forwarded-for", "[2001:db9::1]:80")], "2001:db9::1"),
            (&[("x-forwarded-for", "::ffff:2.2.2.2")], "2.2.2.2"),
            (&[("forwarded", "for=1.1.1.1, for=2.2.2.2;proto=http;by=10.1.1.1")], "2.2.2.2"),
            (&[("forwarded", "For=\"[2001:db9:cafe::17]:4711\"")], "2001:db9:cafe::17"),
            (&[("forwarded", "for=\"a, for=9.9.9.9\", by=10.1.1.1;FOR=2.2.2.2")], "2.2.2.2"),
            (&[("forwarded", "for=1.1.1.1, for=_hidden")], "10.1.2.3"),
            (&[("forwarded", "proto=https")], "10.1.2.3"),
            (&[("forwarded", "for=2.2.2.2"), ("x-forwarded-for", "2.2.2.2")], "2.2.2.2"),
        ] {
            assert_eq!(client("10.1.2.3", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn two_headers_that_disagree_count_for_the_proxy() {
        assert_eq!(client("10.1.2.3", &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]), "10.1.2.3");
    }

    #[test]
    fn only_a_proxy_says_that_it_was_tls() {
        let mut headers = HeaderMap::new();
        headers.insert(header::X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        let mut config = Config::default();
        let peer = "127.0.0.1".parse().unwrap();
        assert!(!is_forwarded_over_tls(peer, &headers, &config.server));
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
        assert!(is_forwarded_over_tls(peer, &headers, &config.server));
        headers.append(header::X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        assert!(!is_forwarded_over_tls(peer, &headers, &config.server), "the nearest proxy's word");
    }
}
