//! One server and its pool: measures a load and audits what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::client::BenchClient;
use super::client_pool::{ClientPool, ClientSpec};
use super::connection::Dialect;
use super::error::BenchError;
use super::load::Work;
use super::marker::LoadClass;
use super::message::Subscription;
use super::process::Counters;
use super::report::{Audit, Run};
use super::servers::Servers;
use super::stats::Latency;

/// How long what is under way when the load ends may take to arrive. Longer than the broker lets a stuck socket be.
const DRAIN_MAX: Duration = Duration::from_secs(45);
/// How often resident memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The broker tells a client what was dropped for it once a second; this is one and a half of those.
const ANNOUNCED_AFTER: Duration = Duration::from_millis(1_600);

/// A server with everyone connected.
#[derive(Debug)]
pub(super) struct Harness {
    pub(super) server: Arc<Servers>,
    pub(super) pool: ClientPool,
    pub(super) subject: String,
    /// Names of the groups, for the report.
    pub(super) groups: Vec<&'static str>,
}

impl Harness {
    /// Connects everyone.
    pub(super) async fn set(
        server: Servers,
        subject: impl Into<String>,
        threads: usize,
        dialect: Dialect,
        specs: Vec<ClientSpec>,
        arrived: impl FnMut(),
    ) -> Result<Self, BenchError> {
        let mut pool = ClientPool::new(threads, dialect)?;
        pool.connect_all(&server.addresses(), specs, arrived).await?;
        let harness = Self { server: Arc::new(server), pool, subject: subject.into(), groups: vec!["room"] };
        // Arrivals are announced to everyone inside; what is left of that must not be measured.
        harness.pool.wait_until_quiet(DRAIN_MAX).await;
        Ok(harness)
    }

    pub(super) fn has_counters(&self) -> bool {
        self.pool.dialect == Dialect::Broker
    }

    async fn counters(&self) -> Result<Counters, BenchError> {
        if !self.has_counters() {
            return Ok(Counters::default());
        }
        let server = self.server.clone();
        tokio::task::spawn_blocking(move || server.counters()).await.map_err(|error| BenchError::Subject(error.to_string()))?
    }

    /// Measures what `load` starts, from its first message to the last delivery.
    pub(super) async fn measure(&self, scenario: &str, load: impl FnOnce(&ClientPool) -> Work) -> Result<Run, BenchError> {
        self.pool.clear();
        let before = self.counters().await?;
        let highest = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let watch = self.watch(highest.clone(), over.clone());
        let (cpu, resident, disk) = (self.server.cpu_seconds(), self.server.resident_kib(), self.server.disk_bytes());
        let (database, bus) = (self.server.database_cpu_seconds(&self.subject), self.server.bus_cpu_seconds());
        let began = self.pool.clock.now();
        for publisher in load(&self.pool) {
            let done = publisher.await.map_err(|error| BenchError::Subject(error.to_string()))?;
            done.map_err(|error| BenchError::io("a publisher's connection", error))?;
        }
        let published_until = self.pool.clock.now();
        let wait_until_quiet = self.pool.wait_until_quiet(DRAIN_MAX).await;
        let cpu = cpu.zip(self.server.cpu_seconds()).map(|(before, after)| after - before);
        let database = database.zip(self.server.database_cpu_seconds(&self.subject)).map(|(before, after)| after - before);
        let bus = bus.zip(self.server.bus_cpu_seconds()).map(|(before, after)| after - before);
        let ended = self.pool.tally().last_us.max(published_until);
        let disk = disk.zip(self.server.disk_bytes()).map(|(before, after)| after.saturating_sub(before));
        let after = self.counters().await?;
        let dropped = after.dropped_since(&before);
        if !dropped.is_empty() {
            tokio::time::sleep(ANNOUNCED_AFTER).await;
        }
        over.store(true, Ordering::Relaxed);
        watch.await.map_err(|error| BenchError::Subject(error.to_string()))?;
        let resident = resident.zip(self.server.resident_kib()).map(|(before, after)| [before, highest.load(Ordering::Relaxed), after]);
        let mut run = self.count(&dropped);
        run.scenario = scenario.to_owned();
        run.seconds = seconds(ended - began);
        run.published_per_second = run.published as f64 / seconds(published_until - began);
        run.delivered_per_second = run.delivered as f64 / run.seconds;
        run.cpu_seconds = cpu;
        let per_million = |cpu: Option<f64>| cpu.filter(|_| run.delivered > 0).map(|cpu| cpu * 1e6 / run.delivered as f64);
        (run.cpu_per_million, run.database_cpu_per_million, run.bus_cpu_per_million) =
            (per_million(cpu), per_million(database), per_million(bus));
        run.disk_bytes_per_message = disk.filter(|_| run.published > 0).map(|bytes| bytes as f64 / run.published as f64);
        let stored = after.stored_since(&before);
        run.commits = stored.map(|(commits, _)| commits);
        run.messages_per_commit = stored.filter(|(commits, _)| *commits > 0).map(|(commits, messages)| messages as f64 / commits as f64);
        run.resident_kib = resident;
        run.dropped = dropped;
        if !wait_until_quiet {
            tracing::warn!(scenario, "something was still under way when the drain ended");
        }
        Ok(run)
    }

