//! Several messages as one, and what the broker itself says in a group. Source: ZIM guides "Forward messages" and
//! "Receive tip messages".

use serde_json::{Value, json};

use crate::support::{Client, Login, To, World};

fn combined(children: &Value) -> Value {
    json!({"type": 100, "title": "Notes", "summary": "two of them", "messageList": children})
}

fn handle(message: &Value, conversation: &str, kind: u8) -> Value {
    json!({"combineID": message["combineID"], "messageID": message["messageID"], "conversationID": conversation, "conversationType": kind})
}

/// Reads all children of a combined message, page by page.
async fn detail(client: &mut Client, message: &Value) -> Vec<Value> {
    let (mut children, mut next) = (Vec::new(), json!(0));
    loop {
        let page = client.ok("queryCombineMessageDetail", json!({"message": message, "config": {"next": next}})).await;
        children.extend(page["message"]["messageList"].as_array().unwrap().clone());
        if page["more"] != true {
            return children;
        }
        next = page["next"].clone();
    }
}

#[tokio::test]
async fn a_combined_message_is_kept_once_and_its_children_are_fetched_by_receivers() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().no_rates().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut eve = world.client("eve").await;
    let one = alice.say(To::Peer("bob"), "one").await;
    let two = alice.send(To::Peer("bob"), json!({"type": 200, "message": "{}", "subType": 3, "extendedData": "e"})).await.unwrap();
    bob.messages(2).await;
    let nested = json!({"type": 100, "title": "Inner", "summary": "", "senderUserID": "alice", "messageList": [one]});
    let sent = alice.send(To::Peer("bob"), combined(&json!([one, two, nested]))).await.unwrap();
    assert_eq!((&sent["type"], &sent["title"], &sent["messageList"]), (&json!(100), &json!("Notes"), &Value::Null));
    let heard = bob.messages(1).await.remove(0);
    assert_eq!(heard["combineID"], sent["combineID"]);
    let children = detail(&mut bob, &handle(&heard, "alice", 0)).await;
    assert_eq!(children.len(), 3);
    for (child, original) in [(&children[0], &one), (&children[1], &two)] {
        for field in ["type", "message", "senderUserID", "messageID", "timestamp"] {
            assert_eq!(child[field], original[field], "{field}");
        }
    }
    assert_eq!((&children[1]["subType"], &children[1]["extendedData"]), (&json!(3), &json!("e")));
    let inner = detail(&mut bob, &children[2]).await;
    assert_eq!((inner.len(), &inner[0]["message"]), (1, &json!("one")));
    // Nobody else, and not a made-up one.
    assert_eq!(eve.code("queryCombineMessageDetail", json!({"message": handle(&heard, "alice", 0)})).await, 6_000_001);
    assert_eq!(bob.code("queryCombineMessageDetail", json!({"message": {"combineID": "x"}})).await, 6_000_001);
    // Forwarded as it came, nested ones too; it outlives the revocation of what it came from.
    let forward = json!({"type": 100, "title": "Notes", "summary": "two of them", "combineID": heard["combineID"]});
    let passed = bob.send(To::Peer("eve"), forward).await.unwrap();
    alice.ok("revokeMessage", json!({"message": {"messageID": sent["messageID"], "conversationID": "bob", "conversationType": 0}})).await;
    let heard = eve.messages(1).await.remove(0);
    assert_eq!(detail(&mut eve, &handle(&heard, "bob", 0)).await[..2], children[..2]);
    assert_ne!(passed["combineID"], sent["combineID"]);
    assert_eq!(bob.code("queryCombineMessageDetail", json!({"message": handle(&sent, "alice", 0)})).await, 6_000_001, "taken back");
    drop((alice, bob, eve));
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut eve = world.client("eve").await;
    assert_eq!(detail(&mut eve, &handle(&heard, "bob", 0)).await.len(), 3);
}

#[tokio::test]
async fn large_ones_travel_in_pages_below_the_frame_limit() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    // Seven texts of 30,000 bytes just fit a frame; quotes would double on the way back, and do not fit one.
    let child = json!({"type": 1, "message": "\u{1}".repeat(5_000), "senderUserID": "alice"});
    let children: Vec<Value> = vec![child; 8];
    let sent = alice.send(To::Peer("bob"), combined(&json!(children))).await.unwrap();
    let first = bob.ok("queryCombineMessageDetail", json!({"message": handle(&sent, "alice", 0)})).await;
    assert_eq!(first["more"], true);
    assert_eq!(detail(&mut bob, &handle(&sent, "alice", 0)).await.len(), 8);
}

