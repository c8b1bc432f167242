//! Every limit a client can run into, asked for over the wire: n is accepted, n + 1 refused with field and numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::{Client, Login, To, World, text};

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn bytes(count: usize) -> String {
    BASE64.encode(vec![0xff; count])
}

/// Accepted, then refused naming field, value and limit.
async fn edge(client: &mut Client, op: &str, accepted: Value, refused: Value, words: [&str; 3]) {
    client.ok(op, accepted).await;
    let error = client.refused(op, refused).await;
    assert_eq!((error.code, error.temporary, error.retry_after_ms), (6_000_001, false, None), "{op}: {error:?}");
    for word in words {
        assert!(error.message.contains(word), "{op} says {word}: {error:?}");
    }
}

#[tokio::test]
async fn the_content_of_each_kind_has_its_limit() {
    let world = World::builder().no_rates().start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let custom = |message: usize, sub_type: i64, searched: usize| json!({"type": 200, "message": long(message), "subType": sub_type, "searchedContent": long(searched)});
    let extended = |count: usize| json!({"type": 1, "message": "x", "extendedData": long(count)});
    let local = |count: usize| json!({"type": 1, "message": "x", "localMessageID": long(count)});
    let peer = [
        (text(&long(32_768)), text(&long(32_769)), ["message.message", "32769", "32768"]),
        // Three bytes each: bytes count, not characters.
        (text(&"字".repeat(10_922)), text(&"字".repeat(10_923)), ["message.message", "32769", "32768"]),
        (json!({"type": 2, "message": bytes(5120)}), json!({"type": 2, "message": bytes(5121)}), ["message.message", "5121", "5120"]),
        (custom(32_768, 0, 0), custom(32_769, 0, 0), ["message.message", "32769", "32768"]),
        (custom(0, 200, 0), custom(0, 201, 0), ["message.subType", "201", "200"]),
        (custom(0, 0, 0), custom(0, -1, 0), ["message.subType", "-1", "200"]),
        (custom(0, 0, 64), custom(0, 0, 65), ["message.searchedContent", "65", "64"]),
        (extended(1024), extended(1025), ["message.extendedData", "1025", "1024"]),
        (local(64), local(65), ["message.localMessageID", "65", "64"]),
    ];
    let mut count = 0;
    for (accepted, refused, words) in peer {
        edge(&mut alice, "sendMessage", To::Peer("bob").args(&accepted), To::Peer("bob").args(&refused), words).await;
        let received = bob.messages(1).await.remove(0);
        assert_eq!(received["message"].as_str().map(str::len), accepted["message"].as_str().map(str::len), "whole at the other end");
        count += 1;
    }
    assert_eq!(count, 9);
    let barrage = |count: usize| To::Room("r").args(&json!({"type": 20, "message": long(count)}));
    edge(&mut alice, "sendMessage", barrage(5120), barrage(5121), ["message.message", "5121", "5120"]).await;
    for priority in [0, 4] {
        let mut args = To::Peer("bob").args(&text("x"));
        args["config"] = json!({"priority": priority});
        let refused = alice.refused("sendMessage", args).await;
        assert!(refused.code == 6_000_001 && refused.message.contains("config.priority"), "{refused:?}");
    }
}

#[tokio::test]
async fn content_must_not_be_empty() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    for message in [text(""), text(" \n"), json!({"type": 1}), json!({"type": 2, "message": ""}), json!({"type": 20, "message": ""})] {
        let refused = alice.send(To::Peer("bob"), message.clone()).await.unwrap_err();
        assert_eq!(refused.code, 6_000_001, "{message}");
    }
    // The page's own sample sends an empty custom message.
    alice.send(To::Peer("bob"), json!({"type": 200, "message": "", "subType": 3})).await.unwrap();
    assert_eq!(bob.messages(1).await[0]["subType"], 3);
}

/// The longest text of the costliest characters still fits a frame.
#[tokio::test]
async fn the_longest_text_is_accepted_however_its_characters_are_escaped() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let control = "\u{1}".repeat(32_768);
    alice.say(To::Peer("bob"), &control).await;
    assert_eq!(bob.texts(1).await, [control]);
}

#[tokio::test]
async fn what_a_login_says_has_its_limits() {
    let world = World::start();
    let mut nobody = world.connect().await;
    let token = world.token("alice");
    let alice = Login { user: "alice", ..Login::default() };
    let (name, device) = (long(257), long(65));
    let user = long(33);
    for (login, words) in [
        (Login { name: &name, ..alice }, ["userName", "257", "256"]),
        (Login { device: &device, ..alice }, ["deviceID", "65", "64"]),
        (Login { user: &user, ..alice }, ["userID", "33", "32"]),
        (Login { user: "not ok", ..alice }, ["userID", "contains", "' '"]),
        (Login { version: "new", ..alice }, ["sdkVersion", "new", "major"]),
        (Login { version: "1.2.3.4", ..alice }, ["sdkVersion", "1.2.3.4", "major"]),
    ] {
        let refused = nobody.refused("login", login.args(&token)).await;
        assert_eq!(refused.code, 6_000_001, "{refused:?}");
        for word in words {
            assert!(refused.message.contains(word), "says {word}: {refused:?}");
        }
    }
    let longest = Login { name: &name[..256], device: &device[..64], user: &user[..32], version: "2.14", resume: "" };
    nobody.login(&world.token(&user[..32]), longest).await;
}

