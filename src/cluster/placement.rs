//! Who should own which shard, and what to do about it: pure.
//!
//! Rendezvous hashing: of the nodes that live and do not drain, the one whose name scores highest for a shard should own it, unless
//! it has its share and a tenth already. Every node reckons it from the same view by itself; nobody leads. When a node comes or goes,
//! hardly a shard moves between the others. What a node really owns is what the database says.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::store::{NodeRow, View};

/// Of all shards, one in so many may be on its way from one living node to another at a time, so that what is under way in most
/// conversations goes on undisturbed.
const MOVED_SHARE: usize = 8;
/// How much more than its share a node may have, a tenth: chance alone would give one of three nodes 28 of 64 shards instead of 21.
const EXCESS_SHARE: usize = 10;

/// What a node should do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take these shards, which are nobody's or belong to one of these dead.
    Claim { shards: Vec<u16>, dead: Vec<i64> },
    /// Let go of these shards, which that boot should own.
    Release { shards: Vec<u16>, to: i64 },
}

/// Returns what `me` should do about a view, given who of it is dead. Claims come first.
pub(crate) fn steps(view: &View, me: i64, dead: &BTreeSet<i64>) -> Vec<Step> {
    let living = |boot: i64| !dead.contains(&boot) && view.nodes.iter().any(|node| node.boot == boot);
    let heirs = heirs(view, dead);
    let mut claimed = Vec::new();
    let mut moves: Vec<(u16, i64, i64)> = Vec::new();
    let mut unowned = 0;
    for ((shard, owner), heir) in (0..).zip(&view.owners).zip(&heirs) {
        match *owner {
            Some(owner) if living(owner) => {
                if owner != *heir {
                    moves.push((shard, owner, *heir));
                }
            }
            owner => {
                unowned += usize::from(owner.is_none());
                if *heir == me {
                    claimed.push(shard);
                }
            }
        }
    }
    // All nodes that have the same view make the same list and take their own of its beginning.
    let moved_max = (view.owners.len() / MOVED_SHARE).max(1).saturating_sub(unowned);
    let mut released: BTreeMap<i64, Vec<u16>> = BTreeMap::new();
    for (shard, _, heir) in moves.into_iter().take(moved_max).filter(|(_, owner, _)| *owner == me) {
        released.entry(heir).or_default().push(shard);
    }
    let claim = claim(view, me, dead, claimed);
    claim.into_iter().chain(released.into_iter().map(|(to, shards)| Step::Release { shards, to })).collect()
}

/// Returns who of a view should own each shard, by shard; nothing when nobody can own any.
pub(crate) fn heirs(view: &View, dead: &BTreeSet<i64>) -> Vec<i64> {
    let candidates = candidates(view, dead);
    let Some(share) = view.owners.len().checked_div(candidates.len()) else { return Vec::new() };
    let shards_max = share + share / EXCESS_SHARE + 1;
    let score = |shard: usize, candidate: &Candidate| mix(candidate.seed ^ mix(shard as u64 + 1));
    let mut pairs: Vec<(u64, usize, usize)> = (0..view.owners.len())
        .flat_map(|shard| candidates.iter().enumerate().map(move |(n, candidate)| (score(shard, candidate), shard, n)))
        .collect();
    pairs.sort_unstable_by(|one, other| other.cmp(one));
    let mut heirs = vec![None; view.owners.len()];
    let mut counts = vec![0; candidates.len()];
    for (_, shard, n) in pairs {
        if heirs[shard].is_none() && counts[n] < shards_max {
            heirs[shard] = Some(candidates[n].boot);
            counts[n] += 1;
        }
    }
    // All have room for more than there is, so none is left over.
    heirs.into_iter().flatten().collect()
}

