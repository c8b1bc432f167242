//! One user's quota of sends, by class. The only place that names `governor`.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use thiserror::Error;

use crate::clock::Clock;
use crate::model::{MessageClass, Priority, UserId};

/// What a quota is kept for; each class has a bucket of its own. Our choice: of its own, so that a flood of
/// commands does not hold back the same user's texts; and high priority apart, because the vendor's "Basic concepts" promise
/// it an allowance when the others' is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum QuotaClass {
    /// Stored messages of low or medium priority, media included.
    Storable,
    /// Stored messages of high priority: not held up by a backlog of the others.
    StorableHigh,
    /// Commands.
    Command,
    /// Whatever else a user has written down: what it does to messages, its list and itself.
    Change,
    /// Coming into rooms, making and leaving them.
    Rooms,
    /// Making groups, coming into them by oneself, leaving and ending them.
    Groups,
    /// Users named in invitations.
    Invites,
    /// Searches.
    Searches,
    /// Bytes of messages that are kept.
    StoredBytes,
}

impl QuotaClass {
    /// Returns the bucket a message draws from. `None` for barrage: it is never refused by quota, only shed by the room's budget,
    /// because a retry would arrive after the moment it was meant for.
    #[must_use]
    pub(crate) fn of(class: MessageClass, priority: Priority) -> Option<Self> {
        match (class, priority) {
            (MessageClass::Storable, Priority::High) => Some(Self::StorableHigh),
            (MessageClass::Storable, Priority::Low | Priority::Medium) => Some(Self::Storable),
            (MessageClass::Command, _) => Some(Self::Command),
            (MessageClass::Barrage, _) => None,
        }
    }
}

/// How much one user may send of one class. Zeros count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateQuota {
    /// Sends in each stretch of time, evenly spread, once the burst is used up.
    count: u32,
    per: Per,
    /// Sends at once after a pause that is long enough for so many.
    burst: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Per {
    Second,
    Minute,
    Day,
}

impl GateQuota {
    /// So many a second, and so many at once after a pause.
    pub(crate) fn per_second(count: u32, burst: u32) -> Self {
        Self { count, per: Per::Second, burst }
    }

    /// So many a minute, all of which may come at once after a pause.
    pub(crate) fn per_minute(count: u32) -> Self {
        Self { count, per: Per::Minute, burst: count }
    }

    /// So many a day, all of which may come at once after a pause.
    pub(crate) fn per_day(count: u32) -> Self {
        Self { count, per: Per::Day, burst: count }
    }
}

/// The quotas of all classes, in the order of [`QuotaClass`].
pub(crate) type Quotas = [GateQuota; 9];

impl Default for GateQuota {
    /// Ten at once, then one per 100 ms, which is what the ZIM guide "Send and receive messages" asks of clients.
    fn default() -> Self {
        Self::per_second(10, 10)
    }
}

/// The quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("send rate exceeded, retry after {ms} ms")]
pub(crate) struct RetryAfter {
    /// When the next send of this class will pass, milliseconds from now, rounded up; at least 1.
    pub ms: u64,
}

impl RetryAfter {
    pub(super) fn of(wait: std::time::Duration) -> Self {
        Self { ms: u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1) }
    }
}

/// Governor's view of our clock: nanoseconds since the clock's own beginning.
pub(super) struct GateClock(Arc<dyn Clock>);

impl GateClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }

    /// Governor adds intervals to instants unchecked; half the range leaves it 292 years of room.
    const LATEST: u64 = u64::MAX / 2;
}

impl GovernorClock for GateClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let nanos = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(Self::LATEST);
        Nanos::new(nanos.min(Self::LATEST))
    }
}

type Limiter = RateLimiter<UserId, DashMapStateStore<UserId>, GateClock, NoOpMiddleware<Nanos>>;

/// Sends per user and class (GCRA). Keyed by user, so that devices share it and reconnecting does not refill it.
pub(crate) struct SendGate {
    /// In the order of [`QuotaClass`].
    limiters: [ArcSwap<Buckets>; 9],
    clock: Arc<dyn Clock>,
}

/// The buckets of one class.
struct Buckets {
    quota: GateQuota,
    limiter: Limiter,
}

impl Buckets {
    fn new(quota: GateQuota, clock: &Arc<dyn Clock>) -> Self {
        Self { quota, limiter: RateLimiter::new(governor_quota(quota), DashMapStateStore::default(), GateClock(clock.clone())) }
    }
}

impl SendGate {
    /// Returns a gate at which nobody has sent yet.
    #[must_use]
    pub(crate) fn new(quotas: Quotas, clock: Arc<dyn Clock>) -> Self {
        Self { limiters: quotas.map(|quota| ArcSwap::from_pointee(Buckets::new(quota, &clock))), clock }
    }

