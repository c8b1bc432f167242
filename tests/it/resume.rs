//! Coming back: with a cursor every missed message comes once, in order, before live ones; without one, what was sent
//! while the user was away.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::Subscription;

use crate::support::{Client, Login, To, World, number, pluck, session_ended};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn resume(world: &World, user: &str, cursor: &str) -> Client {
    world.login(Login { user, device: "d", resume: cursor, ..Login::default() }).await
}

/// A session with the device of [`resume`].
async fn first(world: &World, user: &str) -> Client {
    resume(world, user, "").await
}

async fn group(owner: &mut Client, id: &str, users: &[&str]) {
    owner.ok("createGroup", json!({"groupInfo": {"groupID": id}, "userIDs": users})).await;
}

/// The user was there, and logged out; returns the cursor it left with.
async fn been_and_gone(world: &World, events: &mut Subscription, user: &str) -> String {
    let mut client = first(world, user).await;
    client.ok("logout", json!({})).await;
    session_ended(events, user).await;
    client.hello["cursor"].as_str().unwrap().to_owned()
}

/// Returns the texts of the events that arrive before an answer, which leaves after them.
async fn arrived(client: &mut Client) -> (Vec<String>, Vec<Value>) {
    client.ok("ping", json!({})).await;
    let mut events = Vec::new();
    while let Some(event) = client.take_unread(|frame| frame["data"]["messageList"].is_array()) {
        events.push(event["data"].clone());
    }
    (events.iter().flat_map(|event| pluck(&event["messageList"], "message")).collect(), events)
}

#[tokio::test]
async fn what_was_missed_comes_once_in_order_and_before_what_is_live() {
    let world = World::builder().no_rates().start();
    let mut events = world.broker.subscribe();
    let mut bob = first(&world, "bob").await;
    let mut alice = world.client("alice").await;
    let mut carol = world.client("carol").await;
    group(&mut alice, "g", &["bob", "carol"]).await;
    bob.say(To::Peer("alice"), "mine before").await;
    alice.say(To::Peer("bob"), "heard").await;
    let cursor = bob.event("receivePeerMessage").await["cursor"].as_str().unwrap().to_owned();
    drop(bob);
    session_ended(&mut events, "bob").await;

    alice.say(To::Peer("bob"), "1").await;
    carol.say(To::Group("g"), "2").await;
    alice.say(To::Group("g"), "3").await;
    alice.say(To::Peer("carol"), "not for bob").await;
    carol.say(To::Peer("bob"), "4").await;
    alice.say(To::Peer("bob"), "5").await;

    let mut bob = resume(&world, "bob", &cursor).await;
    assert_eq!(bob.hello["resync"], Value::Null);
    let (texts, events_missed) = arrived(&mut bob).await;
    assert_eq!(texts, ["1", "2", "3", "4", "5"]);
    assert_eq!(pluck(&Value::Array(events_missed.clone()), "fromConversationID"), ["alice", "g", "carol", "alice"]);
    assert!(events_missed.iter().all(|event| event["info"] == json!({"isOfflineMessage": true})), "{events_missed:?}");
    alice.say(To::Peer("bob"), "live").await;
    let live = bob.event("receivePeerMessage").await;
    assert_eq!((&live["messageList"][0]["message"], &live["info"]["isOfflineMessage"]), (&json!("live"), &json!(false)));

    // Each event's cursor stands for what came with it and before.
    for (n, event) in events_missed.iter().enumerate() {
        let after: usize = events_missed[..=n].iter().map(|event| event["messageList"].as_array().unwrap().len()).sum();
        let mut again = resume(&world, "bob", event["cursor"].as_str().unwrap()).await;
        let (texts, _) = arrived(&mut again).await;
        assert_eq!(texts, ["1", "2", "3", "4", "5", "live"][after..]);
    }
    let mut again = resume(&world, "bob", live["cursor"].as_str().unwrap()).await;
    assert_eq!(arrived(&mut again).await.0, [""; 0]);
}

#[tokio::test]
async fn ones_own_sends_whose_answer_was_lost_come_back_too() {
    let world = World::start();
    let mut events = world.broker.subscribe();
    world.client("bob").await;
    let mut alice = first(&world, "alice").await;
    let cursor = alice.hello["cursor"].as_str().unwrap().to_owned();
    let sent = alice.say(To::Peer("bob"), "did it arrive?").await;
    drop(alice);
    session_ended(&mut events, "alice").await;
    let mut alice = resume(&world, "alice", &cursor).await;
    assert_eq!(alice.messages(1).await, [sent]);
}

