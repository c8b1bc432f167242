//! How long does a host wait for `Broker::send`, and what does a batch cost per message?
//!
//! Peer text of 200 bytes through the whole path (gate, owner, archive, engine): into memory, which is the cost of
//! the path itself, and into sled with its `fdatasync` before each acknowledgement; one at a time and 64 at a time.
//! Rates are raised so that the gate measures itself and not its limit. Unit: per iteration of 1 or 64 messages.

#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use tidings::config::StoreEngine;
use tidings::{Broker, Config, Draft, Target, UserId};

struct World {
    runtime: tokio::runtime::Runtime,
    broker: Broker,
    alice: UserId,
    bob: Target,
    _dir: tempfile::TempDir,
}

fn world(engine: StoreEngine) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    config.store.engine = engine;
    config.rate.sends_per_second = 1_000_000;
    config.rate.burst = 1_000_000;
    let limits = config.limits.clone();
    let broker = Broker::builder().config(config).start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let user = |id: &str| UserId::parse("userID", id, &limits).unwrap();
    runtime.block_on(broker.register(&user("bob"), "Bob")).unwrap();
    World { runtime, alice: user("alice"), bob: Target::Peer(user("bob")), broker, _dir: dir }
}

fn send(c: &mut Criterion) {
    let mut group = c.benchmark_group("send");
    for (name, engine) in [("memory", StoreEngine::Memory), ("sled", StoreEngine::Sled)] {
        let world = world(engine);
        for at_once in [1_u64, 64] {
            group.throughput(Throughput::Elements(at_once));
            group.bench_function(BenchmarkId::new(name, at_once), |b| {
                b.iter(|| {
                    let sends = (0..at_once).map(|_| world.broker.send(&world.alice, &world.bob, Draft::text("x".repeat(200))));
                    for sent in world.runtime.block_on(join_all(sends)) {
                        sent.unwrap();
                    }
                });
            });
        }
        world.runtime.block_on(world.broker.shutdown(std::time::Duration::from_secs(5)));
    }
    group.finish();
}

criterion_group!(benches, send);
criterion_main!(benches);
