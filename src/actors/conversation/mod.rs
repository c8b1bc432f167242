//! What peer conversations, rooms and groups have in common: how a message is accepted and delivered, and how it is
//! changed.
//!
//! [`publish`] tells a message's way from top to bottom; [`revise`] how one is changed. [`actor`] says what a peer
//! conversation, room or group must provide for both.

pub(crate) mod actor;
mod carried;
pub(crate) mod handover;
pub(crate) mod messages;
pub(crate) mod moderation;
mod passed_on;
pub(crate) mod peer;
pub(crate) mod pipeline;
pub(crate) mod publish;
pub(crate) mod receipts;
pub(crate) mod replies;
pub(crate) mod resolve;
pub(crate) mod revise;
pub(crate) mod revise_rules;
