//! Mentions: carried by any message, exactly as given, and shown by the receiver's version. Source: ZIM guide "Send and
//! receive messages", mentions.

use serde_json::{Value, json};

use crate::support::{Client, Login, To, World};

async fn at(world: &World, user: &str, version: &str) -> Client {
    world.login(Login { user, version, ..Login::default() }).await
}

fn named(users: &[&str], all: bool) -> Value {
    json!({"type": 1, "message": "look", "mentionedUserIDs": users, "isMentionAll": all})
}

#[tokio::test]
async fn everyone_in_the_conversation_reads_what_the_sender_passed() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    for to in [To::Peer("bob"), To::Group("g"), To::Room("r")] {
        // Our choice: an outsider and an unknown user stay in the list, because it is what the sender passed.
        let sent = alice.send(to, named(&["bob", "outsider"], true)).await.unwrap();
        assert_eq!((&sent["mentionedUserIDs"], &sent["isMentionAll"]), (&json!(["bob", "outsider"]), &json!(true)));
        assert_eq!(bob.messages(1).await, std::slice::from_ref(&sent));
        assert_eq!(
            bob.newest(match to {
                To::Peer(_) => To::Peer("alice"),
                to => to,
            })
            .await,
            [sent]
        );
    }
}

#[tokio::test]
async fn who_is_named_from_outside_is_told_of_that_message_and_of_no_more() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut carol = world.client("carol").await;
    let mut old = at(&world, "old", "2.13.9").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    for (to, kind, id) in [(To::Peer("bob"), 0, "bob"), (To::Group("g"), 2, "g"), (To::Room("r"), 1, "r")] {
        let sent = alice.send(to, named(&["carol", "old", "bob", "carol", "nobody", "alice"], false)).await.unwrap();
        assert_eq!(carol.event("mentionReceived").await, json!({"conversationID": id, "conversationType": kind, "message": sent}));
        assert_eq!(bob.messages(1).await, std::slice::from_ref(&sent));
    }
    // An answer names her, too: what it answers stays unseen.
    let first = alice.send(To::Group("g"), json!({"type": 1, "message": "not for outsiders"})).await.unwrap();
    let answer = json!({"message": named(&["carol"], false), "toOriginalMessage": {"messageID": first["messageID"], "conversationID": "g", "conversationType": 2}});
    bob.ok("replyMessage", answer).await;
    let told = carol.event("mentionReceived").await["message"].clone();
    assert_eq!((&told["repliedInfo"]["state"], &told["repliedInfo"]["messageInfo"]), (&json!(2), &Value::Null), "{told}");
    // Whom everyone in the conversation means is in it, and who sends may ask that nobody is told.
    alice.send(To::Group("g"), named(&[], true)).await.unwrap();
    let untold = json!({"message": named(&["carol"], false), "toConversationID": "g", "conversationType": 2, "config": {"isNotifyMentionedUsers": false}});
    alice.ok("sendMessage", untold).await;
    alice.send(To::Peer("carol"), named(&["carol"], false)).await.unwrap();
    assert_eq!(carol.messages(1).await[0]["message"], "look");
    alice.say(To::Peer("old"), "now").await;
    assert_eq!(old.texts(1).await, ["now"]);
    for client in [&mut carol, &mut old] {
        assert_eq!(client.take_unread(|frame| frame["event"] == "mentionReceived"), None);
    }
    assert_eq!(
        carol.code("queryHistoryMessage", json!({"conversationID": "g", "conversationType": 2, "config": {"count": 1}})).await,
        6_000_521
    );
    assert_eq!(carol.ok("queryConversationList", json!({"config": {"count": 10}})).await["conversationList"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_is_named_from_outside_is_not_told_where_that_is_switched_off() {
    let world = World::builder().no_rates().config(|config| config.users.mentioned_outside = false).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut carol = world.client("carol").await;
    alice.send(To::Peer("bob"), named(&["carol"], false)).await.unwrap();
    bob.messages(1).await;
    alice.say(To::Peer("carol"), "now").await;
    assert_eq!(carol.texts(1).await, ["now"]);
    assert_eq!(carol.take_unread(|frame| frame["event"] == "mentionReceived"), None);
}

#[tokio::test]
async fn any_kind_carries_a_mention() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    for message in [json!({"type": 2, "message": "AQI="}), json!({"type": 200, "message": "{}", "subType": 1})] {
        let mut message = message;
        message["isMentionAll"] = json!(true);
        alice.send(To::Peer("bob"), message).await.unwrap();
        assert_eq!(bob.messages(1).await[0]["isMentionAll"], true);
    }
}

#[tokio::test]
async fn fifty_users_are_named_and_not_fifty_one() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let names: Vec<String> = (0..51).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(alice.send(To::Peer("bob"), named(&names[..50], false)).await.is_ok());
    let refused = alice.send(To::Peer("bob"), named(&names, false)).await.unwrap_err();
    assert_eq!(refused.code, 6_000_001);
    assert!(refused.message.contains("mentionedUserIDs") && refused.message.contains("51 users, the limit is 50"), "{refused:?}");
    let refused = alice.send(To::Peer("bob"), named(&["not a user id\u{7}"], false)).await.unwrap_err();
    assert!(refused.code == 6_000_001 && refused.message.contains("mentionedUserIDs"), "{refused:?}");
    assert_eq!(bob.messages(1).await.len(), 1);
}

#[tokio::test]
async fn below_2_14_mentions_are_neither_sent_nor_seen_and_1_x_gets_nothing() {
    let world = World::builder().no_rates().start();
    let mut alice = at(&world, "alice", "2.14.0").await;
    let mut old = at(&world, "old", "2.13.9").await;
    let mut ancient = at(&world, "ancient", "1.9.0").await;
    let mut newest = at(&world, "newest", "2.15.0").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["old", "ancient", "newest"]})).await;
    alice.send(To::Group("g"), named(&["old"], true)).await.unwrap();
    alice.say(To::Group("g"), "plain").await;
    let (seen, whole) = (old.messages(2).await, newest.messages(2).await);
    assert_eq!((&seen[0]["message"], &seen[0]["mentionedUserIDs"], &seen[0]["isMentionAll"]), (&json!("look"), &Value::Null, &Value::Null));
    assert_eq!(whole[0]["mentionedUserIDs"], json!(["old"]));
    assert_eq!(ancient.texts(1).await, ["plain"]);
    assert_eq!(old.send(To::Group("g"), named(&["alice"], false)).await.unwrap_err().code, 6_000_013);
    assert_eq!(old.newest(To::Group("g")).await.len(), 2, "and nothing was stored");
}

#[tokio::test]
async fn a_retry_with_other_names_is_not_the_same_message() {
    let world = World::builder().no_rates().start();
    world.client("bob").await;
    let mut alice = world.client("alice").await;
    let mut message = named(&["bob"], false);
    message["localMessageID"] = json!("l-1");
    let first = alice.send(To::Peer("bob"), message.clone()).await.unwrap();
    assert_eq!(alice.send(To::Peer("bob"), message.clone()).await.unwrap(), first);
    message["mentionedUserIDs"] = json!([]);
    assert_eq!(alice.send(To::Peer("bob"), message).await.unwrap_err().code, 6_000_001);
}
