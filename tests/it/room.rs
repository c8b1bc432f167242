//! Rooms: who is inside, what they hear, and when a room ends.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::{Client, To, World, fields, pluck, room_destroyed, session_ended, text};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn info(room: &str) -> Value {
    json!({"roomInfo": {"roomID": room, "roomName": format!("the {room}")}})
}

fn lasting(room: &str, seconds: u64) -> Value {
    json!({"roomInfo": {"roomID": room}, "config": {"roomDestroyDelayTime": seconds}})
}

/// Waits until what was told to the room's actor so far was handled: an answer of the same actor came after it.
async fn settled(client: &mut Client, room: &str) -> u64 {
    client.ok("queryRoomOnlineMemberCount", json!({"roomID": room})).await["count"].as_u64().unwrap()
}

#[tokio::test]
async fn rooms_are_created_entered_joined_and_left_with_their_codes() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let full = json!({"roomInfo": {"baseInfo": {"roomID": "r", "roomName": "the r"}}});
    assert_eq!(alice.code("joinRoom", json!({"roomID": "r"})).await, 6_000_322);
    assert_eq!(alice.ok("createRoom", info("r")).await, full);
    assert_eq!(alice.code("createRoom", info("r")).await, 6_000_323);
    assert_eq!(bob.code("createRoom", info("r")).await, 6_000_323);
    assert_eq!(bob.code("leaveRoom", json!({"roomID": "r"})).await, 6_000_321);
    assert_eq!(bob.ok("joinRoom", json!({"roomID": "r"})).await, full);
    // Entering where one is already is fine, and the first name stays.
    assert_eq!(bob.ok("enterRoom", json!({"roomInfo": {"roomID": "r", "roomName": "other"}})).await, full);
    assert_eq!(bob.ok("leaveRoom", json!({"roomID": "r"})).await, json!({"roomID": "r"}));
    assert_eq!(bob.code("leaveRoom", json!({"roomID": "r"})).await, 6_000_321);
    assert_eq!(bob.ok("enterRoom", info("made-by-entering")).await["roomInfo"]["baseInfo"]["roomName"], "the made-by-entering");
}

/// The table of the protocol names one code for leaving.
#[tokio::test]
async fn leaving_a_room_that_does_not_exist_is_not_being_in_it() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.code("leaveRoom", json!({"roomID": "nowhere"})).await, 6_000_321);
}

#[tokio::test]
async fn members_hear_who_comes_and_goes_and_not_of_themselves() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.login(crate::support::Login { user: "bob", name: "Bob", ..Default::default() }).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let bob_as_member = json!({"roomID": "r", "memberList": [{"userID": "bob", "userName": "Bob", "userAvatarUrl": ""}]});
    assert_eq!(alice.event("roomMemberJoined").await, bob_as_member);
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_eq!(alice.event("roomMemberLeft").await, bob_as_member);
    assert_eq!(settled(&mut alice, "r").await, 1);
    alice.assert_nothing_unread();
    bob.assert_nothing_unread();
}

#[tokio::test]
async fn a_room_message_reaches_everyone_inside_with_the_rooms_name() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let sent = alice.say(To::Room("r"), "hello").await;
    assert_eq!(fields(&sent), ["conversationType", "message", "messageID", "messageSeq", "orderKey", "senderUserID", "timestamp", "type"]);
    assert_eq!(sent["conversationType"], 1);
    let data = bob.event("receiveRoomMessage").await;
    assert_eq!((&data["fromConversationID"], &data["messageList"]), (&json!("r"), &json!([sent])));
    assert_eq!(data["info"], json!({"isOfflineMessage": false}));
    bob.say(To::Room("r"), "hello yourself").await;
    assert_eq!(alice.texts(1).await, ["hello yourself"], "and not its own");
}

