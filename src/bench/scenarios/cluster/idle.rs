//! What a connection costs all brokers together that does nothing at one of them.

use super::note;
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::scenarios::idle::{clients, idle_on};
use crate::bench::spread::{Dice, spread};
use crate::bench::subjects::tidings_of;

pub(in crate::bench::scenarios) async fn idle(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    note(bench);
    let wanted = bench.options.members(6_000, 1_500);
    let (members, seconds) = (bench.connections(wanted), bench.options.seconds(5, 2));
    for nodes in bench.options.node_rounds() {
        let servers = bench.nodes(nodes, &[]).await?;
        let mut specs = clients(bench, members)?;
        let places = spread(members, nodes, &mut Dice::new(bench.options.seed));
        specs.iter_mut().zip(places).for_each(|(spec, node)| spec.node = node);
        let mut run = idle_on(bench, servers, specs, "cluster-idle", seconds).await?;
        run.subject = tidings_of(nodes);
        bench.keep(run);
    }
    Ok(())
}
