//! The list of conversations over the wire: what makes an entry, what counts as unread, who mentioned whom, and what
//! each device is told. Source: src/protocol/PROTOCOL.md, "Conversations".

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Login, To, World, pluck};

fn peer(id: &str) -> Value {
    json!({"conversationID": id, "conversationType": 0})
}

fn group(id: &str) -> Value {
    json!({"conversationID": id, "conversationType": 2})
}

/// Returns the next change of that conversation; others before it are skipped.
async fn changed(client: &mut Client, id: &str) -> (u64, Value) {
    loop {
        let data = client.event("conversationChanged").await;
        for info in data["infoList"].as_array().unwrap() {
            if info["conversation"]["conversationID"] == id {
                return (info["event"].as_u64().unwrap(), info["conversation"].clone());
            }
        }
    }
}

/// Waits until the total is as given.
async fn total(client: &mut Client, wanted: u64) {
    loop {
        if client.event("conversationTotalUnreadMessageCountUpdated").await["totalUnreadMessageCount"] == wanted {
            return;
        }
    }
}

async fn list(client: &mut Client, config: Value) -> Vec<Value> {
    client.ok("queryConversationList", json!({"config": config})).await["conversationList"].as_array().unwrap().clone()
}

fn ids(list: &[Value]) -> Vec<&str> {
    list.iter().map(|entry| entry["conversationID"].as_str().unwrap()).collect()
}

fn unread(entry: &Value) -> u64 {
    entry["unreadMessageCount"].as_u64().unwrap_or(0)
}

async fn world() -> (World, Client, Client) {
    let world = World::builder().no_rates().config(|config| config.users.devices_per_user_max = 2).start();
    let alice = world.login(Login { user: "alice", name: "Alice", device: "a1", ..Login::default() }).await;
    let bob = world.login(Login { user: "bob", name: "Bob", device: "b1", ..Login::default() }).await;
    (world, alice, bob)
}

#[tokio::test]
async fn the_first_storable_message_makes_an_entry_on_both_sides_and_counts_on_one() {
    let (_world, mut alice, mut bob) = world().await;
    assert_eq!(alice.code("queryConversation", peer("bob")).await, 6_000_603);
    // A command makes no entry and counts nowhere.
    alice.send(To::Peer("bob"), json!({"type": 2, "message": "AQI="})).await.unwrap();
    let sent = alice.say(To::Peer("bob"), "hi").await;
    let (event, entry) = changed(&mut bob, "alice").await;
    assert_eq!((event, unread(&entry), &entry["type"]), (0, 1, &json!(0)));
    assert_eq!((&entry["conversationName"], &entry["lastMessage"]["messageID"]), (&json!("Alice"), &sent["messageID"]));
    assert_eq!(entry["orderKey"], sent["orderKey"]);
    total(&mut bob, 1).await;
    let (event, entry) = changed(&mut alice, "bob").await;
    assert_eq!((event, unread(&entry), &entry["conversationName"]), (0, 0, &json!("Bob")), "own messages never count");
    alice.say(To::Peer("bob"), "again").await;
    let (event, entry) = changed(&mut bob, "alice").await;
    assert_eq!((event, unread(&entry)), (1, 2));
    let asked = bob.ok("queryConversation", peer("alice")).await;
    assert_eq!(asked["conversation"], entry);
    assert_eq!(bob.ok("queryConversationTotalUnreadMessageCount", json!({})).await["unreadMessageCount"], 2);
    assert_eq!(bob.code("queryConversation", json!({"conversationID": "r", "conversationType": 1})).await, 6_000_001);
}

#[tokio::test]
async fn what_came_while_a_user_was_away_is_counted_at_its_login_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().no_rates().frozen().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    let mut carol = world.client("carol").await;
    drop(world.client("bob").await);
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob", "carol"]})).await;
    for n in 0..3 {
        alice.say(To::Group("g"), &format!("{n}")).await;
    }
    world.advance(Duration::from_millis(1));
    carol.say(To::Peer("bob"), "psst").await;
    drop((alice, carol));
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut bob = world.client("bob").await;
    total(&mut bob, 4).await;
    let entries = list(&mut bob, json!({"count": 10})).await;
    assert_eq!(ids(&entries), ["carol", "g"]);
    assert_eq!((unread(&entries[0]), unread(&entries[1]), &entries[1]["conversationName"]), (1, 3, &json!("G")));
    assert_eq!(entries[1]["lastMessage"]["message"], "2");
}

