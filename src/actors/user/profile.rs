//! What a user changes of itself, and whose comings and goings it follows.

use crate::actors::connection::ConnectionId;
use std::sync::{Arc, PoisonError, RwLock};

use actix::prelude::*;
use serde_json::{Value, json};

use super::User;
use crate::actors::connection::feed::FeedItem;
use crate::actors::connection::status::{OnlineStatus, Status};
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Conversation, Invalid, Refusal, UserId, UserProfile};
use crate::protocol::{UserRequest, encode_event, error_users, user_full};
use crate::store::{RowWrite, Store, StoreError};

const MINUTE_MS: u64 = 60_000;

/// A user's profile as its sessions see it; written by the user actor only.
#[derive(Debug, Clone)]
pub(crate) struct ProfileCell(Arc<RwLock<Arc<UserProfile>>>);

impl ProfileCell {
    pub(crate) fn new(profile: UserProfile) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(profile))))
    }

    pub(crate) fn get(&self) -> Arc<UserProfile> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, profile: UserProfile) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(profile);
    }
}

/// An operation on users; the answer is the result object.
pub(crate) struct AskUser {
    pub(crate) work: UserRequest,
    /// The session that asks.
    pub(crate) connection_id: ConnectionId,
    pub(crate) reply: Reply<Value>,
}

/// Source: spec 2.9, `UserStatus`. Platforms and custom statuses are not kept.
fn status_wire(user: &UserId, status: Status) -> Value {
    json!({
        "userID": user, "onlineStatus": status.online as u8, "onlinePlatforms": [], "customStatus": "", "customStatusExpiredTime": 0,
        "lastUpdateTime": status.since_ms, "lastOnlineStatusUpdateTime": status.since_ms, "lastCustomStatusUpdateTime": 0,
    })
}

impl Handler<Leased<AskUser>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<AskUser>, ctx: &mut Context<Self>) {
        self.asked = true;
        let AskUser { work, connection_id, reply } = leased.open();
        let Some(cell) = &self.profile else { return answer(reply, Err(Refusal::NotLoggedIn)) };
        let profile = (*cell.get()).clone();
        match work {
            UserRequest::Name(name) => {
                let result = json!({"userName": name});
                self.change_profile(UserProfile { name, ..profile }, result, connection_id, reply, ctx);
            }
            UserRequest::AvatarUrl(avatar_url) => {
                let result = json!({"userAvatarUrl": avatar_url});
                self.change_profile(UserProfile { avatar_url, ..profile }, result, connection_id, reply, ctx);
            }
            UserRequest::ExtendedData(extended_data) => {
                let result = json!({"extendedData": extended_data});
                self.change_profile(UserProfile { extended_data, ..profile }, result, connection_id, reply, ctx);
            }
            UserRequest::Statuses(users) => {
                let (context, archive) = (self.context.clone(), self.context.archive.clone());
                let look_up = async move {
                    let found = archive.read(move |store| known(store, users)).await;
                    answer(
                        reply,
                        found.map(|(known, unknown)| {
                            let list: Vec<Value> = known.iter().map(|user| status_wire(user, context.status_of(user))).collect();
                            json!({"userStatusList": list, "errorUserList": missing(&unknown)})
                        }),
                    );
                };
                ctx.spawn(look_up.into_actor(self));
            }
            UserRequest::Follow { users, minutes } => self.follow(users, minutes, reply, ctx),
            UserRequest::Unfollow(users) => {
                let mut list = self.following.clone();
                list.retain(|(user, _)| !users.contains(user));
                self.keep_following(list, ctx, move |_, kept| answer(reply, kept.map(|()| json!({"errorUserList": []}))));
            }
            UserRequest::Following(users) => {
                let now_ms = self.context.clock.wall_ms();
                let wanted = self.following.iter().filter(|(user, until)| *until > now_ms && (users.is_empty() || users.contains(user)));
                let list: Vec<Value> = wanted
                    .map(|(user, until)| json!({"userStatus": status_wire(user, self.context.status_of(user)), "subscribeExpiredTime": until}))
                    .collect();
                answer(reply, Ok(json!({"userStatusSubscriptionList": list})));
            }
        }
    }
}

