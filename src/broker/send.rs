//! Sends in a user's name.

use std::sync::Arc;

use super::handle::Broker;
use crate::actors::conversation::messages::{Publish, Source};
use crate::actors::conversation::pipeline::tell_refused;
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::runtime::trace;
use crate::model::{Draft, Message, MessageClass, Refusal, Target, UserId};

impl Broker {
    /// Sends a message as a user, who need not be online. The same rules hold as for a client: rates, membership, limits.
    /// A storable message is on disk when this returns.
    ///
    /// # Errors
    /// Every [`Refusal`] a client could get; [`Refusal::is_temporary`] says whether to try again.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the message back. Send again with the same `local_id` to learn its fate.
    pub async fn send(&self, from: &UserId, to: &Target, draft: Draft) -> Result<Arc<Message>, Refusal> {
        let context = &self.context;
        let _open = context.take_request()?;
        let told = (draft.content.body.class() == MessageClass::Storable && context.is_heard()).then(|| draft.clone());
        let sent = self.publish(from, to, draft).await;
        if let (Err(refusal), Some(draft)) = (&sent, told) {
            tell_refused(context, from, to, draft, Source::Host, refusal);
        }
        sent
    }

    async fn publish(&self, from: &UserId, to: &Target, draft: Draft) -> Result<Arc<Message>, Refusal> {
        draft.validate(from, to, &self.context.config().limits)?;
        let (reply, outcome) = Reply::channel();
        let (sender, target, span) = (from.clone(), to.clone(), trace::host());
        let publish = Publish::new(sender, Source::Host, target, draft, reply, span);
        self.actors.send_to(from, to, publish)?;
        Ok(answered(outcome).await?.message)
    }
}
