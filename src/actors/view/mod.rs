//! What one reader sees.

pub(crate) mod find;
pub(crate) mod message;
pub(crate) mod replay;
pub(crate) mod replay_changes;
