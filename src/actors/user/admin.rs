//! What the host does to a user: ends its sessions, keeps it out.

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::User;
use super::profile::ProfileCell;
use crate::actors::runtime::command::commands;
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Ban, SessionId, UserProfile};
use crate::protocol::CloseCode;
use crate::store::RowWrite;

/// Ends the user's sessions, or one of them; they do not come back by themselves. Answers how many there were.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kick {
    pub(crate) only: Option<SessionId>,
    #[serde(skip)]
    pub(crate) reply: Reply<usize>,
}

/// Bans the user from now on, or lifts the ban. A user who was never here becomes known by it.
#[derive(Serialize, Deserialize)]
pub(crate) struct SetBan {
    pub(crate) ban: Option<Ban>,
    #[serde(skip)]
    pub(crate) reply: Reply<()>,
}

commands! {
    Kick => usize,
    SetBan => (),
}

impl User {
    fn kick(&mut self, only: Option<&SessionId>, ctx: &mut Context<Self>) -> usize {
        let wanted = self.sessions.iter().filter(|at| only.is_none_or(|only| at.connection.session == *only));
        let connections: Vec<_> = wanted.map(|at| at.connection.clone()).collect();
        // Files are asked for beside the sessions.
        let (media, now_ms) = (self.context.media.clone(), self.context.clock.wall_ms());
        if only.is_none() {
            media.standing.put_out(&self.id, now_ms);
        }
        for connection in &connections {
            connection.close(CloseCode::Kicked);
            media.standing.put_out_session(&connection.session, now_ms);
            self.give_up_places(connection.id, ctx);
        }
        connections.len()
    }
}

impl Handler<Leased<Kick>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<Kick>, ctx: &mut Context<Self>) {
        let Kick { only, reply } = leased.open();
        answer(reply, Ok(self.kick(only.as_ref(), ctx)));
        self.leave_if_unused(ctx);
    }
}

impl Handler<Leased<SetBan>> for User {
    type Result = ();

    fn handle(&mut self, leased: Leased<SetBan>, ctx: &mut Context<Self>) {
        let SetBan { ban, reply } = leased.open();
        if let Some(refusal) = &self.unreadable {
            return answer(reply, Err(refusal.clone()));
        }
        let known = self.profile.as_ref().map(|cell| (*cell.get()).clone());
        let profile = UserProfile { ban, ..known.unwrap_or_else(|| UserProfile::new(self.id.clone(), String::new())) };
        let (archive, row) = (self.context.archive.clone(), RowWrite::PutUser(profile.clone()));
        let keep = async move { archive.apply(vec![row]).await };
        // Waited for: a login in between would still be let in.
        ctx.wait(keep.into_actor(self).map(move |kept, user, ctx| {
            if kept.is_ok() {
                let banned = profile.ban.is_some();
                match &user.profile {
                    Some(cell) => cell.set(profile),
                    None => user.profile = Some(ProfileCell::new(profile)),
                }
                if banned {
                    user.kick(None, ctx);
                }
            }
            answer(reply, kept);
            user.leave_if_unused(ctx);
        }));
    }
}
