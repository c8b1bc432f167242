//! Bytes that many may hold together. Pure but for its counter.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What is held of a budget.
#[derive(Debug, Default)]
pub(crate) struct ByteBudget(AtomicUsize);

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    budget: &'a ByteBudget,
    bytes: usize,
}

impl ByteBudget {
    /// Begins a part of it, which holds nothing yet.
    pub(crate) fn reservation(&self) -> Reservation<'_> {
        Reservation { budget: self, bytes: 0 }
    }
}

impl Reservation<'_> {
    /// Takes more, while all parts together hold `max` at most. Returns false when they would not, and then takes nothing.
    pub(crate) fn grow(&mut self, bytes: usize, max: usize) -> bool {
        let fits = |held: usize| held.checked_add(bytes).filter(|held| *held <= max);
        let has_grown = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if has_grown {
            self.bytes += bytes;
        }
        has_grown
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_hold_as_much_as_is_allowed_and_give_it_back() {
        let budget = ByteBudget::default();
        let (mut one, mut other) = (budget.reservation(), budget.reservation());
        assert!(one.grow(60, 100) && other.grow(40, 100) && other.grow(0, 100));
        assert!(!other.grow(1, 100));
        drop(one);
        assert!(other.grow(60, 100) && !other.grow(usize::MAX, 100));
        drop(other);
        assert!(budget.reservation().grow(100, 100));
    }
}
