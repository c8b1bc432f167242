//! Messages between two users.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use tidings::Draft;

use crate::support::{T0, To, World, number, order_key_at, peer_target, pluck, text, text_draft, until, user};

/// Both log in, one sends, the other receives.
#[tokio::test]
async fn what_one_sends_the_other_receives_with_exactly_these_fields() {
    let world = World::builder().frozen().start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let sent = alice.send(To::Peer("bob"), json!({"type": 1, "message": "hi \"you\"", "localMessageID": "l-1"})).await.unwrap();
    let id = sent["messageID"].as_str().unwrap();
    assert!(id.parse::<u64>().is_ok_and(|id| id > 0), "{sent}");
    assert_eq!(
        sent,
        json!({"type": 1, "message": "hi \"you\"", "localMessageID": "l-1", "messageID": id, "senderUserID": "alice", "timestamp": T0,
               "conversationType": 0, "messageSeq": 1, "orderKey": order_key_at(T0), "toUserID": "bob"})
    );
    let mut data = bob.event("receivePeerMessage").await;
    assert!(data["cursor"].take().is_string(), "a stored message comes with a cursor");
    assert_eq!(data, json!({"messageList": [sent], "fromConversationID": "alice", "info": {"isOfflineMessage": false}, "cursor": null}));
    assert_eq!(alice.newest(To::Peer("bob")).await, bob.newest(To::Peer("alice")).await);
}

/// Custom messages, priority and `extendedData` travel with a message as they are.
#[tokio::test]
async fn custom_content_extended_data_and_priority_travel_along() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let custom = json!({"type": 200, "message": "{\"poll\":1}", "subType": 200, "searchedContent": "poll", "extendedData": "x\u{0}y"});
    let mut args = To::Peer("bob").args(&custom);
    args["config"] = json!({"priority": 3});
    let sent = alice.ok("sendMessage", args).await["message"].take();
    let received = bob.messages(1).await.remove(0);
    assert_eq!(sent, received);
    for field in ["type", "message", "subType", "searchedContent", "extendedData"] {
        assert_eq!(received[field], custom[field], "{field}");
    }
    assert_eq!(received["priority"], 3);
    assert_eq!(bob.newest(To::Peer("alice")).await, [received]);
}

/// The vendor's clients expect 6000001 for a message to oneself.
#[tokio::test]
async fn a_message_to_oneself_is_refused_and_nothing_is_stored() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let refused = alice.send(To::Peer("alice"), text("hi me")).await.unwrap_err();
    assert_eq!((refused.code, refused.temporary), (6_000_001, false));
    assert!(refused.message.starts_with("toConversationID "), "{refused:?}");
    assert_eq!(world.broker.stats().store.appended, 0);
}

/// A larger order key is newer, even while the clock stands still.
#[tokio::test]
async fn seqs_have_no_gaps_and_order_keys_increase_even_when_time_stands_still() {
    let world = World::builder().frozen().start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let mut sent = Vec::new();
    for n in 0..10 {
        let message = if n % 2 == 0 { alice.say(To::Peer("bob"), "a").await } else { bob.say(To::Peer("alice"), "b").await };
        sent.push(message);
    }
    let seqs: Vec<u64> = sent.iter().map(|message| number(message, "messageSeq")).collect();
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>());
    assert!(sent.windows(2).all(|pair| number(&pair[0], "orderKey") < number(&pair[1], "orderKey")), "{sent:?}");
    assert!(sent.iter().all(|message| number(message, "orderKey") < 1 << 53));
}

/// A client whose acknowledgement was lost sends again under the same `localMessageID`.
#[tokio::test]
async fn a_retry_gets_the_first_result_and_is_not_delivered_again() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let draft = json!({"type": 1, "message": "once", "localMessageID": "l-1", "extendedData": "e"});
    let first = alice.send(To::Peer("bob"), draft.clone()).await.unwrap();
    assert_eq!(alice.send(To::Peer("bob"), draft.clone()).await.unwrap(), first);
    // As after a lost acknowledgement: another connection of the same user.
    drop(alice);
    let mut alice = world.client("alice").await;
    assert_eq!(alice.send(To::Peer("bob"), draft.clone()).await.unwrap(), first);
    for (field, value) in [("message", json!("twice")), ("extendedData", json!("f")), ("type", json!(200))] {
        let mut other = draft.clone();
        other[field] = value;
        let refused = alice.send(To::Peer("bob"), other).await.unwrap_err();
        assert_eq!((refused.code, refused.temporary), (6_000_001, false), "{field}");
        assert!(refused.message.contains("localMessageID"), "{refused:?}");
    }
    assert_eq!(bob.send(To::Peer("alice"), draft).await.unwrap()["messageSeq"], 2, "ids are each user's own");
    alice.say(To::Peer("bob"), "next").await;
    assert_eq!(bob.texts(1).await, ["once"]);
    assert_eq!(bob.texts(1).await, ["next"], "no retry was delivered");
}

