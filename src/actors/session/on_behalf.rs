//! What the host asks in a user's name: the same operations as a client's, decided by the same owners.
//!
//! A stand-in takes the place of the session: nobody comes online, nothing is delivered to it, and its answer is the
//! result as JSON. Quotas of users and the moderator do not hold for it; membership and limits do.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::dispatch::ask;
use super::{Answerer, Session};
use crate::actors::context::Core;
use crate::actors::group;
use crate::actors::runtime::reply::{answer, answered};
use crate::model::{GroupId, Refusal, UserId, UserProfile};
use crate::protocol::Work;
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

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

/// Carries out one operation and gives its result as JSON.
///
/// # Errors
/// Every [`Refusal`] the operation has; [`Refusal::UserMissing`], [`Refusal::GroupMissing`] when there is nobody to act as.
pub(crate) async fn run(core: Arc<Core>, whom: As, work: Work) -> Result<String, Refusal> {
    core.accepting()?;
    if work.keeps_more() {
        core.disk.room()?;
    }
    let (reply, outcome) = oneshot::channel();
    let its_core = core.clone();
    let from_outside = matches!(whom, As::Outside(_));
    let going = async move {
        match profile(&its_core, whom).await {
            Ok(me) => {
                let (framed, frame) = oneshot::channel();
                Session::stand_in(its_core.clone(), me.clone(), from_outside).dispatch(work, &me, Answerer::of_host(its_core, framed));
                let result = answered(frame).await.map(|frame| match serde_json::from_str::<Frame<'_>>(&frame) {
                    Ok(frame) => frame.result.get().to_owned(),
                    Err(_) => frame.to_string(),
                });
                answer(reply, result);
            }
            Err(refusal) => answer(reply, Err(refusal)),
        }
    };
    // On the actors' thread: answers are tasks of its own.
    if !core.arbiter.spawn(going) {
        return Err(Refusal::Busy("the broker is shutting down"));
    }
    answered(outcome).await
}

async fn profile(core: &Arc<Core>, whom: As) -> Result<UserProfile, Refusal> {
    let user = match whom {
        As::System => return system(core).await,
        As::User(user) | As::Outside(user) if core.is_system(&user) => return system(core).await,
        As::User(user) | As::Outside(user) => user,
        As::OwnerOf(group) => answered(ask(|reply| core.groups.tell(core, &group, group::WhoOwns { reply }))?).await?,
    };
    let asked = user.clone();
    let known = core.archive.read(move |store| store.user(&asked)).await?;
    known.ok_or_else(|| Refusal::UserMissing(user.to_string()))
}

/// The server's own user, known from its first errand on.
async fn system(core: &Arc<Core>) -> Result<UserProfile, Refusal> {
    let me = core.system();
    let asked = me.id.clone();
    match core.archive.read(move |store| store.user(&asked)).await? {
        Some(known) => Ok(known),
        None => core.archive.apply(vec![RowWrite::PutUser(me.clone())]).await.map(|()| me),
    }
}
