//! Watches over connections from outside.

pub(crate) mod reaper;