#[tokio::test]
async fn too_much_or_an_unknown_cursor_says_resync_and_replays_nothing() {
    let world = World::builder().no_rates().config(|config| config.history.resume_messages_max = 5).start();
    let mut events = world.broker.subscribe();
    let cursor = been_and_gone(&world, &mut events, "bob").await;
    let mut alice = world.client("alice").await;
    for n in 0..5 {
        alice.say(To::Peer("bob"), &n.to_string()).await;
    }
    let mut bob = resume(&world, "bob", &cursor).await;
    assert_eq!((arrived(&mut bob).await.0.len(), &bob.hello["resync"]), (5, &Value::Null));
    alice.say(To::Peer("bob"), "one too many").await;
    let mut bob = resume(&world, "bob", &cursor).await;
    assert_eq!((arrived(&mut bob).await.0.len(), &bob.hello["resync"]), (0, &json!(true)));
    // Its cursor is a fresh start.
    let cursor = bob.hello["cursor"].as_str().unwrap().to_owned();
    alice.say(To::Peer("bob"), "after").await;
    let mut bob = resume(&world, "bob", &cursor).await;
    assert_eq!(bob.texts(1).await, ["after"]);

    let bob = resume(&world, "bob", "999999").await;
    assert_eq!(bob.hello["resync"], true);
    let mut nobody = world.connect().await;
    let refused = nobody.refused("login", json!({"userID": "bob", "token": world.token("bob"), "resumeFrom": "x"})).await;
    assert_eq!((refused.code, refused.message.contains("resumeFrom")), (6_000_001, true));
}

#[tokio::test]
async fn large_messages_beyond_half_an_outbox_say_resync() {
    let world = World::builder().no_rates().config(|config| config.shed.outbox_reliable_bytes = 600_000).start();
    let mut events = world.broker.subscribe();
    let cursor = been_and_gone(&world, &mut events, "bob").await;
    let mut alice = world.client("alice").await;
    for _ in 0..9 {
        alice.say(To::Peer("bob"), &"x".repeat(32_000)).await;
    }
    let mut bob = resume(&world, "bob", &cursor).await;
    let (texts, frames) = arrived(&mut bob).await;
    assert_eq!((texts.len(), frames.len() > 3), (9, true), "in frames of 64 KiB");
    alice.say(To::Peer("bob"), &"x".repeat(32_000)).await;
    assert_eq!(resume(&world, "bob", &cursor).await.hello["resync"], true);
}

#[tokio::test]
async fn groups_are_replayed_from_joining_to_leaving() {
    let world = World::builder().no_rates().start();
    let mut events = world.broker.subscribe();
    let mut bob = first(&world, "bob").await;
    let mut alice = world.client("alice").await;
    let cursor = bob.hello["cursor"].as_str().unwrap().to_owned();
    group(&mut alice, "before", &["bob"]).await;
    group(&mut alice, "later", &[]).await;
    alice.say(To::Group("before"), "in before").await;
    alice.say(To::Group("later"), "not yet").await;
    alice.ok("inviteUsersIntoGroup", json!({"groupID": "later", "userIDs": ["bob"]})).await;
    alice.say(To::Group("later"), "now").await;
    group(&mut alice, "left", &["bob"]).await;
    alice.say(To::Group("left"), "before leaving").await;
    bob.ok("leaveGroup", json!({"groupID": "left"})).await;
    bob.ok("logout", json!({})).await;
    session_ended(&mut events, "bob").await;
    let mut bob = resume(&world, "bob", &cursor).await;
    assert_eq!(arrived(&mut bob).await.0, ["in before", "now"]);
}

#[tokio::test]
async fn a_room_kept_within_its_grace_is_replayed_to_a_cursor_only() {
    let world = World::builder().no_rates().start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    for with_cursor in [true, false] {
        let mut bob = first(&world, "bob").await;
        bob.ok("joinRoom", json!({"roomID": "r"})).await;
        let cursor = bob.hello["cursor"].as_str().unwrap().to_owned();
        drop(bob);
        session_ended(&mut events, "bob").await;
        alice.say(To::Room("r"), "missed").await;
        let mut bob = resume(&world, "bob", if with_cursor { &cursor } else { "" }).await;
        assert_eq!(bob.hello["rooms"], json!(["r"]));
        assert_eq!(arrived(&mut bob).await.0, if with_cursor { vec!["missed"] } else { vec![] });
        bob.ok("leaveRoom", json!({"roomID": "r"})).await;
        bob.ok("logout", json!({})).await;
        session_ended(&mut events, "bob").await;
    }
}

#[tokio::test]
async fn a_replay_shows_what_the_clients_version_may_see() {
    let world = World::start();
    let mut events = world.broker.subscribe();
    let cursor = been_and_gone(&world, &mut events, "bob").await;
    let mut alice = world.client("alice").await;
    alice.send(To::Peer("bob"), json!({"type": 200, "message": "{}", "subType": 1})).await.unwrap();
    alice.say(To::Peer("bob"), "text").await;
    for (version, kinds) in [("2.14.0", vec!["200", "1"]), ("2.7.0", vec!["0", "1"]), ("1.9.0", vec!["1"])] {
        let login = Login { user: "bob", device: "d", version, resume: &cursor, ..Login::default() };
        let (_, events) = arrived(&mut world.login(login).await).await;
        let list: Vec<Value> = events.iter().flat_map(|event| event["messageList"].as_array().unwrap().clone()).collect();
        assert_eq!(pluck(&Value::Array(list), "type"), kinds, "{version}");
    }
}

