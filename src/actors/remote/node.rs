//! What the actors of this node need of the others.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytestring::ByteString;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::cluster::Cluster;
use super::letter::{Letter, TakenOver, UserSessions};
use super::questions::GONE;
use crate::actors::connection::Connection;
use crate::actors::connection::far::FarConnection;
use crate::actors::conversation::messages::Authorize;
use crate::actors::nodes::{CUT_OFF, Nodes};
use crate::actors::places::RoomsElsewhere;
use crate::actors::runtime::command;
use crate::actors::runtime::ids::slot_of;
use crate::actors::runtime::reply::Reply;
use crate::actors::runtime::route::{NodeId, Place};
use crate::cluster::links::PeerStats;
use crate::metrics::ClusterSample;
use crate::model::{Conversation, GroupId, Refusal, RoomId, UserId};

/// How long a node that lives may take to hear of a login.
const ARRIVE_PATIENCE: Duration = Duration::from_secs(8);
/// How long a thread waits to hear whether a user is inside a room.
const INSIDE_PATIENCE: Duration = Duration::from_secs(2);

impl RoomsElsewhere for Cluster {
    fn is_inside(&self, user: &UserId, room: &Conversation) -> bool {
        let (Conversation::Room(id, _), Some(actors)) = (room, self.actors()) else { return false };
        let (reply, outcome) = Reply::channel();
        if actors.rooms.try_send(id, Authorize { user: user.clone(), reply }).is_err() {
            return false;
        }
        let (sender, answer) = std::sync::mpsc::channel();
        let heard = async move {
            if sender.send(outcome.await).is_err() {
                tracing::debug!("an answer about a room came too late");
            }
        };
        if !actors.context.arbiter.spawn(heard) {
            return false;
        }
        matches!(answer.recv_timeout(INSIDE_PATIENCE), Ok(Ok(Ok((inside, _)))) if inside == *room)
    }
}

impl Nodes for Cluster {
    fn is_cut_off(&self) -> bool {
        // Before it has heard of every shard, it has no cursor to give.
        self.is_cut_off.load(Ordering::Acquire) || self.marks.least() == 0
    }

    fn ready(&self) -> Result<(), Refusal> {
        if self.is_cut_off() {
            return Err(CUT_OFF);
        }
        let has_owner = |shard: u16| self.place_of(shard) != Place::Nowhere;
        if (0..self.shards.count()).all(has_owner) { Ok(()) } else { Err(Refusal::Busy("some conversations have no owner")) }
    }

    fn leave(&self) {
        self.drain(true);
    }

    fn count(&self) -> usize {
        self.peers.load().ends.len() + 1
    }

    fn sample(&self) -> ClusterSample {
        let stats = self.links.get().map(|links| links.stats()).unwrap_or_default();
        let sum = |of: &dyn Fn(&PeerStats) -> u64| stats.peers.iter().map(of).sum::<u64>();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let behind_ms = (self.shards.safe_stamp() >> 11).saturating_sub(self.marks.least() >> 11);
        ClusterSample {
            nodes: self.count() as u64,
            owned_shards: self.shards.owned().len() as u64,
            cut_off: self.is_cut_off(),
            behind_seconds: Duration::from_millis(behind_ms).as_secs_f64(),
            parked: self.parked.len() as u64,
            claims: of(&self.counts.claims),
            releases: of(&self.counts.releases),
            remote_calls: of(&self.counts.remote_calls),
            remote_call_seconds: Duration::from_micros(of(&self.counts.remote_call_us)).as_secs_f64(),
            redelivered: of(&self.counts.redelivered),
            seat_moves: of(&self.counts.seat_moves),
            link_sent: sum(&|peer| peer.sent.sent),
            link_resent: sum(&|peer| peer.sent.resent),
            link_gaps: sum(&|peer| peer.received.gaps),
            link_losses: sum(&|peer| peer.received.losses),
            link_late: sum(&|peer| peer.lossy.late + peer.lossy.missing),
            link_ring_bytes: sum(&|peer| peer.ring_bytes as u64),
            link_silent_seconds: stats.peers.iter().filter_map(|peer| peer.heard_ago).max().unwrap_or_default().as_secs_f64(),
            link_strange: stats.strange,
            link_overruns: stats.overruns,
        }
    }

