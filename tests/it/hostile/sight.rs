//! What a user may neither see, answer nor pass on: messages it deleted for itself, rooms it is not inside, groups it left.

use serde_json::{Value, json};
use tidings::model::{Limits, RoomId};

use crate::support::{Client, To, World, text, user};

fn handle(message: &Value, conversation: &str, kind: u8) -> Value {
    json!({
        "messageID": message["messageID"], "messageSeq": message["messageSeq"], "conversationID": conversation, "conversationType": kind,
    })
}

/// Tries everything that would show a message of alice to the client, and expects that there is no such message.
async fn assert_gone(client: &mut Client, message: &Value) {
    let handle = handle(message, "alice", 0);
    for (op, args) in [
        ("replyMessage", json!({"message": text("quoting it"), "toOriginalMessage": handle})),
        ("addMessageReaction", json!({"reactionType": "up", "message": handle})),
        ("pinMessage", json!({"isPinned": true, "message": handle})),
        ("queryMessageReactionUserList", json!({"message": handle, "config": {"reactionType": "up", "count": 10, "nextFlag": 0}})),
        ("queryMessageRepliedList", json!({"message": handle, "config": {"count": 10, "nextFlag": 0}})),
    ] {
        let refused = client.refused(op, args).await;
        assert_eq!((refused.code, refused.temporary), (6_000_001, false), "{op}: {refused:?}");
        assert!(refused.message.contains("does not exist"), "{op}: {refused:?}");
    }
}

fn combined() -> Value {
    let child = json!({"type": 1, "message": "for those inside", "senderUserID": "alice"});
    json!({"type": 100, "title": "Notes", "summary": "", "messageList": [child]})
}

#[tokio::test]
async fn what_one_deleted_or_cleared_for_oneself_is_neither_answered_nor_reacted_to_nor_pinned() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let one = alice.say(To::Peer("bob"), "secret one").await;
    let two = alice.say(To::Peer("bob"), "secret two").await;
    let three = alice.send(To::Peer("bob"), combined()).await.unwrap();
    let own = bob.say(To::Peer("alice"), "own").await;
    let delete = json!({"messageList": [handle(&one, "alice", 0), handle(&three, "alice", 0), handle(&own, "alice", 0)], "conversationID": "alice", "conversationType": 0});
    bob.ok("deleteMessages", delete).await;
    assert_gone(&mut bob, &one).await;
    // Nor is what it held read or passed on by its handle.
    let place = json!({"combineID": three["combineID"], "conversationID": "alice", "conversationType": 0});
    assert_eq!(bob.code("queryCombineMessageDetail", json!({"message": place})).await, 6_000_001);
    let forward = json!({"type": 100, "title": "Notes", "summary": "", "combineID": three["combineID"]});
    assert_eq!(bob.send(To::Peer("alice"), forward).await.unwrap_err().code, 6_000_001);
    let mut edit = handle(&own, "alice", 0);
    (edit["type"], edit["message"]) = (json!(1), json!("other words"));
    assert_eq!(bob.code("editMessage", json!({"message": edit})).await, 6_000_001);
    // What is still there can be; and the other side is not concerned.
    bob.ok("addMessageReaction", json!({"reactionType": "up", "message": handle(&two, "alice", 0)})).await;
    alice.ok("pinMessage", json!({"isPinned": true, "message": handle(&one, "bob", 0)})).await;
    // Taken back it can be: that shows nothing to anyone.
    bob.ok("revokeMessage", json!({"message": handle(&own, "alice", 0)})).await;
    bob.ok("deleteAllMessage", json!({"conversationID": "alice", "conversationType": 0})).await;
    assert_gone(&mut bob, &two).await;
}

