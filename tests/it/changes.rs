//! Changes of messages after they were sent: deleted for oneself, taken back, edited, answered, reacted to, confirmed,
//! pinned. Source: src/protocol/PROTOCOL.md, "After sending".

use serde_json::{Value, json};
use tidings::clock::ManualClock;

use crate::support::{Client, Login, T0, To, World, WorldBuilder, text};

fn handle(message: &Value, conversation: &str, kind: u8) -> Value {
    json!({"messageID": message["messageID"], "messageSeq": message["messageSeq"], "conversationID": conversation, "conversationType": kind})
}

async fn world() -> (World, Client, Client) {
    inhabited(World::builder()).await
}

async fn inhabited(builder: WorldBuilder) -> (World, Client, Client) {
    let world = builder.no_rates().config(|config| config.users.devices_per_user_max = 2).start();
    let alice = world.login(Login { user: "alice", name: "Alice", device: "a1", ..Login::default() }).await;
    let bob = world.login(Login { user: "bob", device: "b1", ..Login::default() }).await;
    (world, alice, bob)
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["message"].as_str().unwrap_or("")).collect()
}

#[tokio::test]
async fn deleting_is_for_oneself_on_all_devices_and_goes_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut alice, mut bob) = inhabited(World::builder().folder(folder.path())).await;
    let mut other = world.login(Login { user: "bob", device: "b2", ..Login::default() }).await;
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.push(alice.say(To::Peer("bob"), &n.to_string()).await);
    }
    bob.texts(5).await;
    let all = json!({"isAlsoDeleteServerMessage": true});
    let list = json!([handle(&sent[1], "alice", 0), {"messageID": sent[4]["messageID"]}]);
    bob.ok("deleteMessages", json!({"messageList": list, "conversationID": "alice", "conversationType": 0, "config": all})).await;
    let deleted = other.event("messageDeleted").await;
    assert_eq!((&deleted["messageDeleteType"], &deleted["conversationID"]), (&json!(0), &json!("alice")));
    assert_eq!(texts(deleted["messageList"].as_array().unwrap()), ["1", "4"]);
    assert_eq!(texts(&bob.newest(To::Peer("alice")).await), ["0", "2", "3"]);
    // The last message and the count follow; the other side keeps everything.
    let entry = bob.ok("queryConversation", json!({"conversationID": "alice", "conversationType": 0})).await;
    assert_eq!((&entry["conversation"]["lastMessage"]["message"], &entry["conversation"]["unreadMessageCount"]), (&json!("3"), &json!(3)));
    assert_eq!(alice.newest(To::Peer("bob")).await.len(), 5);
    let by_seq = json!({"messageSeqs": [1, 2], "conversationID": "alice", "conversationType": 0});
    assert_eq!(texts(bob.ok("queryMessages", by_seq).await["messageList"].as_array().unwrap()), ["0"]);
    // Pages around the gaps, from either end.
    for reverse in [false, true] {
        let first = bob.history(To::Peer("alice"), json!({"count": 2, "reverse": reverse})).await.unwrap();
        let first = first["messageList"].as_array().unwrap().clone();
        assert_eq!(texts(&first), if reverse { ["2", "3"] } else { ["0", "2"] });
        let anchor = if reverse { &first[0] } else { &first[1] };
        let rest = bob.history(To::Peer("alice"), json!({"count": 2, "reverse": reverse, "nextMessage": anchor})).await.unwrap();
        assert_eq!(texts(rest["messageList"].as_array().unwrap()), if reverse { ["0"] } else { ["3"] });
    }
    bob.ok("deleteAllMessage", json!({"conversationID": "alice", "conversationType": 0, "config": all})).await;
    let cleared = other.event("messageDeleted").await;
    assert_eq!((&cleared["messageDeleteType"], &cleared["isDeleteConversationAllMessage"]), (&json!(1), &json!(true)));
    assert_eq!(bob.newest(To::Peer("alice")).await, Vec::<Value>::new());
    alice.say(To::Peer("bob"), "later").await;
    bob.texts(1).await;
    assert_eq!(texts(&bob.newest(To::Peer("alice")).await), ["later"]);
    drop((alice, bob, other));
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut bob = world.client("bob").await;
    assert_eq!(texts(&bob.newest(To::Peer("alice")).await), ["later"]);
    bob.ok("deleteAllConversationMessages", json!({"config": all})).await;
    assert_eq!(bob.newest(To::Peer("alice")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_message_is_taken_back_in_its_place_for_everyone_and_counts_no_more() {
    let (world, mut alice, mut bob) = world().await;
    let mut desk = world.login(Login { user: "alice", device: "a2", ..Login::default() }).await;
    let sent = alice.send(To::Peer("bob"), json!({"type": 1, "message": "oops", "mentionedUserIDs": ["bob"]})).await.unwrap();
    bob.texts(1).await;
    bob.event("conversationTotalUnreadMessageCountUpdated").await;
    let args = json!({"message": handle(&sent, "bob", 0), "config": {"revokeExtendedData": "typo"}});
    let revoked = alice.ok("revokeMessage", args.clone()).await["message"].take();
    assert_eq!((&revoked["type"], &revoked["messageID"], &revoked["messageSeq"]), (&json!(31), &sent["messageID"], &sent["messageSeq"]));
    for (field, value) in [
        ("revokeStatus", json!(0)),
        ("operatedUserID", json!("alice")),
        ("revokeExtendedData", json!("typo")),
        ("originalMessageType", json!(1)),
        ("originalTextMessageContent", json!("oops")),
    ] {
        assert_eq!(revoked[field], value, "{field}");
    }
    for client in [&mut bob, &mut desk] {
        let event = client.event("messageRevokeReceived").await;
        assert_eq!(event["messageList"], json!([revoked]));
    }
    assert_eq!(bob.event("conversationTotalUnreadMessageCountUpdated").await["totalUnreadMessageCount"], 0);
    let entry = bob.ok("queryConversation", json!({"conversationID": "alice", "conversationType": 0})).await["conversation"].take();
    assert_eq!(
        (&entry["lastMessage"]["type"], &entry["mentionedInfoList"]),
        (&json!(31), &Value::Null),
        "a message that was taken back mentions nobody"
    );
    assert_eq!(bob.newest(To::Peer("alice")).await[0]["type"], 31);
    assert_eq!(alice.code("revokeMessage", args).await, 6_000_279);
    let theirs = bob.say(To::Peer("alice"), "mine").await;
    assert_eq!(alice.code("revokeMessage", json!({"message": handle(&theirs, "bob", 0)})).await, 6_000_541);
}

#[tokio::test]
async fn who_was_away_hears_of_what_was_done_meanwhile() {
    let (world, mut alice, mut bob) = world().await;
    let mut sent = Vec::new();
    for text in ["revoke", "edit", "react", "pin"] {
        sent.push(alice.say(To::Peer("bob"), text).await);
    }
    let mut cursor = String::new();
    for _ in 0..4 {
        let frame = bob.frame("a message", |frame| frame["event"] == "receivePeerMessage").await;
        cursor = frame["data"]["cursor"].as_str().unwrap().to_owned();
        if frame["data"]["messageList"].as_array().unwrap().iter().any(|message| message["message"] == "pin") {
            break;
        }
    }
    drop(bob);
    alice.ok("revokeMessage", json!({"message": handle(&sent[0], "bob", 0)})).await;
    let mut edit = handle(&sent[1], "bob", 0);
    (edit["type"], edit["message"]) = (json!(1), json!("edited"));
    alice.ok("editMessage", json!({"message": edit})).await;
    alice.ok("addMessageReaction", json!({"message": handle(&sent[2], "bob", 0), "reactionType": "+1"})).await;
    alice.ok("pinMessage", json!({"message": handle(&sent[3], "bob", 0), "isPinned": true})).await;
    let mut bob = world.login(Login { user: "bob", device: "b1", resume: &cursor, ..Login::default() }).await;
    assert_eq!(bob.event("messageRevokeReceived").await["messageList"][0]["messageID"], sent[0]["messageID"]);
    assert_eq!(bob.event("messageEdited").await["messageList"][0]["message"], "edited");
    let reactions = bob.event("messageReactionsChanged").await;
    assert_eq!((&reactions["reactions"][0]["reactionType"], &reactions["reactions"][0]["conversationID"]), (&json!("+1"), &json!("alice")));
    let pinned = bob.event("messagePinStatusChanged").await;
    assert_eq!((&pinned["infos"][0]["pinStatus"], &pinned["infos"][0]["message"]["message"]), (&json!(1), &json!("pin")));
}

#[tokio::test]
async fn a_window_for_revoking_and_for_editing_ends_by_the_clock() {
    let clock = std::sync::Arc::new(ManualClock::at(T0));
    let world = World::builder().no_rates().clock(clock.clone()).start();
    let mut alice = world.client("alice").await;
    drop(world.client("bob").await);
    let first = alice.say(To::Peer("bob"), "1").await;
    let second = alice.say(To::Peer("bob"), "2").await;
    clock.advance(std::time::Duration::from_secs(120));
    alice.ok("revokeMessage", json!({"message": handle(&first, "bob", 0)})).await;
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(alice.code("revokeMessage", json!({"message": handle(&second, "bob", 0)})).await, 6_000_278);
    let mut edit = handle(&second, "bob", 0);
    (edit["type"], edit["message"]) = (json!(1), json!("new"));
    alice.ok("editMessage", json!({"message": edit.clone()})).await;
    clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    assert_eq!(alice.code("editMessage", json!({"message": edit})).await, 6_000_286);
}

#[tokio::test]
async fn an_edit_is_seen_by_all_and_is_its_senders_alone() {
    let (_world, mut alice, mut bob) = world().await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    let sent = bob.say(To::Group("g"), "teh").await;
    alice.texts(1).await;
    let mut edit = handle(&sent, "g", 2);
    (edit["type"], edit["message"], edit["extendedData"]) = (json!(1), json!("the"), json!("fixed"));
    assert_eq!(alice.code("editMessage", json!({"message": edit.clone()})).await, 6_000_285);
    let edited = bob.ok("editMessage", json!({"message": edit})).await["message"].take();
    assert_eq!((&edited["message"], &edited["editorUserID"], &edited["extendedData"]), (&json!("the"), &json!("bob"), &json!("fixed")));
    assert_eq!(alice.event("messageEdited").await["messageList"], json!([edited]));
    assert_eq!(alice.newest(To::Group("g")).await[0]["message"], "the");
    // The owner of a group takes back what others said.
    let revoked = alice.ok("revokeMessage", json!({"message": handle(&sent, "g", 2)})).await;
    assert_eq!((&revoked["message"]["revokeStatus"], &revoked["message"]["operatedUserID"]), (&json!(4), &json!("alice")));
}

#[tokio::test]
async fn reactions_are_counted_named_and_taken_back() {
    let (world, mut alice, mut bob) = world().await;
    let mut members = vec!["bob".to_owned()];
    for n in 0..6 {
        members.push(format!("u{n}"));
        drop(world.client(&format!("u{n}")).await);
    }
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": members})).await;
    let sent = alice.say(To::Group("g"), "vote").await;
    bob.texts(1).await;
    let react = |kind: &str| json!({"message": handle(&sent, "g", 2), "reactionType": kind});
    let reaction = bob.ok("addMessageReaction", react("👍")).await["reaction"].take();
    assert_eq!(
        (&reaction["totalCount"], &reaction["isSelfIncluded"], &reaction["messageID"]),
        (&json!(1), &json!(true), &sent["messageID"])
    );
    assert_eq!((&reaction["conversationID"], &reaction["userList"]), (&json!("g"), &json!([{"userID": "bob"}])));
    let event = alice.event("messageReactionsChanged").await;
    assert_eq!((&event["reactions"][0]["isSelfIncluded"], &event["reactions"][0]["totalCount"]), (&json!(false), &json!(1)));
    assert_eq!(
        event["changeInfoList"][0]["userChangeInfoList"][0],
        json!({"userID": "bob", "reactionType": "👍", "action": 0, "sumCount": 1})
    );
    assert_eq!(bob.code("addMessageReaction", react("👍")).await, 6_000_280);
    for n in 0..6 {
        world.client(&format!("u{n}")).await.ok("addMessageReaction", react("👍")).await;
    }
    alice.ok("addMessageReaction", react("❤")).await;
    let seen = bob.newest(To::Group("g")).await[0]["reactions"].clone();
    assert_eq!(seen.as_array().unwrap().len(), 2);
    let thumbs = seen.as_array().unwrap().iter().find(|reaction| reaction["reactionType"] == "👍").unwrap();
    assert_eq!((&thumbs["totalCount"], thumbs["userList"].as_array().unwrap().len()), (&json!(7), 5), "only five are named");
    let (mut users, mut next) = (Vec::new(), json!(0));
    loop {
        let config = json!({"reactionType": "👍", "count": 3, "nextFlag": next});
        let page = bob.ok("queryMessageReactionUserList", json!({"message": handle(&sent, "g", 2), "config": config})).await;
        users.extend(page["userList"].as_array().unwrap().clone());
        assert_eq!(page["totalCount"], 7);
        next = page["nextFlag"].clone();
        if next == 0 {
            break;
        }
    }
    assert_eq!(users.len(), 7);
    let left = bob.ok("deleteMessageReaction", react("👍")).await["reaction"].take();
    assert_eq!((&left["totalCount"], &left["isSelfIncluded"]), (&json!(6), &json!(false)));
}

#[tokio::test]
async fn receipts_tell_the_sender_who_has_read() {
    let (world, mut alice, mut bob) = world().await;
    let mut desk = world.login(Login { user: "bob", device: "b2", ..Login::default() }).await;
    let mut carol = world.client("carol").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob", "carol"]})).await;
    let args = |to: &str, kind: u8| json!({"message": {"type": 1, "message": "read me"}, "toConversationID": to, "conversationType": kind, "config": {"hasReceipt": true}});
    let sent = alice.ok("sendMessage", args("g", 2)).await["message"].take();
    assert_eq!(sent["receiptStatus"], 1);
    assert_eq!(bob.messages(1).await[0]["receiptStatus"], 1);
    let read = json!({"messageList": [handle(&sent, "g", 2)], "conversationID": "g", "conversationType": 2});
    bob.ok("sendMessageReceiptsRead", read.clone()).await;
    let info = alice.event("messageReceiptChanged").await["infos"][0].take();
    assert_eq!((&info["status"], &info["readMemberCount"], &info["unreadMemberCount"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(desk.event("messageReceiptChanged").await["infos"][0]["isSelfOperated"], true);
    assert_eq!(bob.newest(To::Group("g")).await[0]["receiptStatus"], 2, "the reader's own copy");
    carol.ok("sendMessageReceiptsRead", read.clone()).await;
    let info = alice.event("messageReceiptChanged").await["infos"][0].take();
    assert_eq!((&info["status"], &info["readMemberCount"], &info["unreadMemberCount"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(alice.newest(To::Group("g")).await[0]["receiptStatus"], 2);
    let infos = alice.ok("queryMessageReceiptsInfo", read.clone()).await;
    assert_eq!((&infos["infos"][0]["readMemberCount"], &infos["infos"][0]["status"]), (&json!(2), &json!(2)));
    let members = |message: &Value| json!({"message": handle(message, "g", 2), "groupID": "g", "config": {"count": 10, "nextFlag": 0}});
    let list = alice.ok("queryGroupMessageReceiptReadMemberList", members(&sent)).await;
    assert_eq!(list["userList"].as_array().unwrap().len(), 2);
    let list = alice.ok("queryGroupMessageReceiptUnreadMemberList", members(&sent)).await;
    assert_eq!(list["userList"], json!([]));
    assert_eq!(bob.code("queryGroupMessageReceiptReadMemberList", members(&sent)).await, 6_000_277);
    // One without a receipt takes none, and one's own neither.
    let plain = alice.say(To::Group("g"), "plain").await;
    let refused = json!({"messageList": [handle(&plain, "g", 2)], "conversationID": "g", "conversationType": 2});
    assert_eq!(bob.ok("sendMessageReceiptsRead", refused).await["errorMessageIDs"], json!([plain["messageID"]]));
    assert_eq!(alice.ok("sendMessageReceiptsRead", read).await["errorMessageIDs"], json!([sent["messageID"]]));
    // In a room nobody is asked.
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    assert_eq!(alice.ok("sendMessage", args("r", 1)).await["message"]["receiptStatus"], Value::Null);
    // Of a peer: everything up to now with one call.
    let direct = alice.ok("sendMessage", args("bob", 0)).await["message"].take();
    bob.event("receivePeerMessage").await;
    bob.ok("sendConversationMessageReceiptRead", json!({"conversationID": "alice", "conversationType": 0})).await;
    let info = alice.event("conversationMessageReceiptChanged").await["infos"][0].take();
    assert_eq!((&info["conversationID"], &info["status"], &info["isSelfOperated"]), (&json!("bob"), &json!(2), &json!(false)));
    assert_eq!(desk.event("conversationMessageReceiptChanged").await["infos"][0]["isSelfOperated"], true);
    let seen = alice.newest(To::Peer("bob")).await;
    assert_eq!((&seen[0]["messageID"], &seen[0]["receiptStatus"]), (&direct["messageID"], &json!(2)));
    assert_eq!(bob.code("sendConversationMessageReceiptRead", json!({"conversationID": "g", "conversationType": 2})).await, 6_000_001);
}

#[tokio::test]
async fn answers_quote_what_they_answer_and_are_counted_below_the_root() {
    let (_world, mut alice, mut bob) = world().await;
    let root = alice.say(To::Peer("bob"), "question").await;
    bob.texts(1).await;
    let reply = |original: &Value, with: &str, text: &str| json!({"message": {"type": 1, "message": text, "localMessageID": text}, "toOriginalMessage": handle(original, with, 0)});
    let answer = bob.ok("replyMessage", reply(&root, "alice", "answer")).await["message"].take();
    let quote = &answer["repliedInfo"];
    assert_eq!((&quote["messageID"], &quote["senderUserID"], &quote["state"]), (&root["messageID"], &json!("alice"), &json!(0)));
    assert_eq!(quote["messageInfo"], json!({"type": 1, "message": "question"}));
    let heard = alice.messages(1).await;
    assert_eq!(heard[0]["repliedInfo"], *quote);
    assert_eq!(alice.event("messageRepliedCountChanged").await["infos"][0]["count"], 1);
    let second = alice.ok("replyMessage", reply(&answer, "bob", "thanks")).await["message"].take();
    assert_eq!(second["repliedInfo"]["messageID"], answer["messageID"]);
    let count = loop {
        let info = bob.event("messageRepliedCountChanged").await["infos"][0].take();
        if info["count"] == 2 {
            break info;
        }
    };
    assert_eq!((&count["messageID"], &count["conversationID"]), (&root["messageID"], &json!("alice")));
    assert_eq!(alice.newest(To::Peer("bob")).await[0]["rootRepliedCount"], 2);
    let config = json!({"count": 10, "nextFlag": 0});
    let list = bob.ok("queryMessageRepliedList", json!({"message": handle(&root, "alice", 0), "config": config})).await;
    assert_eq!(texts(list["messageList"].as_array().unwrap()), ["answer", "thanks"]);
    assert_eq!((&list["rootRepliedInfo"]["repliedCount"], &list["rootRepliedInfo"]["message"]["message"]), (&json!(2), &json!("question")));
    // A retry is answered with the first result; what is taken back is quoted no more.
    let again = bob.ok("replyMessage", reply(&root, "alice", "answer")).await["message"].take();
    assert_eq!(again["messageID"], answer["messageID"]);
    alice.ok("revokeMessage", json!({"message": handle(&root, "bob", 0)})).await;
    let changed = bob.event("messageRepliedInfoChanged").await;
    assert_eq!(changed["messageList"][0]["repliedInfo"]["state"], 1);
    assert_eq!(bob.newest(To::Peer("alice")).await[1]["repliedInfo"]["messageInfo"], json!({"type": 31}));
    let nothing = json!({"messageID": "1", "conversationID": "bob", "conversationType": 0});
    let refused = json!({"message": {"type": 1, "message": "x"}, "toOriginalMessage": nothing});
    assert_eq!(alice.code("replyMessage", refused).await, 6_000_001);
}

#[tokio::test]
async fn ten_messages_are_pinned_and_the_eleventh_takes_the_place_of_the_first() {
    let (_world, mut alice, mut bob) = world().await;
    let mut sent = Vec::new();
    for n in 0..11 {
        sent.push(alice.say(To::Peer("bob"), &n.to_string()).await);
    }
    let pin = |n: usize, with: &str| json!({"message": handle(&sent[n], with, 0), "isPinned": true});
    for n in 0..10 {
        bob.ok("pinMessage", pin(n, "alice")).await;
    }
    let mut strict = pin(10, "bob");
    strict["config"] = json!({"disableAutoReplace": true});
    assert_eq!(alice.code("pinMessage", strict).await, 6_000_287);
    alice.ok("pinMessage", pin(10, "bob")).await;
    let place = json!({"conversationID": "alice", "conversationType": 0});
    let pinned = bob.ok("queryPinnedMessageList", place).await["messageList"].take();
    assert_eq!(texts(pinned.as_array().unwrap()), ["10", "9", "8", "7", "6", "5", "4", "3", "2", "1"]);
    assert_eq!((&pinned[0]["pinnedUserID"], &pinned[1]["pinnedUserID"]), (&json!("alice"), &json!("bob")));
    let event = bob.event("messagePinStatusChanged").await;
    let states: Vec<_> = event["infos"].as_array().unwrap().iter().map(|info| (&info["pinStatus"], &info["message"]["message"])).collect();
    assert_eq!(states, [(&json!(1), &json!("10")), (&json!(0), &json!("0"))]);
    assert_eq!(alice.newest(To::Peer("bob")).await[10]["pinnedUserID"], "alice");
}

#[tokio::test]
async fn messages_are_asked_for_by_seq() {
    let (_world, mut alice, mut bob) = world().await;
    for n in 0..5 {
        alice.say(To::Peer("bob"), &n.to_string()).await;
    }
    let found = bob.ok("queryMessages", json!({"messageSeqs": [5, 2, 99], "conversationID": "alice", "conversationType": 0})).await;
    assert_eq!(texts(found["messageList"].as_array().unwrap()), ["4", "1"]);
}

#[tokio::test]
async fn nobody_changes_what_is_not_theirs_to_see() {
    let (world, mut alice, _bob) = world().await;
    let mut eve = world.client("eve").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    let sent = alice.say(To::Group("g"), "secret").await;
    let message = handle(&sent, "g", 2);
    let config = json!({"reactionType": "x", "count": 1, "nextFlag": 0});
    for (op, args) in [
        ("revokeMessage", json!({"message": message})),
        ("addMessageReaction", json!({"message": message, "reactionType": "x"})),
        ("pinMessage", json!({"message": message, "isPinned": true})),
        ("sendMessageReceiptsRead", json!({"messageList": [message], "conversationID": "g", "conversationType": 2})),
        ("queryMessageReactionUserList", json!({"message": message, "config": config})),
        ("queryMessages", json!({"messageSeqs": [1], "conversationID": "g", "conversationType": 2})),
        ("queryPinnedMessageList", json!({"conversationID": "g", "conversationType": 2})),
    ] {
        assert_eq!(eve.code(op, args).await, 6_000_521, "{op}");
    }
    // Who came later does not reach what was said before.
    eve.ok("joinGroup", json!({"groupID": "g"})).await;
    assert_eq!(eve.code("addMessageReaction", json!({"message": message, "reactionType": "x"})).await, 6_000_001);
    let found = eve.ok("queryMessages", json!({"messageSeqs": [1], "conversationID": "g", "conversationType": 2})).await;
    assert_eq!(found["messageList"], json!([]));
}

#[tokio::test]
async fn an_edited_message_keeps_its_answers_its_pin_and_its_reactions() {
    let (_world, mut alice, mut bob) = world().await;
    let sent = alice.say(To::Peer("bob"), "teh").await;
    let original = handle(&sent, "bob", 0);
    let theirs = handle(&sent, "alice", 0);
    bob.ok("replyMessage", json!({"message": text("yes"), "toOriginalMessage": theirs.clone()})).await;
    bob.ok("addMessageReaction", json!({"reactionType": "up", "message": theirs.clone()})).await;
    bob.ok("pinMessage", json!({"message": theirs, "isPinned": true})).await;
    let mut edit = original;
    (edit["type"], edit["message"]) = (json!(1), json!("the"));
    let edited = alice.ok("editMessage", json!({"message": edit})).await["message"].take();
    assert_eq!((&edited["rootRepliedCount"], &edited["pinnedUserID"]), (&json!(1), &json!("bob")));
    assert_eq!(edited["reactions"][0]["totalCount"], 1);
    let told = bob.event("messageEdited").await["messageList"][0].take();
    assert_eq!((&told["message"], &told["rootRepliedCount"], &told["pinnedUserID"]), (&json!("the"), &json!(1), &json!("bob")));
    assert!(told["reactions"].is_null(), "who reacted is another list for each reader");
}
