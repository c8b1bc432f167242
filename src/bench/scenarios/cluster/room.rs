//! A room with members at every broker: as much barrage as its budget admits, and three times as much.

use std::time::Duration;

use super::note;
use crate::bench::client_pool::ClientSpec;
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::load::pace;
use crate::bench::marker::LoadClass;
use crate::bench::message::TestMessage;
use crate::bench::spread::{Dice, spread};
use crate::bench::subjects::tidings_of;

/// What the room admits a second, and at once after a pause: with a thousand members as many deliveries as two cores carry
/// with ease.
const BUDGET: f64 = 40.0;
/// The loads, in budgets.
const LOADS: [(&str, f64); 2] = [("cluster-room", 1.0), ("cluster-room-above", 3.0)];
/// Publishers, in turn; the first clients, who are at brokers by chance like all others.
const PUBLISHERS: usize = 12;
const PAYLOAD_BYTES: usize = 100;
const WARM_UP_MS: (u64, u64) = (2_000, 1_000);

pub(in crate::bench::scenarios) async fn room(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    note(bench);
    let wanted = bench.options.members(1_000, 300);
    let members = bench.connections(wanted);
    let seconds = bench.options.seconds(20, 4);
    let budget = BUDGET.to_string();
    let settings = [("SHED__ROOM_BARRAGES_PER_SECOND", budget.as_str()), ("SHED__ROOM_BARRAGES_BURST", &budget)];
    let warm_up = Duration::from_millis(bench.options.scaled(WARM_UP_MS.0, WARM_UP_MS.1));
    for nodes in bench.options.node_rounds() {
        let servers = bench.nodes(nodes, &settings).await?;
        let name = bench.name("room");
        let specs = at_all_nodes(bench.in_room(&name, 0, members)?, nodes, bench.options.seed);
        let mut harness = bench.harness(servers, specs).await?;
        harness.subject = tidings_of(nodes);
        let message = TestMessage { to: name, conversation_type: 1, kind: LoadClass::Low, bytes: PAYLOAD_BYTES };
        let publishers = &harness.pool.clients[..PUBLISHERS];
        harness.measure("warm-up", |pool| pace(pool, publishers, BUDGET, &message, warm_up)).await?;
        for (scenario, load) in LOADS {
            bench.measuring(&format!("{scenario}: {}", harness.subject));
            let paced = |pool: &_| pace(pool, publishers, BUDGET * load, &message, Duration::from_secs(seconds));
            let mut run = harness.measure(scenario, paced).await?;
            run.offered_per_second = Some(BUDGET * load);
            bench.keep(run);
        }
    }
    Ok(())
}

fn at_all_nodes(mut specs: Vec<ClientSpec>, nodes: usize, seed: u64) -> Vec<ClientSpec> {
    let places = spread(specs.len(), nodes, &mut Dice::new(seed));
    specs.iter_mut().zip(places).for_each(|(spec, node)| spec.node = node);
    specs
}
