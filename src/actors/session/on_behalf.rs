//! What the host asks in a user's name: the same operations as a client's, decided by the same owners.
//!
//! A stand-in takes the place of the session: nobody comes online, nothing is delivered to it, and its answer is the
//! result as JSON. Quotas of users and the moderator do not hold for it; membership and limits do.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Session;
use super::dispatch::ask;
use super::responder::Responder;
use crate::actors::context::BrokerContext;
use crate::actors::group;
use crate::actors::runtime::reply::{answer, answered};
use crate::model::{GroupId, Refusal, UserId, UserProfile};
use crate::protocol::{Outcome, Request};
use crate::store::RowWrite;

/// In whose name.
#[derive(Debug, Clone)]
pub(crate) enum As {
    /// A user's, who must be known.
    User(UserId),
    /// A user's, who must be known, but need not be inside the room or group it sends to.
    Outside(UserId),
    /// The server's own.
    System,
    /// That of a group's owner.
    OwnerOf(GroupId),
}

/// Carries out one operation and gives its result as JSON.
///
/// # Errors
/// Every [`Refusal`] the operation has; [`Refusal::UserMissing`], [`Refusal::GroupMissing`] when there is nobody to act as.
pub(crate) async fn run(context: Arc<BrokerContext>, whom: As, work: Request) -> Result<Outcome, Refusal> {
    context.accepting()?;
    if work.keeps_more() {
        context.disk.room()?;
    }
    let (reply, outcome) = oneshot::channel();
    let its_context = context.clone();
    let from_outside = matches!(whom, As::Outside(_));
    let going = async move {
        match profile(&its_context, whom).await {
            Ok(me) => {
                let (framed, frame) = oneshot::channel();
                Session::stand_in(its_context.clone(), me.clone(), from_outside).dispatch(
                    work,
                    &me,
                    Responder::of_host(its_context, framed),
                );
                answer(reply, answered(frame).await);
            }
            Err(refusal) => answer(reply, Err(refusal)),
        }
    };
    // On the actors' thread: answers are tasks of its own.
    if !context.arbiter.spawn(going) {
        return Err(Refusal::Busy("the broker is shutting down"));
    }
    answered(outcome).await
}

async fn profile(context: &Arc<BrokerContext>, whom: As) -> Result<UserProfile, Refusal> {
    let user = match whom {
        As::System => return system(context).await,
        As::User(user) | As::Outside(user) if context.is_system(&user) => return system(context).await,
        As::User(user) | As::Outside(user) => user,
        As::OwnerOf(group) => answered(ask(|reply| context.groups.tell(context, &group, group::WhoOwns { reply }))?).await?,
    };
    let asked = user.clone();
    let known = context.archive.read(move |store| store.user(&asked)).await?;
    known.ok_or_else(|| Refusal::UserMissing(user.to_string()))
}

/// The server's own user, known from its first errand on.
async fn system(context: &Arc<BrokerContext>) -> Result<UserProfile, Refusal> {
    let me = context.system();
    let asked = me.id.clone();
    match context.archive.read(move |store| store.user(&asked)).await? {
        Some(known) => Ok(known),
        None => context.archive.apply(vec![RowWrite::PutUser(me.clone())]).await.map(|()| me),
    }
}