#[tokio::test]
async fn clearing_on_one_device_clears_all_with_the_mentions() {
    let (world, mut alice, mut bob) = world().await;
    let mut other = world.login(Login { user: "bob", device: "b2", ..Login::default() }).await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    let named = json!({"type": 1, "message": "look", "mentionedUserIDs": ["bob", "zoe"], "isMentionAll": true});
    let sent = alice.send(To::Group("g"), named).await.unwrap();
    for device in [&mut bob, &mut other] {
        let (_, entry) = changed(device, "g").await;
        let mention = json!({"type": 3, "fromUserID": "alice", "messageID": sent["messageID"], "messageSeq": sent["messageSeq"]});
        assert_eq!(entry["mentionedInfoList"], json!([mention]), "the entry names the message, its sender and the kind of mention");
    }
    let (_, own) = changed(&mut alice, "g").await;
    assert_eq!(own["mentionedInfoList"], Value::Null, "a sender names not itself");
    // Reading history clears nothing, and asking for the entry says so.
    bob.newest(To::Group("g")).await;
    assert_eq!(unread(&bob.ok("queryConversation", group("g")).await["conversation"]), 1);
    bob.ok("clearConversationUnreadMessageCount", group("g")).await;
    for device in [&mut bob, &mut other] {
        let (event, entry) = changed(device, "g").await;
        assert_eq!((event, unread(&entry), &entry["mentionedInfoList"]), (1, 0, &Value::Null));
        total(device, 0).await;
    }
    alice.say(To::Group("g"), "1").await;
    alice.say(To::Peer("bob"), "2").await;
    total(&mut other, 2).await;
    bob.ok("clearConversationTotalUnreadMessageCount", json!({})).await;
    total(&mut other, 0).await;
    let entries = list(&mut other, json!({"count": 10})).await;
    assert!(entries.iter().all(|entry| unread(entry) == 0), "{entries:?}");
}

