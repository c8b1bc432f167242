//! Places for sockets whose other end did not prove who it is: so many in all, and fewer for one address.
//!
//! When there is no place, the oldest socket gives way that is older than a second and has had no answer; else the one that was
//! answered longest ago, and asks nothing now. So whoever logs in at once finds a place, however many sockets do nothing. Without
//! such a one the newcomer waits: sockets of a crowd that comes back all at once leave their places as they log in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::activity::Activity;
use crate::metrics::{Metrics, SocketCut};

/// What a socket is left in any case. Our choice: a login takes some milliseconds.
const UNTOUCHED: Duration = Duration::from_secs(1);

/// How often a socket that waits looks for a place that nobody left: one of another socket that grew old enough.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Sockets that wait for a place of one address, for each it has. Our choice: with the defaults 2,048, so that two thousand sessions
/// that come back at once all get in.
const WAITING_PER_PLACE: usize = 8;

/// Whose sockets are counted together: an address, or of IPv6 the /64 that one site has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AddressKey(IpAddr);

impl AddressKey {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            v4 => v4,
        })
    }
}

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaceLimits {
    pub in_all: usize,
    pub per_address: usize,
}

#[derive(Debug)]
struct Taken {
    /// `None`: a proxy's, whose clients are not known yet.
    key: Option<AddressKey>,
    activity: Arc<Activity>,
}

#[derive(Debug, Default)]
struct Book {
    next: u64,
    /// By number, so the oldest first.
    taken: BTreeMap<u64, Taken>,
    by_key: HashMap<AddressKey, BTreeSet<u64>>,
    waiting: HashMap<AddressKey, usize>,
}

impl Book {
    fn count(&self, key: Option<AddressKey>) -> usize {
        key.and_then(|key| self.by_key.get(&key)).map_or(0, BTreeSet::len)
    }

    fn insert(&mut self, key: Option<AddressKey>, activity: Arc<Activity>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.index(number, key);
        self.taken.insert(number, Taken { key, activity });
        number
    }

    fn index(&mut self, number: u64, key: Option<AddressKey>) {
        if let Some(key) = key {
            self.by_key.entry(key).or_default().insert(number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<Taken> {
        let taken = self.taken.remove(&number)?;
        if let Some(key) = taken.key
            && let Some(numbers) = self.by_key.get_mut(&key)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_key.remove(&key);
            }
        }
        Some(taken)
    }

    /// Returns who gives way among these, oldest first.
    fn who_gives_way<'a>(&'a self, among: impl Iterator<Item = (&'a u64, &'a Taken)>, now: Duration) -> Option<u64> {
        let mut idle: Option<(Duration, u64)> = None;
        for (number, taken) in among {
            let activity = &taken.activity;
            if activity.open_for(now) < UNTOUCHED {
                // All that follow are younger.
                break;
            }
            if !activity.is_answered() {
                return Some(*number);
            }
            let quiet = activity.quiet_for(now);
            if quiet >= UNTOUCHED && idle.is_none_or(|(longest, _)| quiet > longest) {
                idle = Some((quiet, *number));
            }
        }
        idle.map(|(_, number)| number)
    }

    /// Makes room for one more of this address, by cutting another if it must be. Returns whether there is room.
    fn make_room(&mut self, key: Option<AddressKey>, now: Duration, limits: PlaceLimits, metrics: &Metrics) -> bool {
        let chosen = if key.is_some() && self.count(key) >= limits.per_address {
            let of_key = key.and_then(|key| self.by_key.get(&key)).into_iter().flatten();
            self.who_gives_way(of_key.filter_map(|number| self.taken.get_key_value(number)), now)
        } else if self.taken.len() >= limits.in_all {
            self.who_gives_way(self.taken.iter(), now)
        } else {
            return true;
        };
        let Some(taken) = chosen.and_then(|number| self.remove(number)) else { return false };
        metrics.socket_cut(SocketCut::GaveWay);
        taken.activity.cut();
        true
    }
}

/// The places of one server.
#[derive(Debug)]
pub(super) struct Places {
    book: Mutex<Book>,
    left: Notify,
    metrics: Arc<Metrics>,
}

/// A place, held until it is dropped or given back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Place {
    /// Gives it back: whoever is at the other end of the socket proved who it is.
    pub(super) fn give_back(&self) {
        self.places.remove(self.number);
    }

    /// Counts it for another address: a proxy's socket turned out to be this client's. Returns false when the address has
    /// no place, and none can be made; then all stays.
    pub(super) fn count_for(&self, address: IpAddr, now: Duration, limits: PlaceLimits) -> bool {
        let key = AddressKey::of(address);
        let mut book = self.places.lock();
        let Some(Taken { key: before, .. }) = book.taken.get(&self.number) else { return true };
        if *before == Some(key) {
            return true;
        }
        // Its own place is one of all already.
        let limits = PlaceLimits { in_all: usize::MAX, ..limits };
        if !book.make_room(Some(key), now, limits, &self.places.metrics) {
            return false;
        }
        let Some(taken) = book.remove(self.number) else { return true };
        book.index(self.number, Some(key));
        book.taken.insert(self.number, Taken { key: Some(key), ..taken });
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Counts a socket as waiting for as long as it does.
struct Waiting<'a>(&'a Places, AddressKey);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut book = self.0.lock();
        if let Some(count) = book.waiting.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                book.waiting.remove(&self.1);
            }
        }
    }
}

