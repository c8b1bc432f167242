//! What one user may take: rooms, groups, invitations and searches. Time stands still, so that every figure is exact.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, To, WireError, World, room_destroyed, until};

fn assert_limited(refused: &WireError, retry_after_ms: u64) {
    assert_eq!((refused.code, refused.temporary, refused.retry_after_ms), (6_000_005, true, Some(retry_after_ms)), "{refused:?}");
}

fn room(id: &str, delay: u64) -> Value {
    json!({"roomInfo": {"roomID": id}, "config": {"roomDestroyDelayTime": delay}})
}

/// Makes a room and leaves it.
async fn make_and_leave(client: &mut Client, id: &str, delay: u64) {
    client.ok("createRoom", room(id, delay)).await;
    client.ok("leaveRoom", json!({"roomID": id})).await;
}

#[tokio::test]
async fn rooms_are_made_entered_and_left_sixty_times_a_minute() {
    let world = World::builder().frozen().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    alice.ok("createRoom", room("r", 0)).await;
    for _ in 0..19 {
        alice.ok("leaveRoom", json!({"roomID": "r"})).await;
        alice.ok("enterRoom", room("r", 0)).await;
        alice.ok("joinRoom", json!({"roomID": "r"})).await;
    }
    alice.ok("leaveAllRoom", json!({})).await;
    alice.ok("enterRoom", room("r", 0)).await;
    for (op, args) in [
        ("createRoom", room("x", 0)),
        ("enterRoom", room("x", 0)),
        ("joinRoom", json!({"roomID": "r"})),
        ("leaveRoom", json!({"roomID": "r"})),
        ("leaveAllRoom", json!({})),
        ("switchRoom", json!({"fromRoomID": "r", "toRoomInfo": {"roomID": "x"}, "isCreateWhenRoomNotExisted": true})),
    ] {
        assert_limited(&alice.refused(op, args).await, 1_000);
    }
    // What was refused changed nothing, and others have their own quota.
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    world.advance(Duration::from_secs(1));
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_limited(&alice.refused("createRoom", room("x", 0)).await, 1_000);
}

#[tokio::test]
async fn groups_are_made_joined_and_ended_sixty_times_a_minute() {
    let world = World::builder().frozen().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    bob.ok("createGroup", json!({"groupInfo": {"groupID": "b"}, "userIDs": []})).await;
    for n in 0..20 {
        let group = json!({"groupID": format!("g{n}")});
        alice.ok("createGroup", json!({"groupInfo": group, "userIDs": []})).await;
        alice.ok("dismissGroup", group).await;
    }
    for _ in 0..10 {
        alice.ok("joinGroup", json!({"groupID": "b"})).await;
        alice.ok("leaveGroup", json!({"groupID": "b"})).await;
    }
    for (op, args) in [
        ("createGroup", json!({"groupInfo": {"groupID": "x"}, "userIDs": []})),
        ("joinGroup", json!({"groupID": "b"})),
        ("leaveGroup", json!({"groupID": "b"})),
        ("dismissGroup", json!({"groupID": "b"})),
    ] {
        assert_limited(&alice.refused(op, args).await, 1_000);
    }
    bob.ok("dismissGroup", json!({"groupID": "b"})).await;
    world.advance(Duration::from_secs(60));
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "x"}, "userIDs": []})).await;
}

#[tokio::test]
async fn two_hundred_users_a_minute_are_invited_whichever_way() {
    let world = World::builder().frozen().config(|config| config.users.must_exist = false).start();
    let mut alice = world.client("alice").await;
    let users = |count: usize, from: usize| json!((from..from + count).map(|n| format!("u{n}")).collect::<Vec<_>>());
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": users(90, 0)})).await;
    alice.ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": users(100, 100)})).await;
    let invite = json!({"groupID": "g", "userIDs": users(11, 300)});
    assert_limited(&alice.refused("inviteUsersIntoGroup", invite).await, 300);
    assert_limited(&alice.refused("createGroup", json!({"groupInfo": {"groupID": "h"}, "userIDs": users(11, 300)})).await, 300);
    alice.ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": users(10, 300)})).await;
    assert_limited(&alice.refused("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": ["late"]})).await, 300);
    // Nobody came in who was refused.
    assert_eq!(alice.ok("queryGroupMemberCount", json!({"groupID": "g"})).await["count"], 201);
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "h"}, "userIDs": []})).await;
}

