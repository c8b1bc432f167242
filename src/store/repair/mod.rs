//! Checking a store, and making a damaged one openable.

mod carve;
pub(crate) mod inspect;
pub(crate) mod losses;
pub(crate) mod noted_time;
mod pieces;
mod prefixes;
mod reconcile;
mod replay;
pub(crate) mod salvage;
#[cfg(test)]
mod tests;
pub(crate) mod verify;
