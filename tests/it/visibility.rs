//! What a reader sees of messages it may see only in part: the same live, in history, by search, in the list, and after a return.

use serde_json::{Value, json};

use crate::support::{Client, Login, To, World, text, until};

fn handle(message: &Value, conversation: &str, kind: u8) -> Value {
    json!({
        "messageID": message["messageID"], "messageSeq": message["messageSeq"], "conversationID": conversation, "conversationType": kind,
    })
}

fn answer_to(message: &Value, conversation: &str, kind: u8, content: &str) -> Value {
    json!({"message": text(content), "toOriginalMessage": handle(message, conversation, kind)})
}

/// Waits until everything that was on its way has arrived: an answer leaves after it.
async fn nothing_named(client: &mut Client, names: &[&str]) {
    client.ok("ping", json!({})).await;
    for name in names {
        let heard = client.take_unread(|frame| frame["event"] == *name);
        assert_eq!(heard, None, "{name} is not for this user");
    }
}

/// A group in which `secret` was said before eve joined.
async fn late_member() -> (World, Client, Client, Client, Value) {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut eve = world.client("eve").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    let secret = alice.say(To::Group("g"), "secret").await;
    bob.messages(1).await;
    eve.ok("joinGroup", json!({"groupID": "g"})).await;
    (world, alice, bob, eve, secret)
}

#[tokio::test]
async fn the_quote_of_what_was_said_before_ones_time_is_hidden_live_in_history_by_search_and_in_the_list() {
    let (_world, mut alice, mut bob, mut eve, secret) = late_member().await;
    let answer = bob.ok("replyMessage", answer_to(&secret, "g", 2, "yes")).await["message"].take();
    assert_eq!(answer["repliedInfo"]["messageInfo"]["message"], "secret");
    assert_eq!(alice.messages(1).await[0]["repliedInfo"]["messageInfo"]["message"], "secret");
    let hidden = json!({"state": 2, "messageID": secret["messageID"], "messageSeq": secret["messageSeq"]});
    assert_eq!(eve.messages(1).await[0]["repliedInfo"], hidden, "live");
    assert_eq!(eve.newest(To::Group("g")).await[0]["repliedInfo"], hidden, "history");
    for (op, args) in [
        ("searchGlobalLocalMessages", json!({"config": {"keywords": ["yes"], "count": 10}})),
        ("searchLocalMessages", json!({"conversationID": "g", "conversationType": 2, "config": {"keywords": ["yes"], "count": 10}})),
    ] {
        let found = eve.ok(op, args).await;
        assert_eq!(found["messageList"][0]["repliedInfo"], hidden, "{op}");
    }
    let list = eve.ok("queryConversationList", json!({"config": {"count": 10}})).await;
    assert_eq!(list["conversationList"][0]["lastMessage"]["repliedInfo"], hidden, "list");
}

#[tokio::test]
async fn the_list_does_not_quote_what_its_user_cleared() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let first = alice.say(To::Peer("bob"), "first").await;
    bob.messages(1).await;
    bob.ok("deleteAllMessage", json!({"conversationID": "alice", "conversationType": 0})).await;
    alice.ok("replyMessage", answer_to(&first, "bob", 0, "second")).await;
    bob.messages(1).await;
    let list = bob.ok("queryConversationList", json!({"config": {"count": 10}})).await;
    let last = &list["conversationList"][0]["lastMessage"];
    assert_eq!((&last["message"], &last["repliedInfo"]["state"]), (&json!("second"), &json!(2)));
    assert_eq!(last["repliedInfo"]["messageInfo"], Value::Null);
}

#[tokio::test]
async fn changes_of_what_was_said_before_ones_time_are_not_told() {
    let (_world, mut alice, mut bob, mut eve, secret) = late_member().await;
    let other = alice.say(To::Group("g"), "old news").await;
    bob.ok("addMessageReaction", json!({"reactionType": "up", "message": handle(&secret, "g", 2)})).await;
    bob.ok("pinMessage", json!({"isPinned": true, "message": handle(&secret, "g", 2)})).await;
    bob.ok("replyMessage", answer_to(&secret, "g", 2, "yes")).await;
    let mut edit = handle(&secret, "g", 2);
    (edit["type"], edit["message"]) = (json!(1), json!("still secret"));
    alice.ok("editMessage", json!({"message": edit})).await;
    assert_eq!(bob.event("messageEdited").await["messageList"][0]["message"], "still secret");
    let changed = eve.event("messageRepliedInfoChanged").await;
    assert_eq!(changed["messageList"][0]["repliedInfo"]["state"], 2, "eve's answer hears of it, and still quotes nothing");
    assert_eq!(changed["messageList"][0]["repliedInfo"]["messageInfo"], Value::Null);
    alice.ok("revokeMessage", json!({"message": handle(&secret, "g", 2)})).await;
    bob.event("messageRevokeReceived").await;
    let names =
        ["messageReactionsChanged", "messagePinStatusChanged", "messageEdited", "messageRevokeReceived", "messageRepliedCountChanged"];
    nothing_named(&mut eve, &names).await;
    // What is said in its time is told.
    alice.ok("editMessage", json!({"message": {"type": 1, "message": "news", "messageID": other["messageID"], "conversationID": "g", "conversationType": 2}})).await;
    assert_eq!(eve.event("messageEdited").await["messageList"][0]["message"], "news");
}