#[tokio::test]
async fn five_searches_a_second_of_whatever_kind() {
    let world = World::builder().frozen().start();
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": []})).await;
    let config = json!({"keywords": ["x"], "count": 10, "totalConversationCount": 10, "conversationMessageCount": 1});
    let in_group = json!({"groupID": "g", "config": {"keywords": ["x"], "count": 10}});
    let searches = [
        ("searchGlobalLocalMessages", json!({"config": config})),
        ("searchLocalMessages", json!({"conversationID": "g", "conversationType": 2, "config": config})),
        ("searchLocalConversations", json!({"config": config})),
        ("searchLocalGroups", json!({"config": {"keywords": ["x"], "count": 10}})),
        ("searchLocalGroupMembers", in_group),
    ];
    for (op, args) in &searches {
        alice.ok(op, args.clone()).await;
    }
    for (op, args) in searches {
        assert_limited(&alice.refused(op, args).await, 200);
    }
    world.advance(Duration::from_millis(200));
    alice.ok("searchGlobalLocalMessages", json!({"config": config})).await;
}

#[tokio::test]
async fn rooms_that_were_left_and_still_stand_count_for_who_made_them() {
    let world = World::builder().no_rates().frozen().start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    for n in 0..5 {
        make_and_leave(&mut alice, &format!("r{n}"), 100 + n).await;
    }
    let refused = alice.refused("createRoom", room("r5", 100)).await;
    assert_eq!((refused.code, refused.temporary), (6_000_325, false), "{refused:?}");
    assert_eq!(alice.code("enterRoom", room("r5", 100)).await, 6_000_325);
    // They are hers to come into again, as others' are; and others may make theirs.
    bob.ok("createRoom", room("b", 100)).await;
    alice.ok("joinRoom", json!({"roomID": "b"})).await;
    alice.ok("enterRoom", room("r0", 100)).await;
    alice.ok("leaveAllRoom", json!({})).await;
    bob.ok("joinRoom", json!({"roomID": "r4"})).await;
    alice.ok("createRoom", room("r5", 100)).await;
    alice.ok("leaveRoom", json!({"roomID": "r5"})).await;
    assert_eq!(alice.code("createRoom", room("r6", 100)).await, 6_000_325);
    world.advance(Duration::from_secs(100));
    room_destroyed(&mut events, "r5").await;
    alice.ok("createRoom", room("r6", 100)).await;
}

#[tokio::test]
async fn an_empty_room_is_no_actor_and_is_there_again_with_all_that_was_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().no_rates().frozen().folder(folder.path()).start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    alice.ok("createRoom", room("r", 100)).await;
    alice.say(To::Room("r"), "kept").await;
    let given = json!({"roomID": "r", "userIDs": ["alice"], "attributes": {"key": "value"}, "config": {"isDeleteAfterOwnerLeft": false}});
    alice.ok("setRoomMembersAttributes", given).await;
    alice
        .ok("setRoomAttributes", json!({"roomID": "r", "roomAttributes": {"topic": "t"}, "config": {"isDeleteAfterOwnerLeft": false}}))
        .await;
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    until("the room's actor stops", || world.broker.stats().rooms == 0).await;
    assert_eq!(alice.code("createRoom", room("r", 100)).await, 6_000_323, "it stands");
    until("it stops again", || world.broker.stats().rooms == 0).await;
    alice.ok("joinRoom", json!({"roomID": "r"})).await;
    assert_eq!(alice.newest(To::Room("r")).await.len(), 1);
    let members = alice.ok("queryRoomMembersAttributes", json!({"roomID": "r", "userIDs": ["alice"]})).await;
    assert!(members.to_string().contains("value"), "{members}");
    let attributes = alice.ok("queryRoomAllAttributes", json!({"roomID": "r"})).await;
    assert_eq!(attributes["roomAttributes"], json!({"topic": "t"}));
    alice.ok("leaveRoom", json!({"roomID": "r"})).await;
    until("the room's actor stops", || world.broker.stats().rooms == 0).await;
    world.advance(Duration::from_secs(100));
    room_destroyed(&mut events, "r").await;
    // After a restart rooms stand for the grace and their delay, and still count.
    for n in 0..5 {
        make_and_leave(&mut alice, &format!("r{n}"), 100).await;
    }
    drop(alice);
    world.stop().await;
    let world = World::builder().no_rates().frozen().folder(folder.path()).start();
    let mut events = world.broker.subscribe();
    let mut alice = world.client("alice").await;
    assert_eq!(world.broker.stats().rooms, 0);
    assert_eq!(alice.code("createRoom", room("x", 0)).await, 6_000_325);
    world.advance(Duration::from_secs(130));
    room_destroyed(&mut events, "r4").await;
    alice.ok("createRoom", room("x", 0)).await;
}