#[tokio::test]
async fn older_clients_see_conversations_without_mentions() {
    let (world, mut alice, _bob) = world().await;
    let mut old = world.login(Login { user: "carol", version: "2.13.0", ..Login::default() }).await;
    alice.send(To::Peer("carol"), json!({"type": 1, "message": "look", "mentionedUserIDs": ["carol"]})).await.unwrap();
    let (_, entry) = changed(&mut old, "alice").await;
    assert_eq!((unread(&entry), &entry["mentionedInfoList"], &entry["lastMessage"]["mentionedUserIDs"]), (1, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn pages_of_any_size_give_the_same_list_pinned_first() {
    // What happens in the same millisecond has no order between conversations.
    let world = World::builder().no_rates().frozen().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    for n in 0..6 {
        let mut friend = world.client(&format!("u{n}")).await;
        friend.say(To::Peer("bob"), "hi").await;
        world.advance(Duration::from_millis(1));
    }
    alice.say(To::Peer("bob"), "hi").await;
    for pinned in ["u1", "u3"] {
        let mut args = peer(pinned);
        args["isPinned"] = json!(true);
        world.advance(Duration::from_millis(1));
        bob.ok("updateConversationPinnedState", args).await;
        let (_, entry) = changed(&mut bob, pinned).await;
        if entry["isPinned"] == Value::Null {
            assert_eq!(changed(&mut bob, pinned).await.1["isPinned"], true);
        }
    }
    let whole = list(&mut bob, json!({"count": 100})).await;
    assert_eq!(ids(&whole), ["u3", "u1", "alice", "u5", "u4", "u2", "u0"]);
    assert_eq!(whole[0]["isPinned"], true);
    for count in 1..=7 {
        let (mut paged, mut next) = (Vec::new(), Value::Null);
        loop {
            let page = list(&mut bob, json!({"count": count, "nextConversation": next})).await;
            let Some(last) = page.last() else { break };
            // What a program may have kept of it.
            next = json!({"conversationID": last["conversationID"], "type": last["type"]});
            paged.extend(page);
        }
        assert_eq!(ids(&paged), ids(&whole), "pages of {count}");
    }
    let pinned = bob.ok("queryConversationPinnedList", json!({"config": {"count": 10}})).await;
    assert_eq!(ids(pinned["conversationList"].as_array().unwrap()), ["u3", "u1"]);
    let mut args = peer("u3");
    args["isPinned"] = json!(false);
    world.advance(Duration::from_millis(1));
    bob.ok("updateConversationPinnedState", args).await;
    assert_eq!(ids(&list(&mut bob, json!({"count": 2})).await), ["u1", "u3"], "a change of the pin raises it");
}

#[tokio::test]
async fn the_hundred_and_first_pin_is_refused() {
    let world = World::builder().no_rates().config(|config| config.limits.pinned_conversations_max = 2).start();
    let mut bob = world.client("bob").await;
    for n in 0..3 {
        let id = format!("u{n}");
        world.client(&id).await.say(To::Peer("bob"), "hi").await;
        let mut args = peer(&id);
        args["isPinned"] = json!(true);
        let pinned = bob.call("updateConversationPinnedState", args).await.map_err(|error| error.code);
        assert_eq!(pinned.err(), if n < 2 { None } else { Some(6_000_604) });
    }
}

#[tokio::test]
async fn a_muted_conversation_counts_for_itself_and_not_in_the_total() {
    let (_world, mut alice, mut bob) = world().await;
    alice.say(To::Peer("bob"), "1").await;
    total(&mut bob, 1).await;
    let mut args = peer("alice");
    args["status"] = json!(2);
    bob.ok("setConversationNotificationStatus", args.clone()).await;
    total(&mut bob, 0).await;
    alice.say(To::Peer("bob"), "2").await;
    let entry = loop {
        let (_, entry) = changed(&mut bob, "alice").await;
        if unread(&entry) == 2 {
            break entry;
        }
    };
    assert_eq!(entry["notificationStatus"], 2);
    args["status"] = json!(1);
    bob.ok("setConversationNotificationStatus", args).await;
    total(&mut bob, 2).await;
}

#[tokio::test]
async fn a_deleted_entry_is_gone_on_every_device_keeps_its_messages_and_comes_back_with_the_next() {
    let (world, mut alice, mut bob) = world().await;
    let mut other = world.login(Login { user: "bob", device: "b2", ..Login::default() }).await;
    alice.say(To::Peer("bob"), "1").await;
    total(&mut other, 1).await;
    bob.ok("deleteConversation", peer("alice")).await;
    total(&mut other, 0).await;
    let (event, _) = loop {
        let (event, entry) = changed(&mut other, "alice").await;
        if event == 3 {
            break (event, entry);
        }
    };
    assert_eq!(event, 3);
    assert_eq!(bob.code("queryConversation", peer("alice")).await, 6_000_603);
    assert_eq!(list(&mut other, json!({"count": 10})).await, Vec::<Value>::new());
    assert_eq!(bob.newest(To::Peer("alice")).await.len(), 1);
    alice.say(To::Peer("bob"), "2").await;
    let (event, entry) = loop {
        let (event, entry) = changed(&mut other, "alice").await;
        if entry["lastMessage"]["message"] == "2" {
            break (event, entry);
        }
    };
    assert_eq!((event, unread(&entry)), (0, 1));
    assert_eq!(unread(&alice.ok("queryConversation", peer("bob")).await["conversation"]), 0, "the other side keeps its own");
    bob.ok("deleteAllConversations", json!({"config": {"isAlsoDeleteServerConversation": true}})).await;
    assert_eq!(other.event("conversationsAllDeleted").await["count"], 1);
    assert_eq!(bob.code("deleteAllConversations", json!({"config": {"isAlsoDeleteServerConversation": false}})).await, 6_000_001);
}

#[tokio::test]
async fn who_is_out_of_a_group_keeps_its_entry_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().no_rates().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut carol = world.client("carol").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob", "carol"]})).await;
    alice.say(To::Group("g"), "1").await;
    for client in [&mut bob, &mut carol] {
        assert_eq!(changed(client, "g").await.0, 0);
    }
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["bob"]})).await;
    let (event, entry) = changed(&mut bob, "g").await;
    assert_eq!((event, &entry["isDisabled"], &entry["lastMessage"]["message"]), (2, &json!(true), &json!("1")));
    alice.say(To::Group("g"), "2").await;
    assert_eq!(changed(&mut carol, "g").await.1["lastMessage"]["message"], "2");
    assert_eq!(bob.ok("queryConversation", group("g")).await["conversation"]["lastMessage"]["message"], "1");
    alice.ok("dismissGroup", json!({"groupID": "g"})).await;
    let (event, entry) = changed(&mut carol, "g").await;
    assert_eq!((event, &entry["lastMessage"]["message"]), (2, &json!("2")));
    // It stands so after a restart, until it is deleted.
    drop((alice, bob, carol));
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut carol = world.client("carol").await;
    assert_eq!(ids(&list(&mut carol, json!({"count": 10})).await), ["g"]);
    carol.ok("deleteConversation", group("g")).await;
    assert_eq!(list(&mut carol, json!({"count": 10})).await, Vec::<Value>::new());
}

