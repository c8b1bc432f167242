//! The links of a conversation, in a form that is quick to loop over and to change.

use std::collections::HashMap;
use std::sync::Arc;

use crate::actors::connection::Link;

/// A set of links by number. Insertion and removal do not move more than one other link.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    links: Vec<Arc<Link>>,
    at: HashMap<u64, usize>,
}

impl Roster {
    /// Adds a link; adding it twice changes nothing.
    pub(crate) fn insert(&mut self, link: Arc<Link>) {
        if let std::collections::hash_map::Entry::Vacant(slot) = self.at.entry(link.number) {
            slot.insert(self.links.len());
            self.links.push(link);
        }
    }

    /// Removes a link, if it is there.
    pub(crate) fn remove(&mut self, number: u64) {
        let Some(position) = self.at.remove(&number) else { return };
        self.links.swap_remove(position);
        if let Some(moved) = self.links.get(position) {
            self.at.insert(moved.number, position);
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<Link>> {
        self.links.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}
