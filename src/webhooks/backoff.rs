//! When a failed delivery is tried again. Pure: the dice are thrown by the caller.

/// How often and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backoff {
    /// Attempts in all, the first included.
    pub(super) attempts_max: u32,
    /// The longest pause after the first failure, milliseconds.
    pub(super) first_ms: u64,
    /// The longest pause of all, milliseconds.
    pub(super) most_ms: u64,
}

impl Backoff {
    /// Returns the pause after the `attempts`-th failure, milliseconds; none: that was the last attempt.
    ///
    /// Between 0 and a bound that doubles with each failure ("full jitter"), so that a backend that comes back is not run
    /// down by everything at once. `asked_ms` is what the backend asked for by `Retry-After`: at least that, up to the
    /// longest pause.
    pub(super) fn pause_ms(&self, attempts: u32, jitter: u64, asked_ms: Option<u64>) -> Option<u64> {
        if attempts >= self.attempts_max {
            return None;
        }
        let doubled = 1u64.checked_shl(attempts.saturating_sub(1)).map_or(u64::MAX, |factor| self.first_ms.saturating_mul(factor));
        let bound = doubled.min(self.most_ms);
        let jittered = jitter % (bound + 1);
        Some(jittered.max(asked_ms.unwrap_or(0)).min(self.most_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { attempts_max: 5, first_ms: 100, most_ms: 500 };

    #[test]
    fn the_bound_doubles_up_to_the_most_and_ends_after_the_last_attempt() {
        for (attempts, bound) in [(1, 100), (2, 200), (3, 400), (4, 500)] {
            assert_eq!(BACKOFF.pause_ms(attempts, bound, None), Some(bound));
            assert_eq!(BACKOFF.pause_ms(attempts, bound + 1, None), Some(0), "the dice are cut at the bound");
        }
        assert_eq!(BACKOFF.pause_ms(5, 0, None), None);
        let patient = Backoff { attempts_max: 100, ..BACKOFF };
        assert_eq!(patient.pause_ms(99, 500, None), Some(500), "no overflow");
    }

    #[test]
    fn what_the_backend_asks_for_is_kept_within_the_most() {
        assert_eq!(BACKOFF.pause_ms(1, 0, Some(300)), Some(300));
        assert_eq!(BACKOFF.pause_ms(1, 0, Some(3_000)), Some(500));
        assert_eq!(BACKOFF.pause_ms(4, 450, Some(300)), Some(450));
    }
}
