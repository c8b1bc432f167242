//! What the keys of each page of a database begin with: the keys in the frames that change one record are shorter by that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::store::backend::log_segment::{Leaf, Segment};

/// What the keys of each page began with, and since when.
///
/// Only a page's own nodes say it, and a page that was made by a split may have one alone. Where that cannot be read, the key
/// that the page begins with is known all the same, from the page before it and the index above it, and what its keys begin
/// with is the beginning of that key.
#[derive(Default)]
pub(crate) struct Prefixes {
    of_page: HashMap<u64, BTreeMap<u64, Vec<u8>>>,
    /// The keys that each page began with at some time.
    lows: HashMap<u64, BTreeSet<Vec<u8>>>,
    /// Where frames cannot be read.
    gaps: BTreeSet<u64>,
}

impl Prefixes {
    /// Learns from a leaf.
    pub(crate) fn learn_leaf(&mut self, page: u64, lsn: u64, leaf: &Leaf<'_>) {
        self.learn(page, lsn, leaf.prefix);
        self.learn_low(page, leaf.low);
        if leaf.next != 0 && !leaf.high.is_empty() {
            self.learn_low(leaf.next, leaf.high);
        }
    }

    /// Learns what the keys of a page begin with.
    pub(crate) fn learn(&mut self, page: u64, lsn: u64, prefix: &[u8]) {
        self.of_page.entry(page).or_default().insert(lsn, prefix.to_vec());
    }

    /// Learns with which key a page begins.
    pub(crate) fn learn_low(&mut self, page: u64, low: &[u8]) {
        self.lows.entry(page).or_default().insert(low.to_vec());
    }

    /// Learns where in a segment that begins at `lsn` nodes may be missing.
    pub(crate) fn learn_gaps(&mut self, lsn: u64, segment: &Segment) {
        let damaged = segment.gaps.iter().filter(|gap| !gap.is_last || !segment.is_full);
        self.gaps.extend(damaged.map(|gap| lsn.saturating_add(gap.range.start as u64)));
    }

    /// Returns whether nodes may be missing.
    pub(crate) fn has_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Returns what a key of a page may be that is written without its beginning, the likely one first.
    pub(crate) fn keys(&self, page: u64, lsn: u64, suffix: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        self.known(page, lsn).chain(self.guessed(page)).map(move |prefix| [prefix, suffix].concat())
    }

    /// Returns what the keys of a page began with, the likely one first.
    pub(crate) fn known(&self, page: u64, lsn: u64) -> impl Iterator<Item = &[u8]> {
        let known = self.of_page.get(&page).into_iter();
        known.flat_map(move |known| known.range(..=lsn).rev().chain(known.range(lsn + 1..))).map(|(_, prefix)| prefix.as_slice())
    }

    /// Returns what the keys of a page may have begun with, the longest of each key it began with first.
    fn guessed(&self, page: u64) -> impl Iterator<Item = &[u8]> {
        let lows = self.lows.get(&page).into_iter().flatten();
        lows.flat_map(|low| (0..=low.len()).rev().map(|length| &low[..length]))
    }

    /// Returns what the keys of a page began with, if no node that might say otherwise is missing.
    pub(crate) fn certain(&self, page: u64, lsn: u64) -> Option<&[u8]> {
        let (since, prefix) = self.of_page.get(&page)?.range(..=lsn).next_back()?;
        self.gaps.range(since..&lsn).next().is_none().then_some(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backend::log_segment::Gap;

    fn leaf<'a>(low: &'a [u8], high: &'a [u8], prefix: &'a [u8], next: u64) -> Leaf<'a> {
        Leaf { low, high, prefix, next, records: Vec::new(), is_whole: true }
    }

    #[test]
    fn a_page_without_a_node_begins_where_the_page_before_it_ends() {
        let mut prefixes = Prefixes::default();
        prefixes.learn_leaf(1, 10, &leaf(b"a", b"ab", b"a", 2));
        assert_eq!(prefixes.known(2, 20).count(), 0);
        assert_eq!(prefixes.guessed(2).collect::<Vec<_>>(), [&b"ab"[..], b"a", b""]);
        prefixes.learn_low(3, b"c");
        assert_eq!(prefixes.guessed(3).collect::<Vec<_>>(), [&b"c"[..], b""]);
        assert_eq!(prefixes.known(1, 20).collect::<Vec<_>>(), [b"a"]);
    }

    #[test]
    fn behind_a_gap_nothing_is_certain() {
        let mut prefixes = Prefixes::default();
        prefixes.learn_leaf(1, 10, &leaf(b"a", b"ab", b"a", 2));
        let gap = Gap { range: 30..40, is_last: false };
        prefixes.learn_gaps(0, &Segment { gaps: vec![gap], ..Segment::default() });
        assert_eq!(prefixes.certain(1, 5), None);
        assert_eq!(prefixes.certain(1, 20), Some(&b"a"[..]));
        assert_eq!(prefixes.certain(1, 50), None);
    }
}
