//! How shards go from one node to another, and what becomes of a node's sessions that is gone.
//!
//! ```text
//! old owner:  no place here any more ─ actors finish and stop ─ all links have heard ─ release
//! new owner:  claim ─ rooms that stand empty ─ who is inside? ─ deliver again what may not have been ─ owns and vouches
//! all nodes:                              └► users tell it in which of its rooms they are
//! ```

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;

use super::cluster::{Cluster, count as count_up, on_store};
use super::letter::Letter;
use crate::actors::conversation::handover::{NodeLost, Redeliver, Retire};
use crate::actors::conversation::peer::{self, Peer};
use crate::actors::group::Group;
use crate::actors::maintenance::sweeps;
use crate::actors::registries::Registries;
use crate::actors::room::Room;
use crate::actors::runtime::registry::Registered;
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::runtime::route::{Home, NodeId, Place};
use crate::actors::user::places::PlacesMoved;
use crate::hooks::{Event, EventDetails};
use crate::model::{Conversation, Message};
use crate::store::{Claimed, RoomRecord};

/// How long actors may take to finish before their shard is let go of anyway: what they have under way is refused then.
const RETIRE_PATIENCE: Duration = Duration::from_secs(3);
/// How long other nodes may take to hear the last of a shard.
const HEARD_PATIENCE: Duration = Duration::from_secs(1);
/// How long either may take at a node that is cut off: what others do not hear of it in this time they do not hear at all.
const CUT_OFF_PATIENCE: Duration = Duration::from_millis(150);
/// How long users may take to say in which rooms they are: one that logs in may itself wait for such a room.
const PLACES_PATIENCE: Duration = Duration::from_secs(1);
/// Messages that are delivered again at a time.
const AGAIN_AT_ONCE: usize = 500;

/// Prepares for shards that were claimed, and delivers again what their last owners may not have delivered: on return they may be
/// owned.
pub(super) async fn take_over(cluster: &Arc<Cluster>, actors: &Arc<Registries>, claimed: Vec<Claimed>, dead: &HashSet<NodeId>) {
    let shards: HashSet<u16> = claimed.iter().map(|one| one.shard).collect();
    claimed.iter().for_each(|one| cluster.note_delivered(std::iter::once(one.shard), one.delivered));
    match actors.context.archive.read(|store| store.rooms()).await {
        Ok(rooms) => {
            let rooms: Vec<RoomRecord> =
                rooms.into_iter().filter(|room| shards.contains(&cluster.shards.shard_of_room(&room.id))).collect();
            sweeps::let_stand(&actors.context, &rooms);
        }
        Err(refusal) => tracing::warn!(%refusal, "empty rooms of a shard could not be read: they stand until somebody comes in"),
    }
    let taken: Vec<u16> = shards.into_iter().collect();
    gather_places(cluster, actors, &taken, dead).await;
    deliver_again(cluster, actors, claimed).await;
}

/// Delivers what the last owners of shards may not have delivered, then vouches for the shards.
async fn deliver_again(cluster: &Arc<Cluster>, actors: &Arc<Registries>, claimed: Vec<Claimed>) {
    let shards: Vec<u16> = claimed.iter().map(|one| one.shard).collect();
    let after: BTreeMap<u16, u64> = claimed.iter().map(|one| (one.shard, one.delivered)).collect();
    let mut from = claimed.iter().map(|one| one.delivered).min().unwrap_or(0);
    // What comes later is this node's own.
    let up_to = cluster.shards.safe_stamp();
    let mut count = 0;
    // A shard that was never owned has nothing to be delivered again.
    while from > 0 && from < up_to {
        let asked = shards.clone();
        let read = on_store(cluster, move |cluster| cluster.shards.written_since(&asked, from, AGAIN_AT_ONCE)).await;
        let (messages, more) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "what is to be delivered again could not be read yet");
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
        };
        from = messages.last().map_or(up_to, |(stamp, _)| *stamp);
        let mut of_conversation: BTreeMap<Conversation, Vec<(u64, Arc<Message>)>> = BTreeMap::new();
        for (stamp, message) in messages {
            let delivered = after.get(&cluster.shards.shard_of(&message.conversation)).copied().unwrap_or(u64::MAX);
            if stamp > delivered && stamp <= up_to {
                of_conversation.entry(message.conversation.clone()).or_default().push((stamp, message));
                count += 1;
            }
        }
        for (conversation, messages) in of_conversation {
            export_again(actors, &messages).await;
            redeliver(actors, conversation, messages).await;
        }
        if !more {
            break;
        }
    }
    if count > 0 {
        count_up(&cluster.counts.redelivered, count);
        tracing::info!(count, "delivered again what the last owner may not have delivered");
    }
    cluster.inherited(&shards);
}

/// Tells the backend, which may have heard of them.
async fn export_again(actors: &Registries, messages: &[(u64, Arc<Message>)]) {
    let Some(exporter) = &actors.context.exporter else { return };
    for (stamp, message) in messages {
        while exporter.is_full() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        exporter.put(Event::MessageAccepted(message.clone()), EventDetails::Nothing, *stamp);
    }
}