#[tokio::test]
async fn a_rooms_fields_have_their_limits() {
    let world = World::with(|config| config.limits.rooms_per_user_max = 100);
    let mut alice = world.client("alice").await;
    let room = |id: &str, name: usize, delay: u64| json!({"roomInfo": {"roomID": id, "roomName": long(name)}, "config": {"roomDestroyDelayTime": delay}});
    edge(&mut alice, "createRoom", room(&long(128), 0, 0), room(&long(129), 0, 0), ["roomInfo.roomID", "129", "128"]).await;
    edge(&mut alice, "createRoom", room("a", 64, 0), room("b", 65, 0), ["roomInfo.roomName", "65", "64"]).await;
    edge(&mut alice, "enterRoom", room("c", 0, 10_800), room("d", 0, 10_801), ["config.roomDestroyDelayTime", "10801", "10800"]).await;
    assert_eq!(alice.code("createRoom", room("", 0, 0)).await, 6_000_001);
    assert_eq!(alice.code("createRoom", room("a/b", 0, 0)).await, 6_000_001);
}

#[tokio::test]
async fn a_groups_fields_have_their_limits() {
    let world = World::with(|config| config.users.must_exist = false);
    let mut alice = world.client("alice").await;
    let made = |id: &str, name: usize, avatar: usize| json!({"groupInfo": {"groupID": id, "groupName": long(name), "groupAvatarUrl": long(avatar)}, "userIDs": []});
    edge(&mut alice, "createGroup", made(&long(32), 0, 0), made(&long(33), 0, 0), ["groupInfo.groupID", "33", "32"]).await;
    edge(&mut alice, "createGroup", made("", 100, 0), made("", 101, 0), ["groupInfo.groupName", "101", "100"]).await;
    edge(&mut alice, "createGroup", made("", 0, 500), made("", 0, 501), ["groupInfo.groupAvatarUrl", "501", "500"]).await;
    let advanced = |notice: usize, pairs: usize, key: usize, value: usize| {
        let attributes: serde_json::Map<_, _> = (0..pairs).map(|n| (format!("{n}{}", long(key - 1)), json!(long(value)))).collect();
        json!({"groupInfo": {"groupName": ""}, "userIDs": [], "config": {"groupNotice": long(notice), "groupAttributes": attributes}})
    };
    edge(&mut alice, "createGroup", advanced(300, 0, 1, 0), advanced(301, 0, 1, 0), ["config.groupNotice", "301", "300"]).await;
    for (accepted, refused, code, words) in [
        (advanced(0, 10, 2, 0), advanced(0, 11, 2, 0), 6_000_531, ["groupAttributes ", "11", "10"]),
        (advanced(0, 1, 16, 0), advanced(0, 1, 17, 0), 6_000_532, ["groupAttributes ", "17", "16"]),
        (advanced(0, 1, 1, 1024), advanced(0, 1, 1, 1025), 6_000_533, ["groupAttributes.0", "1025", "1024"]),
    ] {
        alice.ok("createGroup", accepted).await;
        let error = alice.refused("createGroup", refused).await;
        assert_eq!(error.code, code, "{error:?}");
        assert!(words.iter().all(|word| error.message.contains(word)), "{error:?}");
    }
    let users = |count: usize| (0..count).map(|n| format!("u{n}")).collect::<Vec<_>>();
    let create = |count: usize| json!({"groupInfo": {"groupName": ""}, "userIDs": users(count)});
    edge(&mut alice, "createGroup", create(100), create(101), ["userIDs", "101", "100"]).await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": ""}, "userIDs": []})).await;
    let named = |count: usize| json!({"groupID": "g", "userIDs": users(count)});
    edge(&mut alice, "inviteUsersIntoGroup", named(100), named(101), ["userIDs", "101", "100"]).await;
    edge(&mut alice, "kickGroupMembers", named(50), named(51), ["userIDs", "51", "50"]).await;
}

#[tokio::test]
async fn a_user_is_in_as_many_groups_as_allowed() {
    let world = World::with(|config| config.limits.groups_per_user_max = 2);
    let mut alice = world.client("alice").await;
    let create = |id: &str| json!({"groupInfo": {"groupID": id, "groupName": ""}, "userIDs": []});
    alice.ok("createGroup", create("a")).await;
    alice.ok("createGroup", create("b")).await;
    let refused = alice.refused("createGroup", create("c")).await;
    assert!(refused.code == 6_000_001 && refused.message.contains('2'), "{refused:?}");
    alice.ok("leaveGroup", json!({"groupID": "a"})).await;
    alice.ok("createGroup", create("c")).await;
}

#[tokio::test]
async fn ten_users_are_asked_for_in_ten_seconds_and_not_eleven() {
    let world = World::builder().frozen().start();
    let mut alice = world.client("alice").await;
    let users = |count: usize| json!({"userIDs": (0..count).map(|n| format!("u{n}")).collect::<Vec<_>>()});
    let refused = alice.refused("queryUsersInfo", users(11)).await;
    assert!(refused.code == 6_000_001 && refused.message.contains("userIDs") && refused.message.contains("11"), "{refused:?}");
    alice.ok("queryUsersInfo", users(6)).await;
    alice.ok("queryUsersInfo", users(4)).await;
    let refused = alice.refused("queryUsersInfo", users(1)).await;
    assert_eq!((refused.code, refused.temporary), (6_000_012, true));
    world.advance(std::time::Duration::from_secs(10));
    alice.ok("queryUsersInfo", users(10)).await;
}
