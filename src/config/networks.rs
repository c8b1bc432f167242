//! Addresses and networks, as `server.trusted_proxies` lists them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads an address, or a network such as `10.0.0.0/8`.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Says whether an address is one of these, or in one of these networks. An entry that is neither holds nothing.
#[must_use]
pub fn is_in_networks(networks: &[String], address: IpAddr) -> bool {
    networks.iter().filter_map(|text| parse(text)).any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_networks() {
        let networks = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"].map(str::to_owned);
        for (address, is_in) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::1", false),
        ] {
            assert_eq!(is_in_networks(&networks, address.parse().unwrap()), is_in, "{address}");
        }
        for bad in ["", "10.0.0.0/33", "host", "10.0.0", "10.0.0.1:80"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
