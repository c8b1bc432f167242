//! Who bends first: delivered share by priority from a tenth of what a room admits to twenty times as much.

use std::time::Duration;

use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::load::{pace, pace_after};
use crate::bench::marker::LoadClass;
use crate::bench::message::TestMessage;
use crate::bench::report::SaturationPoint;
use crate::bench::table;

/// What the room admits per second, and after a pause at once: little, so that twenty times as much is offered with ease.
const BUDGET: (&str, f64) = ("500", 500.0);
const BURST: &str = "50";
/// Publishers of each priority: a third of the load each.
const PUBLISHERS: usize = 10;
const STORABLE_PER_SECOND: f64 = 20.0;
const STORERS: usize = 2;
const LOADS: [f64; 12] = [0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0];
const LOADS_QUICK: [f64; 8] = [0.1, 0.5, 1.0, 1.5, 2.0, 5.0, 10.0, 20.0];

pub(super) async fn saturation(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let members = bench.options.members(200, 100).max(40);
    let seconds = bench.options.seconds(5, 2);
    let server = bench.broker(&[("SHED__ROOM_BARRAGES_PER_SECOND", BUDGET.0), ("SHED__ROOM_BARRAGES_BURST", BURST)])?;
    let room = bench.name("room");
    let specs = bench.in_room(&room, 0, members)?;
    let harness = bench.harness(server, specs).await?;
    let loads = bench.options.scaled(LOADS.as_slice(), LOADS_QUICK.as_slice());
    for load in loads {
        let offered = load * BUDGET.1;
        bench.measuring(&format!("curve: {load} times the budget"));
        let how_long = Duration::from_secs(seconds);
        let run = harness
            .measure(&format!("curve-{load}"), |pool| {
                let message = |kind, bytes| TestMessage { to: room.clone(), conversation_type: 1, kind, bytes };
                let mut work = Vec::new();
                // The priorities in turn, so that none is always the first of those due in a millisecond.
                for n in 0..3 * PUBLISHERS {
                    let kind = [LoadClass::Low, LoadClass::Medium, LoadClass::High][n % 3];
                    let each = offered / (3 * PUBLISHERS) as f64;
                    let ahead = Duration::from_secs_f64(n as f64 / offered);
                    work.extend(pace_after(pool, ahead, &pool.clients[n..=n], each, &message(kind, 100), how_long));
                }
                let storers = &pool.clients[3 * PUBLISHERS..3 * PUBLISHERS + STORERS];
                work.extend(pace(pool, storers, STORABLE_PER_SECOND, &message(LoadClass::Storable, 200), how_long));
                work
            })
            .await?;
        let mut share = [1.0; 4];
        for (kind, share) in share.iter_mut().enumerate() {
            if run.audit.expected[kind] > 0 {
                *share = run.audit.received[kind] as f64 / run.audit.expected[kind] as f64;
            }
        }
        let point = SaturationPoint { load: *load, offered_per_second: offered, share };
        bench.print_line(&table::saturation_line(&point));
        bench.report.saturation.push(point);
        bench.report.runs.push(run);
    }
    Ok(())
}