#[tokio::test]
async fn being_invited_does_not_count_against_what_one_makes_or_joins() {
    let world = World::builder().no_rates().config(|config| config.limits.groups_per_user_max = 3).start();
    let mut victim = world.client("victim").await;
    for stranger in ["eve", "mallory"] {
        let mut stranger = world.client(stranger).await;
        for n in 0..3 {
            stranger.ok("createGroup", json!({"groupInfo": {"groupID": format!("{stranger}{n}", stranger = stranger.hello["userID"].as_str().unwrap())}, "userIDs": ["victim"]})).await;
        }
    }
    // What others bring it into is bounded, too.
    assert_eq!(victim.ok("queryGroupList", json!({})).await["groupList"].as_array().unwrap().len(), 3);
    let mut friend = world.client("friend").await;
    friend.ok("createGroup", json!({"groupInfo": {"groupID": "f"}, "userIDs": []})).await;
    victim.ok("createGroup", json!({"groupInfo": {"groupID": "v0"}, "userIDs": []})).await;
    victim.ok("createGroup", json!({"groupInfo": {"groupID": "v1"}, "userIDs": []})).await;
    victim.ok("joinGroup", json!({"groupID": "f"})).await;
    let refused = victim.refused("createGroup", json!({"groupInfo": {"groupID": "v2"}, "userIDs": []})).await;
    assert_eq!(refused.code, 6_000_001);
    assert!(refused.message.contains("made or joined 3 groups already, the limit"), "{refused:?}");
    // Room for an invitation comes with leaving one.
    let invited = friend.ok("inviteUsersIntoGroup", json!({"groupID": "f", "userIDs": ["eve"]})).await;
    assert_eq!(invited["userList"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn strangers_do_not_invite_where_they_may_not() {
    let world = World::builder().no_rates().config(|config| config.group.strangers_may_invite = false).start();
    let mut victim = world.client("victim").await;
    let mut eve = world.client("eve").await;
    let made = eve.ok("createGroup", json!({"groupInfo": {"groupID": "e"}, "userIDs": ["victim"]})).await;
    assert_eq!((made["userList"].as_array().unwrap().len(), &made["errorUserList"][0]["reason"]), (1, &json!(6_000_541)), "{made}");
    let invite = json!({"groupID": "e", "userIDs": ["victim"]});
    let invited = eve.ok("inviteUsersIntoGroup", invite.clone()).await;
    assert_eq!(invited["errorUserList"][0]["reason"], 6_000_541, "{invited}");
    // A room that both are inside is a shared conversation, as long as both are.
    victim.ok("createRoom", room("r", 0)).await;
    eve.ok("joinRoom", json!({"roomID": "r"})).await;
    let invited = eve.ok("inviteUsersIntoGroup", invite.clone()).await;
    assert_eq!(invited["userList"][0]["userID"], "victim", "{invited}");
    // So are a group and messages between the two.
    let mut bob = world.client("bob").await;
    bob.ok("createGroup", json!({"groupInfo": {"groupID": "b"}, "userIDs": []})).await;
    let invite = json!({"groupID": "b", "userIDs": ["victim", "eve"]});
    assert_eq!(bob.ok("inviteUsersIntoGroup", invite.clone()).await["errorUserList"].as_array().unwrap().len(), 2);
    bob.ok("joinGroup", json!({"groupID": "e"})).await;
    assert_eq!(bob.ok("inviteUsersIntoGroup", invite).await["userList"].as_array().unwrap().len(), 2);
    let mut carol = world.client("carol").await;
    victim.say(To::Peer("carol"), "hi").await;
    let made = carol.ok("createGroup", json!({"groupInfo": {"groupID": "c"}, "userIDs": ["victim"]})).await;
    assert_eq!(made["userList"].as_array().unwrap().len(), 2, "{made}");
}