/// Which of the users exist, and which do not.
fn known(store: &dyn Store, users: Vec<UserId>) -> Result<(Vec<UserId>, Vec<UserId>), StoreError> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for user in users {
        if store.user(&user)?.is_some() { known.push(user) } else { unknown.push(user) }
    }
    Ok((known, unknown))
}

fn missing(users: &[UserId]) -> Value {
    let users: Vec<_> = users.iter().map(|user| (user.clone(), Refusal::UserMissing(user.to_string()))).collect();
    json!(error_users(&users))
}

impl User {
    /// Writes the new profile, then tells the user's other devices and those it talks with.
    fn change_profile(
        &mut self,
        profile: UserProfile,
        result: Value,
        connection_id: ConnectionId,
        reply: Reply<Value>,
        ctx: &mut Context<Self>,
    ) {
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutUser(profile.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| {
            if kept.is_ok() {
                if let Some(cell) = &user.profile {
                    cell.set(profile.clone());
                }
                let frame = encode_event("userInfoUpdated", &json!({"info": user_full(&profile)}));
                user.tell_sessions(&[connection_id], |_| vec![frame.clone()]);
                user.tell_peers(profile, ctx);
            }
            answer(reply, kept.map(|()| result));
        }));
    }

    pub(super) fn tell_peers(&mut self, profile: UserProfile, ctx: &mut Context<Self>) {
        let (context, me) = (self.context.clone(), self.id.clone());
        let tell = async move {
            let asked = me.clone();
            match context.archive.read(move |store| store.peers_of(&asked)).await {
                Ok(peers) => {
                    for peer in peers {
                        context.notify(&peer, &Arc::new(FeedItem::Renamed(Conversation::peer(&me, &peer), profile.clone())));
                    }
                }
                Err(refusal) => tracing::warn!(%refusal, user.id = %me, "who talks with a user could not be read, they see its old name"),
            }
        };
        self.tell(tell, ctx);
    }

    fn follow(&mut self, users: Vec<UserId>, minutes: u64, reply: Reply<Value>, ctx: &mut Context<Self>) {
        let (archive, me) = (self.context.archive.clone(), self.id.clone());
        let look_up = async move { archive.read(move |store| known(store, users)).await };
        ctx.wait(look_up.into_actor(self).map(move |found, user, ctx| {
            let (known, unknown) = match found {
                Ok(found) => found,
                Err(refusal) => return answer(reply, Err(refusal)),
            };
            let now_ms = user.context.clock.wall_ms();
            let mut list = user.following.clone();
            list.retain(|(followed, until)| *until > now_ms && !known.contains(followed));
            list.extend(known.into_iter().filter(|one| *one != me).map(|one| (one, now_ms + minutes * MINUTE_MS)));
            let max = user.context.config().limits.status_subscriptions_max;
            if list.len() > max {
                let reason = format!("would make {} subscriptions, the limit is {max}", list.len());
                return answer(reply, Err(Invalid::new("userIDs", reason).into()));
            }
            user.keep_following(list, ctx, move |_, kept| answer(reply, kept.map(|()| json!({"errorUserList": missing(&unknown)}))));
        }));
    }

    fn keep_following(
        &mut self,
        list: Vec<(UserId, u64)>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<(), Refusal>) + 'static,
    ) {
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutFollowing(self.id.clone(), list.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, user, _| {
            if kept.is_ok() {
                user.context.statuses.unfollow(&user.id, user.following.iter().map(|(user, _)| user));
                user.following = list;
                user.context.statuses.follow(&user.id, &user.following);
            }
            then(user, kept);
        }));
    }

    /// The first session came or the last one went.
    pub(super) fn tell_status(&self, online: OnlineStatus) {
        let status = Status { online, since_ms: self.context.clock.wall_ms() };
        let followers = self.context.statuses.note(&self.id, status);
        if followers.is_empty() {
            return;
        }
        let frame = encode_event("userStatusUpdated", &json!({"userStatusList": [status_wire(&self.id, status)]}));
        for connection in
            followers.iter().filter_map(|user| self.context.presence.connections(user)).flat_map(|connections| connections.to_vec())
        {
            let _queued_or_closed = connection.outbox.push(frame.clone());
        }
    }
}
