//! How often a password may be tried. Pure but for its lock.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);

/// Attempts of the last minute. Counted before the password is looked at, so that many at a time gain nothing; bounded by
/// what is allowed in all.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<VecDeque<(Duration, IpAddr)>>);

impl Attempts {
    /// Counts one attempt of this address, if fewer than `of_address` of it and fewer than `of_all` were counted.
    ///
    /// # Errors
    /// After how long to try again; nothing was counted.
    pub(super) fn count(&self, address: IpAddr, now: Duration, of_address: usize, of_all: usize) -> Result<(), Duration> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while counted.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            counted.pop_front();
        }
        let block = block_of(address);
        let its = counted.iter().filter(|(_, whose)| *whose == block).count();
        let frees = |at: Duration| (at + WINDOW).saturating_sub(now);
        if its >= of_address {
            let oldest = counted.iter().find(|(_, whose)| *whose == block);
            return Err(oldest.map_or(WINDOW, |(at, _)| frees(*at)));
        }
        if counted.len() >= of_all {
            return Err(counted.front().map_or(WINDOW, |(at, _)| frees(*at)));
        }
        counted.push_back((now, block));
        Ok(())
    }
}

/// Returns what one subscriber has: an IPv4 address, or the first half of an IPv6 address.
fn block_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_attempts_and_all_share_a_bound() {
        let attempts = Attempts::default();
        let at = Duration::from_secs;
        let [one, two, three] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| text.parse::<IpAddr>().unwrap());
        assert!(attempts.count(one, at(0), 2, 3).is_ok() && attempts.count(one, at(10), 2, 3).is_ok());
        assert_eq!(attempts.count(one, at(20), 2, 3), Err(at(40)));
        assert!(attempts.count(two, at(20), 2, 3).is_ok());
        assert_eq!(attempts.count(three, at(30), 2, 3), Err(at(30)), "all together");
        assert!(attempts.count(one, at(60), 2, 3).is_ok());
    }

    #[test]
    fn a_house_with_many_addresses_is_one() {
        let attempts = Attempts::default();
        let [one, neighbour, other] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse::<IpAddr>().unwrap());
        assert!(attempts.count(one, Duration::ZERO, 1, 9).is_ok());
        assert!(attempts.count(neighbour, Duration::ZERO, 1, 9).is_err());
        assert!(attempts.count(other, Duration::ZERO, 1, 9).is_ok());
        assert!(attempts.count("::ffff:192.0.2.1".parse().unwrap(), Duration::ZERO, 1, 9).is_ok());
        assert!(attempts.count("192.0.2.1".parse().unwrap(), Duration::ZERO, 1, 9).is_err());
    }
}
