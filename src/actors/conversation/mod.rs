//! What peers, rooms and groups do alike: a message's way from its sender to its place, and what is done to it there.
//!
//! [`publish`] tells a message's way from top to bottom; [`revise`] what happens when one is changed. [`actor`] says what
//! a peer, room or group must be able to do for both.

pub(crate) mod actor;
pub(crate) mod messages;
pub(crate) mod moderation;
pub(crate) mod peer;
pub(crate) mod pipeline;
pub(crate) mod publish;
pub(crate) mod receipts;
pub(crate) mod replies;
pub(crate) mod resolve;
pub(crate) mod revise;
pub(crate) mod revise_rules;
