//! What other nodes say, and what becomes of it here. All of it on the links' thread: nothing is waited for.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use bytestring::ByteString;

use super::cluster::{Cluster, lock};
use super::handover;
use super::letter::{Letter, UserSessions};
use super::orders;
use super::parked::Waits;
use crate::actors::connection::ConnectionId;
use crate::actors::connection::far::FarConnection;
use crate::actors::connection::outbox::{Lossy, Push};
use crate::actors::connection::status::{OnlineStatus, Status};
use crate::actors::context::BrokerContext;
use crate::actors::delivery::drops;
use crate::actors::registries::Registries;
use crate::actors::room::{Rejoin, Room};
use crate::actors::runtime::command::{self, Command as _};
use crate::actors::runtime::registry::Registered as _;
use crate::actors::runtime::route::{Carried, Home, MOVING, NodeId, Order, Place, Route};
use crate::actors::user::status::tell_followers;
use crate::cluster::links::{LinkHandler, Peer};
use crate::model::UserId;
use crate::protocol::{CloseCode, with_cursor};
use crate::rate::DropReason;

/// What the links call: it does not keep the node.
pub(crate) struct Ear(pub(crate) Weak<Cluster>);

impl LinkHandler for Ear {
    fn receive(&self, from: &Peer, payload: Bytes) {
        self.of(|cluster| cluster.receive(from, &payload));
    }

    fn receive_lossy(&self, from: &Peer, payload: Bytes) {
        self.of(|cluster| cluster.receive_lossy(from, &payload));
    }

    fn lost(&self, from: &Peer) {
        self.of(|cluster| cluster.lost(from));
    }

    fn opened(&self, to: &Peer) {
        self.of(|cluster| cluster.opened(to));
    }

    fn closed(&self, to: &Peer) {
        self.of(|cluster| cluster.closed(to));
    }
}

impl Ear {
    fn of(&self, hear: impl FnOnce(&Arc<Cluster>)) {
        if let Some(cluster) = self.0.upgrade() {
            hear(&cluster);
        }
    }
}

impl Cluster {
    fn receive(&self, from: &Peer, payload: &[u8]) {
        match Letter::decode(payload) {
            Some(letter) => self.hear(NodeId(from.boot), letter),
            None => tracing::warn!(node = from.name, "another node says what this one does not understand"),
        }
    }

    fn receive_lossy(&self, from: &Peer, payload: &[u8]) {
        let Some(context) = self.context() else { return };
        match Letter::decode(payload) {
            Some(Letter::LossyFrame { to, text, class, messages }) => push_lossy(&context, &to, &text, class, messages),
            _ => tracing::warn!(node = from.name, "another node says what this one does not understand"),
        }
    }

    fn lost(&self, from: &Peer) {
        let Some(context) = self.context() else { return };
        tracing::error!(node = from.name, "messages of another node are lost on the way: the sessions of this one resume");
        close_all(&context);
        let node = NodeId(from.boot);
        lock(&self.told_all).remove(&node);
        context.presence.forget_node(node);
        self.end(node).send(&Letter::TellAgain);
    }

    fn opened(&self, to: &Peer) {
        let node = NodeId(to.boot);
        let Some(cluster) = self.this.upgrade() else { return };
        // On the actors' thread, where sessions come and go: none is told twice or not at all.
        self.spawn(async move { cluster.tell_sessions_to(node) });
    }

    fn closed(&self, to: &Peer) {
        let (node, name) = (NodeId(to.boot), to.name.clone());
        self.questions.nobody_answers(node);
        lock(&self.told_all).remove(&node);
        let Some(cluster) = self.this.upgrade() else { return };
        self.spawn(async move { cluster.forget_node(node, &name) });
    }
}

/// Closes all sessions: their clients resume, here or elsewhere.
pub(super) fn close_all(context: &BrokerContext) {
    for connection in context.connections.all() {
        connection.close(CloseCode::Shutdown);
    }
}

fn push_lossy(context: &BrokerContext, to: &[ConnectionId], text: &ByteString, class: Lossy, messages: u32) {
    let mut queued = 0;
    for connection in context.connections.some(to) {
        let (push, dropped) = connection.outbox.push_lossy(class, text.clone(), messages);
        if !dropped.is_empty() {
            drops::count(&context.metrics, dropped, DropReason::OutboxFull);
        }
        queued += u64::from(push == Push::Queued) * u64::from(messages);
    }
    context.metrics.delivered(queued);
}

