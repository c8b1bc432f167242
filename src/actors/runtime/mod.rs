//! What every actor is built on: its registry, its answers, its ids, its way to the store, its spans.

pub(crate) mod archive;
pub(crate) mod command;
pub(crate) mod ids;
pub(crate) mod open_requests;
pub(crate) mod registry;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod trace;
pub(crate) mod watermark;
