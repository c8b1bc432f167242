//! A session comes in at another node. First all nodes deliver to it, then those that have something to give up for it give it up: a
//! login that fails in between has cost no other session anything.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use super::cluster::{Cluster, count};
use super::hear::tell_change;
use super::letter::TakenOver;
use crate::actors::connection::far::FarConnection;
use crate::actors::connection::status::OnlineStatus;
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::context::BrokerContext;
use crate::actors::group::MemberPresence;
use crate::actors::runtime::command;
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::runtime::route::NodeId;
use crate::actors::user::sessions::{Displace, Session, staying};
use crate::model::GroupId;
use crate::protocol::CloseCode;

/// What this node knows of a user beside a session that comes in.
struct Beside {
    known: Vec<Arc<Connection>>,
    staying: Vec<Session>,
}

impl Beside {
    fn of(context: &BrokerContext, session: &FarConnection) -> Self {
        let known = context.presence.connections(&session.user);
        let known: Vec<Arc<Connection>> = known.map_or_else(Vec::new, |connections| connections.to_vec());
        let others = known.iter().filter(|known| known.id != session.id).filter_map(|known| Session::of(known));
        let all = others.chain([Session::of_far(session)]).collect();
        Self { known, staying: staying(all, context.config().users.devices_per_user_max) }
    }

    fn stays(&self, id: ConnectionId) -> bool {
        self.staying.iter().any(|session| session.id == id)
    }

    /// Returns the connections of this node.
    fn here(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.known.iter().filter(|connection| connection.node().is_none())
    }
}

impl Cluster {
    /// A session comes in at another node: it is delivered to from now on, beside those that will give way to it. The groups of its user that
    /// run here are told by this node itself: the other one may still take somebody else for their owner.
    pub(super) fn hear_arrival(&self, from: NodeId, asked: u64, session: &FarConnection, groups: &[GroupId]) {
        let Some(actors) = self.actors() else { return };
        let context = &actors.context;
        let beside = Beside::of(context, session);
        if beside.stays(session.id) {
            let of_node = beside.known.iter().filter(|connection| connection.node() == Some(from) && connection.id != session.id);
            let left = of_node.cloned().chain([self.stand_in_at(from, session)]).collect();
            let changed = context.presence.replace(&session.user, Some(from), left);
            tell_change(context, &session.user, changed, OnlineStatus::Offline);
        }
        // An actor without a session may keep a place in a room.
        let gives_way = beside.here().any(|connection| !beside.stays(connection.id))
            || (beside.here().next().is_none() && actors.users.runs_here(&session.user));
        let presence = || MemberPresence { user: session.user.clone() };
        let told: Vec<_> = groups.iter().filter_map(|group| actors.groups.send_here_if_running(group, presence())).collect();
        self.answer_after(from, asked, async move {
            join_all(told).await;
            command::encode(&gives_way)
        });
    }

    /// A session has come in at another node: those that give way to it are closed before it is answered.
    pub(super) fn hear_displacement(&self, from: NodeId, asked: u64, session: FarConnection) {
        let Some(actors) = self.actors() else { return };
        let beside = Beside::of(&actors.context, &session);
        let is_put_out = |connection: &&Arc<Connection>| !beside.stays(connection.id);
        let put_out = beside.here().filter(is_put_out).inspect(|connection| connection.close(CloseCode::Kicked)).count();
        count(&self.counts.seat_moves, put_out);
        let (reply, outcome) = Reply::channel();
        let user = session.user.clone();
        let displaced = actors.users.send_here_if_running(&user, Displace { newcomer: session, reply });
        let Some(displaced) = displaced else { return self.answer(from, asked, Ok(command::encode(&TakenOver::new()))) };
        self.answer_after(from, asked, async move {
            displaced.await;
            command::encode(&answered(outcome).await.unwrap_or_default())
        });
    }

    /// Answers a question once its answer is there.
    fn answer_after(&self, from: NodeId, asked: u64, answer: impl Future<Output = Bytes> + Send + 'static) {
        let this = self.this.clone();
        self.spawn(async move {
            let answer = answer.await;
            if let Some(cluster) = this.upgrade() {
                cluster.answer(from, asked, Ok(answer));
            }
        });
    }
}
