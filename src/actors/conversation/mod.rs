//! What peers, rooms and groups do alike: a message's way from its sender to its place.

pub(crate) mod moderation;
pub(crate) mod peer;
pub(crate) mod publish;
pub(crate) mod resolve;
pub(crate) mod revise;
pub(crate) mod revise_rules;
