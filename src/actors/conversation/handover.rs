//! How a conversation goes to another node, and how its new owner delivers what the old one may not have delivered.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::actor::ConversationActor;
use crate::actors::delivery::batch::{Item, deliver_accepted, offer};
use crate::actors::runtime::reply::{Reply, answer};
use crate::actors::runtime::route::NodeId;
use crate::actors::view::live::LiveMessage;
use crate::model::Message;
use crate::store::{Store, StoreError};

/// How often an actor that is to stop looks whether it may.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Delivers messages again, each with its commit: some of their receivers may not have got them.
pub(crate) struct Redeliver {
    pub(crate) messages: Vec<(u64, Arc<Message>)>,
}

/// Tells the actor that its conversation goes to another node: it finishes what is under way and stops. It is sent nothing any more.
pub(crate) struct Retire {
    pub(crate) reply: Reply<()>,
}

/// Says that a node is gone, and the sessions at it.
pub(crate) struct NodeLost {
    pub(crate) node: NodeId,
}

/// Reads what messages quote and makes them ready to be delivered.
///
/// # Errors
/// Every error of the store.
fn ready(store: &dyn Store, messages: Vec<(u64, Arc<Message>)>) -> Result<Vec<(u64, LiveMessage)>, StoreError> {
    let ready = messages.into_iter().map(|(commit, message)| {
        let quoted = match &message.content.options.reply {
            Some(reply) => store.message(&message.conversation, reply.seq)?,
            None => None,
        };
        Ok((commit, LiveMessage::answering(message, quoted)))
    });
    ready.collect()
}

/// Delivers messages again to everyone who hears the conversation; `then` sees them first.
pub(crate) fn redeliver<A: ConversationActor>(
    actor: &mut A,
    again: Redeliver,
    ctx: &mut Context<A>,
    then: impl FnOnce(&mut A, &[Item]) + 'static,
) {
    let archive = actor.context().archive.clone();
    let read = async move { archive.read(move |store| ready(store, again.messages)).await };
    ctx.wait(read.into_actor(actor).map(|messages, actor, ctx| match messages {
        Ok(messages) => {
            let items: Vec<Item> = messages.into_iter().map(|(commit, live)| Item::again(live, commit)).collect();
            then(actor, &items);
            items.into_iter().for_each(|item| offer(actor, item, ctx));
        }
        Err(refusal) => tracing::warn!(%refusal, "messages could not be delivered again"),
    }));
}

/// Stops the actor once nothing is under way any more.
pub(crate) fn retire<A: ConversationActor>(actor: &mut A, reply: Reply<()>, ctx: &mut Context<A>) {
    deliver_accepted(actor);
    if actor.has_finished() {
        actor.stop_for_good(ctx);
        return answer(reply, Ok(()));
    }
    ctx.run_later(LOOK_EVERY, |actor, ctx| retire(actor, reply, ctx));
}
