//! A bounded memory of what was used lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// A map that never holds more than its maximum: when the newer half is full, the older one is forgotten whole.
///
/// Our choice instead of a least-recently-used list: two plain maps, and nothing to update on a read.
#[derive(Debug)]
pub(crate) struct TwoGenerationMap<K, V> {
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> TwoGenerationMap<K, V> {
    /// Holds at most `max` entries; two at least.
    pub(crate) fn new(max: usize) -> Self {
        Self { newer: HashMap::new(), older: HashMap::new(), half: (max / 2).max(1) }
    }

    /// Returns the value of a key, if it is remembered.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.newer.get(key).or_else(|| self.older.get(key))
    }

    /// Inserts or replaces, among the newer ones.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.newer.len() >= self.half && !self.newer.contains_key(&key) {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(key, value);
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &K) {
        self.newer.remove(key);
        self.older.remove(key);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.newer.clear();
        self.older.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_maximum_and_keeps_the_newest() {
        let mut map = TwoGenerationMap::new(10);
        for n in 1..=100 {
            map.insert(n, n * 2);
            assert!(map.newer.len() + map.older.len() <= 10);
            assert_eq!(map.get(&n), Some(&(n * 2)));
        }
        map.insert(100, 7);
        assert_eq!((map.get(&1), map.get(&100)), (None, Some(&7)));
        map.remove(&100);
        assert_eq!(map.get(&100), None);
        map.clear();
        assert_eq!(map.get(&99), None);
    }
}
