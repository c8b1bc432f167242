//! Everything at once: does one room's flood reach the others (promise P7)?

use std::time::Duration;

use super::super::BenchError;
use super::super::context::Bench;
use super::super::load::{Work, pace};
use super::super::marker::Kind;
use crate::bench::client::{Hears, Parcel};
use crate::bench::client_pool::{Crowd, Place};

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

fn barrage(name: &str, group: usize) -> Parcel {
    Parcel { to: format!("{name}-{group}"), conversation_type: 1, kind: Kind::Low, bytes: 100 }
}

pub(super) async fn mixed(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let (members, seconds) = (bench.options.members(200, 100), bench.options.seconds(20, 5));
    // The default budget of a room: shedding is part of what is measured.
    let server = bench.broker(&[])?;
    let name = bench.name("mixed");
    let mut places = Vec::new();
    for group in 0..=QUIET_ROOMS {
        places.extend(bench.in_room(&format!("{name}-{group}"), group, if group == 0 { members } else { members / 4 })?);
    }
    let first_peer = places.len();
    for n in 0..PAIRS * 2 {
        // Sender and receiver in turn.
        let number = u32::try_from(first_peer + n).unwrap_or(u32::MAX);
        let hears = if n % 2 == 0 { Hears::Nothing } else { Hears::Peer(number - 1) };
        let account = Some(bench.account(&format!("{name}-p{n}"))?);
        places.push(Place { account, room: None, group: QUIET_ROOMS + 1, hears, stalled: false });
    }
    let mut stage = bench.stage(server, places).await?;
    stage.groups = GROUPS.to_vec();
    let how_long = Duration::from_secs(seconds);
    bench.measuring("mixed: quiet");
    let run = stage.measure("mixed-without", |crowd| quiet(crowd, &name, members, first_peer, how_long)).await?;
    bench.keep(run);
    bench.measuring("mixed: one room flooded");
    let flooded = |crowd: &Crowd| {
        let mut work = quiet(crowd, &name, members, first_peer, how_long);
        work.extend(pace(crowd, &crowd.members[..FLOODERS], FLOOD_PER_SECOND, &barrage(&name, 0), how_long));
        work
    };
    let run = stage.measure("mixed", flooded).await?;
    drop(stage);
    bench.keep(run);
    Ok(())
}

/// What goes on in the quiet rooms and the pairs.
fn quiet(crowd: &Crowd, name: &str, members: usize, first_peer: usize, how_long: Duration) -> Work {
    let mut work = Work::new();
    for group in 1..=QUIET_ROOMS {
        let first = members + (group - 1) * (members / 4);
        work.extend(pace(crowd, &crowd.members[first..first + 2], QUIET_PER_SECOND, &barrage(name, group), how_long));
    }
    for pair in 0..PAIRS {
        let sender = first_peer + pair * 2;
        let to = format!("{name}-p{}", pair * 2 + 1);
        let parcel = Parcel { to, conversation_type: 0, kind: Kind::Storable, bytes: 200 };
        work.extend(pace(crowd, &crowd.members[sender..=sender], PEER_PER_SECOND / PAIRS as f64, &parcel, how_long));
    }
    work
}
