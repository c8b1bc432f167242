//! What members of a room agree on: its attributes, their own, and moving from room to room.

use serde_json::{Value, json};

use crate::support::{Client, Login, World, pluck};

fn room(id: &str) -> Value {
    json!({"roomInfo": {"roomID": id, "roomName": ""}})
}

fn in_room(mut args: Value) -> Value {
    args["roomID"] = "r".into();
    args
}

async fn two(world: &World) -> (Client, Client) {
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    alice.ok("createRoom", room("r")).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.event("roomMemberJoined").await;
    (alice, bob)
}

#[tokio::test]
async fn attributes_are_told_to_all_and_to_whoever_comes_in() {
    let world = World::start();
    let (mut alice, mut bob) = two(&world).await;
    let set = alice.ok("setRoomAttributes", in_room(json!({"roomAttributes": {"seat1": "alice", "topic": "t"}}))).await;
    assert_eq!(set, json!({"roomID": "r", "errorKeys": []}));
    let told = json!({"roomID": "r", "infos": [{"action": 0, "roomAttributes": {"seat1": "alice", "topic": "t"}}]});
    assert_eq!(bob.event("roomAttributesUpdated").await, told);
    assert_eq!(alice.event("roomAttributesUpdated").await, told);
    assert_eq!(bob.ok("queryRoomAllAttributes", in_room(json!({}))).await["roomAttributes"], json!({"seat1": "alice", "topic": "t"}));
    let mut carol = world.client("carol").await;
    assert_eq!(carol.code("queryRoomAllAttributes", in_room(json!({}))).await, 6_000_321);
    carol.ok("joinRoom", json!({"roomID": "r"})).await;
    let now = carol.event("roomAttributesUpdated").await;
    assert_eq!((&now["infos"][0]["roomAttributes"]["topic"], &now["isSnapshot"]), (&json!("t"), &json!(true)));
}

#[tokio::test]
async fn others_keys_take_force_and_a_batch_is_one_event() {
    let world = World::start();
    let (mut alice, mut bob) = two(&world).await;
    alice.ok("setRoomAttributes", in_room(json!({"roomAttributes": {"a": "1"}}))).await;
    alice.event("roomAttributesUpdated").await;
    let mine = |config: Value| in_room(json!({"roomAttributes": {"a": "2"}, "config": config}));
    assert_eq!(bob.code("setRoomAttributes", mine(json!({}))).await, 6_000_331);
    assert_eq!(bob.code("deleteRoomAttributes", in_room(json!({"keys": ["a"], "config": {"isForce": false}}))).await, 6_000_331);
    bob.ok("setRoomAttributes", mine(json!({"isForce": true, "isUpdateOwner": true}))).await;
    assert_eq!(alice.code("setRoomAttributes", mine(json!({}))).await, 6_000_331, "it is bob's now");
    alice.event("roomAttributesUpdated").await;
    let batch = json!({"operations": [{"roomAttributes": {"b": "1", "c": "1"}}, {"keys": ["b"]}], "config": {"isForce": false}});
    assert_eq!(alice.ok("endRoomAttributesBatchOperation", in_room(batch)).await["roomID"], "r");
    let told = alice.event("roomAttributesBatchUpdated").await;
    assert_eq!(told["infos"], json!([{"action": 0, "roomAttributes": {"b": "1", "c": "1"}}, {"action": 1, "roomAttributes": {"b": "1"}}]));
    let attributes = bob.ok("queryRoomAllAttributes", in_room(json!({}))).await["roomAttributes"].take();
    assert_eq!(attributes, json!({"a": "2", "c": "1"}));
    let many: Value = (0..21).map(|n| (format!("k{n}"), json!(""))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(alice.code("setRoomAttributes", in_room(json!({"roomAttributes": many}))).await, 6_000_334);
}

#[tokio::test]
async fn what_lasts_as_long_as_its_owner_goes_when_the_owner_does() {
    let world = World::start();
    let (mut alice, mut bob) = two(&world).await;
    let config = json!({"isDeleteAfterOwnerLeft": true});
    alice.ok("setRoomAttributes", in_room(json!({"roomAttributes": {"mic": "on"}, "config": config}))).await;
    bob.event("roomAttributesUpdated").await;
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_eq!(bob.event("roomAttributesUpdated").await["infos"], json!([{"action": 1, "roomAttributes": {"mic": "on"}}]));
    assert_eq!(bob.ok("queryRoomAllAttributes", in_room(json!({}))).await["roomAttributes"], json!({}));
}

#[tokio::test]
async fn a_member_that_was_away_hears_what_stands_now() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let bob = world.login(Login { user: "bob", device: "phone", ..Login::default() }).await;
    alice.ok("createRoom", room("r")).await;
    let mut bob = bob;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.ok("setRoomAttributes", in_room(json!({"roomAttributes": {"a": "1", "b": "1"}}))).await;
    bob.event("roomAttributesUpdated").await;
    drop(bob);
    alice.ok("deleteRoomAttributes", in_room(json!({"keys": ["a"]}))).await;
    alice.ok("setRoomMembersAttributes", in_room(json!({"userIDs": ["alice"], "attributes": {"lv": "9"}}))).await;
    let mut bob = world.login(Login { user: "bob", device: "phone", ..Login::default() }).await;
    let now = bob.event("roomAttributesUpdated").await;
    assert_eq!((&now["infos"][0]["roomAttributes"], &now["isSnapshot"]), (&json!({"b": "1"}), &json!(true)));
    let members = bob.event("roomMemberAttributesUpdated").await;
    assert_eq!(members["infos"], json!([{"attributesInfo": {"userID": "alice", "attributes": {"lv": "9"}}}]));
}