    fn watch(&self, highest: Arc<AtomicU64>, over: Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
        let server = self.server.clone();
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                highest.fetch_max(server.resident_kib().unwrap_or(0), Ordering::Relaxed);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
    }

    fn count(&self, dropped: &BTreeMap<String, u64>) -> Run {
        let tally = self.pool.tally();
        let mut run = Run { subject: self.subject.clone(), members: self.pool.clients.len(), ..Run::default() };
        let mut all = Latency::default();
        for (group, [lossy, storable]) in tally.latency.iter().enumerate() {
            let name = self.groups.get(group).copied().unwrap_or("other");
            for (latency, class) in [(lossy, "lossy"), (storable, "storable")] {
                if latency.summary().count > 0 {
                    run.latency.insert(format!("{name}/{class}"), latency.summary());
                    all.add(latency);
                }
            }
        }
        run.histogram = all.bars();
        run.latency.insert("all".to_owned(), all.summary());
        for (latency, class) in tally.answers.iter().zip(["lossy", "storable"]) {
            if latency.summary().count > 0 {
                run.answers.insert(class.to_owned(), latency.summary());
            }
        }
        run.published = self.pool.clients.iter().map(|client| client.acknowledged().iter().sum::<u64>()).sum();
        (run.delivered, run.bytes, run.timeline) = (tally.delivered, tally.bytes, tally.timeline);
        for client in &self.pool.clients {
            client.refused().into_iter().for_each(|(code, count)| *run.refused.entry(code).or_default() += count);
            if let Some(code) = client.observed().closed {
                *run.closed.entry(code).or_default() += 1;
            }
            run.slowest_member_p99_ms = run.slowest_member_p99_ms.max(client.observed().slices.quantile_ms(0.99));
        }
        run.foreign = matches!(self.pool.dialect, Dialect::Peer(_));
        run.audit = audit(&self.pool.clients, self.pool.stalled() == 0, dropped);
        run
    }
}

/// Holds what was acknowledged against what arrived, what clients were told and what the broker counted.
///
/// `everyone`: all connections are among `clients`, so that the counters must fit exactly.
fn audit(clients: &[Arc<BenchClient>], everyone: bool, dropped: &BTreeMap<String, u64>) -> Audit {
    let mut audit = Audit::default();
    let drops = |kind: LoadClass, reasons: &[&str]| -> u64 {
        let of = |reason: &&str| dropped.get(&format!("barrage/{}/{reason}", kind.label())).copied().unwrap_or(0);
        reasons.iter().map(of).sum()
    };
    let groups = clients.iter().map(|client| client.group + 1).max().unwrap_or(0);
    let mut sent = vec![[0_u64; 4]; groups];
    for client in clients {
        sent[client.group].iter_mut().zip(client.acknowledged()).for_each(|(sum, own)| *sum += own);
    }
    let mut missing = [0_u64; 4];
    for client in clients {
        let (own, observed) = (client.acknowledged(), client.observed());
        for kind in LoadClass::ALL {
            let k = kind.index();
            let expected = match client.subscription {
                Subscription::Room => sent[client.group][k] - own[k],
                Subscription::Peer(other) => {
                    clients.iter().find(|client| client.number == other).map_or(0, |other| other.acknowledged()[k])
                }
                Subscription::Nothing => continue,
            };
            let (received, announced) = (observed.received[k], observed.announced.get(k).copied().unwrap_or(0));
            audit.expected[k] += expected;
            audit.received[k] += received;
            missing[k] += expected.saturating_sub(received);
            if kind == LoadClass::Storable {
                audit.storable_lost += expected.saturating_sub(received);
                continue;
            }
            audit.announced[k] += announced;
            // What the owner's full mailbox swallowed is counted for the sender, and nobody else is told.
            let explained = received + announced + drops(kind, &["mailbox_full"]);
            // The room tells everyone what it shed, the sender included, who would not have received it.
            if observed.closed.is_none() && (explained < expected || explained > expected + own[k]) {
                audit.unexplained += explained.abs_diff(expected);
            }
        }
        audit.duplicates += observed.duplicates;
        // Who sends stored messages does not receive its own: its row has gaps by right.
        audit.seq_breaks += if own[LoadClass::Storable.index()] == 0 { observed.seq_breaks } else { 0 };
    }
    // With several rooms the counters, which name none, can't be held against one room's size.
    let hears_room = clients.iter().filter(|client| client.subscription == Subscription::Room).count() as u64;
    if groups == 1 && hears_room == clients.len() as u64 {
        for kind in [LoadClass::Low, LoadClass::Medium, LoadClass::High] {
            let in_room = drops(kind, &["over_budget", "unfair", "mailbox_full", "overloaded"]) * hears_room.saturating_sub(1);
            let counted = in_room + drops(kind, &["outbox_full", "session_closed", "link"]);
            let missing = missing[kind.index()];
            // Stalled clients are not among ours, and most of what is dropped is theirs.
            audit.uncounted += if everyone { missing.abs_diff(counted) } else { missing.saturating_sub(counted) };
        }
    }
    audit
}

/// Microseconds as seconds, never 0.
fn seconds(us: u64) -> f64 {
    us.max(1) as f64 / 1e6
}
