//! Stored one-to-one messages: on disk before each acknowledgement.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use crate::bench::client_pool::ClientSpec;
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::harness::Harness;
use crate::bench::load::{keep_full, pace};
use crate::bench::marker::LoadClass;
use crate::bench::message::{Subscription, TestMessage};
use crate::bench::process::Folder;
use crate::bench::report::Run;
use crate::bench::stats::Latency;
use crate::bench::tally::BenchClock;

/// Our choice: a sentence of chat.
const PAYLOAD_BYTES: usize = 200;
const WINDOW: usize = 32;
const PER_SECOND: f64 = 2_000.0;
/// Before a measurement: the store's files get their first size.
const WARM_UP: Duration = Duration::from_millis(1_000);
/// What a stored message of that size takes with its record's fields, its dedup row and its index, bytes: our guess for
/// the bare disk loop, which writes a whole window of them.
const RECORD_BYTES: usize = 400;
const FILE_BYTES: usize = 16 << 20;

pub(super) async fn durable(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let server = bench.broker(&[])?;
    let name = bench.name("peer");
    let specs = [Subscription::Nothing, Subscription::Peer(0)].into_iter().enumerate().map(|(n, subscription)| {
        let account = Some(bench.account(&format!("{name}-{n}"))?);
        Ok::<_, BenchError>(ClientSpec { account, room: None, group: 0, subscription, stalled: false })
    });
    let specs = specs.collect::<Result<_, _>>()?;
    let mut harness = bench.harness(server, specs).await?;
    harness.groups = vec!["peer"];
    let (to, sender) = (format!("{name}-1"), &harness.pool.clients[..1]);

    let run = window_on(bench, &harness, &to).await?;
    bench.keep(run);

    bench.measuring("peer-durable: 2,000 a second");
    let how_long = Duration::from_secs(bench.options.seconds(10, 4));
    let mut run = harness.measure("peer-durable-paced", |pool| pace(pool, sender, PER_SECOND, &message(&to), how_long)).await?;
    run.cpu_per_million = run.cpu_seconds.filter(|_| run.published > 0).map(|cpu| cpu * 1e6 / run.published as f64);
    bench.keep(run);
    drop(harness);

    let folder = Folder::new(&bench.options.folder)?;
    let disk = tokio::task::spawn_blocking(move || bare_disk(&folder.0)).await;
    let disk =
        disk.map_err(|error| BenchError::Subject(error.to_string()))?.map_err(|error| BenchError::io("the bare disk loop", error))?;
    let quantiles = disk.summary();
    bench.note(format!(
        "the disk alone: {} writes of {WINDOW} × {RECORD_BYTES} bytes with fdatasync in one second, p50 {:.2} ms, p99 {:.2} ms",
        quantiles.count, quantiles.p50_ms, quantiles.p99_ms
    ));
    Ok(())
}

fn message(to: &str) -> TestMessage {
    TestMessage { to: to.to_owned(), conversation_type: 0, kind: LoadClass::Storable, bytes: PAYLOAD_BYTES }
}

/// Has the first client of the harness keep a window of messages to the second one under way.
pub(super) async fn window_on(bench: &Bench<'_>, harness: &Harness, to: &str) -> Result<Run, BenchError> {
    bench.measuring(&format!("peer-durable: {}, window of 32", harness.subject));
    let (sender, message) = (&harness.pool.clients[..1], message(to));
    let how_long = Duration::from_secs(bench.options.seconds(15, 4));
    harness.measure("warm-up", |pool| keep_full(pool, sender, WINDOW, &message, WARM_UP)).await?;
    let mut run = harness.measure("peer-durable", |pool| keep_full(pool, sender, WINDOW, &message, how_long)).await?;
    run.cpu_per_million = run.cpu_seconds.filter(|_| run.published > 0).map(|cpu| cpu * 1e6 / run.published as f64);
    Ok(run)
}

/// Spends a second writing a window's worth of records and waiting for the disk each time.
fn bare_disk(folder: &Path) -> std::io::Result<Latency> {
    let clock = BenchClock::default();
    let mut file = File::create(folder.join("bare"))?;
    let record = vec![b'x'; WINDOW * RECORD_BYTES];
    // Blocks written before: appending would measure the file system's metadata as well.
    file.write_all(&vec![0; FILE_BYTES])?;
    file.sync_all()?;
    file.rewind()?;
    let mut taken = Latency::default();
    let (began, mut written) = (clock.now(), 0);
    while clock.now() - began < 1_000_000 {
        if written + record.len() > FILE_BYTES {
            file.rewind()?;
            written = 0;
        }
        let before = clock.now();
        file.write_all(&record)?;
        file.sync_data()?;
        written += record.len();
        taken.record(clock.now() - before);
    }
    Ok(taken)
}
