//! What an operator looks at and takes care of.

pub(super) mod audit;
pub(super) mod backups;
pub(super) mod cluster;
pub(super) mod events;
pub(super) mod keys;
pub(super) mod sessions;
pub(super) mod stats;
pub(super) mod storage;
pub(super) mod webhooks;
