//! The real program, told by SIGHUP to read its settings again while sessions stay connected.
#![allow(clippy::disallowed_methods)]

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::json;
use tidings::Config;
use tidings::config::{ConfigError, Reload};

use crate::hostile::{Program, Running};
use crate::support::{Client, Login, To, World, until};

const SEND_RATE: u32 = 6_000_005;

async fn login(program: &Program, running: &Running, user: &str) -> Client {
    let mut client = Client::try_connect(running.address, &[]).await.unwrap_or_else(|refused| panic!("{refused:?}"));
    client.login(&program.token(user), Login { user, ..Login::default() }).await;
    client
}

async fn reload(running: &Running, outcome: &str, times: u64) {
    running.signal("HUP").await;
    running.until("the reload", |metrics| metrics.sum("tidings_config_reloads_total", &[outcome]) == times).await;
}

#[tokio::test]
async fn limits_rates_origins_and_the_log_follow_the_file_while_sessions_stay() {
    let program = Program::with(&[("store.engine", "memory")]).unset("log.filter");
    program.settings("[limits]\ntext_bytes_max = 100\n[rate]\nburst = 2\nsends_per_second = 1\n[log]\nfilter = \"info\"\n");
    let running = program.run().await;
    let (mut alice, mut bob) = (login(&program, &running, "alice").await, login(&program, &running, "bob").await);
    let heartbeat = alice.hello["heartbeatSeconds"].as_u64();
    let long = "x".repeat(200);
    assert_eq!(alice.refused("sendMessage", To::Peer("bob").args(&json!({"type": 1, "message": long}))).await.code, 6_000_001);
    for n in 0..3 {
        let sent = alice.send(To::Peer("bob"), json!({"type": 1, "message": n.to_string()})).await;
        assert_eq!(sent.map_err(|error| error.code).err(), (n == 2).then_some(SEND_RATE));
    }
    let origin = [("Origin", "https://app.example")];
    assert_eq!(Client::try_connect(running.address, &origin).await.err().unwrap().0, 403);
    assert!(!program.log().contains("session started"), "{}", program.log());

    program.settings(
        "[server]\norigins = [\"https://app.example\"]\nheartbeat_seconds = 5\nhttp_workers = 3\n[limits]\ntext_bytes_max = 1000\n\
         [rate]\nburst = 50\nsends_per_second = 50\n[log]\nfilter = \"info,tidings=debug\"\n",
    );
    reload(&running, "\"ok\"", 1).await;
    alice.say(To::Peer("bob"), &long).await;
    for n in 0..10 {
        alice.say(To::Peer("bob"), &n.to_string()).await;
    }
    assert_eq!(bob.texts(13).await.len(), 13);
    assert!(Client::try_connect(running.address, &origin).await.is_ok());
    let carol = login(&program, &running, "carol").await;
    assert_eq!(carol.hello["heartbeatSeconds"], 5, "who comes now is told the new one");
    assert_ne!(heartbeat, Some(5));
    until("a line of the new level", || program.log().contains("session started")).await;
    until("what needs a restart", || program.log().contains("server.http_workers") && program.log().contains("need a restart")).await;

    // Not valid: nothing of it counts.
    program.settings("[limits]\ntext_bytes_max = 0\n[rate]\nburst = 1\nsends_per_second = 1\n");
    reload(&running, "\"refused\"", 1).await;
    until("the reason", || program.log().contains("limits.text_bytes_max is 0")).await;
    program.settings("[log]\nfilter = \"no=such=filter\"\n[rate]\nburst = 1\nsends_per_second = 1\n");
    reload(&running, "\"refused\"", 2).await;
    for n in 0..10 {
        alice.say(To::Peer("bob"), &format!("{n} {long}")).await;
    }
    assert_eq!(bob.texts(10).await.len(), 10);
    let metrics = running.metrics().await;
    assert_eq!(metrics.sum("tidings_sessions", &[]), 3, "nobody was disconnected");
    assert!(metrics.sum("tidings_config_last_reload_timestamp_seconds", &[]) > 1_700_000_000);
    running.signal("TERM").await;
    drop((alice, bob, carol));
    assert!(running.ended().await);
}

