//! The broker itself is behind: barrage goes first, by priority, then commands; what is stored waits and is kept.

use std::time::Duration;

use serde_json::{Value, json};
use tidings::{DropReason, Pressure};

use crate::support::{Client, HeldStore, To, World, text, until};

fn barrage(priority: u8, content: &str) -> Value {
    let mut args = To::Room("r").args(&json!({"type": 20, "message": content}));
    args["config"] = json!({"priority": priority});
    args
}

/// Sends a text whose answer is not waited for.
async fn begin_text(client: &mut Client, store: &HeldStore, content: &str) -> u64 {
    let before = store.waiting();
    let id = client.request("sendMessage", To::Peer("bob").args(&text(content))).await;
    until("the text is with the store", || store.waiting() == before + 1).await;
    id
}

async fn barrages_heard(client: &mut Client, count: usize) -> Vec<String> {
    client.texts(count).await
}

#[tokio::test]
async fn a_store_that_is_behind_sheds_low_barrage_first_then_all_then_commands_and_recovers() {
    let store = HeldStore::new();
    let its_store = store.clone();
    let world = World::builder()
        .frozen()
        .no_rates()
        .config(|config| config.actors.appends_in_flight_max = 4)
        .part(|broker| broker.store(its_store))
        .start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let broker = &world.broker;
    let pressure = |wanted: Pressure| until("the pressure changes", move || broker.stats().pressure == wanted);

    store.hold();
    let mut texts = Vec::new();
    for n in 0..2 {
        texts.push(begin_text(&mut alice, &store, &format!("text {n}")).await);
    }
    pressure(Pressure::LowBarrage).await;
    alice.ok("sendMessage", barrage(1, "low while half full")).await;
    alice.ok("sendMessage", barrage(2, "medium while half full")).await;
    assert_eq!(barrages_heard(&mut bob, 1).await, ["medium while half full"]);
    assert_eq!(bob.event("barrageDropped").await, json!({"roomID": "r", "low": 1, "medium": 0, "high": 0, "command": 0}));

    texts.push(begin_text(&mut alice, &store, "text 2").await);
    pressure(Pressure::MediumBarrage).await;
    alice.ok("sendMessage", barrage(2, "medium while nearly full")).await;
    alice.ok("sendMessage", barrage(3, "high while nearly full")).await;
    assert_eq!(barrages_heard(&mut bob, 1).await, ["high while nearly full"]);

    texts.push(begin_text(&mut alice, &store, "text 3").await);
    pressure(Pressure::Command).await;
    alice.ok("sendMessage", barrage(3, "high while full")).await;
    let refused = alice.refused("sendMessage", To::Peer("bob").args(&json!({"type": 2, "message": "AQI="}))).await;
    assert!(refused.temporary, "{refused:?}");
    let refused = alice.refused("sendMessage", To::Peer("bob").args(&text("one too many"))).await;
    assert!(refused.temporary, "{refused:?}");

    store.release();
    for id in texts {
        assert!(alice.reply(id).await.is_ok());
    }
    assert_eq!(bob.texts(4).await, ["text 0", "text 1", "text 2", "text 3"], "what is stored is late, not lost");
    until("it is calm again", || {
        world.advance(Duration::from_secs(1));
        world.broker.stats().pressure == Pressure::None
    })
    .await;
    alice.ok("sendMessage", barrage(1, "low again")).await;
    assert_eq!(barrages_heard(&mut bob, 1).await, ["low again"]);
    let stats = world.broker.stats();
    let overloaded: Vec<u64> =
        stats.dropped.iter().filter(|drops| drops.reason == DropReason::Overloaded).map(|drops| drops.messages).collect();
    assert_eq!(overloaded, [1, 1, 1, 1], "a command, and a barrage of each priority");
}
