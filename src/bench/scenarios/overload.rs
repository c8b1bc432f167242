//! Members that never read, in a room of members that do.

use std::time::Duration;

use super::super::BenchError;
use super::super::context::{Bench, NO_BUDGET};
use super::super::load::pace;
use super::super::marker::Kind;
use crate::bench::client::Parcel;

/// Of the reference figures.
const STALLED: usize = 5;
/// Large and often enough that a reader that stands still is noticed within seconds.
const PAYLOAD_BYTES: usize = 2_000;
const PER_SECOND: f64 = 200.0;
const PUBLISHERS: usize = 10;
const WARM_UP: Duration = Duration::from_millis(1_000);

pub(super) async fn overload(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let (members, seconds) = (bench.options.members(500, 300), bench.options.seconds(45, 8));
    for (scenario, stalled) in [("overload-without", 0), ("overload", STALLED)] {
        let server = bench.broker(NO_BUDGET)?;
        let room = bench.name("room");
        let mut places = bench.in_room(&room, 0, members)?;
        places.iter_mut().rev().take(stalled).for_each(|place| place.stalled = true);
        let stage = bench.stage(server, places).await?;
        bench.measuring(scenario);
        let parcel = Parcel { to: room, conversation_type: 1, kind: Kind::Low, bytes: PAYLOAD_BYTES };
        let publishers = &stage.crowd.members[..PUBLISHERS];
        stage.measure("warm-up", |crowd| pace(crowd, publishers, PER_SECOND, &parcel, WARM_UP)).await?;
        let run = stage.measure(scenario, |crowd| pace(crowd, publishers, PER_SECOND, &parcel, Duration::from_secs(seconds))).await?;
        drop(stage);
        bench.keep(run);
    }
    Ok(())
}
