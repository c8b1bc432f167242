//! Sends in a user's name.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::handle::Broker;
use crate::actors::lane::Publish;
use crate::actors::{answered, peer, trace};
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
        let core = &self.core;
        core.accepting()?;
        draft.validate(from, to, &core.config().limits)?;
        let (reply, outcome) = oneshot::channel();
        let (sender, target, span) = (from.clone(), to.clone(), trace::host());
        let publish = Publish { sender, origin: 0, by_host: false, from_outside: false, target, draft, asked: None, reply, span };
        match to {
            Target::Peer(other) => core.peers.tell(core, &peer::key(from, other), publish)?,
            Target::Room(room) => core.rooms.tell(core, room, publish)?,
            Target::Group(group) => core.groups.tell(core, group, publish)?,
        }
        Ok(answered(outcome).await?.message)
    }
}
