//! Whose presence a user follows, and who is told of its own.

use actix::prelude::*;

use super::User;
use crate::actors::connection::status::{OnlineStatus, Status};
use crate::actors::context::BrokerContext;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Invalid, Refusal, UserId};
use crate::protocol::Outcome;
use crate::protocol::event;
use crate::protocol::event::user::UserStatusUpdated;
use crate::protocol::result::user::{SubscriptionChanged, Subscriptions, UserStatus, UserStatuses};
use crate::store::{RowWrite, Store, StoreError};

const MINUTE_MS: u64 = 60_000;

/// Splits users into those that exist and those that do not.
fn known(store: &dyn Store, users: Vec<UserId>) -> Result<(Vec<UserId>, Vec<UserId>), StoreError> {
    let found = store.users(&users)?;
    let (known, unknown): (Vec<_>, Vec<_>) = users.into_iter().zip(found).partition(|(_, found)| found.is_some());
    let ids = |users: Vec<(UserId, _)>| users.into_iter().map(|(user, _)| user).collect();
    Ok((ids(known), ids(unknown)))
}

fn wire(user: &UserId, status: Status) -> UserStatus {
    UserStatus::new(user, status.online, status.since_ms)
}

fn changed(unknown: &[UserId]) -> Outcome {
    Outcome::SubscriptionChanged(SubscriptionChanged::new(unknown))
}

impl User {
    /// Answers with the statuses of users as they are now.
    pub(super) fn query_statuses(&mut self, users: Vec<UserId>, reply: Reply<Outcome>, ctx: &mut Context<Self>) {
        let context = self.context.clone();
        let look_up = async move {
            let found = context.archive.read(move |store| known(store, users)).await;
            let statuses = found.map(|(known, unknown)| {
                let list = known.iter().map(|user| wire(user, context.status_of(user))).collect();
                Outcome::UserStatuses(UserStatuses::new(list, &unknown))
            });
            answer(reply, statuses);
        };
        ctx.spawn(look_up.into_actor(self));
    }

    /// Returns the statuses of those of `users` that this user follows; of all it follows when `users` is empty.
    pub(super) fn subscriptions(&self, users: &[UserId]) -> Subscriptions {
        let now_ms = self.context.clock.wall_ms();
        let wanted = self.following.iter().filter(|(user, until)| *until > now_ms && (users.is_empty() || users.contains(user)));
        Subscriptions::new(wanted.map(|(user, until)| (wire(user, self.context.status_of(user)), *until)))
    }

    pub(super) fn follow(&mut self, users: Vec<UserId>, minutes: u64, reply: Reply<Outcome>, ctx: &mut Context<Self>) {
        let (archive, me) = (self.context.archive.clone(), self.id.clone());
        let look_up = async move { archive.read(move |store| known(store, users)).await };
        ctx.wait(look_up.into_actor(self).map(move |found, user, ctx| {
            let (known, unknown) = match found {
                Ok(found) => found,
                Err(refusal) => return answer(reply, Err(refusal)),
            };
            let now_ms = user.context.clock.wall_ms();
            let ended_by = user.context.clock_guard.deletion_time().unwrap_or(0);
            let mut list = user.following.clone();
            list.retain(|(followed, until)| *until > ended_by && !known.contains(followed));
            list.extend(known.into_iter().filter(|one| *one != me).map(|one| (one, now_ms + minutes * MINUTE_MS)));
            let max = user.context.config().limits.status_subscriptions_max;
            if list.len() > max {
                let reason = format!("would make {} subscriptions, the limit is {max}", list.len());
                return answer(reply, Err(Invalid::new("userIDs", reason).into()));
            }
            user.keep_following(list, ctx, move |kept| answer(reply, kept.map(|()| changed(&unknown))));
        }));
    }

    pub(super) fn unfollow(&mut self, users: &[UserId], reply: Reply<Outcome>, ctx: &mut Context<Self>) {
        let mut list = self.following.clone();
        list.retain(|(user, _)| !users.contains(user));
        self.keep_following(list, ctx, move |kept| answer(reply, kept.map(|()| changed(&[]))));
    }

    fn keep_following(&mut self, list: Vec<(UserId, u64)>, ctx: &mut Context<Self>, then: impl FnOnce(Result<(), Refusal>) + 'static) {
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutFollowing(self.id.clone(), list.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, user, _| {
            if kept.is_ok() {
                user.context.statuses.unfollow(&user.id, user.following.iter().map(|(user, _)| user));
                user.following = list;
                user.context.statuses.follow(&user.id, &user.following);
            }
            then(kept);
        }));
    }

    /// Tells the followers that the user's first session came or its last one went.
    pub(super) fn tell_status(&self, online: OnlineStatus) {
        tell_followers(&self.context, &self.id, Status { online, since_ms: self.context.clock.wall_ms() });
    }
}

/// Notes that a user came or went, and tells those who follow it at this node.
pub(crate) fn tell_followers(context: &BrokerContext, user: &UserId, status: Status) {
    let followers = context.statuses.note(user, status);
    if followers.is_empty() {
        return;
    }
    let frame = event::encode(&UserStatusUpdated::new(wire(user, status)));
    let connections = followers.iter().filter_map(|follower| context.presence.connections(follower));
    for connection in connections.flat_map(|connections| connections.to_vec()).filter(|connection| connection.node().is_none()) {
        let _queued_or_closed = connection.outbox.push(frame.clone());
    }
}
