//! Who is delivered next: one line per conversation, in order within, fair between. Pure.

use std::collections::{BTreeSet, HashMap, VecDeque};

#[derive(Debug, PartialEq, Eq)]
enum HeadState {
    /// In `ready`.
    Ready,
    /// Under way.
    UnderWay,
    /// In `waiting`, until then.
    Until(u64),
}

#[derive(Debug)]
struct ConversationQueue {
    seqs: VecDeque<u64>,
    head: HeadState,
}

/// Every line that is not empty.
#[derive(Debug, Default)]
pub(super) struct DeliverySchedule {
    lines: HashMap<u64, ConversationQueue>,
    ready: VecDeque<u64>,
    waiting: BTreeSet<(u64, u64)>,
}

impl DeliverySchedule {
    /// Queues one at the end of a line. `not_before` counts when it is the line's first.
    pub(super) fn push(&mut self, key: u64, seq: u64, not_before: u64) {
        if let Some(line) = self.lines.get_mut(&key) {
            return line.seqs.push_back(seq);
        }
        self.lines.insert(key, ConversationQueue { seqs: VecDeque::from([seq]), head: HeadState::Until(not_before) });
        self.waiting.insert((not_before, key));
    }

    /// Returns the next that is due; it is under way from here on.
    pub(super) fn next(&mut self, now: u64) -> Option<(u64, u64)> {
        while let Some((at, key)) = self.waiting.first().copied().filter(|(at, _)| *at <= now) {
            self.waiting.remove(&(at, key));
            if let Some(line) = self.lines.get_mut(&key) {
                line.head = HeadState::Ready;
                self.ready.push_back(key);
            }
        }
        let key = self.ready.pop_front()?;
        let line = self.lines.get_mut(&key)?;
        line.head = HeadState::UnderWay;
        Some((key, *line.seqs.front()?))
    }

    /// Returns when the next becomes due that is not yet.
    pub(super) fn next_due(&self) -> Option<u64> {
        if self.ready.is_empty() { self.waiting.first().map(|(at, _)| *at) } else { Some(0) }
    }

    /// The one under way is out of the line, delivered or given up. `next_at`: when its next is due.
    pub(super) fn done(&mut self, key: u64) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        line.seqs.pop_front();
        if line.seqs.is_empty() {
            self.lines.remove(&key);
        } else {
            line.head = HeadState::Ready;
            self.ready.push_back(key);
        }
    }

    /// The one under way failed, and those behind it wait with it.
    pub(super) fn retry(&mut self, key: u64, at: u64) {
        if let Some(line) = self.lines.get_mut(&key).filter(|line| line.head == HeadState::UnderWay) {
            line.head = HeadState::Until(at);
            self.waiting.insert((at, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_served_in_order_and_lines_take_turns() {
        let mut lines = DeliverySchedule::default();
        for (key, seq) in [(1, 10), (1, 11), (2, 20), (1, 12)] {
            lines.push(key, seq, 0);
        }
        assert_eq!((lines.next(0), lines.next(0), lines.next(0)), (Some((1, 10)), Some((2, 20)), None));
        lines.done(1);
        assert_eq!(lines.next(0), Some((1, 11)));
        lines.done(2);
        lines.done(1);
        assert_eq!((lines.next(0), lines.next(0)), (Some((1, 12)), None));
        lines.done(1);
        assert_eq!((lines.next(0), lines.next_due()), (None, None));
    }

    #[test]
    fn a_failed_head_holds_back_its_own_line_only() {
        let mut lines = DeliverySchedule::default();
        lines.push(1, 10, 0);
        lines.push(1, 11, 0);
        assert_eq!(lines.next(5), Some((1, 10)));
        lines.retry(1, 100);
        lines.push(2, 20, 0);
        assert_eq!((lines.next(99), lines.next(99), lines.next_due()), (Some((2, 20)), None, Some(100)));
        assert_eq!(lines.next(100), Some((1, 10)));
        lines.done(1);
        assert_eq!(lines.next(100), Some((1, 11)));
    }

    #[test]
    fn a_line_found_after_a_restart_waits_for_its_heads_time() {
        let mut lines = DeliverySchedule::default();
        lines.push(1, 10, 50);
        assert_eq!((lines.next(49), lines.next_due(), lines.next(50)), (None, Some(50), Some((1, 10))));
    }
}
