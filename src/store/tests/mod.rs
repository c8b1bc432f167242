//! What every store keeps to, and what happens to one whose disk fails.

mod backup;
#[cfg(feature = "postgres")]
#[path = "../../../tests/support/postgres.rs"]
// Part of it is for tests of the whole program.
#[allow(clippy::print_stderr, dead_code)]
mod cluster;
mod contract;
mod contract_reads;
mod contract_rows;
#[cfg(feature = "postgres")]
mod convert;
#[cfg(feature = "postgres")]
mod convert_answers;
#[cfg(feature = "postgres")]
mod convert_lines;
pub(crate) mod damage;
mod faults;
mod half_made;
mod looking;
mod older_formats;
mod overview;
#[cfg(feature = "postgres")]
mod postgres;
mod salvage;
#[cfg(feature = "postgres")]
mod shards;
#[cfg(feature = "postgres")]
mod shards_trouble;
#[cfg(feature = "postgres")]
mod shared_state;
pub(crate) mod support;
