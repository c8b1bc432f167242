//! One room: flooded, paced, huge, and growing.

use std::time::Duration;

use crate::bench::baseline::BaselineMode;
use crate::bench::context::{Bench, NO_BUDGET};
use crate::bench::error::BenchError;
use crate::bench::harness::Harness;
use crate::bench::load::{keep_full, pace};
use crate::bench::marker::LoadClass;
use crate::bench::message::TestMessage;
use crate::bench::report::Run;

/// Our choice: a barrage of a few words.
const PAYLOAD_BYTES: usize = 100;
/// Publishers of the flood, one message each under way: a window of 16.
pub(super) const FLOODERS: usize = 16;
/// Messages a second of the paced room, and who sends them in turn.
const PACE: f64 = 40.0;
const PACERS: usize = 4;
/// Before a measurement: caches, allocator and TCP windows find their size.
const WARM_UP: Duration = Duration::from_millis(1_000);

fn message(room: &str, kind: LoadClass) -> TestMessage {
    TestMessage { to: room.to_owned(), conversation_type: 1, kind, bytes: PAYLOAD_BYTES }
}

async fn flood_on(harness: &Harness, room: &str, scenario: &str, seconds: u64) -> Result<Run, BenchError> {
    let publishers = &harness.pool.clients[..FLOODERS.min(harness.pool.clients.len())];
    harness.measure("warm-up", |pool| keep_full(pool, publishers, 1, &message(room, LoadClass::Low), WARM_UP)).await?;
    harness.measure(scenario, |pool| keep_full(pool, publishers, 1, &message(room, LoadClass::Low), Duration::from_secs(seconds))).await
}

async fn paced_on(harness: &Harness, room: &str, scenario: &str, per_second: f64, seconds: u64) -> Result<Run, BenchError> {
    let publishers = &harness.pool.clients[..PACERS.min(harness.pool.clients.len())];
    harness.measure("warm-up", |pool| pace(pool, publishers, per_second, &message(room, LoadClass::Low), WARM_UP)).await?;
    harness.measure(scenario, |pool| pace(pool, publishers, per_second, &message(room, LoadClass::Low), Duration::from_secs(seconds))).await
}

/// The loads that are measured beside the bare loops.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    Flood,
    Paced,
}

impl Load {
    pub(super) fn scenario(self) -> &'static str {
        match self {
            Self::Flood => "room-flood",
            Self::Paced => "room-paced",
        }
    }

    pub(super) fn seconds(self, bench: &Bench<'_>) -> u64 {
        match self {
            Self::Flood => bench.options.seconds(15, 4),
            Self::Paced => bench.options.seconds(20, 5),
        }
    }

    /// Offers this load; the publishers are the first of the harness's members.
    pub(super) async fn on(self, harness: &Harness, room: &str, seconds: u64) -> Result<Run, BenchError> {
        match self {
            Self::Flood => flood_on(harness, room, self.scenario(), seconds).await,
            Self::Paced => paced_on(harness, room, self.scenario(), PACE, seconds).await,
        }
    }
}

pub(super) async fn flood(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    beside_baselines(bench, Load::Flood, [BaselineMode::Shared, BaselineMode::Each]).await
}

pub(super) async fn paced(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    beside_baselines(bench, Load::Paced, [BaselineMode::Each, BaselineMode::Shared]).await
}

/// One load on a broker, then on each bare loop.
async fn beside_baselines(bench: &mut Bench<'_>, load: Load, baselines: [BaselineMode; 2]) -> Result<(), BenchError> {
    let (members, seconds) = (bench.options.members(1_000, 1_000), load.seconds(bench));
    let server = bench.broker(NO_BUDGET)?;
    let room = bench.name("room");
    let specs = bench.in_room(&room, 0, members)?;
    let harness = bench.harness(server, specs).await?;
    bench.measuring(&format!("{}: tidings", load.scenario()));
    let run = load.on(&harness, &room, seconds).await?;
    drop(harness);
    bench.keep(run);
    if bench.options.skip_baseline {
        return Ok(());
    }
    for mode in baselines {
        let harness = bench.baseline_harness(mode, members).await?;
        bench.measuring(&format!("{}: bare loop", load.scenario()));
        let run = load.on(&harness, &room, seconds).await?;
        drop(harness);
        bench.keep(run);
    }
    Ok(())
}

/// 100 barrages a second for 10,000 members, and two stored messages a second that must not be late or lost.
pub(super) async fn huge(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let wanted = bench.options.members(10_000, 2_000);
    let (members, seconds) = (bench.connections(wanted), bench.options.seconds(60, 5));
    let server = bench.broker(NO_BUDGET)?;
    let room = bench.name("room");
    let specs = bench.in_room(&room, 0, members)?;
    let harness = bench.harness(server, specs).await?;
    bench.measuring("room-huge: tidings");
    let how_long = Duration::from_secs(seconds);
    let run = harness
        .measure("room-huge", |pool| {
            let (barragers, storers) = (&pool.clients[..10], &pool.clients[10..12]);
            let mut work = pace(pool, barragers, 100.0, &message(&room, LoadClass::Low), how_long);
            work.extend(pace(pool, storers, 2.0, &message(&room, LoadClass::Storable), how_long));
            work
        })
        .await?;
    drop(harness);
    bench.keep(run);
    Ok(())
}

/// What a delivery costs as the room grows. Each message travels alone, as in the paced room: in a flood a larger room
/// gathers other batches, and the figure would say how large they were.
pub(super) async fn growth(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let seconds = bench.options.seconds(15, 4);
    for (wanted, per_second, scenario) in [(100, 80.0, "growth-100"), (1_000, 40.0, "growth-1000"), (10_000, 4.0, "growth-10000")] {
        let members = bench.connections(wanted);
        let server = bench.broker(NO_BUDGET)?;
        let room = bench.name("room");
        let specs = bench.in_room(&room, 0, members)?;
        let harness = bench.harness(server, specs).await?;
        bench.measuring(scenario);
        let run = paced_on(&harness, &room, scenario, per_second, seconds).await?;
        drop(harness);
        bench.keep(run);
    }
    Ok(())
}