impl Places {
    /// Returns places of which none is taken; who gives way is counted.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { book: Mutex::default(), left: Notify::new(), metrics }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, number: u64) {
        if self.lock().remove(number).is_some() {
            self.left.notify_one();
        }
    }

    /// Takes a place now, if there is one or another socket gives way.
    pub(super) fn take_now(
        self: &Arc<Self>,
        key: Option<AddressKey>,
        activity: &Arc<Activity>,
        now: Duration,
        limits: PlaceLimits,
    ) -> Option<Place> {
        let mut book = self.lock();
        if !book.make_room(key, now, limits, &self.metrics) {
            return None;
        }
        activity.begin();
        let number = book.insert(key, activity.clone());
        Some(Place { places: self.clone(), number })
    }

    /// Takes a place, and waits for one. `None`: too many of the address wait already. Whoever waits for too long drops the future.
    pub(super) async fn take(
        self: &Arc<Self>,
        key: Option<AddressKey>,
        activity: &Arc<Activity>,
        now: impl Fn() -> Duration,
        limits: impl Fn() -> PlaceLimits,
    ) -> Option<Place> {
        if let Some(place) = self.take_now(key, activity, now(), limits()) {
            return Some(place);
        }
        let _waiting = self.wait(key.unwrap_or(AddressKey(IpAddr::V6(Ipv6Addr::UNSPECIFIED))), limits())?;
        loop {
            let _left_or_looked_anyway = tokio::time::timeout(LOOK_EVERY, self.left.notified()).await.is_ok();
            if let Some(place) = self.take_now(key, activity, now(), limits()) {
                return Some(place);
            }
        }
    }

    fn wait(&self, key: AddressKey, limits: PlaceLimits) -> Option<Waiting<'_>> {
        let mut book = self.lock();
        let count = book.waiting.entry(key).or_default();
        if *count >= limits.per_address.saturating_mul(WAITING_PER_PLACE) {
            return None;
        }
        *count += 1;
        Some(Waiting(self, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    const LIMITS: PlaceLimits = PlaceLimits { in_all: 5, per_address: 3 };

    struct Bench {
        clock: Arc<ManualClock>,
        places: Arc<Places>,
    }

    impl Bench {
        fn new() -> Self {
            Self { clock: Arc::new(ManualClock::at(0)), places: Arc::new(Places::new(Arc::default())) }
        }

        fn gave_way(&self) -> u64 {
            self.places.metrics.sockets_cut_total(SocketCut::GaveWay)
        }

        fn take(&self, address: &str) -> Option<(Arc<Activity>, Place)> {
            let activity = Arc::new(Activity::new(self.clock.clone()));
            let key = Some(AddressKey::of(address.parse().unwrap()));
            let place = self.places.take_now(key, &activity, self.clock.elapsed(), LIMITS)?;
            Some((activity, place))
        }
    }

    #[test]
    fn the_oldest_without_an_answer_gives_way_once_it_is_a_second_old() {
        let bench = Bench::new();
        let held: Vec<_> = (0..3).map(|_| bench.take("1.1.1.1").unwrap()).collect();
        held[0].0.wrote(b"HTTP/1.1 200 OK");
        assert!(bench.take("1.1.1.1").is_none(), "three are allowed");
        bench.clock.advance(Duration::from_millis(999));
        assert!(bench.take("1.1.1.1").is_none());
        assert_eq!(bench.gave_way(), 0);
        bench.clock.advance(Duration::from_millis(1));
        let fourth = bench.take("1.1.1.1").unwrap();
        let cut: Vec<bool> = held.iter().map(|(activity, _)| activity.is_cut()).collect();
        assert_eq!(cut, [false, true, false]);
        let fifth = bench.take("1.1.1.1").unwrap();
        assert!(held[2].0.is_cut());
        // Of those that are left only the one that was answered is old enough.
        let _sixth = bench.take("1.1.1.1").unwrap();
        assert!(held[0].0.is_cut() && !fourth.0.is_cut() && !fifth.0.is_cut());
        assert_eq!(bench.gave_way(), 3, "each is counted");
    }

    #[test]
    fn what_all_take_is_bounded_too_and_whoever_logged_in_needs_no_place() {
        let bench = Bench::new();
        let held: Vec<_> = ["1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2", "3.3.3.3"].map(|address| bench.take(address).unwrap()).into();
        assert!(bench.take("4.4.4.4").is_none(), "five are allowed");
        held[4].1.give_back();
        let fourth = bench.take("4.4.4.4");
        assert!(fourth.is_some() && bench.take("4.4.4.4").is_none());
        bench.clock.advance(UNTOUCHED);
        assert!(bench.take("4.4.4.4").is_some() && held[0].0.is_cut() && !held[4].0.is_cut());
        drop(fourth);
        assert!(bench.take("4.4.4.4").is_some(), "a place is given back with its socket");
    }

    #[test]
    fn ipv6_counts_by_64_bits_and_ipv4_inside_it_as_ipv4() {
        let key = |address: &str| AddressKey::of(address.parse().unwrap());
        assert_eq!(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::9"));
        assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
        assert_eq!(key("::ffff:1.2.3.4"), key("1.2.3.4"));
    }

    #[test]
    fn a_proxys_socket_counts_for_its_client_once_that_is_known() {
        let bench = Bench::new();
        let held: Vec<_> = (0..3).map(|_| bench.take("1.1.1.1").unwrap()).collect();
        let activity = Arc::new(Activity::new(bench.clock.clone()));
        let place = bench.places.take_now(None, &activity, Duration::ZERO, LIMITS).unwrap();
        let client = "1.1.1.1".parse().unwrap();
        assert!(!place.count_for(client, Duration::ZERO, LIMITS));
        bench.clock.advance(UNTOUCHED);
        assert!(place.count_for(client, bench.clock.elapsed(), LIMITS) && held[0].0.is_cut());
        assert!(place.count_for(client, bench.clock.elapsed(), LIMITS) && !held[1].0.is_cut(), "once");
    }
}