#[tokio::test]
async fn a_combined_message_has_its_limits_and_a_retry_is_known() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    drop(world.client("bob").await);
    let text = json!({"type": 1, "message": "x", "senderUserID": "alice"});
    for (list, field) in [
        (json!([]), "message.messageList"),
        (json!([text, {"type": 20, "message": "b", "senderUserID": "alice"}]), "message.messageList[1].type"),
        (json!([{"type": 2, "message": "AQI=", "senderUserID": "alice"}]), "message.messageList[0].type"),
        (json!([{"type": 31, "senderUserID": "alice"}]), "message.type"),
    ] {
        let refused = alice.send(To::Peer("bob"), combined(&list)).await.unwrap_err();
        assert_eq!(refused.code, 6_000_001);
        assert!(refused.message.starts_with(field), "{}", refused.message);
    }
    let mut message = combined(&json!([text]));
    message["localMessageID"] = json!("l-1");
    let first = alice.send(To::Peer("bob"), message.clone()).await.unwrap();
    assert_eq!(alice.send(To::Peer("bob"), message.clone()).await.unwrap()["messageID"], first["messageID"]);
    message["messageList"] = json!([text, text]);
    assert_eq!(alice.send(To::Peer("bob"), message).await.unwrap_err().code, 6_000_001, "other content under the same id");
}

#[tokio::test]
async fn a_group_says_who_came_and_went_to_clients_of_2_15_and_later() {
    let world = World::builder().no_rates().config(|config| config.group.tips = true).start();
    let mut alice = world.login(Login { user: "alice", name: "Alice", ..Login::default() }).await;
    let mut bob = world.client("bob").await;
    let mut old = world.login(Login { user: "carol", version: "2.14.0", ..Login::default() }).await;
    drop(world.client("dave").await);
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob", "carol"]})).await;
    alice.ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": ["dave"]})).await;
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["dave"]})).await;
    bob.say(To::Group("g"), "hi").await;
    bob.ok("leaveGroup", json!({"groupID": "g"})).await;
    bob.ok("joinGroup", json!({"groupID": "g"})).await;
    let seen = alice.messages(6).await;
    let tips: Vec<_> =
        seen.iter().filter(|message| message["type"] == 32).map(|tip| (&tip["event"], &tip["operatedUser"]["userID"])).collect();
    let expected = [(1, "alice"), (4, "alice"), (6, "alice"), (5, "bob"), (3, "bob")].map(|(event, who)| (json!(event), json!(who)));
    assert_eq!(tips.iter().map(|(event, who)| ((*event).clone(), (*who).clone())).collect::<Vec<_>>(), expected);
    assert_eq!(seen[0]["targetUserList"].as_array().unwrap().len(), 3);
    assert_eq!(seen[0]["operatedUser"]["userName"], "Alice");
    // An older client hears only what was said, in its history too, and a tip counts nowhere.
    assert_eq!(old.texts(1).await, ["hi"]);
    assert_eq!(old.newest(To::Group("g")).await.len(), 1);
    let entry = old.ok("queryConversation", json!({"conversationID": "g", "conversationType": 2})).await;
    assert_eq!(entry["conversation"]["unreadMessageCount"], 1);
    // A tip is not deleted one by one, nor revoked, nor reacted to.
    let tip = json!({"messageID": seen[0]["messageID"], "conversationID": "g", "conversationType": 2});
    let delete = json!({"messageList": [tip], "conversationID": "g", "conversationType": 2});
    assert_eq!(alice.code("deleteMessages", delete).await, 6_000_001);
    assert_eq!(alice.code("revokeMessage", json!({"message": tip})).await, 6_000_001);
    assert_eq!(alice.code("addMessageReaction", json!({"message": tip, "reactionType": "x"})).await, 6_000_001);
    // The last one stands in the lists of those who were in it.
    alice.ok("dismissGroup", json!({"groupID": "g"})).await;
    let entry = bob.ok("queryConversation", json!({"conversationID": "g", "conversationType": 2})).await["conversation"].take();
    assert_eq!((&entry["lastMessage"]["event"], &entry["isDisabled"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn without_the_setting_a_group_says_nothing() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": []})).await;
    assert_eq!(alice.newest(To::Group("g")).await, Vec::<Value>::new());
    assert_eq!(alice.code("queryConversation", json!({"conversationID": "g", "conversationType": 2})).await, 6_000_603);
}
