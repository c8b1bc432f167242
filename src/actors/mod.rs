//! The actors: who decides what, and how they find each other.
//!
//! ```text
//!  socket task ─► Session ─► User ─► Room          presence (shared, written by User only)
//!                    │         └──► Group           directory (finds or starts an owner)
//!                    ├─► Peer │ Room │ Group ─► Archive ─► store engine (own thread)
//!                    ▼          │  fan-out
//!                 Outbox ◄──────┘  (outside every mailbox)
//! ```
//!
//! | actor | one per | owns | full mailbox means | stops when |
//! |---|---|---|---|---|
//! | [`session`] | connection | protocol state, login | the socket is not read further | its socket ends |
//! | [`user`] | user with sessions | sessions of the user, places in rooms | temporary error | no session, no place |
//! | [`peer`] | pair of users talking | order and dedup of that conversation | temporary error | idle |
//! | [`room`] | room | members, barrage budget | temporary error; barrage is shed | the room is destroyed |
//! | [`group`] | group | members, roles, order and dedup | temporary error | idle, nobody online |
//! | [`archive`] | store | what may be under way in the store | temporary error | shutdown |
//! | [`pulse`] | broker | what is shed while the broker is behind | nobody writes to it | shutdown |
//! | [`reaper`] | broker | deadlines of connections | nobody writes to it | shutdown |
//!
//! Messages between actors go by `try_send`, with Full and Closed written out in one place, [`directory`]; or by
//! waiting for room where nothing may be lost. A handler reads: check, decide, change state, tell. What must wait
//! for the store is waited for by the actor's context, so that the next message finds a settled state.

pub(crate) mod amend;
mod amend_rules;
pub(crate) mod archive;
pub(crate) mod batch;
pub(crate) mod book;
pub(crate) mod book_load;
mod completion;
pub(crate) mod core;
pub(crate) mod directory;
pub(crate) mod disk;
pub(crate) mod dress;
pub(crate) mod errand;
pub(crate) mod fanout;
pub(crate) mod group;
mod group_alter;
mod group_change;
mod group_rules;
mod group_state;
pub(crate) mod handed;
pub(crate) mod lane;
pub(crate) mod left;
pub(crate) mod link;
pub(crate) mod media;
pub(crate) mod mint;
pub(crate) mod notices;
pub(crate) mod outbox;
pub(crate) mod peer;
pub(crate) mod presence;
pub(crate) mod pulse;
pub(crate) mod reaper;
pub(crate) mod resume;
mod resume_changes;
mod review;
pub(crate) mod room;
mod room_admin;
mod room_attributes;
mod room_rules;
mod room_state;
mod roster;
pub(crate) mod search;
pub(crate) mod seek;
pub(crate) mod session;
mod session_groups;
mod session_messages;
mod session_ops;
pub(crate) mod status;
pub(crate) mod trace;
pub(crate) mod user;
pub(crate) mod user_admin;
mod user_book;
pub(crate) mod user_entries;
mod user_login;
pub(crate) mod user_profile;

use tokio::sync::oneshot;

use crate::model::{Invalid, Refusal};
use crate::store::StoreError;

/// Where an actor puts its answer. Dropped unanswered, it reads as a temporary refusal.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// Answers; whoever asked may be gone, which is theirs to decide.
pub(crate) fn answer<T>(reply: Reply<T>, result: Result<T, Refusal>) {
    if reply.send(result).is_err() {
        tracing::trace!("the asker of an operation went away before its answer");
    }
}

/// Waits for an answer.
pub(crate) async fn answered<T>(reply: oneshot::Receiver<Result<T, Refusal>>) -> Result<T, Refusal> {
    reply.await.unwrap_or(Err(Refusal::Busy("the conversation's owner went away")))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OtherContent => Invalid::new("message.localMessageID", "was used before for other content").into(),
            StoreError::Gone => Self::MessageMissing,
            StoreError::Fenced => Self::Busy("the conversation moved to another owner"),
            StoreError::Unavailable(reason) | StoreError::Damaged(reason) => Self::StoreUnavailable(reason),
        }
    }
}
