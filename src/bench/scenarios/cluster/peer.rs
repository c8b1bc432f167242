//! Stored messages between people at different brokers.

use std::time::Duration;

use super::note;
use crate::bench::client_pool::ClientSpec;
use crate::bench::context::Bench;
use crate::bench::error::BenchError;
use crate::bench::handshake::Handshake;
use crate::bench::harness::Harness;
use crate::bench::history;
use crate::bench::load::{Offer, pace_each};
use crate::bench::marker::LoadClass;
use crate::bench::message::{Subscription, TestMessage};
use crate::bench::report::Audit;
use crate::bench::spread::{Dice, elsewhere, spread};
use crate::bench::subjects::tidings_of;

/// Users, two to a conversation, and what all of them send a second: as much as leaves half of two cores free, or latencies
/// would be those of a queue for the processor.
const USERS: usize = 200;
const PER_SECOND: u32 = 500;
const PAYLOAD_BYTES: usize = 200;
/// The database's files and plans get their first size, conversations are made.
const WARM_UP_MS: (u64, u64) = (3_000, 1_000);

pub(in crate::bench::scenarios) async fn peer(bench: &mut Bench<'_>) -> Result<(), BenchError> {
    note(bench);
    let pairs = bench.options.members(USERS, USERS) / 2;
    let rate = f64::from(bench.options.rate.unwrap_or(PER_SECOND));
    let how_long = Duration::from_secs(bench.options.seconds(20, 4));
    let warm_up = Duration::from_millis(bench.options.scaled(WARM_UP_MS.0, WARM_UP_MS.1));
    for nodes in bench.options.node_rounds() {
        let servers = bench.nodes(nodes, &[]).await?;
        let name = bench.name("pair");
        let specs = specs(bench, &name, pairs, nodes)?;
        let readers: Vec<ClientSpec> = specs[pairs..].to_vec();
        let mut harness = bench.harness(servers, specs).await?;
        (harness.subject, harness.groups) = (tidings_of(nodes), vec!["peer"]);
        bench.measuring(&format!("cluster-peer: {}", harness.subject));
        let senders = &harness.pool.clients[..pairs];
        let to = |n: usize| format!("{name}-{}", pairs + n);
        let message = |n| TestMessage { to: to(n), conversation_type: 0, kind: LoadClass::Storable, bytes: PAYLOAD_BYTES };
        let offers: Vec<Offer> = senders.iter().enumerate().map(|(n, sender)| (sender.clone(), message(n))).collect();
        harness.measure("warm-up", |pool| pace_each(pool, Duration::ZERO, &offers, rate, warm_up)).await?;
        let mut run = harness.measure("cluster-peer", |pool| pace_each(pool, Duration::ZERO, &offers, rate, how_long)).await?;
        run.offered_per_second = Some(rate);
        bench.measuring(&format!("cluster-peer: {}, reading what is kept", harness.subject));
        read_back(&harness, &readers, &name, &mut run.audit).await?;
        drop(harness);
        bench.keep(run);
    }
    Ok(())
}

/// Senders, then receivers: each receiver at another broker than its sender.
fn specs(bench: &Bench<'_>, name: &str, pairs: usize, nodes: usize) -> Result<Vec<ClientSpec>, BenchError> {
    let mut dice = Dice::new(bench.options.seed);
    let senders = spread(pairs, nodes, &mut dice);
    let receivers: Vec<usize> = senders.iter().map(|node| elsewhere(*node, nodes, &mut dice)).collect();
    let spec = |(n, node): (usize, usize)| {
        let account = Some(bench.account(&format!("{name}-{n}"))?);
        let sender = n.checked_sub(pairs).and_then(|n| u32::try_from(n).ok());
        let subscription = sender.map_or(Subscription::Nothing, Subscription::Peer);
        Ok(ClientSpec { account, room: None, group: 0, subscription, stalled: false, node })
    };
    senders.into_iter().chain(receivers).enumerate().map(spec).collect()
}

/// Has each receiver read its conversation from the beginning, where it is; this puts out its session.
async fn read_back(harness: &Harness, readers: &[ClientSpec], name: &str, audit: &mut Audit) -> Result<(), BenchError> {
    let addresses = harness.server.addresses();
    for (n, (reader, sender)) in readers.iter().zip(&harness.pool.clients).enumerate() {
        let Some(account) = &reader.account else { continue };
        let mut handshake = Handshake::open(addresses[reader.node], false).await?;
        handshake.login(account).await?;
        let kept = history::read(&mut handshake, &format!("{name}-{n}")).await?;
        history::hold(&kept, &sender.stored(), audit);
    }
    Ok(())
}
