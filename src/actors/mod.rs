//! The actors: who decides what, and how they find each other.
//!
//! ```text
//!  socket task ─► Session ─► User ─► Room          presence (shared, written by User only)
//!                    │         └──► Group           registries (find or start an actor)
//!                    ├─► Peer │ Room │ Group ─► Archive ─► store engine (own thread)
//!                    ▼          │  fan-out
//!                 Outbox ◄──────┘  (outside every mailbox)
//! ```
//!
//! | actor | one per | owns | full mailbox means | stops when |
//! |---|---|---|---|---|
//! | [`session`] | connection | protocol state, login | the socket is not read further | its socket ends |
//! | [`user`] | user with sessions | sessions of the user, places in rooms, list of conversations | temporary error | no session, no place |
//! | [`peer`](conversation::peer) | pair of users talking | order and dedup of that conversation | temporary error | idle |
//! | [`room`] | room | members, barrage budget | temporary error; barrage is shed | the room is empty |
//! | [`group`] | group | members, roles, order and dedup | temporary error | idle, nobody online |
//! | [`archive`](runtime::archive) | store | what may be under way in the store | temporary error | shutdown |
//! | [`reaper`](maintenance::reaper) | broker | deadlines of connections | nobody writes to it | shutdown |
//!
//! Messages between actors go by `try_send`, with Full and Closed written out in one place, [`runtime::registry`]; or by
//! waiting for room where nothing may be lost. A handler reads: check, decide, change state, tell. What must wait
//! for the store is waited for by the actor's context, so that the next message finds a settled state.
//!
//! # Rooms of the house
//! A folder imports only from those above it; `tests/it/tidy/` holds that.
//!
//! | folder | what is in it |
//! |---|---|
//! | [`runtime`] | how an actor is found, answers, reaches the store; ids; which commits were delivered |
//! | [`connection`] | one connection: identity, outbox, presence, feed of its user |
//! | [`files`], [`disk`], [`load`], [`context`] | uploads and quotas; free space; how far the broker is behind; all services together |
//! | [`memory`] | how much of combined messages is in memory |
//! | [`places`], [`standing`] | who is inside which room; which rooms stand empty, and until when |
//! | [`view`] | what one reader sees: the only maker of messages, quotes, reactions, receipts, pins |
//! | [`delivery`] | batches, fan-out, events to many, and the one place that counts a loss |
//! | [`media`] | who may have and send files, and when they go |
//! | [`conversation`] | a message's way; changes of messages; the peer actor |
//! | [`room`], [`group`], [`user`] | one actor each: its messages, its pure state and rules, its handlers |
//! | [`registries`] | where all four kinds are found |
//! | [`session`] | one connection's requests, and those of the host: dispatched, answered |
//! | [`maintenance`] | what goes on by itself |
//!
//! # Ways through it
//! **A text of one user to another.** `http/socket/inbound` `dispatch_frames` → `session/mod` handle → `session/dispatch` send →
//! `registries` `send_to` → `conversation/peer` handle → `conversation/publish` publish, admit, moderate, resolve, accept →
//! `conversation/pipeline` append → `runtime/archive` append → the engine's thread. Back: `conversation/pipeline` complete
//! (answers the sender) → `delivery/batch` offer → `conversation/peer` deliver → `delivery/fanout` `fan_out` → `connection/outbox`
//! push → `http/socket/encoder` `poll_encode`.
//!
//! **A barrage that is dropped.** As above to `session/dispatch` send → `room/mod` handle, `admit_barrage`, shed →
//! `conversation/pipeline` shed → `delivery/drops` count. Where the room's mailbox is full, `session/dispatch` shed calls the same
//! `conversation/pipeline` shed; what an outbox drops comes to the same `delivery/drops` count.
//!
//! **A group message.** As the text, with `group/mod` handle and deliver in the peer's place; beside the fan-out `group/state`
//! notify puts it into the members' `connection/feed`, from where `user/list/sync` brings it into their lists.
//!
//! **A message with a file.** As the text; `conversation/publish` resolve → `conversation/resolve` resolve →
//! `media/access` sendable, on a thread that may wait, then on with accept.
//!
//! **A message by the server API.** `http/api/messages` `send_message` → `broker/on_behalf` call → `session/on_behalf` run →
//! `session/dispatch` send, and on as any other; back comes the typed result, which the handler writes as JSON.
//!
//! **A message taken back.** As the text to `session/messages` `dispatch_message` → `registries` `send_to` → `group/mod` handle →
//! `conversation/revise` revise, `carry_out`, write → `conversation/revise_rules` decide → `runtime/archive` revise. Back:
//! `conversation/revise` look, tell → `delivery/broadcast` broadcast → `connection/outbox` push.
//!
//! **A login that resumes.** `http/socket/inbound` `dispatch_frames` → `session/mod` login → `user/login` handle, admit, `catch_up` →
//! `view/replay` read and `view/replay_changes` frames, on a thread that may wait. Back: `user/login` `complete_login` →
//! `connection/outbox` release.

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
pub(crate) mod memory;
pub(crate) mod nodes;
pub(crate) mod places;
pub(crate) mod registries;
#[cfg(feature = "cluster")]
pub(crate) mod remote;
pub(crate) mod room;
pub(crate) mod runtime;
pub(crate) mod session;
pub(crate) mod standing;
pub(crate) mod user;
pub(crate) mod view;
