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

pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod conversation;
pub(crate) mod delivery;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod group;
pub(crate) mod load;
pub(crate) mod maintenance;
pub(crate) mod media;
pub(crate) mod registries;
pub(crate) mod room;
pub(crate) mod runtime;
pub(crate) mod session;
pub(crate) mod user;
pub(crate) mod view;
