//! Stored messages at a rate while one of several brokers is killed at once: who waits how long, and is everything there that
//! was acknowledged?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::note;
use super::talk;
use super::talk::{Person, Plan, Seen, Talked};
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::handshake::Handshake;
use crate::bench::history;
use crate::bench::report::{Failover, Run};
use crate::bench::servers::Servers;
use crate::bench::spread::{Dice, elsewhere, spread};
use crate::bench::stats::{Latency, ms};
use crate::bench::subjects::tidings_of;
use crate::bench::tally::BenchClock;

/// Pairs of which one sends, and what all of them send a second.
const PAIRS: usize = 60;
const PER_SECOND: u32 = 300;
/// Before the kill: everyone is in, conversations are made.
const BEFORE_MS: (u64, u64) = (3_000, 1_000);
/// Of that, for everyone to come in.
const LEAD: Duration = Duration::from_millis(500);
/// How long after the end of the load the last message may wait for its acknowledgement.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what was acknowledged last may take to its reader.
const DRAIN_MAX: Duration = Duration::from_secs(15);
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(100);

const KILLED: &str = "cluster-failover: on loopback a client hears at once that its broker died; over a network it may have to wait for its \
    own heartbeat. The heirs wait for cluster.lease_ms, 3,000 ms, before they take over";

/// Those who talk: person `n` sends to person `pairs + n`.
struct Pairs {
    people: Vec<Person>,
    pairs: usize,
}

pub(in crate::bench::scenarios) async fn failover(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    note(bench);
    bench.note(KILLED.to_owned());
    let mut dice = Dice::new(bench.options.seed);
    let (nodes, rounds) = (bench.options.nodes(), bench.options.node_rounds().len() / 2);
    for _ in 0..rounds {
        let killed = dice.below(nodes);
        // What the others have to say about the one that dies is known.
        let settings = [("LOG__FILTER", "error"), ("USERS__MUST_EXIST", "false")];
        let servers = bench.nodes(nodes, &settings).await?;
        let pairs = Pairs::new(bench, &servers, nodes)?;
        bench.measuring(&format!("cluster-failover: {}, one is killed", tidings_of(nodes)));
        let run = pairs.talk(bench, servers, killed).await?;
        bench.keep(run);
    }
    Ok(())
}

impl Pairs {
    fn new(bench: &mut Bench<'_>, servers: &Servers, nodes: usize) -> Result<Self, BenchError> {
        let pairs = bench.options.members(2 * PAIRS, 2 * PAIRS) / 2;
        let mut dice = Dice::new(bench.options.seed);
        let senders = spread(pairs, nodes, &mut dice);
        let readers: Vec<usize> = senders.iter().map(|node| elsewhere(*node, nodes, &mut dice)).collect();
        let (addresses, clock, name) = (Arc::new(servers.addresses()), Arc::new(BenchClock::default()), bench.name("pair"));
        let person = |(n, at)| {
            let account = bench.account(&format!("{name}-{n}"))?;
            Ok(Person { account, at, addresses: addresses.clone(), clock: clock.clone() })
        };
        let people = senders.into_iter().chain(readers).enumerate().map(person).collect::<Result<_, BenchError>>()?;
        Ok(Self { people, pairs })
    }

    /// Lets all of them talk, kills a broker, and audits what came of it.
    async fn talk(&self, bench: &Bench<'_>, mut servers: Servers, killed: usize) -> Result<Run, BenchError> {
        let clock = self.people[0].clock.clone();
        let rate = f64::from(bench.options.rate.unwrap_or(PER_SECOND));
        let before = Duration::from_millis(bench.options.scaled(BEFORE_MS.0, BEFORE_MS.1));
        let after = Duration::from_secs(bench.options.seconds(15, 8));
        let (stop, stopping) = watch::channel(false);
        let seen: Vec<Arc<Mutex<Seen>>> = (0..self.pairs).map(|_| Arc::default()).collect();
        let (mut readers, mut senders) = (JoinSet::new(), JoinSet::new());
        for (person, seen) in self.people[self.pairs..].iter().zip(&seen) {
            readers.spawn(talk::read(person.clone(), seen.clone(), stopping.clone()));
        }
        let began = clock.now();
        let every_us = micros(Duration::from_secs_f64(self.pairs as f64 / rate));
        for n in 0..self.pairs {
            let first_us = began + micros(LEAD) + every_us * n as u64 / self.pairs as u64;
            let (to, until_us) = (self.people[self.pairs + n].account.user.clone(), began + micros(before + after));
            let plan = Plan { number: u32::try_from(n).unwrap_or(u32::MAX), to, first_us, every_us, until_us };
            let sending = talk::send(self.people[n].clone(), plan);
            let patience = before + after + PATIENCE;
            senders.spawn(async move {
                let talked = tokio::time::timeout(patience, sending).await;
                (n, talked.unwrap_or(Err(BenchError::Silent("a message of a sender who lost its broker"))))
            });
        }
        tokio::time::sleep(before).await;
        servers.kill(killed)?;
        let killed_us = clock.now();
        let mut talked: Vec<Talked> = (0..self.pairs).map(|_| Talked::default()).collect();
        while let Some(done) = senders.join_next().await {
            let (n, done) = done.map_err(|error| BenchError::Subject(error.to_string()))?;
            talked[n] = done?;
        }
        let ended_us = clock.now();
        self.drain(&talked, &seen).await;
        stop.send_replace(true);
        while let Some(done) = readers.join_next().await {
            done.map_err(|error| BenchError::Subject(error.to_string()))?;
        }
        let mut run = self.count(&talked, &seen, killed, killed_us);
        run.subject = tidings_of(bench.options.nodes());
        run.offered_per_second = Some(rate);
        run.seconds = (ended_us - began) as f64 / 1e6;
        run.published_per_second = run.published as f64 / run.seconds;
        run.delivered_per_second = run.delivered as f64 / run.seconds;
        bench.measuring("cluster-failover: reading what is kept");
        self.read_back(&servers, killed, &talked, &mut run).await?;
        Ok(run)
    }

