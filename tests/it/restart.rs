//! What stays true across an orderly stop and a new start on the same folder.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::clock::ManualClock;

use crate::support::{T0, To, World, number, pluck, room_destroyed};

const S: Duration = Duration::from_secs(1);

/// The clock is also set back while the broker is down.
#[tokio::test]
async fn order_keys_and_ids_increase_across_a_restart_with_a_clock_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = Vec::new();
    for now in [T0, T0 - 86_400_000, T0 - 3_600_000] {
        let world = World::builder().clock(Arc::new(ManualClock::at(now))).folder(folder.path()).start();
        let _bob = world.client("bob").await;
        let mut alice = world.client("alice").await;
        for _ in 0..3 {
            sent.push(alice.say(To::Peer("bob"), "x").await);
        }
        assert_eq!(alice.newest(To::Peer("bob")).await, sent, "history keeps the order");
        drop((alice, _bob));
        world.stop().await;
    }
    let increases = |key: &dyn Fn(&Value) -> u64| sent.windows(2).all(|pair| key(&pair[0]) < key(&pair[1]));
    assert!(increases(&|message| number(message, "orderKey")), "{sent:?}");
    assert!(increases(&|message| message["messageID"].as_str().unwrap().parse().unwrap()), "{sent:?}");
    assert_eq!(sent.iter().map(|message| number(message, "messageSeq")).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
}

/// A retry key outlives the process, so a client may retry across a restart.
#[tokio::test]
async fn a_retry_after_a_restart_gets_the_first_result() {
    let folder = tempfile::tempdir().unwrap();
    let draft = json!({"type": 1, "message": "once", "localMessageID": "l-1"});
    let world = World::builder().folder(folder.path()).start();
    let bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let first = alice.send(To::Peer("bob"), draft.clone()).await.unwrap();
    drop((alice, bob));
    world.stop().await;

    let world = World::builder().folder(folder.path()).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    assert_eq!(alice.send(To::Peer("bob"), draft.clone()).await.unwrap(), first);
    let mut other = draft;
    other["message"] = json!("twice");
    let refused = alice.send(To::Peer("bob"), other).await.unwrap_err();
    assert!(refused.code == 6_000_001 && refused.message.contains("localMessageID"), "{refused:?}");
    alice.say(To::Peer("bob"), "next").await;
    assert_eq!(bob.texts(1).await, ["next"]);
    assert_eq!(pluck(&Value::Array(bob.newest(To::Peer("alice")).await), "message"), ["once", "next"]);
}

#[tokio::test]
async fn a_users_name_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    drop(world.login(crate::support::Login { user: "alice", name: "Alice", ..Default::default() }).await);
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    assert_eq!(world.client("alice").await.hello["userName"], "Alice");
}

/// Nobody is inside a room after a restart: it stands thirty seconds for its members to come back, then its own delay.
#[tokio::test]
async fn a_room_stands_after_a_restart_and_keeps_its_history_for_those_who_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().frozen().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r", "roomName": "R"}, "config": {"roomDestroyDelayTime": 5}})).await;
    alice.say(To::Room("r"), "before").await;
    drop(alice);
    world.stop().await;

    let world = World::builder().frozen().folder(folder.path()).start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.hello["rooms"], json!([]));
    assert_eq!(alice.code("queryRoomOnlineMemberCount", json!({"roomID": "r"})).await, 6_000_321, "it stands, and nobody is in it");
    world.advance(35 * S - Duration::from_millis(1));
    let joined = alice.ok("joinRoom", json!({"roomID": "r"})).await;
    assert_eq!(joined["roomInfo"]["baseInfo"]["roomName"], "R");
    assert_eq!(alice.say(To::Room("r"), "after").await["messageSeq"], 2);
    assert_eq!(pluck(&Value::Array(alice.newest(To::Room("r")).await), "message"), ["before", "after"]);
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    world.advance(5 * S);
    room_destroyed(&mut events, "r").await;
    drop(alice);
    world.stop().await;

    let world = World::builder().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.code("joinRoom", json!({"roomID": "r"})).await, 6_000_322);
}

#[tokio::test]
async fn a_room_nobody_comes_back_to_goes_with_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().frozen().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}, "config": {"roomDestroyDelayTime": 5}})).await;
    alice.say(To::Room("r"), "lost").await;
    drop(alice);
    world.stop().await;

    let world = World::builder().frozen().folder(folder.path()).start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.code("queryRoomOnlineMemberCount", json!({"roomID": "r"})).await, 6_000_321);
    world.advance(35 * S);
    room_destroyed(&mut events, "r").await;
    assert_eq!(alice.code("joinRoom", json!({"roomID": "r"})).await, 6_000_322);
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    assert_eq!(alice.newest(To::Room("r")).await, Vec::<Value>::new());
    assert_eq!(alice.say(To::Room("r"), "anew").await["messageSeq"], 1);
}

#[tokio::test]
async fn a_generated_secret_is_kept_so_that_tokens_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || World::builder().folder(folder.path()).config(|config| config.auth.secret = String::new()).start();
    let world = start();
    let token = world.token("alice");
    drop(world);
    let world = start();
    let mut alice = world.connect().await;
    alice.login(&token, crate::support::Login { user: "alice", ..Default::default() }).await;
}
