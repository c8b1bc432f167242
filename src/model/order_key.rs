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

/// Returns when an id was made, Unix milliseconds, unless the clock stepped back.
pub(crate) fn made_ms(id: u64) -> u64 {
    (id >> 20) + EPOCH_MS
}

/// Returns the least order key of a moment, given in Unix milliseconds; 0 before 2024.
pub(crate) fn order_key_at(now_ms: u64) -> u64 {
    now_ms.saturating_sub(EPOCH_MS).min(MS_MAX) << SHIFT
}

/// Returns the order key that follows `last` (0: none) for a message accepted at `now_ms`, Unix milliseconds. It is greater
/// than `last` also when the clock stands still or steps back.
pub(crate) fn next_order_key(last: u64, now_ms: u64) -> u64 {
    order_key_at(now_ms).max(last + 1)
}

/// Returns a number that sorts what has this id behind `last` (0: nothing) as the ids do, and below 2^53. It hangs on the id alone,
/// unless the clock stood still or stepped back for two thousand ids.
pub(crate) fn rank_after(last: u64, id: u64) -> u64 {
    ((id >> 20).min(MS_MAX) << SHIFT | (id & ((1 << SHIFT) - 1))).max(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_rise_with_ids_and_stay_where_javascript_counts_exactly() {
        let of_ms = |ms: u64, count: u64| ms << 20 | count;
        let mut last = 0;
        for id in [of_ms(5, 0), of_ms(5, 1), of_ms(5, 2_047), of_ms(5, 2_048), of_ms(5, 9_000), of_ms(6, 0), of_ms(1 << 43, 7)] {
            let rank = rank_after(last, id);
            assert!(rank > last && rank < 1 << 53, "{id}");
            last = rank;
        }
        assert_eq!(rank_after(3, of_ms(5, 7)), rank_after(0, of_ms(5, 7)), "whoever was before");
    }

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