#[tokio::test]
async fn a_lost_connection_keeps_its_place_for_thirty_seconds() {
    let world = World::builder().frozen().start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut carol = world.client("carol").await;
    carol.ok("joinRoom", json!({"roomID": "r"})).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    // Who comes within one tick is told together.
    let mut joined = 0;
    while joined < 2 {
        joined += pluck(&alice.event("roomMemberJoined").await["memberList"], "userID").len();
    }
    drop(bob);
    session_ended(&mut events, "bob").await;
    assert_eq!(settled(&mut alice, "r").await, 3);
    alice.say(To::Room("r"), "while you were away").await;
    assert_eq!(carol.texts(1).await, ["while you were away"]);
    world.advance(30 * S - MS);
    assert_eq!(settled(&mut alice, "r").await, 3, "the place is kept");

    let mut bob = world.client("bob").await;
    assert_eq!(bob.hello["rooms"], json!(["r"]));
    assert_eq!(pluck(&Value::Array(bob.newest(To::Room("r")).await), "message"), ["while you were away"]);
    alice.say(To::Room("r"), "there you are").await;
    assert_eq!(bob.texts(1).await, ["there you are"]);
    alice.assert_nothing_unread();

    drop(bob);
    session_ended(&mut events, "bob").await;
    assert_eq!(settled(&mut alice, "r").await, 3);
    world.advance(30 * S);
    assert_eq!(pluck(&alice.event("roomMemberLeft").await["memberList"], "userID"), ["bob"]);
    assert_eq!(settled(&mut alice, "r").await, 2);
    let mut bob = world.client("bob").await;
    assert_eq!(bob.hello["rooms"], json!([]));
    assert_eq!(bob.send(To::Room("r"), text("hi")).await.unwrap_err().code, 6_000_321);
}

/// Messages gathered for the next frame are for those who were inside when they were accepted.
#[tokio::test]
async fn who_leaves_hears_what_was_said_before() {
    let world = World::with(|config| config.batch.tick_ms = 1000);
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.say(To::Room("r"), "one").await;
    alice.say(To::Room("r"), "two").await;
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_eq!(bob.texts(2).await, ["one", "two"]);
}

/// The history of a destroyed room is gone with it.
#[tokio::test]
async fn a_room_ends_after_its_delay_and_takes_its_history_along() {
    let world = World::builder().frozen().start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", lasting("r", 10)).await;
    alice.say(To::Room("r"), "before").await;
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    world.advance(10 * S - MS);
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    assert_eq!(pluck(&Value::Array(bob.newest(To::Room("r")).await), "message"), ["before"]);
    // An entry saved it; from the next leaving on the delay begins anew.
    world.advance(10 * S);
    assert_eq!(settled(&mut bob, "r").await, 1);
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    world.advance(10 * S);
    room_destroyed(&mut events, "r").await;
    assert_eq!(alice.code("joinRoom", json!({"roomID": "r"})).await, 6_000_322);

    alice.ok("createRoom", lasting("r", 10)).await;
    assert_eq!(alice.newest(To::Room("r")).await, Vec::<Value>::new());
    assert_eq!(alice.say(To::Room("r"), "after").await["messageSeq"], 1);
    assert_eq!(pluck(&Value::Array(alice.newest(To::Room("r")).await), "message"), ["after"]);
}

#[tokio::test]
async fn a_room_without_a_delay_ends_when_the_last_one_leaves() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    alice.say(To::Room("r"), "gone soon").await;
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_eq!(alice.code("joinRoom", json!({"roomID": "r"})).await, 6_000_322);
    alice.ok("enterRoom", info("r")).await;
    assert_eq!(alice.newest(To::Room("r")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_user_is_in_five_rooms_and_not_in_six() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", info("bobs")).await;
    let mut alice = world.client("alice").await;
    for n in 0..5 {
        alice.ok("enterRoom", info(&format!("r{n}"))).await;
    }
    assert_eq!(alice.code("createRoom", info("r5")).await, 6_000_325);
    assert_eq!(alice.code("enterRoom", info("r5")).await, 6_000_325);
    assert_eq!(alice.code("joinRoom", json!({"roomID": "bobs"})).await, 6_000_325);
    alice.ok("joinRoom", json!({"roomID": "r4"})).await;
    alice.ok("leaveRoom", json!({"roomID": "r4"})).await;
    alice.ok("joinRoom", json!({"roomID": "bobs"})).await;
}

#[tokio::test]
async fn six_entries_at_once_are_five() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(alice.request("enterRoom", info(&format!("r{n}"))).await);
    }
    let mut refused = Vec::new();
    for id in ids {
        refused.extend(alice.reply(id).await.err().map(|error| error.code));
    }
    assert_eq!(refused, [6_000_325]);
}

