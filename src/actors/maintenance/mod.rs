//! What looks after connections from outside.

pub(crate) mod reaper;
pub(crate) mod sweeps;
