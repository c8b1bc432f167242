//! Reading: pages, heads, retries and rows, over any backend.
//!
//! A batch is visible in the database a moment before it is durable. What a reader is told must not vanish, so
//! messages and heads of commits after the last durable one are left out here: `durable` is always that commit.

pub(crate) mod beside;
pub(crate) mod heads;
pub(crate) mod held;
pub(crate) mod messages;
pub(crate) mod pages;
pub(crate) mod records;
