//! Stored one-to-one messages: on disk before each acknowledgement.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use crate::bench::client_pool::{ClientPool, ClientSpec};
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::harness::Harness;
use crate::bench::load::{Offer, keep_full, pace_each};
use crate::bench::marker::LoadClass;
use crate::bench::message::{Subscription, TestMessage};
use crate::bench::process::Folder;
use crate::bench::report::Run;
use crate::bench::stats::Latency;
use crate::bench::subjects::tidings_on;
use crate::bench::tally::BenchClock;

/// Our choice: a sentence of chat.
const PAYLOAD_BYTES: usize = 200;
const WINDOW: usize = 32;
/// Users of the paced load, two to a conversation, and what all of them send a second.
const USERS: usize = 200;
const PER_SECOND: u32 = 3_000;
const TIMER: &str = "paced messages go out on the load generator's timer, up to a millisecond or two late: that is part of every \
    latency here, of other brokers' too";
/// Before a measurement: the store's files get their first size.
const WARM_UP: Duration = Duration::from_millis(1_000);
/// What a stored message of that size takes with its record's fields, its dedup row and its index, bytes: our guess for
/// the bare disk loop, which writes a whole window of them.
const RECORD_BYTES: usize = 400;
const FILE_BYTES: usize = 16 << 20;

pub(super) async fn durable(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    for engine in bench.options.engine_rounds() {
        let server = bench.broker_on(engine, &[])?;
        let name = bench.name("peer");
        let specs = Pairs { count: 1 }.specs(bench, &name)?;
        let mut harness = bench.harness(server, specs).await?;
        harness.groups = vec!["peer"];
        harness.subject = engine.map_or(harness.subject, tidings_on);
        let run = window_on(bench, &harness, &format!("{name}-1")).await?;
        drop(harness);
        bench.keep(run);
    }
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

pub(super) async fn durable_paced(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    let pairs = Pairs::of(bench);
    bench.note(TIMER.to_owned());
    for engine in bench.options.engine_rounds() {
        let server = bench.broker_on(engine, &[])?;
        let name = bench.name("pair");
        let specs = pairs.specs(bench, &name)?;
        let mut harness = bench.harness(server, specs).await?;
        harness.subject = engine.map_or(harness.subject, tidings_on);
        let receiver = |sender: u32| format!("{name}-{}", pairs.count + sender as usize);
        let run = pairs.paced_on(bench, &mut harness, receiver).await?;
        drop(harness);
        bench.keep(run);
    }
    Ok(())
}

/// Users in conversations of two: the first half sends, the second half receives. Who received and sent would have gaps in its row of
/// `messageSeq`, and the audit could not hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairs {
    count: usize,
}

impl Pairs {
    /// Returns the pairs of the paced load.
    pub(super) fn of(bench: &Bench<'_>) -> Self {
        Self { count: bench.options.members(USERS, USERS) / 2 }
    }

    /// Returns whom each user hears: senders nobody, each receiver its sender. One half after the other, because every thread
    /// of the load generator gets some of each half then.
    pub(super) fn subscriptions(self) -> Vec<Subscription> {
        let senders = std::iter::repeat_n(Subscription::Nothing, self.count);
        senders.chain((0..).take(self.count).map(Subscription::Peer)).collect()
    }

    fn specs(self, bench: &Bench<'_>, name: &str) -> Result<Vec<ClientSpec>, BenchError> {
        let spec = |(n, subscription)| {
            let account = Some(bench.account(&format!("{name}-{n}"))?);
            Ok(ClientSpec { account, room: None, group: 0, subscription, stalled: false, node: 0 })
        };
        self.subscriptions().into_iter().enumerate().map(spec).collect()
    }

    /// Offers the paced load on a server whose clients are these pairs; `to` names where a sender's messages go.
    pub(super) async fn paced_on(self, bench: &Bench<'_>, harness: &mut Harness, to: impl Fn(u32) -> String) -> Result<Run, BenchError> {
        bench.measuring(&format!("peer-durable-paced: {}", harness.subject));
        harness.groups = vec!["peer"];
        let rate = f64::from(bench.options.rate.unwrap_or(PER_SECOND));
        let senders = harness.pool.clients.iter().filter(|client| client.subscription == Subscription::Nothing);
        let offers: Vec<Offer> = senders.map(|sender| (sender.clone(), message(&to(sender.number)))).collect();
        let how_long = Duration::from_secs(bench.options.seconds(20, 4));
        harness.measure("warm-up", |pool| pace_each(pool, Duration::ZERO, &offers, rate, WARM_UP)).await?;
        let paced = |pool: &ClientPool| pace_each(pool, Duration::ZERO, &offers, rate, how_long);
        let mut run = harness.measure("peer-durable-paced", paced).await?;
        run.offered_per_second = Some(rate);
        Ok(run)
    }
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
