//! Several brokers that work together: users of any node and those of any other.

use serde_json::{Value, json};
use tidings::Draft;

use crate::support::{Client, Login, To, World, WorldBuilder, user};

/// Three brokers that are not started yet; none: what they need is not installed.
fn possible() -> Option<WorldBuilder> {
    let is_possible = crate::cluster::Cluster::shared().is_some() && crate::nats::NatsServer::shared().is_some();
    is_possible.then(|| World::builder().no_rates().nodes(3))
}

fn three() -> Option<World> {
    possible().map(WorldBuilder::start)
}

/// Logs in at a node on a certain device.
async fn device_at(world: &World, node: usize, id: &str, device: &str) -> Client {
    let mut client = world.connect_to(node).await;
    client.login(&world.token(id), Login { user: id, device, ..Login::default() }).await;
    client
}

#[tokio::test]
async fn users_of_any_node_talk_with_those_of_any_other() {
    let Some(world) = three() else { return };
    let mut clients = Vec::new();
    for n in 0..9 {
        clients.push(world.client_at(n / 3, &format!("u{n}")).await);
    }
    for from in 0..9 {
        let to = (from * 4 + 1) % 9;
        clients[from].say(To::Peer(&format!("u{to}")), &format!("from {from}")).await;
        let event = clients[to].event("receivePeerMessage").await;
        assert_eq!(event["messageList"][0]["message"], json!(format!("from {from}")));
        assert_eq!(event["info"], json!({"isOfflineMessage": false}));
        assert!(event["cursor"].as_str().is_some_and(|cursor| cursor.parse::<u64>().is_ok()), "{event}");
        let history = clients[to].newest(To::Peer(&format!("u{from}"))).await;
        assert_eq!(history.last().unwrap()["message"], json!(format!("from {from}")));
    }
}

#[tokio::test]
async fn a_group_and_a_room_reach_their_members_at_all_nodes() {
    let Some(world) = three() else { return };
    let mut clients = Vec::new();
    for n in 0..6 {
        clients.push(world.client_at(n % 3, &format!("u{n}")).await);
    }
    for group in ["g1", "g2", "g3"] {
        let create = json!({"groupInfo": {"groupID": group}, "userIDs": ["u1", "u2", "u3", "u4", "u5"]});
        clients[0].ok("createGroup", create).await;
        clients[4].say(To::Group(group), "to the group").await;
        for n in [0, 1, 2, 3, 5] {
            let event = clients[n].event("receiveGroupMessage").await;
            assert_eq!((&event["fromConversationID"], &event["messageList"][0]["message"]), (&json!(group), &json!("to the group")));
        }
    }
    for room in ["r1", "r2", "r3"] {
        let info = json!({"roomInfo": {"roomID": room}});
        for client in &mut clients {
            client.ok("enterRoom", info.clone()).await;
        }
        clients[5].say(To::Room(room), "to the room").await;
        clients[2].ok("sendMessage", barrage(room, "hey")).await;
        for n in [0, 1, 3, 4] {
            let first = clients[n].event("receiveRoomMessage").await;
            let second = clients[n].event("receiveRoomMessage").await;
            let mut texts = [first, second].map(|event| event["messageList"][0]["message"].as_str().unwrap().to_owned());
            texts.sort();
            assert_eq!(texts, ["hey", "to the room"]);
        }
        let count = clients[1].ok("queryRoomOnlineMemberCount", json!({"roomID": room})).await;
        assert_eq!(count["count"], 6);
        let attributes = json!({"roomID": room, "roomAttributes": {"k": "v"}, "config": {}});
        clients[3].ok("setRoomAttributes", attributes).await;
        for n in [0, 1, 2, 4, 5] {
            let event = clients[n].event("roomAttributesUpdated").await;
            assert_eq!(event["roomID"], json!(room));
        }
    }
}

fn barrage(room: &str, text: &str) -> Value {
    json!({"message": {"type": 20, "message": text}, "toConversationID": room, "conversationType": 1, "config": {"priority": 1}})
}

