//! The keys by which messages are ordered, in and across conversations.

/// 2024-01-01T00:00:00Z in Unix milliseconds: where order keys and ids begin.
pub(crate) const EPOCH_MS: u64 = 1_704_067_200_000;

/// The greatest order key: what a JSON number carries whole everywhere.
const MAX: u64 = (1 << 53) - 1;

/// Returns the least order key of a moment.
pub(crate) fn at(now_ms: u64) -> u64 {
    (now_ms.saturating_sub(EPOCH_MS) << 11).min(MAX)
}

/// Returns the order key after `last`: by the time, unless that stands still or goes back.
pub(crate) fn next(last: u64, now_ms: u64) -> u64 {
    at(now_ms).max(last.saturating_add(1)).min(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_increase_whatever_the_clock_does_and_stay_whole_in_json() {
        assert_eq!(at(EPOCH_MS + 1), 2_048);
        assert_eq!((next(0, EPOCH_MS), next(7, 0), next(2_048, EPOCH_MS + 1)), (1, 8, 2_049));
        assert_eq!((at(u64::MAX >> 12), next(MAX, 0)), (MAX, MAX));
    }
}
