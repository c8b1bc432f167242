//! What a connection costs that does nothing.
//!
//! Where it goes, bytes of each of 10,000 logged in over bare TCP (`heaptrack tidings serve`, what was live when it was killed):
//!
//! | bytes | what |
//! |---|---|
//! | 1,300 | the reading: frame guard, decoder, reassembly and what waits in them |
//! | 900 | the user's actor with its mailbox |
//! | 600 | the user's books: profile, devices, list, presence |
//! | 690 | the connection with its outbox, 128 of them a ring that held the login's answer |
//! | 510 | the session's actor |
//! | 400 | channels of the two mailboxes |
//! | 380 | the connection's task |
//! | 260 | tokio's entry of the socket |
//! | 400 | who it counts for, and the places in the maps of connections, users and devices |
//! | 200 | the user's row in the store's cache |
//! | 900 | rounding up, headers and holes of the allocator |

use std::time::Duration;

use crate::bench::client_pool::ClientSpec;
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::message::Subscription;
use crate::bench::report::Run;
use crate::bench::servers::Servers;

/// After the last login: what the logins needed is given back.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn idle(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let wanted = bench.options.members(10_000, 2_000);
    let members = bench.connections(wanted);
    let server = bench.broker(&[])?;
    let specs = clients(bench, members)?;
    let seconds = bench.options.seconds(20, 3);
    let run = idle_on(bench, server.into(), specs, "idle", seconds).await?;
    bench.keep(run);
    Ok(())
}

/// Returns so many who do nothing.
pub(super) fn clients(bench: &mut Bench<'_>, members: usize) -> Result<Vec<ClientSpec>, BenchError> {
    let name = bench.name("idle");
    let spec = |n| {
        let account = Some(bench.account(&format!("{name}-{n}"))?);
        Ok(ClientSpec { account, room: None, group: 0, subscription: Subscription::Nothing, stalled: false, node: 0 })
    };
    (0..members).map(spec).collect()
}

/// Measures what all but the first tenth of these connections cost.
pub(super) async fn idle_on(
    bench: &mut Bench<'_>,
    servers: Servers,
    specs: Vec<ClientSpec>,
    scenario: &str,
    seconds: u64,
) -> Result<Run, BenchError> {
    // The first make what is made once: threads' stacks, arenas, the store's caches.
    let mut first = specs;
    let rest = first.split_off(first.len() / 10);
    let mut harness = bench.harness(servers, first).await?;
    tokio::time::sleep(SETTLE).await;
    let before = harness.server.resident_kib();
    let members = rest.len();
    harness.pool.connect_all(&harness.server.addresses(), rest, || ()).await?;
    bench.measuring(scenario);
    tokio::time::sleep(SETTLE).await;
    let cpu = harness.server.cpu_seconds();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = harness.server.resident_kib();
    let cpu = cpu.zip(harness.server.cpu_seconds()).map(|(before, after)| after - before);
    let resident = before.zip(after).map(|(before, after)| [before, after, after]);
    let closed = harness.pool.clients.iter().filter_map(|client| client.observed().closed);
    let mut run = Run {
        scenario: scenario.into(),
        subject: harness.subject.clone(),
        members,
        resident_kib: resident,
        cpu_seconds: cpu,
        ..Run::default()
    };
    closed.for_each(|code| *run.closed.entry(code).or_default() += 1);
    run.seconds = seconds as f64;
    Ok(run)
}
