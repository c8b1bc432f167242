//! A message to everyone online. Source: ZIM server API reference, `SendMessageToAllUsers`.

use serde_json::{Value, json};
use tidings::model::Body;
use tidings::{Draft, Refusal};

use crate::support::{Client, Login, World, user};

async fn at(world: &World, user: &str, version: &str) -> Client {
    world.login(Login { user, version, ..Login::default() }).await
}

#[tokio::test]
async fn everyone_online_from_2_10_on_gets_one_message_in_no_conversation() {
    let world = World::start();
    let mut newest = world.client("newest").await;
    let mut sender = at(&world, "sender", "2.10.0").await;
    let mut old = at(&world, "old", "2.9.9").await;
    let mut stranger = world.connect().await;
    let mut draft = Draft::text("maintenance at ten");
    draft.content.extended_data = "{}".into();
    let told = world.broker.broadcast(&user("sender"), draft).await.unwrap();
    assert_eq!(told.sessions, 2);
    for client in [&mut newest, &mut sender] {
        let message = client.event("broadcastMessageReceived").await["message"].take();
        let wanted = json!({"type": 1, "message": "maintenance at ten", "messageID": told.id.to_string(), "senderUserID": "sender",
            "timestamp": told.timestamp_ms, "orderKey": told.order_key, "conversationType": -1, "extendedData": "{}",
            "isBroadcastMessage": true, "isServerMessage": true});
        assert_eq!(message, wanted);
    }
    for client in [&mut old, &mut stranger] {
        client.ok("ping", json!({})).await;
        client.assert_nothing_unread();
    }
}

#[tokio::test]
async fn a_broadcast_is_text_or_custom_within_its_limits_and_is_not_replayed() {
    let world = World::start();
    let bob = world.login(Login { user: "bob", device: "d", ..Login::default() }).await;
    let cursor = bob.hello["cursor"].as_str().unwrap().to_owned();
    let custom = Body::Custom { message: "{}".into(), sub_type: 3, searched_content: String::new() };
    let broker = &world.broker;
    assert_eq!(broker.broadcast(&user("a"), Draft::of(custom)).await.unwrap().sessions, 1);
    for (body, field) in [
        (Body::Command(vec![1].into()), "message.type"),
        (Body::Barrage("b".into()), "message.type"),
        (Body::Text(String::new()), "message.message"),
        (Body::Text("x".repeat(32_769)), "message.message"),
    ] {
        let refused = broker.broadcast(&user("a"), Draft::of(body)).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Invalid(invalid) if invalid.field == field), "{refused:?}");
    }
    drop(bob);
    let mut again = world.login(Login { user: "bob", device: "d", resume: &cursor, ..Login::default() }).await;
    again.ok("ping", json!({})).await;
    assert_eq!(again.take_unread(|frame| frame["event"] == "broadcastMessageReceived"), None::<Value>);
}
