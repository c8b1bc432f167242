//! From one message to the outboxes of many.

pub(crate) mod batch;
pub(crate) mod connection_set;
pub(crate) mod fanout;
