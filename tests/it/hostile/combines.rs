//! Combined messages that name others: how much of them is in memory at a time, and how much is written.

use std::time::Duration;

use serde_json::{Value, json};

use super::bytes_below;
use crate::support::{Answer, Client, HeldStore, To, World, WorldBuilder, fetch_bytes, text, until};

/// About what seven texts weigh that just fit into a frame.
const LARGE: usize = 210_000;

fn large() -> Value {
    let child = json!({"type": 1, "message": "x".repeat(LARGE / 7), "senderUserID": "alice"});
    json!({"type": 100, "title": "Notes", "summary": "", "messageList": vec![child; 7]})
}

fn passed_on(message: &Value) -> Value {
    json!({"type": 100, "title": "Notes", "summary": "", "combineID": message["combineID"]})
}

/// Names a combined message inside another one so many times.
fn nested(message: &Value, times: usize) -> Value {
    let child = json!({"type": 100, "title": "", "summary": "", "combineID": message["combineID"], "senderUserID": "alice"});
    json!({"type": 100, "title": "Notes", "summary": "", "messageList": vec![child; times]})
}

fn small_memory() -> WorldBuilder {
    World::builder().no_rates().config(|config| {
        config.limits.combine_bytes_max = 300_000;
        config.actors.combine_bytes_in_flight_max = 300_000;
    })
}

/// Reads the first page of what a combined message holds.
async fn detail(client: &mut Client, message: &Value) -> Result<Value, crate::support::WireError> {
    client.call("queryCombineMessageDetail", json!({"message": {"combineID": message["combineID"]}})).await
}

