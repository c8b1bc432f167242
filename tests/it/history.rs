//! History, read page by page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::{Client, To, World, number, pluck, text};

/// Small steps of a linear congruential generator: the same "random" test each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Reads everything in pages of a size, from one end to the other, with either kind of anchor.
async fn walk(client: &mut Client, to: To<'_>, count: u64, reverse: bool, dice: &mut Dice) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut anchor = Value::Null;
    loop {
        let mut config = json!({"count": count, "reverse": reverse});
        if !anchor.is_null() {
            config["nextMessage"] = anchor.clone();
        }
        let page = client.history(to, config).await.unwrap();
        let list = page["messageList"].as_array().unwrap().clone();
        assert!(list.len() as u64 <= count);
        assert!(list.windows(2).all(|pair| number(&pair[0], "orderKey") < number(&pair[1], "orderKey")), "a page ascends: {list:?}");
        let Some(end) = (if reverse { list.first() } else { list.last() }) else { return all };
        anchor = match dice.roll(3) {
            0 => json!({"messageSeq": end["messageSeq"]}),
            1 => json!({"orderKey": end["orderKey"]}),
            _ => end.clone(),
        };
        all = if reverse { [list, all].concat() } else { [all, list].concat() };
    }
}

#[tokio::test]
async fn pages_of_any_size_in_either_direction_tell_the_same() {
    let world = World::builder().no_rates().start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let mut dice = Dice(42);
    let mut stored = Vec::new();
    while stored.len() < 57 {
        let message = match dice.roll(4) {
            0 => json!({"type": 2, "message": BASE64.encode([0, 1, 2])}),
            1 => json!({"type": 200, "message": "{}", "subType": dice.roll(201)}),
            _ => text(&"x".repeat(1 + usize::try_from(dice.roll(2000)).unwrap())),
        };
        let kept = message["type"] != 2;
        let sent = if dice.roll(2) == 0 { alice.send(To::Peer("bob"), message).await } else { bob.send(To::Peer("alice"), message).await };
        stored.extend(sent.ok().filter(|_| kept));
    }
    for count in [1, 2, 3, 7, 100] {
        for reverse in [false, true] {
            let told = walk(&mut bob, To::Peer("alice"), count, reverse, &mut dice).await;
            assert_eq!(told, stored, "count {count}, reverse {reverse}");
        }
    }
}

#[tokio::test]
async fn a_page_begins_beside_its_anchor_and_without_one_at_an_end() {
    let world = World::start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let mut sent = Vec::new();
    for n in 1..=5 {
        sent.push(alice.say(To::Peer("bob"), &n.to_string()).await);
    }
    let key = number(&sent[2], "orderKey");
    for (config, expected) in [
        (json!({"count": 2}), vec!["1", "2"]),
        (json!({"count": 2, "reverse": true}), vec!["4", "5"]),
        (json!({"count": 2, "nextMessage": {"orderKey": key}}), vec!["4", "5"]),
        (json!({"count": 2, "nextMessage": {"orderKey": key}, "reverse": true}), vec!["1", "2"]),
        // A key no message has lies between two.
        (json!({"count": 9, "nextMessage": {"orderKey": key - 1}}), vec!["3", "4", "5"]),
        (json!({"count": 9, "nextMessage": {"orderKey": key + 1}, "reverse": true}), vec!["1", "2", "3"]),
        (json!({"count": 9, "nextMessage": {"orderKey": 1}, "reverse": true}), vec![]),
        (json!({"count": 9, "nextMessage": {"messageSeq": 5}}), vec![]),
        (json!({"count": 9, "nextMessage": {"messageSeq": 500}, "reverse": true}), vec!["1", "2", "3", "4", "5"]),
    ] {
        let page = alice.history(To::Peer("bob"), config.clone()).await.unwrap();
        assert_eq!(pluck(&page["messageList"], "message"), expected, "{config}");
        assert_eq!((&page["conversationID"], &page["conversationType"], page.get("more")), (&json!("bob"), &json!(0), None));
    }
}

#[tokio::test]
async fn a_page_holds_one_to_a_hundred_messages() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    for count in [1, 100] {
        let page = alice.history(To::Peer("whoever"), json!({"count": count})).await.unwrap();
        assert_eq!(page["messageList"], json!([]));
    }
    for count in [0, 101, -1] {
        let refused = alice.history(To::Peer("whoever"), json!({"count": count})).await.unwrap_err();
        assert_eq!(refused.code, 6_000_001);
        assert!(refused.message.contains("config.count") && refused.message.contains("100"), "{refused:?}");
    }
    let refused = alice.history(To::Peer("whoever"), json!({"count": 1, "nextMessage": {"messageID": "7"}})).await.unwrap_err();
    assert!(refused.code == 6_000_001 && refused.message.contains("config.nextMessage"), "{refused:?}");
    assert_eq!(alice.history(To::Peer("alice"), json!({"count": 1})).await.unwrap_err().code, 6_000_001);
}

#[tokio::test]
async fn history_is_read_by_the_two_it_belongs_to() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "between us").await;
    let mut eve = world.client("eve").await;
    for other in ["alice", "bob"] {
        assert_eq!(eve.newest(To::Peer(other)).await, Vec::<Value>::new());
    }
    assert_eq!(bob.newest(To::Peer("alice")).await, alice.newest(To::Peer("bob")).await);
}

#[tokio::test]
async fn a_page_of_large_messages_is_cut_and_says_so() {
    let world = World::start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let mut sent = Vec::new();
    for n in 0..10 {
        sent.push(alice.say(To::Peer("bob"), &format!("{n}{}", "x".repeat(30_000))).await);
    }
    for reverse in [false, true] {
        let page = alice.history(To::Peer("bob"), json!({"count": 100, "reverse": reverse})).await.unwrap();
        let length = page["messageList"].as_array().unwrap().len();
        assert_eq!(page["more"], true);
        assert!((1..10).contains(&length), "{length} of 10 messages");
        assert!(page.to_string().len() <= world.broker.config().server.frame_bytes_max);
        assert_eq!(walk(&mut alice, To::Peer("bob"), 100, reverse, &mut Dice(7)).await, sent);
    }
    let small = alice.history(To::Peer("bob"), json!({"count": 1})).await.unwrap();
    assert!(small.get("more").is_none());
}
