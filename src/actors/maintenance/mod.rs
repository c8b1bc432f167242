//! What goes on by itself: watching connections, disk and load, and deleting what is too old.

pub(crate) mod reaper;
pub(crate) mod retention;
pub(crate) mod sweeps;