#[tokio::test]
async fn what_was_combined_in_a_room_is_read_and_passed_on_by_those_inside_only() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut eve = world.client("eve").await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}, "config": {"roomDestroyDelayTime": 100}})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    let sent = alice.send(To::Room("r"), combined()).await.unwrap();
    let place = json!({"message": {"combineID": sent["combineID"], "conversationID": "r", "conversationType": 1}});
    let forward = json!({"type": 100, "title": "Notes", "summary": "", "combineID": sent["combineID"]});
    let nested = json!({"type": 100, "title": "Notes", "summary": "", "messageList": [
        {"type": 100, "title": "", "summary": "", "combineID": sent["combineID"], "senderUserID": "alice"}]});
    bob.ok("queryCombineMessageDetail", place.clone()).await;
    bob.send(To::Peer("alice"), forward.clone()).await.unwrap();
    assert_eq!(eve.code("queryCombineMessageDetail", place.clone()).await, 6_000_001);
    assert_eq!(eve.send(To::Peer("alice"), forward.clone()).await.unwrap_err().code, 6_000_001);
    assert_eq!(eve.send(To::Peer("alice"), nested).await.unwrap_err().code, 6_000_001);
    // Who left is outside, who came in is not.
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    assert_eq!(bob.code("queryCombineMessageDetail", place.clone()).await, 6_000_001);
    assert_eq!(bob.send(To::Peer("alice"), forward.clone()).await.unwrap_err().code, 6_000_001);
    eve.ok("joinRoom", json!({"roomID": "r"})).await;
    eve.ok("queryCombineMessageDetail", place.clone()).await;
    let room = RoomId::parse("roomID", "r", &Limits::default()).unwrap();
    world.broker.rooms().kick(&room, vec![user("eve")], "").await.unwrap();
    assert_eq!(eve.code("queryCombineMessageDetail", place).await, 6_000_001);
}

/// The last message that the client's list shows of the group.
async fn last_message(client: &mut Client) -> Value {
    let entry = client.ok("queryConversation", json!({"conversationID": "g", "conversationType": 2})).await;
    entry["conversation"]["lastMessage"].clone()
}

#[tokio::test]
async fn who_left_a_group_sees_nothing_of_what_is_changed_there_later() {
    let world = World::builder().no_rates().config(|config| config.group.tips = false).start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut carol = world.client("carol").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob", "carol"]})).await;
    let last = alice.say(To::Group("g"), "as it was").await;
    bob.messages(1).await;
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["bob"]})).await;
    carol.ok("leaveGroup", json!({"groupID": "g"})).await;
    alice.ok("addMessageReaction", json!({"reactionType": "up", "message": handle(&last, "g", 2)})).await;
    let seen = last_message(&mut bob).await;
    assert_eq!((&seen["message"], &seen["reactions"]), (&json!("as it was"), &Value::Null));
    let mut edit = handle(&last, "g", 2);
    (edit["type"], edit["message"]) = (json!(1), json!("for members only"));
    alice.ok("editMessage", json!({"message": edit})).await;
    for client in [&mut bob, &mut carol] {
        assert_eq!(last_message(client).await, Value::Null);
    }
    let list = carol.ok("queryConversationList", json!({"config": {"count": 10}})).await;
    assert!(!list.to_string().contains("for members only"), "{list}");
}

#[tokio::test]
async fn the_notice_and_the_pairs_of_a_group_are_its_members_own() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut eve = world.client("eve").await;
    let config = json!({"groupNotice": "the notice", "groupAttributes": {"key": "value"}});
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "name"}, "userIDs": [], "config": config})).await;
    let of_member = alice.ok("queryGroupInfo", json!({"groupID": "g"})).await;
    assert!(of_member.to_string().contains("the notice") && of_member.to_string().contains("value"), "{of_member}");
    let of_stranger = eve.ok("queryGroupInfo", json!({"groupID": "g"})).await;
    assert!(!of_stranger.to_string().contains("the notice") && !of_stranger.to_string().contains("value"), "{of_stranger}");
    assert!(of_stranger.to_string().contains("name"), "{of_stranger}");
    eve.ok("joinGroup", json!({"groupID": "g"})).await;
    assert_eq!(eve.ok("queryGroupInfo", json!({"groupID": "g"})).await, of_member);
}