#[tokio::test]
async fn two_retries_on_their_way_at_once_are_one_message() {
    let world = World::start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let args = To::Peer("bob").args(&json!({"type": 1, "message": "x", "localMessageID": "l"}));
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(alice.request("sendMessage", args.clone()).await);
    }
    let mut answers = Vec::new();
    for id in ids {
        answers.push(alice.reply(id).await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(alice.newest(To::Peer("bob")).await.len(), 1);
}

/// Neither the first after a pause nor the ones that follow it: who is not busy does not wait.
#[tokio::test]
async fn no_message_waits_for_a_tick_while_its_receivers_have_nothing_left_to_write() {
    let world = World::builder().no_rates().config(|config| config.batch.tick_ms = 1000).start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let told = async {
        for n in 0..20 {
            let (kept, passing) = (format!("kept {n}"), format!("passing {n}"));
            alice.say(To::Peer("bob"), &kept).await;
            assert_eq!(bob.texts(1).await, [kept]);
            alice.send(To::Room("r"), json!({"type": 20, "message": passing})).await.unwrap();
            assert_eq!(bob.texts(1).await, [passing]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.expect("forty messages take forty seconds when each waits for a tick");
}

#[tokio::test]
async fn a_retry_costs_no_rate() {
    let world = World::builder().frozen().start();
    let _bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let draft = |n: u32| json!({"type": 1, "message": "x", "localMessageID": format!("l-{n}")});
    for n in 0..10 {
        alice.send(To::Peer("bob"), draft(n)).await.unwrap();
    }
    assert_eq!(alice.send(To::Peer("bob"), draft(10)).await.unwrap_err().code, 6_000_005);
    for n in 0..10 {
        assert!(alice.send(To::Peer("bob"), draft(n)).await.is_ok(), "retry {n}");
    }
}

#[tokio::test]
async fn an_unknown_peer_is_6000204_until_it_has_logged_in_or_was_registered() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let refused = alice.send(To::Peer("bob"), text("hi")).await.unwrap_err();
    assert_eq!((refused.code, refused.temporary), (6_000_204, false));
    let mut bob = world.client("bob").await;
    alice.say(To::Peer("bob"), "now").await;
    assert_eq!(bob.texts(1).await, ["now"]);
    assert_eq!(alice.send(To::Peer("carol"), text("hi")).await.unwrap_err().code, 6_000_204);
    world.broker.register(&user("carol"), "Carol").await.unwrap();
    alice.say(To::Peer("carol"), "for later").await;
    let mut carol = world.client("carol").await;
    assert_eq!(carol.hello["userName"], "Carol");
    assert_eq!(pluck(&Value::Array(carol.newest(To::Peer("alice")).await), "message"), ["for later"]);
}

#[tokio::test]
async fn anyone_may_be_written_to_when_users_need_not_exist() {
    let world = World::with(|config| config.users.must_exist = false);
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("never-seen"), "hi").await;
    let mut other = world.client("never-seen").await;
    assert_eq!(other.newest(To::Peer("alice")).await.len(), 1);
}

/// A command carries any bytes, and is stored nowhere.
#[tokio::test]
async fn a_command_arrives_byte_for_byte_and_is_not_kept() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    // All byte values, and no UTF-8.
    let bytes: Vec<u8> = (0..=255).chain([0xc3, 0x28, 0xff, 0x00]).collect();
    let sent = alice.send(To::Peer("bob"), json!({"type": 2, "message": BASE64.encode(&bytes)})).await.unwrap();
    let received = bob.messages(1).await.remove(0);
    assert_eq!(received, sent);
    assert_eq!(BASE64.decode(received["message"].as_str().unwrap()).unwrap(), bytes);
    assert!(received.get("messageSeq").is_none() && number(&received, "orderKey") > 0, "{received}");
    alice.say(To::Peer("bob"), "kept").await;
    assert_eq!(pluck(&Value::Array(alice.newest(To::Peer("bob")).await), "message"), ["kept"]);
}

/// There is one order for all readers, however many send at the same time.
#[tokio::test]
async fn all_readers_see_one_order_while_both_sides_send() {
    const EACH: usize = 60;
    const ALL: usize = 2 * EACH + 1;
    let world = World::builder().no_rates().config(|config| config.users.devices_per_user_max = 2).start();
    let mut readers = vec![world.device("alice", "reader").await, world.device("bob", "reader").await];
    let mut alice = world.device("alice", "writer").await;
    let mut bob = world.device("bob", "writer").await;
    let mut orders = Vec::new();
    // Opens the conversation; a burst that does is a test of its own.
    alice.say(To::Peer("bob"), "here we go").await;
    let (mut from_alice, mut from_bob) = (Vec::new(), Vec::new());
    for n in 0..EACH {
        from_alice.push(alice.request("sendMessage", To::Peer("bob").args(&text(&format!("a{n}")))).await);
        from_bob.push(bob.request("sendMessage", To::Peer("alice").args(&text(&format!("b{n}")))).await);
    }
    let mut seqs = (Vec::new(), Vec::new());
    for (a, b) in from_alice.into_iter().zip(from_bob) {
        seqs.0.push(number(&alice.reply(a).await.unwrap()["message"], "messageSeq"));
        seqs.1.push(number(&bob.reply(b).await.unwrap()["message"], "messageSeq"));
    }
    assert!(seqs.0.is_sorted() && seqs.1.is_sorted(), "one session's sends keep their order: {seqs:?}");
    for reader in &mut readers {
        let messages = reader.messages(ALL).await;
        assert_eq!(messages.iter().map(|message| number(message, "messageSeq")).collect::<Vec<_>>(), (1..=ALL as u64).collect::<Vec<_>>());
        orders.push(messages);
    }
    assert_eq!(orders[0], orders[1]);
    let newest = readers[0].newest(To::Peer("bob")).await;
    assert_eq!(newest, orders[0][ALL - 100..], "history tells the same");
}

/// A mailbox has its configured length from the first message on, not only once its actor has started.
#[tokio::test]
async fn a_first_burst_is_not_refused() {
    let world = World::builder().no_rates().config(|config| config.users.must_exist = false).start();
    let (alice, bob) = (user("alice"), peer_target("bob"));
    let burst = (0..500).map(|n| world.broker.send(&alice, &bob, Draft::text(n.to_string())));
    let refused: Vec<_> = futures_util::future::join_all(burst).await.into_iter().filter_map(Result::err).collect();
    assert!(refused.is_empty(), "{} of 500, the first: {:?}", refused.len(), refused[0]);
}

#[tokio::test]
async fn the_host_sends_as_a_user_who_need_not_be_online() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let first = world.broker.send(&user("alice"), &peer_target("bob"), text_draft("h-1", "from the host")).await.unwrap();
    assert_eq!(bob.texts(1).await, ["from the host"]);
    let again = world.broker.send(&user("alice"), &peer_target("bob"), text_draft("h-1", "from the host")).await.unwrap();
    assert_eq!(first, again);
    let missing = world.broker.send(&user("alice"), &peer_target("nobody"), text_draft("h-2", "x")).await.unwrap_err();
    assert_eq!(tidings::code_of(&missing), 6_000_204);
    let own = world.broker.send(&user("bob"), &peer_target("bob"), text_draft("h-3", "x")).await.unwrap_err();
    assert_eq!(tidings::code_of(&own), 6_000_001);
}

#[tokio::test]
async fn idle_owners_leave_and_are_found_again() {
    let world = World::with(|config| config.actors.idle_seconds = 1);
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "one").await;
    assert_eq!((bob.texts(1).await, world.broker.stats().peers), (vec!["one".to_owned()], 1));
    until("the end of an idle conversation", || world.broker.stats().peers == 0).await;
    assert_eq!(alice.say(To::Peer("bob"), "two").await["messageSeq"], 2);
    assert_eq!(bob.texts(1).await, ["two"]);
}
