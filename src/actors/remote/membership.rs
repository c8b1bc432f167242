//! Who lives and who owns what: looked at again and again, and what this node does about it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::cluster::{Cluster, Peers, count, on_store};
use super::handover;
use super::letter::Letter;
use crate::actors::registries::Registries;
use crate::actors::runtime::route::NodeId;
use crate::cluster::life::Watch;
use crate::cluster::links::Peer;
use crate::cluster::placement::{Step, steps};
use crate::store::{Claimed, NodeRow, Speaks, View};

/// How often one looks. A take-over begins this late at most, behind the lease.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often marks are told.
const MARK_EVERY: Duration = Duration::from_millis(50);

/// Looks at the others until the actors' thread ends.
pub(crate) async fn keep_membership(cluster: Arc<Cluster>, actors: Arc<Registries>) {
    let mut watch = Watch::default();
    loop {
        look(&cluster, &actors, &mut watch).await;
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cluster.look.notified() => {}
        }
    }
}

async fn look(cluster: &Arc<Cluster>, actors: &Arc<Registries>, watch: &mut Watch) {
    let view = on_store(cluster, |cluster| cluster.shards.view()).await;
    let now = cluster.clock.elapsed();
    match view {
        Ok(view) => {
            cluster.contact.answered(now);
            let dead = watch.look(&view.nodes, now, cluster.lease);
            follow(cluster, &view);
            let drains = view.nodes.iter().any(|node| node.boot == cluster.me.0 && node.draining);
            cluster.contact.drains.store(drains, Ordering::Release);
            let seems_dead: HashSet<NodeId> = dead.iter().copied().map(NodeId).collect();
            // Who seems dead tells nothing any more, and is what there is to act on.
            if cluster.heard_all_but(&seems_dead) {
                act(cluster, actors, &view, &dead).await;
            }
        }
        Err(error) => {
            tracing::debug!(%error, "the database did not say who is there");
            watch.look(&[], now, cluster.lease);
        }
    }
}

/// Takes in who is there and who owns what.
fn follow(cluster: &Arc<Cluster>, view: &View) {
    // Whoever holds a slot by the database's word: one that seems dead may come back, and must not have missed a login.
    let living = view.nodes.iter().filter(|node| node.boot != cluster.me.0);
    let living: Vec<Peer> = living.filter_map(|node| Some(Peer { boot: node.boot, slot: node.slot?, name: node.name.clone() })).collect();
    let is_alone = |node: &&NodeRow| node.alone && node.boot != cluster.me.0;
    let alone: HashSet<NodeId> = view.nodes.iter().filter(is_alone).map(|node| NodeId(node.boot)).collect();
    let known = cluster.peers.load();
    let is_new = |peer: &Peer| !known.ends.contains_key(&NodeId(peer.boot));
    if known.ends.len() != living.len() || known.alone != alone || living.iter().any(is_new) {
        let ends: HashMap<_, _> = living.iter().map(|peer| (NodeId(peer.boot), cluster.end(NodeId(peer.boot)))).collect();
        let slots = living.iter().map(|peer| (peer.slot, NodeId(peer.boot))).collect();
        // Links first: who is found among the peers can be written to.
        if let Some(links) = cluster.links() {
            links.set_peers(&living);
        }
        cluster.peers.store(Arc::new(Peers { ends, slots, alone }));
    }
    // What it was asked before it said so is not answered either.
    cluster.peers.load().alone.iter().for_each(|node| cluster.questions.nobody_answers(*node));
    let speak = Speaks::in_common(view.nodes.iter().filter(|node| node.slot.is_some()).map(|node| node.speaks));
    if let (Some(version), Some(links)) = (speak, cluster.links())
        && links.speak(version)
    {
        tracing::info!(version, "this version is spoken between nodes");
    }
    let before = cluster.owners.load_full();
    let mine: HashSet<u16> = cluster.shards.owned().into_iter().collect();
    // What this node owns it knows itself: a view may be older.
    let as_seen = |(shard, owner): (u16, &Option<i64>)| {
        if mine.contains(&shard) { Some(cluster.me) } else { owner.map(NodeId).filter(|owner| *owner != cluster.me) }
    };
    let owners: Vec<Option<NodeId>> = (0..).zip(&view.owners).map(as_seen).collect();
    if *before != owners {
        cluster.owners.store(Arc::new(owners));
    }
    cluster.hand_on_parked();
}

async fn act(cluster: &Arc<Cluster>, actors: &Arc<Registries>, view: &View, dead: &BTreeSet<i64>) {
    let mut steps = steps(view, cluster.me.0, dead);
    let has_slot = |boot: &i64| view.nodes.iter().any(|node| node.boot == *boot && node.slot.is_some());
    let seems_dead: HashSet<NodeId> = dead.iter().copied().map(NodeId).collect();
    let dead: Vec<i64> = dead.iter().copied().filter(has_slot).collect();
    if steps.is_empty() && !dead.is_empty() {
        // They own nothing, and yet everybody waits for them.
        steps.push(Step::Claim { shards: Vec::new(), dead });
    }
    for step in steps {
        match step {
            Step::Claim { shards, dead } => {
                if claim(cluster, actors, shards, dead, &seems_dead).await {
                    // Who was there before may not be any more: what to let go of is seen with the next look.
                    return;
                }
            }
            Step::Release { shards, to } => {
                tracing::info!(count = shards.len(), to, "letting go of shards");
                handover::release(cluster, actors, shards, &seems_dead).await;
                // It may have waited for somebody who is gone meanwhile.
                cluster.look.notify_one();
                return;
            }
        }
    }
}