/// Names the dead whose shards are taken; those that own none lose their slots by whoever is first of the living.
fn claim(view: &View, me: i64, dead: &BTreeSet<i64>, shards: Vec<u16>) -> Option<Step> {
    let owners: BTreeSet<i64> = view.owners.iter().flatten().copied().collect();
    let mut lost: BTreeSet<i64> = shards.iter().filter_map(|shard| view.owners[usize::from(*shard)]).collect();
    if candidates(view, dead).iter().map(|candidate| candidate.boot).min() == Some(me) {
        let holds_slot = |node: &&NodeRow| node.slot.is_some() && dead.contains(&node.boot) && !owners.contains(&node.boot);
        lost.extend(view.nodes.iter().filter(holds_slot).map(|node| node.boot));
    }
    (!shards.is_empty() || !lost.is_empty()).then(|| Step::Claim { shards, dead: lost.into_iter().collect() })
}

/// A node that may own shards.
struct Candidate {
    boot: i64,
    seed: u64,
}

/// Returns the nodes that hold a slot, live and do not drain. Of several processes of one name the newest counts: the older one is
/// on its way out.
fn candidates(view: &View, dead: &BTreeSet<i64>) -> Vec<Candidate> {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for node in &view.nodes {
        if node.slot.is_some() && !node.draining && !dead.contains(&node.boot) {
            let boot = newest.entry(&node.name).or_insert(node.boot);
            *boot = node.boot.max(*boot);
        }
    }
    newest.into_iter().map(|(name, boot)| Candidate { boot, seed: seed(name) }).collect()
}

