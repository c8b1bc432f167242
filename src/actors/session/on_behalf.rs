//! Operations of the host on behalf of a user: the same as a client's, decided by the same actors. Nobody comes online
//! for them. The quotas of users and the moderator do not apply; membership and limits do.

use std::sync::Arc;

use super::caller::{Caller, Dispatcher};
use super::responder::Responder;
use crate::actors::context::BrokerContext;
use crate::actors::conversation::messages::Source;
use crate::actors::group::WhoOwns;
use crate::actors::registries::Registries;
use crate::actors::runtime::reply::{Reply, answer, answered, ask};
use crate::model::{GroupId, Refusal, UserId, UserProfile};
use crate::protocol::{ClientLevel, Outcome, Request};
use crate::store::RowWrite;

/// On whose behalf an operation is carried out.
#[derive(Debug, Clone)]
pub(crate) enum OnBehalfOf {
    /// A user, who must be known.
    User(UserId),
    /// A user, who must be known, but need not be inside the room or group it sends to.
    Outsider(UserId),
    /// The server itself.
    System,
    /// The owner of a group.
    OwnerOf(GroupId),
}

/// Carries out one operation.
///
/// # Errors
/// Every [`Refusal`] the operation has; [`Refusal::UserMissing`], [`Refusal::GroupMissing`] when there is nobody to act
/// for.
pub(crate) async fn run(actors: Arc<Registries>, whom: OnBehalfOf, request: Request) -> Result<Outcome, Refusal> {
    let context = actors.context.clone();
    let open = context.take_request()?;
    if request.keeps_more() {
        context.disk.room()?;
    }
    let (reply, outcome) = Reply::channel();
    let source = Source::Backend { must_be_inside: !matches!(whom, OnBehalfOf::Outsider(_)) };
    let going = async move {
        match profile(&actors, whom).await {
            Ok(profile) => {
                let responder = Responder::of_host(actors.context.clone(), open, reply);
                Dispatcher::new(actors, Caller { profile, source, level: ClientLevel::NEWEST }).dispatch(request, responder);
            }
            Err(refusal) => answer(reply, Err(refusal)),
        }
    };
    // On the actors' thread, because answers are tasks spawned there.
    if !context.arbiter.spawn(going) {
        return Err(Refusal::Busy("the broker is shutting down"));
    }
    answered(outcome).await
}

async fn profile(actors: &Registries, whom: OnBehalfOf) -> Result<UserProfile, Refusal> {
    let context = &actors.context;
    let user = match whom {
        OnBehalfOf::System => return system(context).await,
        OnBehalfOf::User(user) | OnBehalfOf::Outsider(user) if context.is_system(&user) => return system(context).await,
        OnBehalfOf::User(user) | OnBehalfOf::Outsider(user) => user,
        OnBehalfOf::OwnerOf(group) => answered(ask(|reply| actors.groups.try_send(&group, WhoOwns { reply }))?).await?,
    };
    let asked = user.clone();
    let known = context.archive.read(move |store| store.user(&asked)).await?;
    known.ok_or_else(|| Refusal::UserMissing(user.to_string()))
}

/// Returns the server's own user, which is written when it first acts.
async fn system(context: &BrokerContext) -> Result<UserProfile, Refusal> {
    let me = context.system();
    let asked = me.id.clone();
    match context.archive.read(move |store| store.user(&asked)).await? {
        Some(known) => Ok(known),
        None => context.archive.apply(vec![RowWrite::PutUser(me.clone())]).await.map(|()| me),
    }
}