/// What systemd hears of a unit with `Type=notify-reload` and `WatchdogSec=`.
#[tokio::test]
async fn a_supervisor_hears_of_start_watchdog_reload_and_stop() {
    let program = Program::with(&[("store.engine", "memory")]);
    let path = program.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::hostile::PATIENCE)).unwrap();
    let program = program.variable("NOTIFY_SOCKET", path.to_str().unwrap()).variable("WATCHDOG_USEC", "400000");
    let running = program.run().await;
    let mut socket = Some(socket);
    let mut hear = async |wanted: &'static str| {
        let its = socket.take().unwrap();
        let heard = tokio::task::spawn_blocking(move || {
            let mut bytes = [0; 256];
            loop {
                let count = its.recv(&mut bytes).unwrap_or_else(|error| panic!("no {wanted}: {error}"));
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if text.contains(wanted) {
                    return (its, text);
                }
            }
        });
        let (its, text) = heard.await.unwrap();
        socket = Some(its);
        text
    };
    hear("READY=1").await;
    for _ in 0..3 {
        hear("WATCHDOG=1").await;
    }
    running.signal("HUP").await;
    let reloading = hear("RELOADING=1").await;
    let usec: u64 = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap().parse().unwrap();
    assert!(usec > 0);
    hear("READY=1").await;
    running.signal("TERM").await;
    hear("STOPPING=1").await;
    assert!(running.ended().await);
}

/// A reloadable key is read when it is needed, not when the broker starts.
#[tokio::test]
async fn a_host_reconfigures_while_sessions_stay() {
    let world = World::with(|config| config.shed.room_barrages_burst = 1000);
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    for client in [&mut alice, &mut bob] {
        client.ok("enterRoom", json!({"roomInfo": {"roomID": "hall"}})).await;
    }
    alice.say(To::Room("hall"), "before").await;

    let mut config = (*world.broker.config()).clone();
    (config.shed.room_barrages_per_second, config.shed.room_barrages_burst) = (1, 1);
    config.limits.rooms_per_user_max = 1;
    config.users.must_exist = false;
    config.media.total_bytes_max = 1;
    config.actors.archive_mailbox = 7;
    let report = world.broker.reconfigure(&config).unwrap();
    assert_eq!(
        report.applied,
        [
            "limits.rooms_per_user_max",
            "media.total_bytes_max",
            "shed.room_barrages_burst",
            "shed.room_barrages_per_second",
            "users.must_exist"
        ]
    );
    assert_eq!(report.restart, ["actors.archive_mailbox"]);
    assert_eq!(world.broker.config().actors.archive_mailbox, Config::default().actors.archive_mailbox);
    assert_eq!(alice.code("enterRoom", json!({"roomInfo": {"roomID": "kitchen"}})).await, 6_000_325);
    alice.say(To::Peer("nobody"), "they may come").await;
    for _ in 0..20 {
        alice.send(To::Room("hall"), json!({"type": 20, "message": "~"})).await.unwrap();
    }
    let dropped: u64 = world.broker.stats().dropped.iter().map(|drops| drops.messages).sum();
    assert!(dropped >= 15, "{dropped}");

    config.server.heartbeat_seconds = 1;
    let error = world.broker.reconfigure(&config).unwrap_err();
    assert!(matches!(&error, ConfigError::Value { key, .. } if key == "server.heartbeat_seconds"), "{error}");
    assert_eq!(bob.texts(1).await, ["before"]);
}

/// A client that was told to ping every 30 seconds is not cut for it when that becomes 5.
#[tokio::test]
async fn a_shorter_heartbeat_is_for_those_who_are_told_of_it() {
    let world = World::builder().frozen().config(|config| config.server.heartbeat_seconds = 30).start();
    let mut old = world.client("old").await;
    let mut config = (*world.broker.config()).clone();
    config.server.heartbeat_seconds = 5;
    assert_eq!(Reload::of("server.heartbeat_seconds"), Some(Reload::Later));
    assert_eq!(world.broker.reconfigure(&config).unwrap().later, ["server.heartbeat_seconds"]);
    let mut new = world.client("new").await;
    world.advance(Duration::from_secs(20));
    assert_eq!(new.closed().await.0, 4002);
    old.ok("ping", json!({})).await;
}
