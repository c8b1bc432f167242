//! Operations of clients, carried out for the host: in a user's name, in its own, or in that of a group's owner.

use std::future::Future;

use serde_json::Value;

use super::handle::Broker;
use crate::actors::runtime::reply::{Reply, answer, answered};
use crate::actors::session::on_behalf;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::model::{Refusal, UserId};
use crate::protocol::{Outcome, Request};
use crate::store::{Store, StoreError};

impl Broker {
    /// Carries out one operation of the wire protocol (`PROTOCOL.md`) in a user's name, who need not be online and must be
    /// known: `act(&alice, "queryConversationList", &json!({"config": {"count": 20}}))`. The result is the protocol's.
    /// Membership and limits hold; quotas of users and the moderator do not. What concerns one session (`login`, entering
    /// rooms) is refused.
    ///
    /// # Errors
    /// Every [`Refusal`] of the operation; [`Refusal::UserMissing`].
    pub async fn act(&self, user: &UserId, op: &str, args: &Value) -> Result<Value, Refusal> {
        let request = Request::decode(op, &args.to_string(), &self.context.config().limits)?;
        let outcome = self.call(OnBehalfOf::User(user.clone()), request).await?;
        serde_json::to_value(&outcome).map_err(|error| Refusal::StoreUnavailable(error.to_string()))
    }

    /// Carries out one operation whose arguments were checked.
    ///
    /// # Errors
    /// As [`Broker::act`].
    pub(crate) async fn call(&self, whom: OnBehalfOf, request: Request) -> Result<Outcome, Refusal> {
        on_behalf::run(self.actors.clone(), whom, request).await
    }

    /// Does the same and takes the result of the one kind that the operation has.
    pub(crate) async fn call_for<T>(&self, whom: OnBehalfOf, request: Request) -> Result<T, Refusal>
    where
        T: TryFrom<Outcome, Error = Refusal>,
    {
        self.call(whom, request).await?.try_into()
    }

    /// Reads the store, beside what the actors do.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let archive = self.context.archive.clone();
        self.on_thread(async move { archive.read(read).await }).await
    }

    /// Runs `work` on the broker's own thread: the caller's runtime may have no threads that may wait.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, outcome) = Reply::channel();
        if !self.context.arbiter.spawn(async move { answer(reply, work.await) }) {
            return Err(Refusal::Busy("the broker is shutting down"));
        }
        answered(outcome).await
    }
}