#[tokio::test]
async fn members_have_attributes_of_their_own() {
    let world = World::start();
    let (mut alice, mut bob) = two(&world).await;
    let set = |users: Value, attributes: Value| in_room(json!({"userIDs": users, "attributes": attributes}));
    let done = alice.ok("setRoomMembersAttributes", set(json!(["alice", "bob", "eve"]), json!({"lv": "1"}))).await;
    let info = |user: &str| json!({"attributesInfo": {"userID": user, "attributes": {"lv": "1"}}, "errorKeys": []});
    assert_eq!(done, json!({"roomID": "r", "infos": [info("alice"), info("bob")], "errorUserList": ["eve"]}));
    let told = bob.event("roomMemberAttributesUpdated").await;
    assert_eq!((&told["operatedInfo"]["userID"], told["infos"].as_array().unwrap().len()), (&json!("alice"), 2));
    bob.ok("setRoomMembersAttributes", set(json!(["bob"]), json!({"vip": "y"}))).await;
    let asked = alice.ok("queryRoomMembersAttributes", in_room(json!({"userIDs": ["bob", "eve"]}))).await;
    assert_eq!(asked["infos"], json!([{"userID": "bob", "attributes": {"lv": "1", "vip": "y"}}]));
    let page = alice.ok("queryRoomMemberAttributesList", in_room(json!({"config": {"count": 1}}))).await;
    assert_eq!((pluck(&page["infos"], "userID"), &page["nextFlag"]), (vec!["alice".to_owned()], &json!("alice")));
    let page = alice.ok("queryRoomMemberAttributesList", in_room(json!({"config": {"count": 1, "nextFlag": "alice"}}))).await;
    assert_eq!((pluck(&page["infos"], "userID"), &page["nextFlag"]), (vec!["bob".to_owned()], &json!("")));
    assert_eq!(alice.code("setRoomMembersAttributes", set(json!(["eve"]), json!({"lv": "1"}))).await, 6_000_311);
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let asked = alice.ok("queryRoomMembersAttributes", in_room(json!({"userIDs": ["bob"]}))).await;
    assert_eq!(asked["infos"], json!([{"userID": "bob", "attributes": {}}]));
}

#[tokio::test]
async fn a_room_begins_with_attributes_and_has_them_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    let config = json!({"roomDestroyDelayTime": 600, "roomAttributes": {"topic": "t"}});
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r", "roomName": ""}, "config": config})).await;
    alice.event("roomAttributesUpdated").await;
    let until_left = json!({"isDeleteAfterOwnerLeft": true});
    alice.ok("setRoomAttributes", in_room(json!({"roomAttributes": {"mic": "on"}, "config": until_left}))).await;
    alice.ok("setRoomAttributes", in_room(json!({"roomAttributes": {"seat": "1"}}))).await;
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut bob = world.client("bob").await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    assert_eq!(bob.ok("queryRoomAllAttributes", in_room(json!({}))).await["roomAttributes"], json!({"topic": "t", "seat": "1"}));
}

#[tokio::test]
async fn switching_leaves_one_room_for_another_or_stays() {
    let world = World::with(|config| config.limits.rooms_per_user_max = 1);
    let (mut alice, mut bob) = two(&world).await;
    let switch = |from: &str, create: bool| json!({"fromRoomID": from, "toRoomInfo": {"roomID": "s", "roomName": "S"}, "isCreateWhenRoomNotExisted": create});
    assert_eq!(bob.code("switchRoom", switch("r", false)).await, 6_000_322);
    assert_eq!(bob.ok("queryRoomOnlineMemberCount", in_room(json!({}))).await["count"], 2, "still inside");
    assert_eq!(bob.code("switchRoom", switch("q", true)).await, 6_000_321);
    assert_eq!(bob.ok("switchRoom", switch("r", true)).await, json!({"roomInfo": {"baseInfo": {"roomID": "s", "roomName": "S"}}}));
    assert_eq!(pluck(&alice.event("roomMemberLeft").await["memberList"], "userID"), ["bob"]);
    assert_eq!(bob.code("queryRoomOnlineMemberCount", in_room(json!({}))).await, 6_000_321);
}

#[tokio::test]
async fn leaving_all_rooms_names_them_and_one_can_come_back_at_once() {
    let world = World::start();
    let (mut alice, mut bob) = two(&world).await;
    alice.ok("createRoom", room("s")).await;
    bob.ok("joinRoom", json!({"roomID": "s"})).await;
    let mut left = bob.ok("leaveAllRoom", json!({})).await["roomIDs"].take();
    left.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(left, json!(["r", "s"]));
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    assert_eq!(bob.ok("queryRoomOnlineMemberCount", in_room(json!({}))).await["count"], 2);
    assert_eq!(bob.ok("leaveAllRoom", json!({})).await["roomIDs"], json!(["r"]));
    assert_eq!(bob.ok("leaveAllRoom", json!({})).await["roomIDs"], json!([]));
}
