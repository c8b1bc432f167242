//! Who may send how much. Time stands still, so that every figure is exact.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, To, WireError, World, number, text};

fn command() -> Value {
    json!({"type": 2, "message": "eA=="})
}

async fn urgent(client: &mut Client, to: To<'_>) -> Result<Value, WireError> {
    let mut args = to.args(&text("urgent"));
    args["config"] = json!({"priority": 3});
    client.call("sendMessage", args).await
}

fn assert_refused(sent: Result<Value, WireError>, retry_after_ms: u64) {
    let refused = sent.unwrap_err();
    assert_eq!((refused.code, refused.temporary, refused.retry_after_ms), (6_000_005, true, Some(retry_after_ms)), "{refused:?}");
}

#[tokio::test]
async fn the_eleventh_text_in_a_second_is_refused_and_says_when_to_retry() {
    let world = World::builder().frozen().start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for _ in 0..10 {
        alice.say(To::Peer("bob"), "x").await;
    }
    assert_refused(alice.send(To::Peer("bob"), text("y")).await, 100);
    world.advance(Duration::from_millis(99));
    assert_refused(alice.send(To::Peer("bob"), text("y")).await, 1);
    world.advance(Duration::from_millis(1));
    alice.say(To::Peer("bob"), "z").await;
    assert_refused(alice.send(To::Peer("bob"), text("y")).await, 100);
    // What was refused was not stored, and others have their own quota.
    assert_eq!(alice.newest(To::Peer("bob")).await.len(), 11);
    bob.say(To::Peer("alice"), "mine").await;
    world.advance(Duration::from_secs(60));
    for _ in 0..10 {
        alice.say(To::Peer("bob"), "x").await;
    }
    assert_refused(alice.send(To::Peer("bob"), text("y")).await, 100);
}

#[tokio::test]
async fn the_quota_is_the_users_over_all_conversations_and_devices() {
    let world = World::builder().frozen().config(|config| config.users.devices_per_user_max = 2).start();
    let _bob = world.client("bob").await;
    let mut phone = world.device("alice", "phone").await;
    let mut tablet = world.device("alice", "tablet").await;
    phone.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    phone.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": ""}, "userIDs": []})).await;
    for _ in 0..4 {
        phone.say(To::Peer("bob"), "x").await;
        tablet.say(To::Group("g"), "x").await;
    }
    phone.say(To::Room("r"), "x").await;
    phone.send(To::Room("r"), json!({"type": 200, "message": "custom counts, too"})).await.unwrap();
    assert_refused(tablet.send(To::Peer("bob"), text("x")).await, 100);
    assert_refused(phone.send(To::Group("g"), text("x")).await, 100);
}

#[tokio::test]
async fn reconnecting_does_not_refill_the_quota() {
    let world = World::builder().frozen().start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for _ in 0..10 {
        alice.say(To::Peer("bob"), "x").await;
    }
    drop(alice);
    let mut alice = world.client("alice").await;
    assert_refused(alice.send(To::Peer("bob"), text("x")).await, 100);
}

#[tokio::test]
async fn commands_and_high_priority_have_quotas_of_their_own() {
    let world = World::builder().frozen().start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for _ in 0..10 {
        alice.say(To::Peer("bob"), "x").await;
    }
    for _ in 0..10 {
        alice.send(To::Peer("bob"), command()).await.unwrap();
    }
    for _ in 0..10 {
        urgent(&mut alice, To::Peer("bob")).await.unwrap();
    }
    assert_refused(alice.send(To::Peer("bob"), text("x")).await, 100);
    assert_refused(alice.send(To::Peer("bob"), command()).await, 100);
    assert_refused(urgent(&mut alice, To::Peer("bob")).await, 100);
}

#[tokio::test]
async fn a_refused_value_costs_nothing() {
    let world = World::builder().frozen().start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for _ in 0..20 {
        assert_eq!(alice.send(To::Peer("bob"), text("")).await.unwrap_err().code, 6_000_001);
        assert_eq!(alice.send(To::Peer("nobody"), text("x")).await.unwrap_err().code, 6_000_204);
    }
    for _ in 0..10 {
        alice.say(To::Peer("bob"), "x").await;
    }
}

