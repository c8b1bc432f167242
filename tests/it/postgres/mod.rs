//! A store in PostgreSQL: what kills of the broker and of the database leave, brokers that stand by for each other, and a database
//! that makes trouble. Real processes on a cluster of their own. Skipped, loudly, where PostgreSQL is not installed.

#[cfg(feature = "cluster")]
mod city;
mod convert;
mod crash;
#[cfg(feature = "cluster")]
mod gate;
#[cfg(feature = "cluster")]
mod many;
#[cfg(feature = "cluster")]
mod parted;
mod shared_state;
mod standby;
mod trouble;

use crate::hostile::Program;

/// Returns a program whose store is in a database, with these settings besides.
pub(crate) fn program(url: &str, settings: &[(&str, &str)]) -> Program {
    let own = [
        ("store.engine", "postgres"),
        ("store.postgres.url", url),
        ("rate.sends_per_second", "100000"),
        ("rate.burst", "100000"),
        ("cluster.lease_ms", "1000"),
    ];
    let all: Vec<(&str, &str)> = own.iter().chain(settings).copied().collect();
    Program::with(&all)
}
