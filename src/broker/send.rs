//! Sends in a user's name.

use std::sync::Arc;

use super::handle::Broker;
use crate::actors::conversation::messages::{Publish, Source};
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::runtime::trace;
use crate::model::{Draft, Message, Refusal, Target, UserId};

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
        draft.validate(from, to, &context.config().limits)?;
        let (reply, outcome) = Reply::channel();
        let (sender, target, span) = (from.clone(), to.clone(), trace::host());
        let publish = Publish::new(sender, Source::Host, target, draft, reply, span);
        self.actors.send_to(from, to, publish)?;
        Ok(answered(outcome).await?.message)
    }
}
