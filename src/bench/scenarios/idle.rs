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

/// After the last login: what the logins needed is given back.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn idle(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let wanted = bench.options.members(10_000, 2_000);
    let members = bench.connections(wanted);
    let server = bench.broker(&[])?;
    let name = bench.name("idle");
    let account = |n| bench.account(&format!("{name}-{n}"));
    let spec = |n| {
        Ok::<_, BenchError>(ClientSpec {
            account: Some(account(n)?),
            room: None,
            group: 0,
            subscription: Subscription::Nothing,
            stalled: false,
        })
    };
    let specs = (0..members).map(spec).collect::<Result<Vec<_>, _>>()?;
    // The first make what is made once: threads' stacks, arenas, the store's caches.
    let mut first = specs;
    let rest = first.split_off(members / 10);
    let mut harness = bench.harness(server, first).await?;
    tokio::time::sleep(SETTLE).await;
    let before = harness.server.resident_kib();
    let members = rest.len();
    harness.pool.connect_all(harness.server.address, rest, || ()).await?;
    bench.measuring("idle");
    tokio::time::sleep(SETTLE).await;
    let cpu = harness.server.cpu_seconds();
    let seconds = bench.options.seconds(20, 3);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = harness.server.resident_kib();
    let cpu = cpu.zip(harness.server.cpu_seconds()).map(|(before, after)| after - before);
    let resident = before.zip(after).map(|(before, after)| [before, after, after]);
    let closed = harness.pool.clients.iter().filter_map(|client| client.observed().closed);
    let mut run = Run {
        scenario: "idle".into(),
        subject: harness.subject.clone(),
        members,
        resident_kib: resident,
        cpu_seconds: cpu,
        ..Run::default()
    };
    closed.for_each(|code| *run.closed.entry(code).or_default() += 1);
    run.seconds = seconds as f64;
    drop(harness);
    bench.keep(run);
    Ok(())
}