impl Cluster {
    fn hear(&self, from: NodeId, letter: Letter) {
        let Some(actors) = self.actors() else { return };
        let context = &actors.context;
        match letter {
            Letter::Order { asked, order } => {
                let this = self.this.clone();
                let done = Box::new(move |outcome| {
                    if let Some(cluster) = this.upgrade() {
                        cluster.answer(from, asked, outcome);
                    }
                });
                self.take_order(&actors, order, done);
            }
            Letter::Answer { asked, outcome } => {
                self.questions.answered(asked, outcome.map_err(|refusal| refusal.read()));
            }
            Letter::Frame { to, text, stored } => {
                let text = if stored { with_cursor(&text, self.marks.least()) } else { text };
                for connection in context.connections.some(&to) {
                    let _queued_or_closed = connection.outbox.push(text.clone());
                }
            }
            Letter::LossyFrame { to, text, class, messages } => push_lossy(context, &to, &text, class, messages),
            Letter::Feed { users, item } => match command::decode(&item) {
                Ok(item) => {
                    let item = Arc::new(item);
                    users.iter().for_each(|user| context.notify_here(user, &item));
                }
                Err(refusal) => tracing::warn!(%refusal, "an item of a feed could not be read"),
            },
            Letter::Sessions(users) => users.into_iter().for_each(|user| self.hear_sessions(context, from, &user)),
            Letter::SessionsTold => {
                lock(&self.told_all).insert(from);
                self.look.notify_one();
            }
            Letter::Arrive { asked, session, groups } => self.hear_arrival(from, asked, &session, &groups),
            Letter::Displace { asked, session } => self.hear_displacement(from, asked, session),
            Letter::Close { connection, code } => {
                for connection in context.connections.some(&[connection]) {
                    connection.outbox.close(code, "closed by another node");
                }
            }
            Letter::Broadcast { asked, text } => {
                let sessions = context.connections.all().iter().filter(|connection| connection.push_broadcast(&text)).count();
                self.answer(from, asked, Ok(command::encode(&sessions)));
            }
            Letter::Mark { stamp, shards } => self.marks.raise(&shards, stamp),
            Letter::WhoIsInside { asked, shards } => self.hear_who_is_inside(actors.clone(), from, asked, shards),
            Letter::TellAgain => {
                if let Some(cluster) = self.this.upgrade() {
                    self.spawn(async move { cluster.tell_sessions_to(from) });
                }
            }
            Letter::Look => self.look.notify_one(),
        }
    }

    /// Tells a new owner of shards which users here are inside its rooms.
    fn hear_who_is_inside(&self, actors: Arc<Registries>, from: NodeId, asked: u64, shards: Vec<u16>) {
        let Some(cluster) = self.this.upgrade() else { return };
        self.spawn(async move {
            handover::tell_places(&cluster, &actors, &shards, Place::There(from)).await;
            cluster.answer(from, asked, Ok(command::encode(&())));
        });
    }

    /// Takes an order of another node, if its conversation is owned here.
    fn take_order(&self, actors: &Arc<Registries>, order: Order, done: Carried) {
        // Who was inside a room tells its new owner before that one serves it.
        let is_rejoin = (&*order.kind, &*order.name) == (Room::KIND, Rejoin::NAME);
        let home = orders::home_of(&order);
        match home.as_ref().map(|home| (home, self.place(home))) {
            // A user's actor is wherever it is asked for.
            Some((Home::User(_), _) | (Home::Conversation(_), Place::Here)) => orders::carry_out(actors, order, done),
            Some((home, _)) if is_rejoin && self.will_own(home) => orders::carry_out(actors, order, done),
            // Behind others that wait here.
            Some((home, Place::Nowhere)) if self.will_own(home) => {
                self.park_or_refuse(home, order, done, Waits::from(self.clock.elapsed()));
            }
            _ => done(Err(MOVING)),
        }
    }

    fn hear_sessions(&self, context: &BrokerContext, from: NodeId, of: &UserSessions) {
        let stand_ins = of.sessions.iter().map(|session| self.stand_in_at(from, session)).collect();
        let changed = context.presence.replace(&of.user, Some(from), stand_ins);
        tell_change(context, &of.user, changed, of.gone());
    }

    /// Tells a node that was not there before which sessions there are. On the actors' thread.
    fn tell_sessions_to(&self, node: NodeId) {
        let (Some(context), end) = (self.context(), self.end(node)) else { return };
        let here = context.presence.here();
        for some in here.chunks(256) {
            let users = some.iter().map(|(user, connections)| UserSessions {
                user: user.clone(),
                sessions: connections.iter().filter_map(|connection| FarConnection::of(connection)).collect(),
                logged_out: false,
            });
            end.send(&Letter::Sessions(users.collect()));
        }
        end.send(&Letter::SessionsTold);
    }

    /// A node is gone, and its sessions with it. On the actors' thread.
    fn forget_node(&self, node: NodeId, name: &str) {
        let Some(actors) = self.actors() else { return };
        let gone = actors.context.presence.forget_node(node);
        self.forget_end(node);
        tracing::info!(node = name, users = gone.len(), "another node is gone");
        for (user, is_online) in &gone {
            tell_change(&actors.context, user, (true, *is_online), OnlineStatus::Offline);
        }
        handover::node_lost(&actors, node);
    }
}

/// Tells the followers at this node when a user came or went, wherever that was.
pub(super) fn tell_change(context: &BrokerContext, user: &UserId, (was_online, is_online): (bool, bool), gone: OnlineStatus) {
    if was_online != is_online {
        let online = if is_online { OnlineStatus::Online } else { gone };
        tell_followers(context, user, Status { online, since_ms: context.clock.wall_ms() });
    }
}