/// Turns a name into a number on which every version of this program agrees.
fn seed(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Spreads each bit over all of them: the finisher of `SplitMix64`. A checksum would not: shards next to each other would score alike.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(boot: i64) -> NodeRow {
        NodeRow {
            boot,
            slot: Some(u16::try_from(boot).unwrap()),
            name: format!("broker-{boot}"),
            address: String::new(),
            version: String::new(),
            speaks: crate::store::Speaks::default(),
            beat_us: 0,
            draining: false,
            alone: false,
        }
    }

    fn view(boots: &[i64], shards: usize) -> View {
        View { nodes: boots.iter().map(|boot| node(*boot)).collect(), owners: vec![None; shards], epochs: vec![0; shards] }
    }

    /// Lets every living node take its steps until none has one; returns how many rounds that took and the most shards that were
    /// nobody's after one.
    fn settle(view: &mut View, dead: &[i64]) -> (usize, usize) {
        let dead: BTreeSet<i64> = dead.iter().copied().collect();
        let living: Vec<i64> = view.nodes.iter().map(|node| node.boot).filter(|boot| !dead.contains(boot)).collect();
        let mut unowned_max = 0;
        for round in 0.. {
            let before = view.clone();
            for boot in &living {
                for step in steps(&before, *boot, &dead) {
                    apply(view, *boot, step);
                }
            }
            if *view == before {
                return (round, unowned_max);
            }
            unowned_max = unowned_max.max(view.owners.iter().filter(|owner| owner.is_none()).count());
            assert!(round < 100, "it never settles");
        }
        unreachable!()
    }

    fn apply(view: &mut View, me: i64, step: Step) {
        match step {
            Step::Claim { shards, dead } => {
                shards.iter().for_each(|shard| view.owners[usize::from(*shard)] = Some(me));
                view.nodes.iter_mut().filter(|node| dead.contains(&node.boot)).for_each(|node| node.slot = None);
            }
            Step::Release { shards, .. } => {
                for shard in shards {
                    assert_eq!(view.owners[usize::from(shard)].take(), Some(me), "only its own");
                }
            }
        }
    }

    fn owned(view: &View, boot: i64) -> usize {
        view.owners.iter().filter(|owner| **owner == Some(boot)).count()
    }

    #[test]
    fn shards_are_divided_about_evenly_and_each_has_one_owner() {
        for nodes in [1, 2, 3, 5, 16] {
            let boots: Vec<i64> = (1..=nodes).collect();
            let mut view = view(&boots, 1024);
            assert_eq!(settle(&mut view, &[]).0, 1);
            let fair = 1024 / boots.len();
            for boot in &boots {
                assert!((fair * 2 / 3..=fair * 11 / 10 + 1).contains(&owned(&view, *boot)), "{nodes} {boot} {}", owned(&view, *boot));
            }
        }
    }

    #[test]
    fn a_node_that_comes_takes_from_all_and_an_eighth_at_a_time() {
        let mut view = view(&[1, 2, 3], 64);
        settle(&mut view, &[]);
        let before = view.clone();
        view.nodes.push(node(4));
        let (rounds, unowned_max) = settle(&mut view, &[]);
        assert!(unowned_max <= 8 && rounds > 2, "{rounds} {unowned_max}");
        assert!((10..=18).contains(&owned(&view, 4)), "{}", owned(&view, 4));
        let moved = before.owners.iter().zip(&view.owners).filter(|(before, after)| before != after && **after != Some(4));
        assert!(moved.clone().count() <= 4, "hardly any moves between the others: {}", moved.count());
    }

    #[test]
    fn a_dead_nodes_shards_go_to_the_others_at_once_and_hardly_any_else_moves() {
        let mut view = view(&[1, 2, 3], 64);
        settle(&mut view, &[]);
        let before = view.clone();
        let dead = BTreeSet::from([2]);
        for (me, step) in [1, 3].into_iter().flat_map(|me| steps(&before, me, &dead).into_iter().map(move |step| (me, step))) {
            apply(&mut view, me, step);
        }
        assert_eq!(owned(&view, 2), 0);
        assert_eq!(view.nodes[1].slot, None);
        settle(&mut view, &[2]);
        let moved = before.owners.iter().zip(&view.owners).filter(|(before, after)| before != after && **before != Some(2));
        assert!(moved.clone().count() <= 4, "{}", moved.count());
    }

    #[test]
    fn a_dead_node_that_owns_nothing_loses_its_slot_by_one_of_the_living() {
        let mut view = view(&[1, 2, 3], 64);
        settle(&mut view, &[]);
        view.nodes.push(node(4));
        let dead = BTreeSet::from([4]);
        assert_eq!(steps(&view, 1, &dead), [Step::Claim { shards: vec![], dead: vec![4] }]);
        assert_eq!(steps(&view, 2, &dead), []);
        settle(&mut view, &[4]);
        assert_eq!(view.nodes[3].slot, None);
    }

    #[test]
    fn a_node_that_drains_gives_everything_away_and_takes_nothing() {
        let mut view = view(&[1, 2, 3], 64);
        settle(&mut view, &[]);
        view.nodes[0].draining = true;
        let (_, unowned_max) = settle(&mut view, &[]);
        assert_eq!(owned(&view, 1), 0);
        assert!(unowned_max <= 8);
        assert_eq!(owned(&view, 2) + owned(&view, 3), 64);
    }

    #[test]
    fn a_node_that_drains_alone_keeps_what_it_has() {
        let mut view = view(&[1], 64);
        settle(&mut view, &[]);
        view.nodes[0].draining = true;
        assert_eq!(settle(&mut view, &[]).0, 0);
        assert_eq!(owned(&view, 1), 64);
    }

    #[test]
    fn shards_of_a_boot_that_is_forgotten_are_claimed_by_its_number() {
        let mut view = view(&[1], 8);
        view.owners = vec![Some(77); 8];
        assert_eq!(steps(&view, 1, &BTreeSet::new()), [Step::Claim { shards: (0..8).collect(), dead: vec![77] }]);
    }

    #[test]
    fn the_place_of_a_shard_is_the_same_in_every_version() {
        let view = view(&[1, 2, 3], 16);
        assert_eq!(heirs(&view, &BTreeSet::new()), [2, 1, 3, 1, 3, 3, 2, 3, 2, 1, 2, 3, 2, 1, 3, 1]);
    }

    #[test]
    fn whoever_stands_by_or_is_older_than_its_namesake_is_no_heir() {
        let mut view = view(&[1, 2, 3], 64);
        view.nodes[0].slot = None;
        view.nodes[2].name = view.nodes[1].name.clone();
        settle(&mut view, &[]);
        assert_eq!(owned(&view, 3), 64);
    }
}
