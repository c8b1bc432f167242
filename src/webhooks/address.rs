//! Which addresses may be called. Pure.
//!
//! A webhook's name is the operator's, but what it resolves to is not: an answer of the DNS must not make the broker
//! knock at the cloud's metadata service or at a database beside it. So the rule is for the address that is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether an address is on the public internet.
/// Source: IANA's registries of special-purpose addresses; whatever wraps an
/// IPv4 address (mapped, NAT64, 6to4, Teredo) is not, because it leads where the wrapped one does.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)                          // this network, private, loopback
            | (100, 64..=127, _)                      // carriers' NAT
            | (169, 254, _)                           // link-local, the clouds' metadata
            | (172, 16..=31, _)                       // private
            | (192, 0, 0 | 2)                         // protocols, documentation
            | (192, 88, 99)                           // 6to4 relays
            | (192, 168, _)                           // private
            | (198, 18 | 19, _)                       // benchmarks
            | (198, 51, 100)                          // documentation
            | (203, 0, 113)                           // documentation
            | (224..=255, _, _) // multicast, reserved, broadcast
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out at all: unspecified, loopback, mapped, NAT64, unique-local, link-local, site-local and
    // multicast addresses lie outside of it.
    let is_global = a & 0xe000 == 0x2000;
    let is_special = match a {
        0x2001 => b < 0x0200 || b == 0x0db8, // protocols, Teredo among them; documentation
        0x2002 => true,                      // 6to4
        0x3fff => b < 0x1000,                // documentation
        _ => false,
    };
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
        ];
        let public6 = ["2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2001:200::1"];
        for text in public.iter().chain(&public6) {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        let inside = [
            "0.0.0.0",
            "10.0.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ];
        let inside6 = [
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
        ];
        for text in inside.iter().chain(&inside6) {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
