//! Watches over connections from outside.

pub(crate) mod reaper;
pub(crate) mod sweeps;