/// Takes shards, and the slots of these dead; returns whether the database took it.
async fn claim(cluster: &Arc<Cluster>, actors: &Arc<Registries>, shards: Vec<u16>, dead: Vec<i64>, seems_dead: &HashSet<NodeId>) -> bool {
    let wanted = shards.clone();
    // Nothing is noted as delivered while a claim is under way.
    cluster.inherit(shards.iter().copied());
    let claimed = match on_store(cluster, move |cluster| cluster.shards.claim(&wanted, &dead)).await {
        Ok(claimed) => claimed,
        Err(error) => {
            cluster.inherited(&shards);
            tracing::warn!(%error, "shards could not be taken");
            return false;
        }
    };
    let is_taken = |shard: &u16| claimed.iter().any(|one| one.shard == *shard);
    let others: Vec<u16> = shards.into_iter().filter(|shard| !is_taken(shard)).collect();
    cluster.inherited(&others);
    // The dead hold no slot any more: who waits for their answers need not. Some of it keeps actors from answering.
    if let Ok(view) = on_store(cluster, |cluster| cluster.shards.view()).await {
        follow(cluster, &view);
    }
    if !claimed.is_empty() {
        claimed_some(cluster, actors, claimed, seems_dead).await;
        cluster.look.notify_one();
    }
    true
}

async fn claimed_some(cluster: &Arc<Cluster>, actors: &Arc<Registries>, claimed: Vec<Claimed>, dead: &HashSet<NodeId>) {
    let shards: Vec<u16> = claimed.iter().map(|claimed| claimed.shard).collect();
    tracing::info!(count = shards.len(), "took shards");
    count(&cluster.counts.claims, shards.len());
    // Ids rise with places in a conversation, whoever made them.
    actors.context.ids.rise_above(actors.context.store.last_message_id());
    // What the last owner may not have delivered comes before anything new.
    handover::take_over(cluster, actors, claimed, dead).await;
    cluster.set_owner(&shards, Some(cluster.me));
    cluster.tell_all(&Letter::Look);
    cluster.hand_on_parked();
}

/// A mark that was told.
struct Told {
    /// Up to there nobody needs to be told again: neither sessions nor a backend.
    stamp: u64,
    shards: Vec<u16>,
    /// Its number on the link of each node.
    numbers: HashMap<NodeId, u64>,
}

/// Tells the others again and again up to which stamp they were told everything, until the actors' thread ends.
pub(crate) async fn keep_marks(cluster: Arc<Cluster>, actors: Arc<Registries>) {
    let mut told: Vec<Told> = Vec::new();
    loop {
        tokio::time::sleep(MARK_EVERY).await;
        cluster.hand_on_parked();
        // In this order: what is safe was told to its conversations before it counts as waiting there.
        let safe = cluster.shards.safe_stamp();
        let owned = cluster.shards.owned();
        let held = actors.context.watermark.held_at();
        let stamp = held.map_or(safe, |held| held.min(safe));
        let shards = cluster.vouched(owned);
        cluster.marks.raise(&shards, stamp);
        cluster.tell_all(&Letter::Mark { stamp, shards: shards.clone() });
        let Some(links) = cluster.links() else { continue };
        let nodes: Vec<NodeId> = cluster.peers.load().ends.keys().copied().collect();
        let numbers = nodes.iter().filter_map(|node| Some((*node, links.sent(node.0)?))).collect();
        let stamp = actors.context.exported_to().map_or(stamp, |exported| exported.min(stamp));
        told.push(Told { stamp, shards, numbers });
        let is_heard = |Told { numbers, .. }: &Told| {
            nodes.iter().all(|node| numbers.get(node).is_none_or(|number| links.acked(node.0).is_none_or(|acked| acked >= *number)))
        };
        let heard = told.iter().take_while(|one| is_heard(one)).count();
        if let Some(last) = heard.checked_sub(1).and_then(|last| told.get(last)) {
            let still: HashSet<u16> = cluster.shards.owned().into_iter().collect();
            cluster.note_delivered(last.shards.iter().copied().filter(|shard| still.contains(shard)), last.stamp);
            // For the heirs of all it owns: each of them must have been in that mark.
            if cluster.inherits_nothing() && still.iter().all(|shard| last.shards.contains(shard)) {
                cluster.shards.note_delivered(last.stamp);
            }
        }
        told.drain(..heard);
        // Whoever hears nothing for so long is gone soon.
        told.truncate(4_096);
    }
}
