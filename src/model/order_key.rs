//! Order keys: numbers that sort the messages of one conversation, made from the time so that they also sort
//! conversations among each other.
//!
//! ```text
//! order key = max(last + 1, (milliseconds since 2024-01-01) << 11), below 2^53 until the year 2163
//! ```
//! 2^53, because JavaScript keeps integers exactly only below it.

/// 2024-01-01T00:00:00Z in Unix milliseconds: order keys and message ids count from here.
pub(crate) const EPOCH_MS: u64 = 1_704_067_200_000;
/// One millisecond has room for 2^11 = 2,048 order keys before they run ahead of the clock.
const SHIFT: u32 = 11;
/// Later milliseconds would not fit below 2^53; the clock is taken to stand still there.
const MS_MAX: u64 = (1 << (53 - SHIFT)) - 1;

/// Returns the least order key of a moment, given in Unix milliseconds; 0 before 2024.
pub(crate) fn order_key_at(now_ms: u64) -> u64 {
    now_ms.saturating_sub(EPOCH_MS).min(MS_MAX) << SHIFT
}

/// Returns the order key that follows `last` (0: none) for a message accepted at `now_ms`, Unix milliseconds. It is greater
/// than `last` also when the clock stands still or steps back.
pub(crate) fn next_order_key(last: u64, now_ms: u64) -> u64 {
    order_key_at(now_ms).max(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keys_follow_the_clock_and_never_stand_still() {
        assert_eq!(next_order_key(0, EPOCH_MS + 3), 3 << 11);
        assert_eq!(next_order_key(3 << 11, EPOCH_MS + 3), (3 << 11) + 1);
        assert_eq!(next_order_key(9 << 11, EPOCH_MS + 3), (9 << 11) + 1);
        assert_eq!(next_order_key(0, 0), 1, "a clock before 2024");
        assert!(next_order_key(0, u64::MAX) < 1 << 53);
        assert!(order_key_at(u64::MAX) < 1 << 53);
    }
}