    /// Changes the quotas. Of a class whose quota differs everyone begins with a full bucket; the others stay as they are.
    pub(crate) fn set(&self, quotas: Quotas) {
        for (buckets, quota) in self.limiters.iter().zip(quotas) {
            if buckets.load().quota != quota {
                buckets.store(Arc::new(Buckets::new(quota, &self.clock)));
            }
        }
    }

    /// Takes one send from the quota.
    ///
    /// # Errors
    /// [`RetryAfter`] when it is used up; nothing was taken.
    pub(crate) fn check(&self, user: &UserId, class: QuotaClass) -> Result<(), RetryAfter> {
        self.check_many(user, class, 1)
    }

    /// Takes several at once from the quota; more than may ever come at once count as so many.
    ///
    /// # Errors
    /// [`RetryAfter`] when they are not all left; nothing was taken.
    pub(crate) fn check_many(&self, user: &UserId, class: QuotaClass, count: u32) -> Result<(), RetryAfter> {
        let buckets = self.limiters[class as usize].load();
        let Some(count) = NonZeroU32::new(count.min(buckets.quota.burst.max(1))) else { return Ok(()) };
        match buckets.limiter.check_key_n(user, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(RetryAfter::of(refused.wait_time_from(GateClock(self.clock.clone()).now()))),
            // Cannot be: no more are asked for than the burst.
            Err(_) => Err(RetryAfter { ms: 60_000 }),
        }
    }

    /// Forgets users whose quota is whole again, and gives their memory back. Call once a minute: memory is bounded by
    /// who sent since.
    pub(crate) fn forget_idle(&self) {
        for quotas in &self.limiters {
            let quotas = quotas.load();
            quotas.limiter.retain_recent();
            quotas.limiter.shrink_to_fit();
        }
    }

    /// Buckets in memory now, over all classes.
    #[must_use]
    pub(crate) fn tracked(&self) -> usize {
        self.limiters.iter().map(|quotas| quotas.load().limiter.len()).sum()
    }
}

