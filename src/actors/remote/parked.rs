//! Orders whose conversation has no owner at the moment: they wait for the next one, in order, for a while.
//!
//! A part of the conversations that goes from one node to another is nobody's for a fraction of a second, and that of a node that died
//! for the lease. Who sends meanwhile waits a moment instead of being refused.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actors::runtime::route::{Carried, MOVING, Order};
use crate::model::Refusal;

/// Orders that wait at most. Our choice: some mailboxes' worth.
const PARKED_MAX: usize = 65_536;
/// How long one waits: longer than a take-over takes, shorter than clients wait for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long one waits at least that a node has sent back.
const PAUSE: Duration = Duration::from_millis(30);

/// When an order goes on that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// Not before this, even when its conversation seems to have an owner.
    pub(super) from: Duration,
    /// After this it is refused.
    pub(super) until: Duration,
}

impl Waits {
    /// Begins to wait for whoever owns the conversation next.
    pub(super) fn from(now: Duration) -> Self {
        Self { from: now, until: now + PATIENCE }
    }

    /// Waits on, after a node said that it is not the owner: it, or this one, will hear of the owner soon.
    pub(super) fn again(self, now: Duration) -> Self {
        Self { from: now + PAUSE, ..self }
    }
}

/// An order that waits.
pub(super) struct Parked {
    pub(super) order: Order,
    pub(super) done: Carried,
    pub(super) waits: Waits,
}

/// See the module's documentation. A shard with an entry has orders that wait, or that are being handed on: what comes later must
/// wait behind them.
#[derive(Default)]
pub(super) struct ParkedOrders {
    shards: Mutex<BTreeMap<u16, VecDeque<Parked>>>,
    /// How many shards have an entry, and how many orders wait.
    entries: AtomicUsize,
    count: AtomicUsize,
}

impl ParkedOrders {
    fn shards(&self) -> MutexGuard<'_, BTreeMap<u16, VecDeque<Parked>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many wait.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Returns whether orders of a shard wait.
    pub(super) fn holds(&self, shard: u16) -> bool {
        self.entries.load(Ordering::Acquire) > 0 && self.shards().contains_key(&shard)
    }

    /// Lets an order wait.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: too many wait; `done` is dropped.
    pub(super) fn add(&self, shard: u16, order: Order, done: Carried, waits: Waits) -> Result<(), Refusal> {
        let mut shards = self.shards();
        if self.count.load(Ordering::Acquire) >= PARKED_MAX {
            return Err(MOVING);
        }
        self.count.fetch_add(1, Ordering::AcqRel);
        shards.entry(shard).or_default().push_back(Parked { order, done, waits });
        self.entries.store(shards.len(), Ordering::Release);
        Ok(())
    }

    /// Hands on what waits in shards that have an owner again, in order, and refuses what waited too long.
    pub(super) fn hand_on(&self, now: Duration, has_owner: impl Fn(u16) -> bool, hand_on: impl Fn(Parked)) {
        if self.entries.load(Ordering::Acquire) == 0 {
            return;
        }
        let shards: Vec<u16> = self.shards().keys().copied().collect();
        for shard in shards {
            if has_owner(shard) {
                // Its entry stays until all is handed on: what comes meanwhile comes behind.
                while let Some(taken) = self.take(shard, now) {
                    taken.into_iter().for_each(&hand_on);
                }
            } else {
                self.expired(shard, now).into_iter().for_each(|parked| (parked.done)(Err(MOVING)));
            }
        }
    }

    /// Takes out what may go on in a shard; none: nothing does. A shard in which nothing waits any more has no entry.
    fn take(&self, shard: u16, now: Duration) -> Option<VecDeque<Parked>> {
        let mut shards = self.shards();
        let waiting = shards.get_mut(&shard)?;
        if waiting.front().is_some_and(|first| first.waits.from > now) {
            return None;
        }
        let taken = std::mem::take(waiting);
        if taken.is_empty() {
            shards.remove(&shard);
            self.entries.store(shards.len(), Ordering::Release);
            return None;
        }
        self.count.fetch_sub(taken.len(), Ordering::AcqRel);
        Some(taken)
    }

