//! A message to everyone online.

use std::sync::Arc;

use super::handle::Broker;
use crate::actors::context::BrokerContext;
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::model::order_key::order_key_at;
use crate::model::{Broadcast, Draft, Refusal, UserId};
use crate::protocol::encode_broadcast;
use crate::protocol::event::encode;
use crate::protocol::event::message::BroadcastMessageReceived;

/// Sessions told before others of the actors' thread have a turn.
const SESSIONS_PER_TURN: usize = 256;

impl Broker {
    /// Sends to every session that is logged in and of SDK 2.10 or later, the sender's included: text, custom or a file
    /// that lies elsewhere, in no conversation, not kept, at most once. Returns when it is in all their outboxes.
    /// Source: ZIM guide "Send and receive messages", on broadcast messages.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for another kind, mentions, or content over its limit; [`Refusal::Busy`] while shutting down.
    pub async fn broadcast(&self, from: &UserId, draft: Draft) -> Result<Broadcast, Refusal> {
        let context = self.context.clone();
        let _open = context.take_request()?;
        draft.validate_broadcast(&context.config().limits)?;
        let timestamp_ms = context.clock.wall_ms();
        let broadcast = Broadcast {
            id: context.ids.next(),
            sender: from.clone(),
            timestamp_ms,
            order_key: order_key_at(timestamp_ms),
            extended_data: draft.content.extended_data,
            body: draft.content.body,
            sessions: 0,
        };
        let (reply, outcome) = Reply::channel();
        // On the broker's own thread: what was accepted before it leaves before it.
        let telling = async move { answer(reply, Ok(push_to_all(&context, broadcast).await)) };
        if !self.context.arbiter.spawn(telling) {
            return Err(Refusal::Busy("the broker is shutting down"));
        }
        answered(outcome).await
    }
}

async fn push_to_all(context: &Arc<BrokerContext>, broadcast: Broadcast) -> Broadcast {
    let frame = encode(&BroadcastMessageReceived { message: encode_broadcast(&broadcast) });
    let elsewhere = context.nodes.as_ref().map(|nodes| nodes.broadcast(&frame));
    let mut sessions = 0;
    for some in context.connections.all().chunks(SESSIONS_PER_TURN) {
        sessions += some.iter().filter(|connection| connection.push_broadcast(&frame)).count();
        tokio::task::yield_now().await;
    }
    if let Some(elsewhere) = elsewhere {
        sessions += elsewhere.await;
    }
    Broadcast { sessions, ..broadcast }
}