#[tokio::test]
async fn what_a_frame_names_is_added_up_before_any_of_it_is_read() {
    let world = small_memory().start();
    let mut alice = world.client("alice").await;
    drop(world.client("bob").await);
    let sent = alice.send(To::Peer("bob"), large()).await.unwrap();
    for times in [2, 300] {
        let refused = alice.send(To::Peer("bob"), nested(&sent, times)).await.unwrap_err();
        assert_eq!((refused.code, refused.temporary), (6_000_001, false), "{refused:?}");
        assert!(refused.message.starts_with("message.messageList is 4") && refused.message.ends_with("the limit is 300000"), "{refused:?}");
    }
    let sent = alice.send(To::Peer("bob"), nested(&sent, 1)).await.unwrap();
    assert_eq!(detail(&mut alice, &sent).await.unwrap()["message"]["messageList"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_in_memory_for_one_user_or_for_all_is_bounded_until_it_is_stored() {
    let store = HeldStore::new();
    let its_store = store.clone();
    let world = small_memory().part(|broker| broker.store(its_store)).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    drop(world.client("carol").await);
    let sent = alice.send(To::Peer("bob"), large()).await.unwrap();
    bob.messages(1).await;
    store.hold();
    let waiting = alice.request("sendMessage", To::Peer("bob").args(&nested(&sent, 1))).await;
    until("the first is with the store", || store.waiting() == 1).await;
    for client in [&mut alice, &mut bob] {
        let refused = client.send(To::Peer("carol"), nested(&sent, 1)).await.unwrap_err();
        assert_eq!((refused.code, refused.temporary), (6_000_007, true), "{refused:?}");
        assert!(detail(client, &sent).await.unwrap_err().temporary);
        // What only refers to it needs none of it.
        client.request("sendMessage", To::Peer("carol").args(&passed_on(&sent))).await;
    }
    until("those are with the store, too", || store.waiting() == 3).await;
    store.release();
    alice.reply(waiting).await.unwrap();
    detail(&mut alice, &sent).await.unwrap();
    bob.send(To::Peer("carol"), nested(&sent, 1)).await.unwrap();
}

async fn upload(world: &World, user: &str, json: &str) -> Value {
    let bearer = format!("Bearer {}", world.token(user));
    let answer: Answer =
        fetch_bytes(world.address(), "POST /media/uploads?kind=file&name=list.json", &[("Authorization", &bearer)], json.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn an_upload_is_no_larger_than_what_it_stands_for_may_be() {
    let world = small_memory().start();
    let mut alice = world.client("alice").await;
    drop(world.client("bob").await);
    let list = |bytes: usize| {
        json!([{"type": 1, "message": "x".repeat(10), "extendedData": "", "senderUserID": "alice", "ignored": "y".repeat(bytes)}])
            .to_string()
    };
    let with = |file: &Value| json!({"type": 100, "title": "Notes", "summary": "", "fileUID": file["fileUID"]});
    let fits = upload(&world, "alice", &list(200_000)).await;
    alice.send(To::Peer("bob"), with(&fits)).await.unwrap();
    let large = upload(&world, "alice", &list(300_000)).await;
    assert_eq!(alice.send(To::Peer("bob"), with(&large)).await.unwrap_err().code, 6_000_214);
    let many = upload(&world, "alice", &format!("[{}]", vec!["{}"; 90_000].join(","))).await;
    let refused = alice.send(To::Peer("bob"), with(&many)).await.unwrap_err();
    assert!(refused.code == 6_000_001 && refused.message.contains("has 90000 entries, the limit is 1000"), "{refused:?}");
    // Nor does an upload hide inside another message.
    let hidden = json!({"type": 100, "title": "", "summary": "", "fileUID": fits["fileUID"], "senderUserID": "alice"});
    let refused = alice.send(To::Peer("bob"), json!({"type": 100, "title": "", "summary": "", "messageList": [hidden]})).await.unwrap_err();
    assert_eq!(refused.code, 6_000_001, "{refused:?}");
}

#[tokio::test]
async fn what_is_passed_on_forty_times_is_stored_once_and_outlives_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        World::builder().no_rates().folder(folder.path()).config(|config| {
            config.limits.stored_bytes_per_user_per_day_max = 250_000;
            config.store.ballast_bytes = 0;
        })
    };
    let world = start().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut eve = world.client("eve").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let sent = alice.send(To::Room("r"), large()).await.unwrap();
    let before = bytes_below(folder.path());
    let mut last = sent.clone();
    for _ in 0..40 {
        last = bob.send(To::Peer("eve"), passed_on(&last)).await.unwrap();
    }
    let grown = bytes_below(folder.path()).saturating_sub(before);
    assert!(grown < 4 * LARGE as u64, "{grown} bytes for forty of {LARGE}");
    // The room goes, and all but one of those who passed it on take it back.
    for client in [&mut alice, &mut bob] {
        client.ok("leaveRoom", json!({"roomID": "r"})).await;
    }
    assert_eq!(detail(&mut alice, &sent).await.unwrap_err().code, 6_000_001);
    for seq in 1..40 {
        let place = json!({"messageSeq": seq, "conversationID": "eve", "conversationType": 0});
        bob.ok("revokeMessage", json!({"message": place})).await;
    }
    let whole = detail(&mut eve, &last).await.unwrap();
    assert_eq!(whole["message"]["messageList"][0]["message"].as_str().unwrap().len(), LARGE / 7);
    // A part of it is shared, too; a part that is not there is not passed on.
    let outer = eve.send(To::Peer("bob"), nested(&last, 1)).await.unwrap();
    let inner = detail(&mut eve, &outer).await.unwrap()["message"]["messageList"][0].take();
    let part = eve.send(To::Peer("bob"), passed_on(&inner)).await.unwrap();
    assert_eq!(detail(&mut bob, &part).await.unwrap()["message"]["messageList"][0], whole["message"]["messageList"][0]);
    drop((alice, bob, eve));
    world.stop().await;
    let world = start().start();
    let mut eve = world.client("eve").await;
    assert_eq!(detail(&mut eve, &last).await.unwrap()["message"]["messageList"], whole["message"]["messageList"]);
    assert_eq!(detail(&mut eve, &part).await.unwrap()["message"]["messageList"], whole["message"]["messageList"]);
}

#[tokio::test]
async fn what_one_user_writes_within_a_day_is_bounded_by_what_is_written() {
    let world = World::builder().frozen().no_rates().config(|config| config.limits.stored_bytes_per_user_per_day_max = 10_000).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    // 744 bytes and what is kept beside each message make a thousand.
    let mut last = Value::Null;
    for _ in 0..9 {
        last = alice.say(To::Peer("bob"), &"x".repeat(744)).await;
    }
    let edit = json!({"message": {"type": 1, "message": "y".repeat(744), "messageID": last["messageID"], "conversationID": "bob", "conversationType": 0}});
    alice.ok("editMessage", edit.clone()).await;
    let refused = alice.send(To::Peer("bob"), text(&"x".repeat(744))).await.unwrap_err();
    assert_eq!((refused.code, refused.temporary, refused.retry_after_ms), (6_000_005, true, Some(8_640_000)), "{refused:?}");
    assert_eq!(alice.refused("editMessage", edit).await.retry_after_ms, Some(8_640_000));
    assert_eq!(alice.newest(To::Peer("bob")).await.len(), 9, "what was refused is not stored");
    bob.say(To::Peer("alice"), "bob has his own").await;
    world.advance(Duration::from_millis(8_640_000));
    alice.say(To::Peer("bob"), &"x".repeat(744)).await;
    let world = World::builder().frozen().no_rates().config(|config| config.limits.stored_bytes_per_user_per_day_max = 0).start();
    let mut alice = world.client("alice").await;
    drop(world.client("bob").await);
    for _ in 0..40 {
        alice.say(To::Peer("bob"), &"x".repeat(30_000)).await;
    }
}