impl fmt::Debug for SendGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendGate").field("tracked", &self.tracked()).finish_non_exhaustive()
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn governor_quota(quota: GateQuota) -> Quota {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let spread = match quota.per {
        Per::Second => Quota::per_second(at_least_one(quota.count)),
        Per::Minute => Quota::per_minute(at_least_one(quota.count)),
        Per::Day => Quota::with_period(DAY / at_least_one(quota.count).get()).unwrap_or(Quota::per_second(NonZeroU32::MAX)),
    };
    spread.allow_burst(at_least_one(quota.burst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn gate() -> (SendGate, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(0));
        // A broker that has run for a while: instants are not zero.
        clock.advance(Duration::from_secs(1000));
        let quota = GateQuota::default();
        (SendGate::new([quota; 9], clock.clone()), clock)
    }

    fn passes(gate: &SendGate, user: &UserId, class: QuotaClass) -> usize {
        (0..100).take_while(|_| gate.check(user, class).is_ok()).count()
    }

    #[test]
    fn ten_pass_at_once_then_one_per_100_ms() {
        let (gate, clock) = gate();
        let alice = UserId::trusted("alice");
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 10);
        assert_eq!(gate.check(&alice, QuotaClass::Storable), Err(RetryAfter { ms: 100 }));
        clock.advance(Duration::from_millis(30));
        assert_eq!(gate.check(&alice, QuotaClass::Storable), Err(RetryAfter { ms: 70 }));
        clock.advance(Duration::from_millis(70));
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 1);
        assert_eq!(gate.check(&alice, QuotaClass::Storable), Err(RetryAfter { ms: 100 }));
        clock.advance(Duration::from_secs(1));
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 10);
    }

    #[test]
    fn a_pause_refills_no_more_than_the_burst() {
        let (gate, clock) = gate();
        let alice = UserId::trusted("alice");
        assert_eq!(passes(&gate, &alice, QuotaClass::Command), 10);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(passes(&gate, &alice, QuotaClass::Command), 10);
    }

    #[test]
    fn users_and_classes_do_not_share_a_quota() {
        let (gate, _clock) = gate();
        let (alice, bob) = (UserId::trusted("alice"), UserId::trusted("bob"));
        for class in [QuotaClass::Storable, QuotaClass::StorableHigh, QuotaClass::Command] {
            assert_eq!(passes(&gate, &alice, class), 10, "{class:?}");
            assert_eq!(passes(&gate, &bob, class), 10, "{class:?}");
        }
        assert_eq!(passes(&gate, &UserId::trusted("alice"), QuotaClass::Storable), 0, "the same user by another value");
    }

    #[test]
    fn each_class_has_the_quota_it_was_given() {
        let clock = Arc::new(ManualClock::at(0));
        let quota = GateQuota::per_second;
        let (minutely, searches) = (GateQuota::per_minute, quota(5, 5));
        let quotas = [
            quota(1, 2),
            quota(3, 4),
            quota(0, 0),
            quota(5, 6),
            minutely(60),
            minutely(7),
            minutely(20),
            searches,
            GateQuota::per_day(1000),
        ];
        let gate = SendGate::new(quotas, clock);
        let alice = UserId::trusted("alice");
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 2);
        assert_eq!(passes(&gate, &alice, QuotaClass::StorableHigh), 4);
        assert_eq!(gate.check(&alice, QuotaClass::StorableHigh), Err(RetryAfter { ms: 334 }), "rounded up");
        assert_eq!(passes(&gate, &alice, QuotaClass::Command), 1, "zeros count as one");
        assert_eq!(passes(&gate, &alice, QuotaClass::Rooms), 60);
        assert_eq!(gate.check(&alice, QuotaClass::Rooms), Err(RetryAfter { ms: 1_000 }));
        assert_eq!(passes(&gate, &alice, QuotaClass::Groups), 7);
        assert_eq!(passes(&gate, &alice, QuotaClass::Searches), 5);
        assert_eq!(gate.check(&alice, QuotaClass::Searches), Err(RetryAfter { ms: 200 }));
        assert!(gate.check_many(&alice, QuotaClass::StoredBytes, 1000).is_ok());
        assert_eq!(gate.check_many(&alice, QuotaClass::StoredBytes, 100), Err(RetryAfter { ms: 8_640_000 }));
    }

    #[test]
    fn several_are_taken_at_once_or_none() {
        let clock = Arc::new(ManualClock::at(0));
        let gate = SendGate::new([GateQuota::per_minute(20); 9], clock.clone());
        let take = |count| gate.check_many(&UserId::trusted("alice"), QuotaClass::Invites, count);
        assert!(take(15).is_ok() && take(0).is_ok());
        assert_eq!(take(6), Err(RetryAfter { ms: 3_000 }));
        assert!(take(5).is_ok() && take(1).is_err());
        clock.advance(Duration::from_secs(60));
        assert!(take(1_000).is_ok(), "more than ever come at once count as all of them");
        assert!(take(1).is_err());
    }

    #[test]
    fn the_largest_quota_and_the_latest_moment_do_not_overflow() {
        let clock = Arc::new(ManualClock::at(0));
        let (largest, slowest) = (GateQuota::per_second(u32::MAX, u32::MAX), GateQuota::per_second(1, u32::MAX));
        let gate = SendGate::new(
            [largest, slowest, largest, slowest, largest, slowest, largest, slowest, GateQuota::per_day(u32::MAX)],
            clock.clone(),
        );
        let alice = UserId::trusted("alice");
        for _ in 0..2 {
            assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 100);
            assert_eq!(passes(&gate, &alice, QuotaClass::StorableHigh), 100);
            gate.forget_idle();
            clock.advance(Duration::from_millis(u64::MAX / 4));
        }
    }

    #[test]
    fn forgetting_the_idle_refills_nobody_and_frees_memory() {
        let (gate, clock) = gate();
        let (alice, bob) = (UserId::trusted("alice"), UserId::trusted("bob"));
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 10);
        clock.advance(Duration::from_millis(500));
        assert!(gate.check(&bob, QuotaClass::Storable).is_ok());
        gate.forget_idle();
        assert_eq!(gate.tracked(), 2);
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 5);
        clock.advance(Duration::from_millis(300));
        gate.forget_idle();
        assert_eq!(gate.tracked(), 1, "bob's quota is whole again");
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 3);
        clock.advance(Duration::from_secs(5));
        gate.forget_idle();
        assert_eq!(gate.tracked(), 0);
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 10);
    }

    #[test]
    fn a_changed_quota_holds_at_once_and_the_others_buckets_stay() {
        let (gate, _) = gate();
        let alice = UserId::trusted("alice");
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 10);
        assert_eq!(passes(&gate, &alice, QuotaClass::Command), 10);
        let (same, more) = (GateQuota::default(), GateQuota::per_second(5, 3));
        gate.set([more, same, same, same, same, same, same, same, same]);
        assert_eq!(passes(&gate, &alice, QuotaClass::Storable), 3);
        assert_eq!(passes(&gate, &alice, QuotaClass::Command), 0, "not refilled");
    }

    #[test]
    fn barrage_has_no_gate_and_high_priority_has_its_own() {
        use MessageClass::{Barrage, Command, Storable};
        for priority in Priority::ALL {
            assert_eq!(QuotaClass::of(Barrage, priority), None);
            assert_eq!(QuotaClass::of(Command, priority), Some(QuotaClass::Command));
        }
        assert_eq!(QuotaClass::of(Storable, Priority::Low), Some(QuotaClass::Storable));
        assert_eq!(QuotaClass::of(Storable, Priority::Medium), Some(QuotaClass::Storable));
        assert_eq!(QuotaClass::of(Storable, Priority::High), Some(QuotaClass::StorableHigh));
    }
}
