//! How long does a host wait for `Broker::send`, and what does a batch cost per message?
//!
//! Peer text of 200 bytes through the whole path (quota, conversation actor, archive, engine): into memory, which is
//! the cost of the path itself, and into sled with its `fdatasync` before each acknowledgement; one at a time and 64 at
//! a time.
//! Eight users send in turn, at the highest rate the configuration allows: one alone would be refused now and then.
//! Unit: per iteration of 1 or 64 messages.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use tidings::config::StoreEngine;
use tidings::{Broker, Config, Draft, Target, UserId};

struct World {
    runtime: tokio::runtime::Runtime,
    broker: Broker,
    senders: Vec<UserId>,
    bob: Target,
    _dir: tempfile::TempDir,
}

fn world(engine: StoreEngine) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    config.store.engine = engine;
    config.rate.sends_per_second = 100_000;
    config.rate.burst = 100_000;
    let limits = config.limits.clone();
    let broker = Broker::builder().config(config).start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let user = |id: &str| UserId::parse("userID", id, &limits).unwrap();
    runtime.block_on(broker.register(&user("bob"), "Bob")).unwrap();
    let senders = (0..8).map(|n| user(&format!("sender-{n}"))).collect();
    World { runtime, senders, bob: Target::Peer(user("bob")), broker, _dir: dir }
}

fn send(c: &mut Criterion) {
    let mut group = c.benchmark_group("send");
    for (name, engine) in [("memory", StoreEngine::Memory), ("sled", StoreEngine::Sled)] {
        let world = world(engine);
        let mut everyone = world.senders.iter().cycle();
        for at_once in [1, 64] {
            group.throughput(Throughput::Elements(at_once as u64));
            group.bench_function(BenchmarkId::new(name, at_once), |b| {
                b.iter(|| {
                    let senders = everyone.by_ref().take(at_once);
                    let sends = senders.map(|sender| world.broker.send(sender, &world.bob, Draft::text("x".repeat(200))));
                    for sent in world.runtime.block_on(join_all(sends)) {
                        sent.unwrap();
                    }
                });
            });
        }
        world.runtime.block_on(world.broker.shutdown(Duration::from_secs(5)));
    }
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default().sample_size(50).warm_up_time(Duration::from_secs(2)).measurement_time(Duration::from_secs(4))
}

criterion_group! { name = benches; config = quick(); targets = send }
criterion_main!(benches);
