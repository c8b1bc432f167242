//! Checking a store, and making a damaged one openable.

pub(crate) mod inspect;
pub(crate) mod noted_time;
mod reconcile;
pub(crate) mod salvage;
pub(crate) mod verify;
