//! What the actors of other nodes may be told: every command, by the kind of actor and its name.

use std::sync::Arc;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use futures_util::FutureExt;

use crate::actors::conversation::messages::{Authorize, Confirm, Publish, Revise};
use crate::actors::conversation::peer::Peer;
use crate::actors::registries::Registries;
use crate::actors::runtime::command::{Command, NOT_UNDERSTOOD, decode, encode};
use crate::actors::runtime::registry::{ActorRegistry, Leased, Registered};
use crate::actors::runtime::reply::{Reply, answered};
use crate::actors::runtime::route::{Carried, Home, Order};
use crate::actors::user::ListOperation;
use crate::actors::user::profile::UserOperation;
use crate::actors::{group, room, user};

/// Makes the look-up of a command.
macro_rules! table {
    ($actors:ident, $order:ident, $done:ident; $($registry:ident: $actor:ty { $($command:ty),* $(,)? })*) => {
        match (&*$order.kind, &*$order.name) {
            $($((<$actor as Registered>::KIND, <$command as Command>::NAME) => {
                deliver::<$actor, $command>(&$actors, &$actors.$registry, &$order, $done);
            })*)*
            (kind, name) => {
                tracing::warn!(actor = kind, command = name, "another node sends a command that this one does not know");
                $done(Err(NOT_UNDERSTOOD));
            }
        }
    };
}

/// Hands an order to its actor in this process. Orders arrive in the mailboxes in the order of the calls.
pub(crate) fn carry_out(actors: &Arc<Registries>, order: Order, done: Carried) {
    table! { actors, order, done;
        peers: Peer { Publish, Revise, Confirm }
        rooms: room::Room {
            Publish, Revise, Confirm, Authorize,
            room::Admit, room::Leave, room::Disconnected, room::Reconnected, room::Rejoin, room::Members,
            room::ChangeAttributes, room::SetMemberAttributes, room::QueryAttributes,
            room::CreateByHost, room::Destroy, room::Kick, room::DescribeRoom,
        }
        groups: group::Group {
            Publish, Revise, Confirm, Authorize,
            group::MemberPresence, group::Info, group::WhoOwns, group::Members,
            group::Create, group::Join, group::Quit, group::Dismiss, group::Invite, group::Kick, group::Update,
        }
        users: user::User { room::PlaceLost, user::admin::Kick, user::admin::SetBan, UserOperation, ListOperation }
    }
}

/// Returns by what the place of an order's actor is found.
pub(crate) fn home_of(order: &Order) -> Option<Home> {
    fn home<A: Registered>(key: &[u8]) -> Option<Home> {
        decode::<A::Key>(key).ok().map(|key| A::home(&key))
    }
    match &*order.kind {
        Peer::KIND => home::<Peer>(&order.key),
        room::Room::KIND => home::<room::Room>(&order.key),
        group::Group::KIND => home::<group::Group>(&order.key),
        user::User::KIND => home::<user::User>(&order.key),
        _ => None,
    }
}

fn deliver<A, M>(actors: &Registries, registry: &ActorRegistry<A>, order: &Order, done: Carried)
where
    A: Registered + Handler<Leased<M>>,
    A::Context: ToEnvelope<A, Leased<M>>,
    M: Command,
{
    let (key, mut message) = match decode::<A::Key>(&order.key).and_then(|key| Ok((key, decode::<M>(&order.body)?))) {
        Ok(read) => read,
        Err(refusal) => return done(Err(refusal)),
    };
    let arbiter = &actors.context.arbiter;
    let (reply, outcome) = Reply::channel();
    if message.put_reply(reply).is_none() {
        return match registry.try_send_here(&key, message) {
            Ok(()) => drop(arbiter.spawn(async move { done(answered(outcome).await.map(|answer| encode(&answer))) })),
            Err(refusal) => done(Err(refusal)),
        };
    }
    let handled = move || done(Ok(encode(&())));
    let heard = if order.if_running {
        registry.send_here_if_running(&key, message).map(FutureExt::boxed)
    } else {
        Some(registry.send_here(&key, message).boxed())
    };
    let Some(heard) = heard else { return handled() };
    arbiter.spawn(async move {
        heard.await;
        handled();
    });
}