#[tokio::test]
async fn who_was_kicked_and_is_invited_again_is_told_of_the_entrys_return() {
    let world = World::builder().no_rates().config(|config| config.group.tips = true).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    alice.say(To::Group("g"), "1").await;
    while changed(&mut bob, "g").await.1["lastMessage"]["message"] != "1" {}
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["bob"]})).await;
    while changed(&mut bob, "g").await.0 != 2 {}
    alice.ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": ["bob"]})).await;
    while changed(&mut bob, "g").await.1["isDisabled"] == true {}
    let listed = list(&mut bob, json!({"count": 10})).await;
    assert_eq!((ids(&listed), &listed[0]["isDisabled"]), (vec!["g"], &Value::Null), "{listed:?}");
}

#[tokio::test]
async fn an_entry_follows_the_name_of_the_other_side() {
    let (_world, mut alice, mut bob) = world().await;
    alice.say(To::Peer("bob"), "hi").await;
    changed(&mut bob, "alice").await;
    alice.ok("updateUserName", json!({"userName": "Alicia"})).await;
    let (event, entry) = changed(&mut bob, "alice").await;
    assert_eq!((event, &entry["conversationName"]), (1, &json!("Alicia")));
}

#[tokio::test]
async fn a_user_whose_news_overflow_reads_its_list_again() {
    let world = World::builder()
        .no_rates()
        .config(|config| {
            config.actors.user_notices_max = 1;
            config.batch.list_tick_ms = 1;
        })
        .start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    for n in 0..50 {
        alice.request("sendMessage", To::Peer("bob").args(&crate::support::text(&n.to_string()))).await;
    }
    total(&mut bob, 50).await;
}

#[tokio::test]
async fn marks_are_kept_shown_and_narrow_the_list() {
    let world = World::with(|config| (config.limits.marks_max, config.limits.marked_conversations_max) = (2, 2));
    let mut alice = world.client("alice").await;
    for id in ["bob", "carol", "dave"] {
        world.client(id).await.say(To::Peer("alice"), "hi").await;
    }
    let one = |id: &str| json!({"conversationID": id, "conversationType": 0});
    let mark = |mark: u32, set: bool, ids: &[&str]| json!({"markType": mark, "enable": set, "conversationInfos": ids.iter().map(|id| one(id)).collect::<Vec<_>>()});
    assert_eq!(alice.ok("setConversationMark", mark(1, true, &["bob", "carol"])).await["failedConversationInfos"], json!([]));
    let failed = alice.ok("setConversationMark", mark(1, true, &["dave", "nobody", "bob"])).await["failedConversationInfos"].take();
    assert_eq!(failed, json!([one("dave"), one("nobody")]), "two conversations bear it, the limit; nobody is not in the list");
    alice.ok("setConversationMark", mark(2, true, &["bob"])).await;
    assert_eq!(alice.ok("setConversationMark", mark(3, true, &["bob"])).await["failedConversationInfos"], json!([one("bob")]));
    assert_eq!(alice.ok("queryConversation", one("bob")).await["conversation"]["marks"], json!([1, 2]));
    let with = |option: Value| json!({"config": {"count": 10}, "option": option});
    let found = |list: Value| {
        let mut ids = pluck(&list["conversationList"], "conversationID");
        ids.sort();
        ids
    };
    assert_eq!(found(alice.ok("queryConversationList", with(json!({"marks": [1]}))).await), ["bob", "carol"]);
    assert_eq!(found(alice.ok("queryConversationList", with(json!({"marks": [2, 3]}))).await), ["bob"]);
    assert_eq!(found(alice.ok("queryConversationList", with(json!({"conversationTypes": [2]}))).await).len(), 0);
    assert_eq!(alice.ok("queryConversationTotalUnreadMessageCount", json!({"config": {"marks": [2]}})).await["unreadMessageCount"], 1);
    alice.ok("clearConversationUnreadMessageCount", one("bob")).await;
    assert_eq!(found(alice.ok("queryConversationList", with(json!({"isOnlyUnreadConversation": true}))).await), ["carol", "dave"]);
    alice.ok("setConversationMark", mark(1, false, &["bob"])).await;
    assert_eq!(alice.ok("queryConversation", one("bob")).await["conversation"]["marks"], json!([2]));
}