async fn redeliver(actors: &Registries, conversation: Conversation, messages: Vec<(u64, Arc<Message>)>) {
    let again = Redeliver { messages };
    match conversation {
        Conversation::Peer(one, other) => actors.peers.send_here(&peer::key(&one, &other), again).await,
        Conversation::Room(room, _) => actors.rooms.send_here(&room, again).await,
        Conversation::Group(group) => actors.groups.send_here(&group, again).await,
    }
}

/// Lets go of shards, once their actors have finished and everyone has heard of it.
/// `dead`: who seems dead is not waited for, nor who hears nothing.
pub(super) async fn release(cluster: &Arc<Cluster>, actors: &Arc<Registries>, shards: Vec<u16>, dead: &HashSet<NodeId>) {
    cluster.set_owner(&shards, None);
    let of: HashSet<u16> = shards.iter().copied().collect();
    let heard = async {
        cluster.flush_all();
        let stored = cluster.shards.safe_stamp();
        loop {
            let (Some(links), peers) = (cluster.links(), cluster.peers.load()) else { return };
            let has_heard = |node: &NodeId| links.acked(node.0) >= links.sent(node.0);
            let is_exported = actors.context.exported_to().is_none_or(|exported| exported >= stored);
            if is_exported && peers.awaited_but(dead).all(has_heard) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let is_cut_off = cluster.is_cut_off.load(Ordering::Acquire);
    let [retire_within, heard_within] = if is_cut_off { [CUT_OFF_PATIENCE, CUT_OFF_PATIENCE] } else { [RETIRE_PATIENCE, HEARD_PATIENCE] };
    if tokio::time::timeout(retire_within, retire(cluster, actors, &of)).await.is_err() {
        tracing::warn!("actors of a shard did not finish in time: what they have under way is refused");
    }
    let all_heard = tokio::time::timeout(heard_within, heard).await.is_ok();
    let result = on_store(cluster, move |cluster| {
        let noted = cluster.take_delivered(&shards);
        let delivered = if all_heard { cluster.shards.safe_stamp() } else { noted };
        cluster.shards.release(&shards, delivered)
    });
    match result.await {
        Ok(()) => {
            count_up(&cluster.counts.releases, of.len());
            cluster.tell_all(&Letter::Look);
        }
        Err(error) => tracing::warn!(%error, "shards could not be let go of"),
    }
    actors.context.standing.retain(|room| !of.contains(&cluster.shards.shard_of_room(room)));
}

/// Makes the actors of shards finish and stop.
async fn retire(cluster: &Arc<Cluster>, actors: &Arc<Registries>, of: &HashSet<u16>) {
    let is_of = |home: Home| cluster.shard_of(&home).is_some_and(|shard| of.contains(&shard));
    let mut outcomes = Vec::new();
    let mut retire = || {
        let (reply, outcome) = Reply::channel();
        outcomes.push(outcome);
        Retire { reply }
    };
    let told = [
        actors.peers.tell_running(|key| is_of(Peer::home(key)), &mut retire),
        actors.rooms.tell_running(|key| is_of(Room::home(key)), &mut retire),
        actors.groups.tell_running(|key| is_of(Group::home(key)), &mut retire),
    ];
    join_all(told).await;
    for outcome in outcomes {
        // Its actor may have stopped by itself.
        drop(answered(outcome).await);
    }
}

/// The users of this node tell the new owner of shards in which of its rooms they are.
pub(super) async fn tell_places(cluster: &Arc<Cluster>, actors: &Arc<Registries>, shards: &[u16], owner: Place) {
    let shards: Arc<HashSet<u16>> = Arc::new(shards.iter().copied().collect());
    let told = || PlacesMoved { shards: shards.clone(), of: cluster.shards.clone(), owner };
    actors.users.tell_running(|_| true, told).await;
}

/// Hears from all nodes who is inside the rooms of shards that were claimed. Who is late tells it later, when the
/// room is served already.
async fn gather_places(cluster: &Arc<Cluster>, actors: &Arc<Registries>, shards: &[u16], dead: &HashSet<NodeId>) {
    let answers = cluster.ask_all_but(dead, |asked| Letter::WhoIsInside { asked, shards: shards.to_vec() });
    let heard = async {
        tell_places(cluster, actors, shards, Place::Here).await;
        join_all(answers.into_iter().map(|(_, answer)| answer)).await;
    };
    if tokio::time::timeout(PLACES_PATIENCE, heard).await.is_err() {
        tracing::warn!("a node did not say in time who is inside the rooms that were taken over");
    }
}

/// A node is gone: rooms keep its members' places for a while, groups deliver to it no more.
pub(super) fn node_lost(actors: &Arc<Registries>, node: NodeId) {
    let arbiter = &actors.context.arbiter;
    arbiter.spawn(actors.rooms.tell_running(|_| true, || NodeLost { node }));
    arbiter.spawn(actors.groups.tell_running(|_| true, || NodeLost { node }));
}
