//! What older clients see of newer kinds of messages.

use serde_json::{Value, json};

use crate::support::{Client, Login, To, World, pluck, text};

async fn client(world: &World, user: &str, version: &str) -> Client {
    world.login(Login { user, version, device: "only", ..Login::default() }).await
}

fn custom() -> Value {
    json!({"type": 200, "message": "{\"poll\": 1}", "subType": 7, "searchedContent": "poll", "extendedData": "e"})
}

#[tokio::test]
async fn a_custom_message_is_whole_unknown_or_nothing_by_the_receivers_version() {
    let world = World::start();
    let mut receivers = Vec::new();
    for (user, version) in [("old", "1.9.0"), ("middle", "2.0.0"), ("late", "2.7.0"), ("gate", "2.8.0"), ("now", "2.14.0")] {
        receivers.push(client(&world, user, version).await);
    }
    let mut alice = world.client("alice").await;
    let users: Vec<&str> = vec!["old", "middle", "late", "gate", "now"];
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": ""}, "userIDs": users})).await;
    let sent = alice.send(To::Group("g"), custom()).await.unwrap();
    alice.say(To::Group("g"), "a text").await;
    let [old, middle, late, gate, now] = &mut receivers[..] else { unreachable!() };
    assert_eq!(old.texts(1).await, ["a text"], "not even that there was something");
    for unknown in [middle, late] {
        let messages = unknown.messages(2).await;
        assert_eq!((&messages[0]["type"], &messages[0]["messageSeq"]), (&json!(0), &json!(1)));
        for field in ["message", "subType", "searchedContent"] {
            assert!(messages[0].get(field).is_none(), "{field}: {}", messages[0]);
        }
        assert_eq!(messages[1]["message"], "a text");
        assert_eq!(unknown.newest(To::Group("g")).await, messages, "history tells the same");
    }
    for whole in [gate, now] {
        assert_eq!(whole.messages(2).await[0], sent);
    }
    assert_eq!(pluck(&Value::Array(old.newest(To::Group("g")).await), "message"), ["a text"]);
}

#[tokio::test]
async fn sending_a_kind_above_ones_version_is_refused_and_stores_nothing() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut old = client(&world, "old", "2.7.9").await;
    let refused = old.send(To::Peer("bob"), custom()).await.unwrap_err();
    assert_eq!((refused.code, refused.temporary), (6_000_013, false));
    old.send(To::Peer("bob"), text("a text")).await.unwrap();
    assert_eq!(bob.texts(1).await, ["a text"]);
    assert_eq!(bob.newest(To::Peer("old")).await.len(), 1);
    drop(old);
    let mut updated = client(&world, "old", "2.8.0").await;
    updated.send(To::Peer("bob"), custom()).await.unwrap();
}

/// Our choice: a raw login that names no version is taken for the newest, because it is no old client of the vendor.
#[tokio::test]
async fn a_client_that_names_no_version_sees_everything() {
    let world = World::start();
    let mut silent = world.client("silent").await;
    let mut alice = world.client("alice").await;
    let sent = alice.send(To::Peer("silent"), custom()).await.unwrap();
    assert_eq!(silent.messages(1).await, [sent]);
}

#[tokio::test]
async fn devices_of_one_user_see_by_their_own_versions() {
    let world = World::with(|config| config.users.devices_per_user_max = 2);
    let mut old = world.login(Login { user: "bob", version: "2.5.0", device: "old", ..Login::default() }).await;
    let mut new = world.login(Login { user: "bob", version: "2.14.0", device: "new", ..Login::default() }).await;
    let mut alice = world.client("alice").await;
    alice.send(To::Peer("bob"), custom()).await.unwrap();
    assert_eq!((&old.messages(1).await[0]["type"], &new.messages(1).await[0]["type"]), (&json!(0), &json!(200)));
}
