//! From one message to the outboxes of many.

pub(crate) mod batch;
pub(crate) mod fanout;
pub(crate) mod link_set;
