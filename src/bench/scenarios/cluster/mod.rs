//! Several brokers that work together, beside one by itself on the same PostgreSQL.
//!
//! Each round is a set of brokers of its own on an empty database. Who is at which broker is decided by the seed, alike in all rounds.

mod failover;
mod idle;
mod peer;
mod room;
mod talk;

pub(super) use self::failover::failover;
pub(super) use self::idle::idle;
pub(super) use self::peer::peer;
pub(super) use self::room::room;

use crate::bench::context::Bench;

const SHARED: &str = "brokers, database, NATS and load generator share the cores of this machine, so several brokers show what they cost, \
    and not what they carry; on machines of their own they would not wait for each other's turn";

/// Notes what a reader of figures of several brokers has to know.
fn note(bench: &mut Bench<'_>) {
    bench.note(SHARED.to_owned());
    bench.note(format!("who is at which broker: --seed {}", bench.options.seed));
}