    /// Waits until every reader has seen everything that was acknowledged, or no longer.
    async fn drain(&self, talked: &[Talked], seen: &[Arc<Mutex<Seen>>]) {
        let clock = &self.people[0].clock;
        let until = clock.now() + micros(DRAIN_MAX);
        while clock.now() < until && talked.iter().zip(seen).any(|(talked, seen)| missed(talked, seen) > 0) {
            tokio::time::sleep(DRAIN_LOOK_EVERY).await;
        }
    }

    fn count(&self, talked: &[Talked], seen: &[Arc<Mutex<Seen>>], killed: usize, killed_us: u64) -> Run {
        let (mut answers, mut latency, mut waits) = (Latency::default(), Latency::default(), Vec::new());
        let at_it = self.people[..self.pairs].iter().filter(|person| person.at == killed).count();
        let mut run = Run { scenario: "cluster-failover".into(), members: self.people.len(), ..Run::default() };
        let mut failover = Failover { killed, senders: [self.pairs, at_it], ..Failover::default() };
        for (talked, seen) in talked.iter().zip(seen) {
            answers.add(&talked.latency);
            failover.sent_again += talked.sent_again;
            run.published += talked.acknowledged.len() as u64;
            // Who never was answered again has waited until the end, which the audit does not forgive either.
            let next = talked.answers.iter().find(|(sent_us, _)| *sent_us > killed_us);
            waits.push(next.map_or(f64::INFINITY, |(_, came_us)| ms(came_us - killed_us)));
            let lost = missed(talked, seen);
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            latency.add(&seen.latency);
            failover.resyncs += seen.resyncs;
            run.delivered += seen.numbers.len() as u64;
            // Who was told to read history has not been promised the rest live.
            run.audit.storable_lost += if seen.resyncs == 0 { lost } else { 0 };
        }
        waits.sort_by(f64::total_cmp);
        failover.first_ack_ms = waits.first().copied().unwrap_or(0.0);
        failover.median_ms = waits.get(waits.len() / 2).copied().unwrap_or(0.0);
        failover.everyone_ms = waits.last().copied().unwrap_or(0.0);
        run.answers.insert("storable".to_owned(), answers.summary());
        run.latency.insert("all".to_owned(), latency.summary());
        run.histogram = latency.bars();
        run.audit.expected[3] = run.published;
        run.audit.received[3] = run.delivered;
        run.failover = Some(failover);
        run
    }

    /// Has each reader read its conversation from the beginning at a broker that lives.
    async fn read_back(&self, servers: &Servers, killed: usize, talked: &[Talked], run: &mut Run) -> Result<(), BenchError> {
        let addresses = servers.addresses();
        for (n, talked) in talked.iter().enumerate() {
            let mut handshake = Handshake::open(addresses[(killed + 1) % addresses.len()], false).await?;
            handshake.login(&self.people[self.pairs + n].account).await?;
            let kept = history::read(&mut handshake, &self.people[n].account.user).await?;
            history::hold(&kept, &talked.acknowledged, &mut run.audit);
        }
        Ok(())
    }
}

/// Returns how many acknowledged messages a reader has not seen.
fn missed(talked: &Talked, seen: &Mutex<Seen>) -> u64 {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    talked.acknowledged.iter().filter(|number| !seen.numbers.contains(number)).count() as u64
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX / 2)
}