    fn expired(&self, shard: u16, now: Duration) -> VecDeque<Parked> {
        let mut shards = self.shards();
        let Some(waiting) = shards.get_mut(&shard) else { return VecDeque::new() };
        let expired = waiting.iter().take_while(|parked| parked.waits.until <= now).count();
        let expired: VecDeque<Parked> = waiting.drain(..expired).collect();
        if waiting.is_empty() {
            shards.remove(&shard);
            self.entries.store(shards.len(), Ordering::Release);
        }
        self.count.fetch_sub(expired.len(), Ordering::AcqRel);
        expired
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;

    fn order(name: &str) -> Order {
        Order { kind: "peer".into(), name: name.into(), key: Bytes::new(), body: Bytes::new(), if_running: false }
    }

    fn ignored() -> Carried {
        Box::new(|_| {})
    }

    #[test]
    fn orders_wait_for_an_owner_and_go_on_in_order() {
        let (parked, handed) = (ParkedOrders::default(), RefCell::new(Vec::new()));
        for (shard, name) in [(1, "a"), (2, "x"), (1, "b")] {
            parked.add(shard, order(name), ignored(), Waits::from(Duration::ZERO)).unwrap();
        }
        assert!(parked.holds(1) && parked.holds(2) && !parked.holds(3));
        parked.hand_on(
            Duration::ZERO,
            |shard| shard == 1,
            |Parked { order, .. }| {
                // What comes while others are handed on comes behind them.
                if order.name == "a" {
                    assert!(parked.holds(1));
                    parked.add(1, super::tests::order("c"), ignored(), Waits::from(Duration::ZERO)).unwrap();
                }
                handed.borrow_mut().push(order.name);
            },
        );
        assert_eq!(*handed.borrow(), ["a", "b", "c"]);
        assert!(!parked.holds(1) && parked.holds(2));
    }

    #[test]
    fn who_waits_too_long_is_refused_temporarily() {
        let (parked, told) = (ParkedOrders::default(), Arc::new(Mutex::new(Vec::new())));
        let its = told.clone();
        parked.add(1, order("a"), Box::new(move |outcome| its.lock().unwrap().push(outcome)), Waits::from(Duration::ZERO)).unwrap();
        parked.hand_on(PATIENCE - Duration::from_millis(1), |_| false, |_| panic!("nobody owns it"));
        assert!(told.lock().unwrap().is_empty());
        parked.hand_on(PATIENCE, |_| false, |_| panic!("nobody owns it"));
        assert_eq!(*told.lock().unwrap(), [Err(MOVING)]);
        assert!(!parked.holds(1));
    }

    #[test]
    fn what_a_node_sent_back_waits_a_moment_and_the_rest_behind_it() {
        let (parked, handed) = (ParkedOrders::default(), RefCell::new(Vec::new()));
        let start = Waits::from(Duration::ZERO);
        parked.add(1, order("a"), ignored(), start.again(Duration::ZERO)).unwrap();
        parked.add(1, order("b"), ignored(), start).unwrap();
        let look = |now| parked.hand_on(now, |_| true, |Parked { order, .. }| handed.borrow_mut().push(order.name));
        look(PAUSE - Duration::from_millis(1));
        assert!(handed.borrow().is_empty() && parked.holds(1));
        look(PAUSE);
        assert_eq!(*handed.borrow(), ["a", "b"]);
        assert_eq!(start.again(Duration::from_secs(5)).until, PATIENCE, "it does not wait for ever");
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let parked = ParkedOrders::default();
        for n in 0..PARKED_MAX {
            parked.add(u16::try_from(n % 7).unwrap(), order("a"), ignored(), Waits::from(Duration::ZERO)).unwrap();
        }
        assert_eq!(parked.add(0, order("a"), ignored(), Waits::from(Duration::ZERO)), Err(MOVING));
    }
}