#[tokio::test]
async fn the_newest_session_of_a_user_stays_at_whatever_node() {
    let Some(world) = three() else { return };
    let mut bob = world.client_at(0, "bob").await;
    let mut first = world.client_at(0, "alice").await;
    first.ok("enterRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    bob.ok("enterRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    // The same device at another node: it keeps its place in the room, silently.
    let mut second = world.client_at(1, "alice").await;
    assert_eq!(first.closed().await.0, 4500);
    bob.say(To::Room("r"), "still there?").await;
    assert_eq!(second.event("receiveRoomMessage").await["messageList"][0]["message"], "still there?");
    // Another device at a third one: the older session goes, and its places with it.
    let mut third = device_at(&world, 2, "alice", "another").await;
    assert_eq!(second.closed().await.0, 4500);
    let left = bob.event("roomMemberLeft").await;
    assert_eq!(left["memberList"][0]["userID"], "alice");
    bob.say(To::Peer("alice"), "and now?").await;
    assert_eq!(third.event("receivePeerMessage").await["messageList"][0]["message"], "and now?");
    drop((first, second));
    let brokers = [&world.broker, &world.others[0].broker, &world.others[1].broker];
    crate::support::until("two sessions", || brokers.iter().map(|broker| broker.stats().sessions).sum::<u64>() == 2).await;
}

/// Waits until a client is told this total of unread messages.
async fn total(client: &mut Client, wanted: u64) {
    while client.event("conversationTotalUnreadMessageCountUpdated").await["totalUnreadMessageCount"] != wanted {}
}

#[tokio::test]
async fn devices_at_several_nodes_see_what_each_other_do() {
    let Some(builder) = possible() else { return };
    let world = builder.config(|config| config.users.devices_per_user_max = 3).start();
    let mut bob = world.client_at(0, "bob").await;
    let mut phone = device_at(&world, 1, "alice", "phone").await;
    let mut laptop = device_at(&world, 2, "alice", "laptop").await;
    bob.say(To::Peer("alice"), "hi").await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.event("receivePeerMessage").await["messageList"][0]["message"], "hi");
        total(device, 1).await;
    }
    phone.say(To::Peer("bob"), "hello").await;
    assert_eq!(laptop.event("receivePeerMessage").await["messageList"][0]["message"], "hello");
    laptop.ok("clearConversationUnreadMessageCount", json!({"conversationID": "bob", "conversationType": 0})).await;
    total(&mut phone, 0).await;
    let kicked = world.broker.users().kick(&user("alice"), None).await.unwrap();
    assert_eq!(kicked, 2, "wherever they are");
    assert_eq!((phone.closed().await.0, laptop.closed().await.0), (4500, 4500));
}

#[tokio::test]
async fn presence_and_broadcasts_reach_all_nodes() {
    let Some(world) = three() else { return };
    let mut alice = world.client_at(0, "alice").await;
    let bob = world.client_at(1, "bob").await;
    alice.ok("subscribeUsersStatus", json!({"userIDs": ["bob"], "config": {"subscriptionDuration": 10}})).await;
    drop(bob);
    let offline = alice.event("userStatusUpdated").await;
    assert_eq!(offline["userStatusList"][0]["userID"], "bob", "{offline}");
    let mut bob = world.client_at(2, "bob").await;
    let online = alice.event("userStatusUpdated").await;
    assert_eq!(online["userStatusList"][0]["onlineStatus"], 0, "{online}");
    let told = world.others[0].broker.broadcast(&user("alice"), Draft::text("to all")).await.unwrap();
    assert_eq!(told.sessions, 2);
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.event("broadcastMessageReceived").await["message"]["message"], "to all");
    }
}

#[tokio::test]
async fn a_node_that_leaves_hands_over_and_its_clients_resume_elsewhere() {
    let Some(mut world) = three() else { return };
    let mut alice = world.client_at(0, "alice").await;
    let mut bob = world.client_at(2, "bob").await;
    let mut room = Vec::new();
    for n in 0..4 {
        let name = format!("r{n}");
        alice.ok("enterRoom", json!({"roomInfo": {"roomID": name}})).await;
        room.push(name);
    }
    let sent = alice.say(To::Peer("bob"), "before").await;
    assert_eq!(bob.event("receivePeerMessage").await["messageList"][0]["messageID"], sent["messageID"]);
    let leaving = world.others.pop().unwrap();
    leaving.broker.shutdown(std::time::Duration::from_secs(5)).await;
    assert_eq!(bob.closed().await.0, 4000);
    crate::support::until("all conversations have owners", || world.broker.ready().is_ok()).await;
    let mut bob = world.client_at(1, "bob").await;
    for n in 0..16 {
        alice.say(To::Peer("bob"), &format!("{n}")).await;
    }
    assert_eq!(bob.texts(16).await, (0..16).map(|n| n.to_string()).collect::<Vec<_>>());
    // Its rooms go on with their members.
    for name in &room {
        bob.ok("joinRoom", json!({"roomID": name})).await;
        bob.say(To::Room(name), "here").await;
        assert_eq!(alice.event("receiveRoomMessage").await["fromConversationID"], json!(name));
    }
    leaving.stop();
}
