//! Several brokers that work together in this process: on one database, over one NATS server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tidings::Broker;
use tidings::clock::SystemClock;
use tidings::config::{Config, MediaEngine, StoreEngine};
use tidings::media::DiskMediaStore;
use tidings::store::{PostgresOptions, PostgresStore};

use crate::cluster::Cluster;
use crate::nats::NatsServer;

/// Shards of a test's store: few, so that each broker has some and a start is quick.
const SHARDS: u16 = 8;

static CLUSTERS: AtomicU32 = AtomicU32::new(0);

/// Starts brokers and waits until every conversation has an owner that all of them reach.
#[expect(clippy::disallowed_methods, reason = "nobody is told when brokers have come together")]
pub(crate) fn start(config: &Config, count: usize) -> Vec<Broker> {
    let url = Cluster::shared().expect("PostgreSQL is installed").database();
    let nats = NatsServer::shared().expect("NATS is installed").address();
    let name = format!("t{}", CLUSTERS.fetch_add(1, Ordering::SeqCst));
    let brokers: Vec<Broker> = (0..count).map(|n| start_one(config, &url, &nats, &name, n)).collect();
    let began = std::time::Instant::now();
    while brokers.iter().any(|broker| broker.ready().is_err()) {
        assert!(began.elapsed() < Duration::from_secs(30), "the brokers do not come together");
        std::thread::sleep(Duration::from_millis(20));
    }
    brokers
}

fn start_one(config: &Config, url: &str, nats: &str, name: &str, n: usize) -> Broker {
    let mut config = config.clone();
    config.store.engine = StoreEngine::Postgres;
    config.store.postgres.url = url.to_owned();
    config.cluster.nats = vec![nats.to_owned()];
    config.cluster.name = name.to_owned();
    config.cluster.node = format!("node{n}");
    let clock = Arc::new(SystemClock::new());
    let options = PostgresOptions {
        connections_max: 4,
        seen_bytes: 64 << 10,
        shards: SHARDS,
        node: config.cluster.node.clone(),
        lease: Duration::from_millis(config.cluster.lease_ms),
        ..PostgresOptions::new(url.to_owned())
    };
    let store = PostgresStore::open_shared(options, clock.clone()).unwrap();
    // A folder that all of them see.
    let files = DiskMediaStore::new(config.server.data_dir.join("media"));
    config.server.data_dir = config.server.data_dir.join(&config.cluster.node);
    let has_files = config.media.store == MediaEngine::Disk;
    let builder = Broker::builder().config(config).clock(clock).store(store);
    if has_files { builder.media_store(files) } else { builder }.start().unwrap()
}
