//! What every actor stands on: how it is found, how it answers, how it reaches the store.

pub(crate) mod archive;
pub(crate) mod ids;
pub(crate) mod registry;
pub(crate) mod reply;
pub(crate) mod trace;
pub(crate) mod watermark;