#[tokio::test]
async fn a_new_session_gets_what_came_while_the_user_was_away_and_nothing_older() {
    let world = World::builder().frozen().no_rates().start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    world.broker.register(&crate::support::user("bob"), "Bob").await.unwrap();
    alice.say(To::Peer("bob"), "before bob ever came").await;
    let mut bob = first(&world, "bob").await;
    assert_eq!(arrived(&mut bob).await.0, [""; 0], "a first session starts at now");
    alice.say(To::Peer("bob"), "live").await;
    assert_eq!(bob.texts(1).await, ["live"]);
    drop(bob);
    session_ended(&mut events, "bob").await;
    alice.say(To::Peer("bob"), "too old").await;
    world.advance(3 * DAY);
    alice.say(To::Peer("bob"), "three days on").await;
    world.advance(5 * DAY);
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "today").await;
    let mut bob = first(&world, "bob").await;
    let (texts, events_missed) = arrived(&mut bob).await;
    assert_eq!(texts, ["three days on", "today"]);
    assert_eq!(events_missed[0]["info"], json!({"isOfflineMessage": true}));
    drop(bob);
    session_ended(&mut events, "bob").await;
    let mut bob = first(&world, "bob").await;
    assert_eq!(arrived(&mut bob).await.0, [""; 0], "and only once");
}

#[tokio::test]
async fn a_cursor_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    let bob = first(&world, "bob").await;
    let cursor = bob.hello["cursor"].as_str().unwrap().to_owned();
    drop(bob);
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "before the restart").await;
    drop(alice);
    world.stop().await;

    let world = World::builder().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "after the restart").await;
    let mut bob = resume(&world, "bob", &cursor).await;
    assert_eq!(arrived(&mut bob).await.0, ["before the restart", "after the restart"]);
}

/// Senders write to peers and groups without pause while the reader breaks off again and again and resumes with the
/// cursor it last saw. What it has in the end, by message id, is everything, in each conversation's order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaking_off_at_any_moment_loses_nothing_and_keeps_the_order() {
    const SENDERS: usize = 4;
    const EACH: usize = 150;
    let world = World::builder().no_rates().start();
    let mut reader = first(&world, "reader").await;
    let mut cursor = reader.hello["cursor"].as_str().unwrap().to_owned();
    let mut owner = world.client("owner").await;
    let names: Vec<String> = (0..SENDERS).map(|n| format!("sender-{n}")).collect();
    let mut senders = Vec::new();
    for name in &names {
        senders.push(world.client(name).await);
    }
    for n in 0..2 {
        group(&mut owner, &format!("g{n}"), &["reader", "sender-0", "sender-1", "sender-2", "sender-3"]).await;
    }
    let sending: Vec<_> = senders
        .into_iter()
        .map(|mut sender| {
            tokio::spawn(async move {
                for n in 0..EACH {
                    let to = [To::Peer("reader"), To::Group("g0"), To::Group("g1")][n % 3];
                    sender.say(to, &n.to_string()).await;
                }
            })
        })
        .collect();
    let mut seen: HashMap<String, (String, u64)> = HashMap::new();
    let mut last_of: HashMap<(String, String), u64> = HashMap::new();
    let mut rounds = 0;
    while seen.len() < SENDERS * EACH {
        rounds += 1;
        for _ in 0..=rounds % 7 {
            if seen.len() == SENDERS * EACH {
                break;
            }
            let event = reader.frame("an event", |frame| frame["data"]["messageList"].is_array()).await["data"].take();
            cursor = event["cursor"].as_str().unwrap().to_owned();
            for message in event["messageList"].as_array().unwrap() {
                let conversation = event["fromConversationID"].as_str().unwrap().to_owned();
                let seq = number(message, "messageSeq");
                let id = message["messageID"].as_str().unwrap().to_owned();
                if seen.insert(id, (conversation.clone(), seq)).is_none() {
                    let last = last_of.insert((conversation, message["conversationType"].to_string()), seq);
                    assert!(last.is_none_or(|last| last < seq), "{last:?} then {seq}");
                }
            }
        }
        if rounds % 2 == 0 {
            reader = resume(&world, "reader", &cursor).await;
            assert_eq!(reader.hello["resync"], Value::Null);
        }
    }
    for sender in sending {
        sender.await.unwrap();
    }
    assert!(rounds > 20, "{rounds} rounds show little");
    let extra = arrived(&mut reader).await.1;
    assert!(
        extra
            .iter()
            .flat_map(|event| event["messageList"].as_array().unwrap())
            .all(|message| seen.contains_key(message["messageID"].as_str().unwrap()))
    );
}
