//! What calls in the vendor's shape share: the nonces that were used, and the quotas of actions.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::rate::KeyedCap;

/// What one broker keeps of calls in the vendor's shape from one to the next.
#[derive(Debug, Default)]
pub(crate) struct VendorApiState {
    pub(crate) calls: KeyedCap,
    pub(crate) nonces: Nonces,
}

/// Remembers the nonces of calls that were rightly signed and would be again. It is bounded by count.
#[derive(Debug, Default)]
pub(crate) struct Nonces(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    fresh: HashSet<String>,
    /// Until when each is remembered, Unix seconds; the first to go on top.
    until: BinaryHeap<Reverse<(u64, String)>>,
}

/// Why a nonce is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceError {
    /// It was used.
    Used,
    /// As many as allowed are remembered, and none may be forgotten yet.
    Full,
}

impl Nonces {
    /// Takes a nonce, which is good once, of a call that nobody could repeat after `until` (Unix seconds) anyway.
    ///
    /// # Errors
    /// [`NonceError`].
    pub(crate) fn take(&self, nonce: &str, until: u64, now: u64, max: usize) -> Result<(), NonceError> {
        let Used { fresh, until: ends } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while ends.peek().is_some_and(|Reverse((until, _))| *until < now) {
            if let Some(Reverse((_, gone))) = ends.pop() {
                fresh.remove(&gone);
            }
        }
        if fresh.contains(nonce) {
            return Err(NonceError::Used);
        }
        if fresh.len() >= max {
            return Err(NonceError::Full);
        }
        fresh.insert(nonce.to_owned());
        ends.push(Reverse((until, nonce.to_owned())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_taken_once_until_its_call_is_too_old() {
        let nonces = Nonces::default();
        assert_eq!(nonces.take("a", 100, 50, 2), Ok(()));
        assert_eq!(nonces.take("a", 130, 100, 2), Err(NonceError::Used));
        assert_eq!(nonces.take("b", 90, 80, 2), Ok(()));
        assert_eq!(nonces.take("c", 200, 90, 2), Err(NonceError::Full));
        assert_eq!(nonces.take("c", 200, 91, 2), Ok(()), "b is gone");
        assert_eq!(nonces.take("a", 300, 101, 2), Ok(()));
    }
}