    fn stop(&self) {
        if let Some(links) = self.links.get() {
            links.stop();
        }
    }

    fn cursor(&self) -> u64 {
        self.marks.least()
    }

    fn stand_in(&self, far: &FarConnection) -> Option<Arc<Connection>> {
        let slot = slot_of(far.id.0);
        if slot == self.shards.slot() {
            return self.context()?.connections.some(&[far.id]).pop();
        }
        let node = *self.peers.load().slots.get(&slot)?;
        Some(self.stand_in_at(node, far))
    }

    fn sessions_changed(&self, user: &UserId, connections: &[Arc<Connection>], logged_out: bool) {
        let sessions = connections.iter().filter_map(|connection| FarConnection::of(connection)).collect();
        self.tell_all(&Letter::Sessions(vec![UserSessions { user: user.clone(), sessions, logged_out }]));
    }

    fn arrive(&self, session: FarConnection, groups: Vec<GroupId>) -> BoxFuture<'static, Result<Vec<NodeId>, Refusal>> {
        let this = self.this.clone();
        async move {
            let Some(cluster) = this.upgrade() else { return Err(GONE) };
            // A node that is cut off has to be without a session before it says that nobody needs to wait for it: a login that waited for
            // the others there would keep all of them waiting for it.
            tokio::select! {
                giving_way = arrive_everywhere(&cluster, session, groups) => giving_way,
                () = cluster.until_cut_off() => Err(CUT_OFF),
            }
        }
        .boxed()
    }

    fn displace(&self, session: FarConnection, nodes: Vec<NodeId>) -> BoxFuture<'static, Vec<RoomId>> {
        let asked: Vec<_> =
            nodes.into_iter().filter_map(|node| self.ask_one(node, |asked| Letter::Displace { asked, session: session.clone() })).collect();
        async move {
            let mut taken_over = TakenOver::new();
            for answer in asked {
                match tokio::time::timeout(ARRIVE_PATIENCE, answer).await {
                    Ok(Ok(Ok(rooms))) => taken_over.extend(command::decode::<TakenOver>(&rooms).unwrap_or_default()),
                    _ => tracing::warn!(user.id = %session.user, "a node did not say that it made room for a session in time"),
                }
            }
            taken_over
        }
        .boxed()
    }

    fn broadcast(&self, text: &ByteString) -> BoxFuture<'static, usize> {
        let answers = self.ask_all_but(&HashSet::new(), |asked| Letter::Broadcast { asked, text: text.clone() });
        async move {
            let mut sessions = 0;
            for (_, answer) in answers {
                if let Ok(Ok(Ok(bytes))) = tokio::time::timeout(ARRIVE_PATIENCE, answer).await {
                    sessions += command::decode::<usize>(&bytes).unwrap_or(0);
                }
            }
            sessions
        }
        .boxed()
    }
}

/// Tells all nodes of a session that comes in; returns those that will make room for it.
async fn arrive_everywhere(cluster: &Cluster, session: FarConnection, groups: Vec<GroupId>) -> Result<Vec<NodeId>, Refusal> {
    // Who is not known to all could be put out by a session that was there before.
    let heard = async {
        while !cluster.heard_all() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(ARRIVE_PATIENCE, heard).await.is_err() {
        return Err(Refusal::Busy("a node has not told its sessions yet"));
    }
    let answers = cluster.ask_all_but(&HashSet::new(), |asked| Letter::Arrive { asked, session: session.clone(), groups: groups.clone() });
    let mut giving_way = Vec::new();
    for (node, answer) in answers {
        match tokio::time::timeout(ARRIVE_PATIENCE, answer).await {
            Ok(Ok(Ok(gives_way))) => giving_way.extend(command::decode::<bool>(&gives_way)?.then_some(node)),
            // It ended, and its sessions with it; or it closed them, cut off.
            Ok(Ok(Err(GONE))) => {}
            Ok(Ok(Err(refusal))) => return Err(refusal),
            Ok(Err(_)) | Err(_) => return Err(Refusal::Busy("a node did not hear of the login in time")),
        }
    }
    Ok(giving_way)
}
