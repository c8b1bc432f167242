//! From one message to the outboxes of many.

pub(crate) mod batch;
pub(crate) mod broadcast;
pub(crate) mod connection_set;
pub(crate) mod drops;
pub(crate) mod fanout;
pub(crate) mod outsiders;
pub(crate) mod written;