#[tokio::test]
async fn a_full_room_takes_nobody_more() {
    let world = World::with(|config| config.limits.room_members_max = 2);
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let mut carol = world.client("carol").await;
    let refused = carol.refused("joinRoom", json!({"roomID": "r"})).await;
    assert!(refused.code == 6_000_304 && refused.message.contains('2'), "{refused:?}");
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    carol.ok("joinRoom", json!({"roomID": "r"})).await;
}

/// Barrage belongs to rooms, and may be lost: it has no seq, no cursor and no history.
#[tokio::test]
async fn barrage_flies_in_rooms_only_and_is_not_kept() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "g"}, "userIDs": []})).await;
    let barrage = json!({"type": 20, "message": "wow"});
    for to in [To::Peer("bob"), To::Group("g")] {
        let refused = alice.send(to, barrage.clone()).await.unwrap_err();
        assert!(refused.code == 6_000_001 && refused.message.starts_with("message.type"), "{to:?}: {refused:?}");
    }
    let sent = alice.send(To::Room("r"), barrage).await.unwrap();
    let data = bob.event("receiveRoomMessage").await;
    assert_eq!(data["messageList"], json!([sent]));
    assert!(data.get("cursor").is_none() && sent.get("messageSeq").is_none(), "{data}");
    assert_eq!(bob.newest(To::Room("r")).await, Vec::<Value>::new());
}

/// Commands go to rooms as they go to peers: any bytes, and stored nowhere.
#[tokio::test]
async fn commands_go_to_rooms_byte_for_byte() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    alice.send(To::Room("r"), json!({"type": 2, "message": BASE64.encode(&bytes)})).await.unwrap();
    let received = bob.messages(1).await.remove(0);
    assert_eq!(BASE64.decode(received["message"].as_str().unwrap()).unwrap(), bytes);
    assert_eq!(bob.newest(To::Room("r")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn who_is_not_inside_neither_writes_nor_reads_nor_asks() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    for (room, code) in [("r", 6_000_321), ("nowhere", 6_000_322)] {
        assert_eq!(bob.send(To::Room(room), text("hi")).await.unwrap_err().code, code);
        assert_eq!(bob.send(To::Room(room), json!({"type": 20, "message": "wow"})).await.unwrap_err().code, code);
        assert_eq!(bob.history(To::Room(room), json!({"count": 1})).await.unwrap_err().code, code);
        assert_eq!(bob.code("queryRoomMemberList", json!({"roomID": room, "config": {"count": 1}})).await, code);
        assert_eq!(bob.code("queryRoomMembers", json!({"roomID": room, "userIDs": ["alice"]})).await, code);
        assert_eq!(bob.code("queryRoomOnlineMemberCount", json!({"roomID": room})).await, code);
    }
}

#[tokio::test]
async fn another_device_takes_the_place_in_a_room() {
    let world = World::with(|config| config.users.devices_per_user_max = 2);
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", info("r")).await;
    let mut phone = world.device("alice", "phone").await;
    phone.ok("joinRoom", json!({"roomID": "r"})).await;
    bob.event("roomMemberJoined").await;
    let mut tablet = world.device("alice", "tablet").await;
    tablet.ok("joinRoom", json!({"roomID": "r"})).await;
    assert_eq!(phone.event("roomStateChanged").await, json!({"roomID": "r", "state": 0, "event": 10, "extendedData": ""}));
    bob.say(To::Room("r"), "to the room").await;
    assert_eq!(tablet.texts(1).await, ["to the room"]);
    bob.say(To::Peer("alice"), "to both").await;
    assert_eq!(phone.texts(1).await, ["to both"], "the phone is out of the room");
    assert_eq!(phone.code("leaveRoom", json!({"roomID": "r"})).await, 6_000_321);
    // Its end does not take the tablet's place along.
    phone.ok("logout", json!({})).await;
    assert_eq!(settled(&mut bob, "r").await, 2);
    bob.assert_nothing_unread();
}

#[tokio::test]
async fn the_member_list_comes_in_pages_that_cover_everyone_once() {
    let world = World::start();
    let mut clients = Vec::new();
    for n in 0..7 {
        let mut client = world.client(&format!("u{n}")).await;
        client.ok("enterRoom", info("r")).await;
        clients.push(client);
    }
    let asker = &mut clients[3];
    assert_eq!(settled(asker, "r").await, 7);
    let (mut seen, mut next, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = asker.ok("queryRoomMemberList", json!({"roomID": "r", "config": {"count": 3, "nextFlag": next}})).await;
        assert_eq!(fields(&page), ["memberList", "nextFlag", "roomID"]);
        seen.extend(pluck(&page["memberList"], "userID"));
        pages += 1;
        next = page["nextFlag"].as_str().unwrap().to_owned();
        if next.is_empty() {
            break;
        }
    }
    seen.sort();
    assert_eq!((seen, pages), ((0..7).map(|n| format!("u{n}")).collect(), 3));
    for count in [0, 501, -1] {
        let refused = asker.refused("queryRoomMemberList", json!({"roomID": "r", "config": {"count": count}})).await;
        assert!(refused.code == 6_000_001 && refused.message.contains("config.count"), "{refused:?}");
    }
    asker.ok("queryRoomMemberList", json!({"roomID": "r", "config": {"count": 500}})).await;
}

#[tokio::test]
async fn certain_members_are_found_or_named_as_missing() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let _bob = world.client("bob").await;
    assert_eq!(
        alice.ok("queryRoomMembers", json!({"roomID": "r", "userIDs": ["alice", "bob"]})).await,
        json!({"roomID": "r", "memberList": [{"userID": "alice", "userName": "", "userAvatarUrl": ""}],
               "errorUserList": [{"userID": "bob", "reason": 6_000_321}]})
    );
    assert_eq!(alice.code("queryRoomMembers", json!({"roomID": "r", "userIDs": ["bob"]})).await, 6_000_311);
    let users = |count: usize| json!({"roomID": "r", "userIDs": (0..count).map(|n| if n == 0 { "alice".to_owned() } else { format!("u{n}") }).collect::<Vec<_>>()});
    alice.ok("queryRoomMembers", users(10)).await;
    let refused = alice.refused("queryRoomMembers", users(11)).await;
    assert!(refused.code == 6_000_001 && refused.message.contains("11") && refused.message.contains("10"), "{refused:?}");
}

