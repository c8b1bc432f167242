//! Members that never read, in a room of clients that do.

use std::time::Duration;

use crate::bench::context::{Bench, NO_BUDGET};
use crate::bench::error::BenchError;
use crate::bench::load::pace;
use crate::bench::marker::LoadClass;
use crate::bench::message::TestMessage;

/// Our choice: enough that one is no accident, few enough that they are no part of the load.
const STALLED: usize = 5;
/// Large and often enough that a reader that stands still is noticed within seconds.
const PAYLOAD_BYTES: usize = 2_000;
const PER_SECOND: f64 = 200.0;
const PUBLISHERS: usize = 10;
const WARM_UP: Duration = Duration::from_millis(1_000);

pub(super) async fn overload(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let (clients, seconds) = (bench.options.members(500, 300), bench.options.seconds(45, 8));
    for (scenario, stalled) in [("overload-without", 0), ("overload", STALLED)] {
        let server = bench.broker(NO_BUDGET)?;
        let room = bench.name("room");
        let mut specs = bench.in_room(&room, 0, clients)?;
        specs.iter_mut().rev().take(stalled).for_each(|spec| spec.stalled = true);
        let harness = bench.harness(server, specs).await?;
        bench.measuring(scenario);
        let message = TestMessage { to: room, conversation_type: 1, kind: LoadClass::Low, bytes: PAYLOAD_BYTES };
        let publishers = &harness.pool.clients[..PUBLISHERS];
        harness.measure("warm-up", |pool| pace(pool, publishers, PER_SECOND, &message, WARM_UP)).await?;
        let run = harness.measure(scenario, |pool| pace(pool, publishers, PER_SECOND, &message, Duration::from_secs(seconds))).await?;
        drop(harness);
        bench.keep(run);
    }
    Ok(())
}
