//! Reactions, receipts, pins, list settings, groups and tokens of users over the server API.

use serde_json::{Value, json};
use tidings::auth::Scope;

use crate::support::{Login, To, World, pluck};

#[tokio::test]
async fn a_backend_reacts_confirms_and_pins_for_users() {
    let world = World::builder().no_rates().start();
    let backend = world.any_backend();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let mut args = To::Peer("bob").args(&json!({"type": 1, "message": "hi"}));
    args["config"] = json!({"hasReceipt": true});
    let id = alice.ok("sendMessage", args).await["message"]["messageID"].clone();
    bob.messages(1).await;
    let with = |more: Value| {
        let mut call = json!({"userID": "bob", "conversationID": "alice", "conversationType": 0});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    backend.ok("POST /messages/reactions", with(json!({"messageID": id, "reactionType": "+1"}))).await;
    assert_eq!(alice.event("messageReactionsChanged").await["reactions"][0]["reactionType"], "+1");
    backend.ok("POST /messages/reactions", with(json!({"messageID": id, "reactionType": "+1", "isAdded": false}))).await;
    let long = with(json!({"messageID": id, "reactionType": "x".repeat(33)}));
    assert_eq!(backend.refused("POST /messages/reactions", long).await, (400, 6_000_001));
    let confirmed = backend.ok("POST /messages/receipts", with(json!({"messageIDs": [id, "5"]}))).await;
    assert_eq!(confirmed, json!({"errorMessageIDs": ["5"]}));
    alice.event("messageReceiptChanged").await;
    for count in [0, 11] {
        let ids: Vec<Value> = (0..count).map(|_| id.clone()).collect();
        assert_eq!(backend.refused("POST /messages/receipts", with(json!({"messageIDs": ids}))).await, (400, 6_000_001));
    }
    backend.ok("POST /messages/pin", with(json!({"messageID": id, "isPinned": true}))).await;
    let pinned = backend.ok("GET /messages/pinned?userID=bob&conversationID=alice&conversationType=0", Value::Null).await;
    assert_eq!(pluck(&pinned["messageList"], "messageID"), [id.as_str().unwrap()]);
    assert_eq!(backend.refused("POST /messages/pin", with(json!({"messageID": "x", "isPinned": true}))).await, (400, 6_000_001));
}

#[tokio::test]
async fn a_backend_changes_how_a_conversation_stands_in_a_users_list() {
    let world = World::builder().no_rates().start();
    let backend = world.any_backend();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob"]})).await;
    alice.say(To::Group("g"), "hi").await;
    bob.messages(1).await;
    let groups = backend.ok("GET /users/bob/groups", Value::Null).await;
    assert_eq!(groups, json!({"groupList": [{"groupID": "g", "groupName": "G", "groupAvatarUrl": ""}]}));
    let place = json!({"conversationID": "g", "conversationType": 2});
    let with = |more: Value| {
        let mut call = place.clone();
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let all = json!({"isPinned": true, "notificationStatus": 2, "setMarks": [3, 4], "deleteMarks": [4], "isRead": true});
    backend.ok("PATCH /users/bob/conversations", with(all)).await;
    let entry = bob.ok("queryConversation", place.clone()).await["conversation"].take();
    assert_eq!((&entry["isPinned"], &entry["notificationStatus"], &entry["marks"]), (&json!(true), &json!(2), &json!([3])));
    assert!(entry["unreadMessageCount"].is_null() || entry["unreadMessageCount"] == 0, "{entry}");
    backend.ok("PATCH /users/bob/conversations", with(json!({"isDeleted": true}))).await;
    let list = backend.ok("GET /users/bob/conversations", Value::Null).await;
    assert_eq!(list["conversationList"], json!([]));
    for wrong in
        [json!({}), json!({"notificationStatus": 3}), json!({"setMarks": vec![1; 21]}), json!({"isPinned": true, "conversationType": 1})]
    {
        assert_eq!(backend.refused("PATCH /users/bob/conversations", with(wrong)).await, (400, 6_000_001));
    }
}

#[tokio::test]
async fn a_backend_makes_tokens_with_a_scope_of_its_own() {
    let world = World::builder().config(|config| config.auth.token_lifetime_max_seconds = 1_000_000).start();
    let backend = world.backend("tokens", &[Scope::TokensWrite]);
    let issued = backend.ok("POST /users/alice/tokens", json!({"ttlSeconds": 60})).await;
    let mut client = world.connect().await;
    client.login(issued["token"].as_str().unwrap(), Login { user: "alice", ..Login::default() }).await;
    let default = backend.ok("POST /users/bob/tokens", json!({})).await;
    assert!(default["expireTime"].as_u64() > issued["expireTime"].as_u64());
    for wrong in [json!({"ttlSeconds": 29}), json!({"ttlSeconds": 1_000_001}), json!({"format": "x"}), json!({"format": "token04"})] {
        assert_eq!(backend.refused("POST /users/alice/tokens", wrong).await, (400, 6_000_001));
    }
    assert_eq!(backend.refused("POST /users/system/tokens", json!({})).await, (400, 6_000_001));
    let other = world.backend("other", &[Scope::UsersWrite, Scope::MessagesWrite]);
    assert_eq!(other.refused("POST /users/alice/tokens", json!({})).await.0, 403);
}
