//! What a peer, room or group must be able to do for the messages in it.

use std::sync::Arc;

use actix::prelude::*;

use super::messages::Publish;
use super::pipeline::MessagePipeline;
use super::revise_rules::Moderates;
use crate::actors::connection::feed::FeedItem;
use crate::actors::context::BrokerContext;
use crate::actors::delivery::batch::Broadcaster;
use crate::actors::delivery::broadcast::Listener;
use crate::model::{Conversation, Refusal, UserId};

/// By which right someone is in a conversation.
#[derive(Debug)]
pub(crate) struct Access {
    /// Whose messages it may take back, besides its own.
    pub(crate) moderates: Moderates,
    /// The first message it may see.
    pub(crate) first_seq: u64,
}

/// The actor that owns one conversation's order.
pub(crate) trait ConversationActor: Broadcaster {
    fn context(&self) -> &Arc<BrokerContext>;

    fn pipeline(&mut self) -> &mut MessagePipeline;

    /// Returns the conversation, if the sender may write there now.
    ///
    /// # Errors
    /// The refusals of the peer, room or group.
    fn may_write(&mut self, publish: &Publish) -> Result<Conversation, Refusal>;

    /// Returns by which right a user is inside.
    ///
    /// # Errors
    /// When the user is not inside, or nothing can be changed here.
    fn access_of(&mut self, user: &UserId) -> Result<Access, Refusal>;

    /// Returns the conversation, whether it exists or not.
    fn conversation(&self) -> Conversation;

    /// Returns every connection that hears the conversation.
    fn listeners(&self) -> Vec<Listener>;

    /// Puts something into the feeds of the users whose lists show it.
    fn feed(&self, item: &Arc<FeedItem>);

    /// Returns whether nothing is under way that the actor must see the end of.
    fn has_finished(&mut self) -> bool {
        self.pipeline().is_idle()
    }

    /// Stops: the conversation is another node's from now on.
    fn stop_for_good(&mut self, ctx: &mut Context<Self>);

    /// A change was carried out or refused: nothing keeps the actor any more.
    fn done(&mut self, ctx: &mut Context<Self>);
}
