//! Everything at once: does one room's flood reach the others?

use std::time::Duration;

use crate::bench::client_pool::{ClientPool, ClientSpec};
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::load::{Work, pace};
use crate::bench::marker::LoadClass;
use crate::bench::message::{Subscription, TestMessage};

/// Rooms beside the flooded one, and what is said in each per second.
const QUIET_ROOMS: usize = 4;
const QUIET_PER_SECOND: f64 = 10.0;
/// One-to-one conversations, and stored messages of all of them per second.
const PAIRS: usize = 10;
const PEER_PER_SECOND: f64 = 100.0;
/// Offered to the flooded room: twice its default budget.
const FLOOD_PER_SECOND: f64 = 2_000.0;
const FLOODERS: usize = 16;

/// Group 0 is the flooded room, 1 to 4 the quiet ones, 5 the pairs.
const GROUPS: [&str; QUIET_ROOMS + 2] = ["flooded", "quiet-1", "quiet-2", "quiet-3", "quiet-4", "peer"];

fn barrage(name: &str, group: usize) -> TestMessage {
    TestMessage { to: format!("{name}-{group}"), conversation_type: 1, kind: LoadClass::Low, bytes: 100 }
}

pub(super) async fn mixed(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let (members, seconds) = (bench.options.members(200, 100), bench.options.seconds(20, 5));
    // The default budget of a room: shedding is part of what is measured.
    let server = bench.broker(&[])?;
    let name = bench.name("mixed");
    let mut specs = Vec::new();
    for group in 0..=QUIET_ROOMS {
        specs.extend(bench.in_room(&format!("{name}-{group}"), group, if group == 0 { members } else { members / 4 })?);
    }
    let first_peer = specs.len();
    for n in 0..PAIRS * 2 {
        // Sender and receiver in turn.
        let number = u32::try_from(first_peer + n).unwrap_or(u32::MAX);
        let subscription = if n % 2 == 0 { Subscription::Nothing } else { Subscription::Peer(number - 1) };
        let account = Some(bench.account(&format!("{name}-p{n}"))?);
        specs.push(ClientSpec { account, room: None, group: QUIET_ROOMS + 1, subscription, stalled: false, node: 0 });
    }
    let mut harness = bench.harness(server, specs).await?;
    harness.groups = GROUPS.to_vec();
    let how_long = Duration::from_secs(seconds);
    bench.measuring("mixed: quiet");
    let run = harness.measure("mixed-without", |pool| quiet_load(pool, &name, members, first_peer, how_long)).await?;
    bench.keep(run);
    bench.measuring("mixed: one room flooded");
    let flooded = |pool: &ClientPool| {
        let mut work = quiet_load(pool, &name, members, first_peer, how_long);
        work.extend(pace(pool, &pool.clients[..FLOODERS], FLOOD_PER_SECOND, &barrage(&name, 0), how_long));
        work
    };
    let run = harness.measure("mixed", flooded).await?;
    drop(harness);
    bench.keep(run);
    Ok(())
}

/// Offers what goes on in the quiet rooms and between the pairs.
fn quiet_load(pool: &ClientPool, name: &str, members: usize, first_peer: usize, how_long: Duration) -> Work {
    let mut work = Work::new();
    for group in 1..=QUIET_ROOMS {
        let first = members + (group - 1) * (members / 4);
        work.extend(pace(pool, &pool.clients[first..first + 2], QUIET_PER_SECOND, &barrage(name, group), how_long));
    }
    for pair in 0..PAIRS {
        let sender = first_peer + pair * 2;
        let to = format!("{name}-p{}", pair * 2 + 1);
        let message = TestMessage { to, conversation_type: 0, kind: LoadClass::Storable, bytes: 200 };
        work.extend(pace(pool, &pool.clients[sender..=sender], PEER_PER_SECOND / PAIRS as f64, &message, how_long));
    }
    work
}
