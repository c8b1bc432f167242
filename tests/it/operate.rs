//! What an operator sees: metrics, the dashboard made of them, and a disk that runs full.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::support::{To, World, fetch, until, until_ready_says};

/// Every name in a text that could be a metric's.
fn metrics_named(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).filter(|word| word.starts_with("tidings_")).map(str::to_owned).collect()
}

/// Every text under `expr` and `query` of a dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
                    value => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// Whether a metric is shown where several brokers work together, and only there.
fn is_of_several(name: &str) -> bool {
    let source = include_str!("../../src/metrics/cluster.rs");
    let name = name.strip_prefix("tidings_cluster_").map(|name| name.strip_suffix("_total").unwrap_or(name));
    name.is_some_and(|name| source.contains(&format!("(\"{name}\", \"")))
}

async fn busy_world() -> World {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.say(To::Peer("bob"), "hello").await;
    bob.texts(1).await;
    alice.code("joinRoom", json!({"roomID": "nowhere"})).await;
    alice.code("flyAway", json!({})).await;
    alice.ok("logout", json!({})).await;
    alice.closed().await;
    let mut nobody = world.connect().await;
    nobody.code("login", json!({"userID": "alice", "token": "wrong"})).await;
    drop((alice, bob, nobody));
    until("the end of both", || world.broker.stats().connections == 0).await;
    world
}

#[tokio::test]
async fn every_metric_has_a_help_text_and_no_name_of_a_user() {
    let world = busy_world().await;
    let text = fetch(world.address(), "GET /metrics", &[], "").await.body;
    let described = |kind: &str| -> BTreeSet<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(kind)?.split_once(' '));
        lines.filter(|(_, text)| text.len() > 3).map(|(name, _)| name).collect()
    };
    let (helped, typed) = (described("# HELP "), described("# TYPE "));
    assert_eq!(helped, typed);
    assert!(helped.len() > 40, "{helped:?}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(helped.iter().any(|name| line.starts_with(name)), "{line} has no help text");
        assert!(line.starts_with("tidings_"), "{line}");
        assert!(!line.contains("alice") && !line.contains("flyAway"), "{line}");
    }
    for sample in [
        "tidings_requests_total{op=\"sendMessage\",outcome=\"ok\"} 1",
        "tidings_requests_total{op=\"joinRoom\",outcome=\"refused\"} 1",
        "tidings_requests_total{op=\"invalid\",outcome=\"refused\"} 1",
        "tidings_requests_total{op=\"login\",outcome=\"ok\"} 2",
        "tidings_request_seconds_count{op=\"sendMessage\"} 1",
        "tidings_logins_total{outcome=\"ok\"} 2",
        "tidings_logins_total{outcome=\"refused\"} 1",
        "tidings_store_appended_total 1",
        "tidings_ready 1",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is not in {text}");
    }
    let version = format!("tidings_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
}

#[tokio::test]
async fn dashboard_and_alerts_ask_for_metrics_there_are() {
    let world = busy_world().await;
    let metrics = fetch(world.address(), "GET /metrics", &[], "").await.body;
    let described: BTreeSet<&str> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let dashboard = fetch(world.address(), "GET /metrics/dashboard.json", &[], "").await;
    assert_eq!((dashboard.status, dashboard.header("content-type")), (200, "application/json"));
    let mut asked = Vec::new();
    expressions(&dashboard.json(), &mut asked);
    let alerts = fetch(world.address(), "GET /metrics/alerts.yml", &[], "").await.body;
    asked.extend(alerts.lines().filter_map(|line| Some(line.split_once("expr: ")?.1.to_owned())));
    let named: BTreeSet<String> = asked.iter().flat_map(|text| metrics_named(text)).collect();
    assert!(named.len() > 35, "{named:?}");
    for name in &named {
        let there =
            ["", "_total", "_bucket", "_info"].iter().filter_map(|suffix| name.strip_suffix(suffix)).any(|name| described.contains(name));
        assert!(there || is_of_several(name), "{name} is no metric; there are {described:?}");
    }
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_stops_what_is_kept_and_nothing_else() {
    let free = Arc::new(AtomicU64::new(u64::MAX / 2));
    let its = free.clone();
    let world = World::builder().no_rates().part(move |builder| builder.free_space(move |_| Ok(its.load(Ordering::Relaxed)))).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for client in [&mut alice, &mut bob] {
        client.ok("enterRoom", json!({"roomInfo": {"roomID": "hall"}})).await;
    }
    alice.say(To::Peer("bob"), "there is room").await;

    let ready = async |status: u16| until_ready_says(world.address(), status).await;
    free.store(world.broker.config().store.disk_free_bytes_min - 1, Ordering::Relaxed);
    ready(503).await;
    let why = fetch(world.address(), "GET /readyz", &[], "").await;
    assert!(why.body.contains("store.disk_free_bytes_min"), "{why:?}");
    let refused = alice.send(To::Peer("bob"), json!({"type": 1, "message": "no room"})).await.unwrap_err();
    assert_eq!((refused.code, refused.temporary), (6_000_007, true));
    assert_eq!(alice.code("createGroup", json!({"groupInfo": {"groupName": "g"}, "userIDs": []})).await, 6_000_007);
    let token = format!("Bearer {}", world.token("alice"));
    let upload = fetch(world.address(), "POST /media/uploads?type=12&name=a.txt", &[("Authorization", &token)], "bytes").await;
    assert_eq!(upload.status, 503, "{upload:?}");
    alice.send(To::Room("hall"), json!({"type": 20, "message": "barrage goes on"})).await.unwrap();
    bob.messages(1).await;
    assert_eq!(bob.newest(To::Peer("alice")).await.len(), 1, "and so does reading");
    assert!(world.broker.metrics_text().contains("tidings_disk_full 1"));

    free.store(u64::MAX / 2, Ordering::Relaxed);
    ready(200).await;
    alice.say(To::Peer("bob"), "there is room again").await;
    assert!(world.broker.is_alive(crate::support::PATIENCE).await);
}