#[tokio::test]
async fn an_event_that_all_hear_carries_nothing_of_who_caused_it() {
    let world = World::with(|config| config.limits.pinned_messages_max = 1);
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let first = json!({"type": 1, "message": "first"});
    let args = json!({"message": first, "toConversationID": "bob", "conversationType": 0, "config": {"hasReceipt": true}});
    let first = alice.ok("sendMessage", args).await["message"].take();
    let second = alice.say(To::Peer("bob"), "second").await;
    bob.messages(2).await;
    bob.ok("addMessageReaction", json!({"reactionType": "up", "message": handle(&first, "alice", 0)})).await;
    bob.ok("pinMessage", json!({"isPinned": true, "message": handle(&first, "alice", 0)})).await;
    alice.event("messagePinStatusChanged").await;
    // The first gives way to the second: told without bob's own view of it.
    bob.ok("pinMessage", json!({"isPinned": true, "message": handle(&second, "alice", 0)})).await;
    let infos = alice.event("messagePinStatusChanged").await["infos"].take();
    assert_eq!((&infos[1]["pinStatus"], &infos[1]["message"]["message"]), (&json!(0), &json!("first")));
    assert_eq!(infos[1]["message"]["reactions"], Value::Null);
    assert_eq!(infos[1]["message"]["receiptStatus"], 1, "as it is sent to all");
}

#[tokio::test]
async fn a_replayed_answer_is_as_it_was_live() {
    let world = World::builder().no_rates().start();
    let mut events = world.broker.subscribe();
    let login = |resume| Login { user: "bob", device: "d", resume, ..Login::default() };
    let mut bob = world.login(login("")).await;
    let mut phone = world.client("carol").await;
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob", "carol"]})).await;
    let question = alice.say(To::Group("g"), "question").await;
    let cursor = bob.event("receiveGroupMessage").await["cursor"].as_str().unwrap().to_owned();
    phone.messages(1).await;
    drop(bob);
    crate::support::session_ended(&mut events, "bob").await;
    alice.ok("replyMessage", answer_to(&question, "g", 2, "answer")).await;
    let live = phone.messages(1).await[0].take();
    let mut bob = world.login(login(&cursor)).await;
    let replayed = bob.messages(1).await[0].take();
    assert_eq!(replayed["repliedInfo"]["messageInfo"]["message"], "question");
    assert_eq!(replayed, live);
}

#[tokio::test]
async fn a_retried_answer_is_answered_with_all_of_the_first_result() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let question = alice.say(To::Peer("bob"), "question").await;
    bob.messages(1).await;
    let mut reply = answer_to(&question, "alice", 0, "answer");
    reply["message"]["localMessageID"] = json!("r-1");
    let first = bob.ok("replyMessage", reply.clone()).await;
    assert_eq!(first["message"]["repliedInfo"]["messageInfo"]["message"], "question");
    assert_eq!(bob.ok("replyMessage", reply).await, first);
}

#[tokio::test]
async fn who_is_displaced_has_been_there_until_then() {
    let world = World::builder().no_rates().start();
    let mut events = world.broker.subscribe();
    // It was there before: where it left then is remembered.
    drop(world.device("bob", "phone").await);
    crate::support::session_ended(&mut events, "bob").await;
    let mut phone = world.device("bob", "phone").await;
    let mut alice = world.client("alice").await;
    alice.say(To::Peer("bob"), "heard on the phone").await;
    assert_eq!(phone.texts(1).await, ["heard on the phone"]);
    let mut tablet = world.device("bob", "tablet").await;
    phone.closed().await;
    nothing_named(&mut tablet, &["receivePeerMessage"]).await;
}

#[tokio::test]
async fn a_takeover_by_the_same_device_is_no_coming() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let _bob = world.device("bob", "phone").await;
    alice.ok("subscribeUsersStatus", json!({"userIDs": ["bob"], "config": {"subscriptionDuration": 10}})).await;
    nothing_named(&mut alice, &[]).await;
    alice.forget_unread();
    let _again = world.device("bob", "phone").await;
    nothing_named(&mut alice, &["userStatusUpdated"]).await;
}

#[tokio::test]
async fn owners_of_conversations_that_refused_a_change_leave_when_idle() {
    let world = World::with(|config| config.actors.idle_seconds = 1);
    let mut alice = world.client("alice").await;
    let nothing = json!({"messageID": "1", "messageSeq": 1, "conversationID": "bob", "conversationType": 0});
    alice
        .code(
            "editMessage",
            json!({"message": {"type": 1, "message": "x", "messageID": "1", "conversationID": "bob", "conversationType": 0}}),
        )
        .await;
    alice.ok("sendMessageReceiptsRead", json!({"messageList": [nothing], "conversationID": "bob", "conversationType": 0})).await;
    until("the peer's actor leaves", || world.broker.stats().peers == 0).await;
}