#[tokio::test]
async fn without_room_history_only_those_inside_get_a_message() {
    let world = World::with(|config| config.room.history = false);
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.say(To::Room("r"), "now or never").await;
    assert_eq!(bob.texts(1).await, ["now or never"]);
    assert_eq!(bob.newest(To::Room("r")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn of_more_who_come_and_go_than_are_told_by_name_the_number_is_told() {
    let world = World::builder().frozen().no_rates().config(|c| c.room.movements_per_second = 3).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    settled(&mut alice, "r").await;
    world.advance(S);
    let mut others = Vec::new();
    for n in 0..5 {
        let mut other = world.client(&format!("u{n}")).await;
        other.ok("joinRoom", json!({"roomID": "r"})).await;
        others.push(other);
    }
    let mut named = Vec::new();
    while named.len() < 3 {
        let joined = alice.event("roomMemberJoined").await;
        named.extend(pluck(&joined["memberList"], "userID"));
    }
    assert_eq!(named, ["u0", "u1", "u2"]);
    let counted = alice.event("roomMembersCounted").await;
    assert_eq!(counted, json!({"roomID": "r", "joinedCount": 2, "leftCount": 0, "memberCount": 6}));
    world.advance(S);
    others[4].ok("leaveRoom", json!({"roomID": "r"})).await;
    let left = alice.event("roomMemberLeft").await;
    assert_eq!(left["memberList"][0]["userID"], "u4", "the next second's have names again: {left}");
    alice.assert_nothing_unread();
}

#[tokio::test]
async fn the_more_are_inside_the_fewer_barrages_pass() {
    // One barrage takes some 290 bytes.
    let world = World::builder().frozen().no_rates().config(|c| c.room.node_bytes_per_second = 30_000).start();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", info("r")).await;
    let mut others: Vec<Client> = Vec::new();
    for (inside, most) in [(2, 52), (10, 11)] {
        while others.len() + 1 < inside {
            let mut other = world.client(&format!("u{}", others.len())).await;
            other.ok("joinRoom", json!({"roomID": "r"})).await;
            others.push(other);
        }
        world.advance(60 * S);
        for n in 0..60 {
            alice.send(To::Room("r"), json!({"type": 20, "message": n.to_string()})).await.unwrap();
        }
        let dropped = alice.event("barrageDropped").await;
        let passed = 60 - dropped["low"].as_u64().unwrap();
        assert!(passed <= most && passed >= most / 6, "{passed} passed where {inside} are inside: {dropped}");
    }
}
