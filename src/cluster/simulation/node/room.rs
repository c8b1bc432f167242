//! One room: its home is the owner of its shard, every node with members is a leaf.
//!
//! A leaf passes at most its share of the budget each second, the home at most the budget, which is the truth. Whatever is not passed
//! is counted where that happens; what a link loses is counted by the link.

use std::collections::BTreeMap;

use super::{Defect, Env, Frame, Node, Stage};
use crate::cluster::simulation::ROOM_SHARD;

/// Barrages a second.
pub(in crate::cluster::simulation) const BUDGET: u64 = 30;

#[derive(Debug, Default)]
pub(in crate::cluster::simulation) struct Room {
    /// As the home: how many members are where; 0 is this node.
    pub(super) counts: BTreeMap<i64, u64>,
    pub(super) told_shares: BTreeMap<i64, u64>,
    /// As a leaf: what it may pass each second; none: it was not told.
    pub(in crate::cluster::simulation) share: Option<u64>,
    /// What was told to which home.
    pub(super) told: Option<(i64, u64)>,
    passed: (u64, u64),
    home_passed: (u64, u64),
    pub(in crate::cluster::simulation) ledger: Ledger,
}

/// What became of barrages, by counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster::simulation) struct Ledger {
    /// By members of this leaf.
    pub(in crate::cluster::simulation) said: u64,
    /// Over the leaf's share, or without a home.
    pub(in crate::cluster::simulation) shed: u64,
    /// Handed to the home, which may be this node.
    pub(in crate::cluster::simulation) passed: u64,
    pub(in crate::cluster::simulation) home_heard: u64,
    /// Over the budget, or it is not the home.
    pub(in crate::cluster::simulation) home_shed: u64,
    /// Told to all.
    pub(in crate::cluster::simulation) home_passed: u64,
    /// Copies handed to leaves, and copies that came to this one.
    pub(in crate::cluster::simulation) copies_sent: u64,
    pub(in crate::cluster::simulation) copies_heard: u64,
}

impl Node {
    fn home(&self) -> Option<i64> {
        self.view.owners.get(usize::from(ROOM_SHARD)).copied().flatten()
    }

    pub(in crate::cluster::simulation) fn members(&self) -> u64 {
        self.sessions.values().filter(|own| own.stage == Stage::Live).count() as u64
    }

    /// As a leaf: tells the home how many members there are. As the home: tells the leaves what they may pass.
    pub(super) fn count_room(&mut self, env: &mut Env<'_>) {
        let Some(home) = self.home() else { return };
        let members = self.members();
        if home == self.boot {
            self.count(0, members);
            self.share(env);
        } else {
            // Counts stay: a leaf may know of a new home before it does itself.
            self.room.told_shares.clear();
        }
        if self.room.told != Some((home, members)) {
            self.room.told = Some((home, members));
            if home != self.boot {
                self.send(home, Frame::Count(members), env);
            }
        }
    }

    pub(super) fn count(&mut self, leaf: i64, members: u64) {
        let keeps = self.defect == Some(Defect::ShareNotReturned);
        let count = self.room.counts.entry(leaf).or_insert(0);
        *count = if keeps { members.max(*count) } else { members };
        // Each count is answered: the leaf takes shares only from whom it knows for the home.
        self.room.told_shares.remove(&leaf);
    }

    /// As a leaf: a home that was may still be heard of.
    pub(super) fn take_share(&mut self, from: i64, share: u64) {
        if self.home() == Some(from) {
            self.room.share = Some(share);
        }
    }

    fn share(&mut self, env: &mut Env<'_>) {
        let total: u64 = self.room.counts.values().sum();
        for (leaf, members) in self.room.counts.clone() {
            // Of nobody the share is whole: whoever comes next waits for no answer.
            let share = if members == 0 || total == 0 { BUDGET } else { (BUDGET * members).div_ceil(total) };
            if leaf == 0 {
                self.room.share = Some(share);
            } else if self.room.told_shares.get(&leaf) != Some(&share) && self.send(leaf, Frame::Share(share), env).is_some() {
                self.room.told_shares.insert(leaf, share);
            }
        }
    }

    /// A member says something.
    pub(in crate::cluster::simulation) fn say(&mut self, env: &mut Env<'_>) {
        self.room.ledger.said += 1;
        let share = self.room.share.unwrap_or(BUDGET);
        let home = self.home().filter(|_| may_pass(&mut self.room.passed, env.now, share));
        let Some(home) = home else {
            self.room.ledger.shed += 1;
            return;
        };
        if home == self.boot {
            self.room.ledger.passed += 1;
            self.hear_barrage(env);
        } else if self.send_lossy(home, false, env) {
            self.room.ledger.passed += 1;
        } else {
            self.room.ledger.shed += 1;
        }
    }

    /// What a leaf passed comes to whom it took for the home.
    pub(super) fn hear_barrage(&mut self, env: &mut Env<'_>) {
        let is_home = self.owns(ROOM_SHARD);
        self.room.ledger.home_heard += 1;
        if !is_home || !may_pass(&mut self.room.home_passed, env.now, BUDGET) {
            self.room.ledger.home_shed += 1;
            return;
        }
        self.room.ledger.home_passed += 1;
        let leaves: Vec<i64> =
            self.room.counts.iter().filter(|(leaf, members)| **leaf != 0 && **members > 0).map(|(leaf, _)| *leaf).collect();
        for leaf in leaves {
            self.room.ledger.copies_sent += u64::from(self.send_lossy(leaf, true, env));
        }
    }
}

/// Whether there is room for one more in this second.
fn may_pass(window: &mut (u64, u64), now: u64, bound: u64) -> bool {
    let second = now / 1000;
    if window.0 != second {
        *window = (second, 0);
    }
    let may = window.1 < bound;
    window.1 += u64::from(may);
    may
}
