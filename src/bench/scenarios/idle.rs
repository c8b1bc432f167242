//! What a connection costs that does nothing.

use std::time::Duration;

use super::super::context::Bench;
use super::super::{BenchError, Run};
use crate::bench::client::Hears;
use crate::bench::client_pool::Place;

/// After the last login: what the logins needed is given back.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn idle(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let wanted = bench.options.members(10_000, 2_000);
    let members = bench.connections(wanted);
    let server = bench.broker(&[])?;
    let name = bench.name("idle");
    let account = |n| bench.account(&format!("{name}-{n}"));
    let place = |n| Ok::<_, BenchError>(Place { account: Some(account(n)?), room: None, group: 0, hears: Hears::Nothing, stalled: false });
    let places = (0..members).map(place).collect::<Result<Vec<_>, _>>()?;
    // The first make what is made once: threads' stacks, arenas, the store's caches.
    let mut first = places;
    let rest = first.split_off(members / 10);
    let mut stage = bench.stage(server, first).await?;
    tokio::time::sleep(SETTLE).await;
    let before = stage.server.resident_kib();
    let members = rest.len();
    stage.crowd.gather(stage.server.address, rest, || ()).await?;
    bench.measuring("idle");
    tokio::time::sleep(SETTLE).await;
    let cpu = stage.server.cpu_seconds();
    let seconds = bench.options.seconds(20, 3);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = stage.server.resident_kib();
    let cpu = cpu.zip(stage.server.cpu_seconds()).map(|(before, after)| after - before);
    let resident = before.zip(after).map(|(before, after)| [before, after, after]);
    let closed = stage.crowd.members.iter().filter_map(|member| member.seen().closed);
    let mut run =
        Run { scenario: "idle".into(), subject: stage.subject.into(), members, resident_kib: resident, cpu_seconds: cpu, ..Run::default() };
    closed.for_each(|code| *run.closed.entry(code).or_default() += 1);
    run.seconds = seconds as f64;
    drop(stage);
    bench.keep(run);
    Ok(())
}