/// Nothing is refused; what does not arrive is counted and told.
#[tokio::test]
async fn a_thousand_barrages_at_once_are_all_accepted_and_each_arrives_or_is_counted() {
    const COUNT: u64 = 1000;
    let world = World::builder().frozen().start();
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let mut alice = world.client("alice").await;
    alice.ok("joinRoom", json!({"roomID": "r"})).await;
    let mut ids = Vec::new();
    for n in 0..COUNT {
        ids.push(alice.request("sendMessage", To::Room("r").args(&json!({"type": 20, "message": format!("{n}")}))).await);
    }
    for id in ids {
        alice.reply(id).await.unwrap();
    }
    let (mut arrived, mut dropped) = (0, 0);
    while arrived + dropped < COUNT {
        let frame =
            bob.frame("a barrage or a count", |frame| frame["event"] == "receiveRoomMessage" || frame["event"] == "barrageDropped").await;
        match frame["data"]["messageList"].as_array() {
            Some(messages) => arrived += messages.len() as u64,
            None => dropped += number(&frame["data"], "low"),
        }
    }
    assert_eq!((arrived + dropped, arrived > 0), (COUNT, true));
    assert_eq!(world.broker.stats().accepted, [0, 0, COUNT]);
    alice.say(To::Room("r"), "a text is not held up").await;
    assert_eq!(bob.texts(1).await, ["a text is not held up"]);
}

#[tokio::test]
async fn what_is_written_beside_messages_has_a_quota_of_its_own_and_questions_have_none() {
    let world = World::builder().frozen().start();
    drop(world.client("bob").await);
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "x").await;
    let place = json!({"conversationID": "bob", "conversationType": 0});
    for _ in 0..40 {
        alice.ok("clearConversationUnreadMessageCount", place.clone()).await;
    }
    assert_refused(alice.call("clearConversationUnreadMessageCount", place.clone()).await, 50);
    let message = json!({"messageSeq": 1, "conversationID": "bob", "conversationType": 0});
    assert_refused(alice.call("pinMessage", json!({"message": message, "isPinned": true})).await, 50);
    assert_refused(alice.call("updateUserName", json!({"userName": "A"})).await, 50);
    alice.ok("queryConversation", place).await;
    alice.say(To::Peer("bob"), "y").await;
    world.advance(Duration::from_millis(50));
    alice.ok("pinMessage", json!({"message": message, "isPinned": true})).await;
}

/// Requests about conversations that are not there must not leave actors behind, or anyone could fill the memory.
#[tokio::test]
async fn changes_of_conversations_that_are_not_there_leave_nothing_behind() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    for n in 0..50 {
        let message = json!({"messageSeq": 1, "conversationID": format!("nobody{n}"), "conversationType": 0});
        assert_eq!(alice.code("revokeMessage", json!({"message": message})).await, 6_000_001);
        let list = json!({"messageList": [message], "conversationID": format!("nobody{n}"), "conversationType": 0});
        alice.ok("sendMessageReceiptsRead", list).await;
    }
    let actors = || {
        let text = world.broker.metrics_text();
        let peers = text
            .lines()
            .find(|line| line.starts_with("tidings_actors{kind=\"peer\""))
            .map(|line| line.rsplit(' ').next().unwrap().to_owned());
        peers.unwrap_or_default()
    };
    crate::support::until("the end of every peer actor", || actors() == "0").await;
}

#[tokio::test]
async fn what_an_outbox_has_no_room_for_is_accepted_and_dropped_and_not_delivered() {
    let world = World::with(|config| config.shed.outbox_lossy_bytes = 1_024);
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let mut alice = world.client("alice").await;
    alice.ok("joinRoom", json!({"roomID": "r"})).await;
    let delivered = world.broker.stats().delivered;
    let barrage = json!({"type": 20, "message": "x".repeat(2_000)});
    alice.send(To::Room("r"), barrage).await.unwrap();
    assert_eq!(bob.event("barrageDropped").await["low"], 1);
    let stats = world.broker.stats();
    assert_eq!((stats.accepted, stats.delivered), ([0, 0, 1], delivered));
}
