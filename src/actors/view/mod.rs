//! What one reader sees of messages: the only place that encodes a message, quote, reaction, receipt or pin for a
//! client.
//!
//! A reader's view follows from the message, from what the reader may see of its conversation ([`visibility`]) and from
//! the version of its client. A message that many hear live is encoded once per class of readers ([`live`]); everything
//! else is made for one reader ([`reader`]).

pub(crate) mod find;
pub(crate) mod live;
pub(crate) mod message;
pub(crate) mod reader;
pub(crate) mod receipts;
pub(crate) mod replay;
pub(crate) mod replay_changes;
pub(crate) mod visibility;
