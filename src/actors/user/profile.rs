//! How a user changes its own profile.

use std::sync::{Arc, PoisonError, RwLock};

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::User;
use crate::actors::connection::ConnectionId;
use crate::actors::connection::feed::FeedItem;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Conversation, Refusal, UserProfile};
use crate::protocol::event;
use crate::protocol::event::user::UserInfoUpdated;
use crate::protocol::result::user::ProfileChanged;
use crate::protocol::{Outcome, UserRequest};
use crate::store::RowWrite;

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

/// Asks for an operation on the user itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct UserOperation {
    pub(crate) request: UserRequest,
    /// The session that asks; none for the host.
    pub(crate) connection_id: Option<ConnectionId>,
    #[serde(skip)]
    pub(crate) reply: Reply<Outcome>,
}

commands!(UserOperation => Outcome);

impl Handler<Leased<UserOperation>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<UserOperation>, ctx: &mut Context<Self>) {
        self.asked = true;
        let UserOperation { request, connection_id, reply } = leased.open();
        let Some(cell) = &self.profile else { return answer(reply, Err(Refusal::NotLoggedIn)) };
        let profile = (*cell.get()).clone();
        match request {
            UserRequest::Name(name) => {
                let result = ProfileChanged::Name(name.clone());
                self.change_profile(UserProfile { name, ..profile }, result, connection_id, reply, ctx);
            }
            UserRequest::AvatarUrl(avatar_url) => {
                let result = ProfileChanged::AvatarUrl(avatar_url.clone());
                self.change_profile(UserProfile { avatar_url, ..profile }, result, connection_id, reply, ctx);
            }
            UserRequest::ExtendedData(extended_data) => {
                let result = ProfileChanged::ExtendedData(extended_data.clone());
                self.change_profile(UserProfile { extended_data, ..profile }, result, connection_id, reply, ctx);
            }
            UserRequest::Statuses(users) => self.query_statuses(users, reply, ctx),
            UserRequest::Follow { users, minutes } => self.follow(users, minutes, reply, ctx),
            UserRequest::Unfollow(users) => self.unfollow(&users, reply, ctx),
            UserRequest::Following(users) => answer(reply, Ok(Outcome::Subscriptions(self.subscriptions(&users)))),
        }
    }
}

impl User {
    /// Writes the new profile, then tells the user's other devices and those it talks with.
    fn change_profile(
        &mut self,
        profile: UserProfile,
        result: ProfileChanged,
        connection_id: Option<ConnectionId>,
        reply: Reply<Outcome>,
        ctx: &mut Context<Self>,
    ) {
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutUser(profile.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| {
            if kept.is_ok() {
                if let Some(cell) = &user.profile {
                    cell.set(profile.clone());
                }
                let frame = event::encode(&UserInfoUpdated::new(&profile));
                user.tell_sessions(connection_id.as_slice(), |_| vec![frame.clone()]);
                user.tell_peers(profile, ctx);
            }
            answer(reply, kept.map(|()| Outcome::ProfileChanged(result)));
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
}
