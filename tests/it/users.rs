//! What users change of themselves, and who hears that they come and go. Source: src/protocol/PROTOCOL.md, "Users".

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Login, World, session_ended};

fn status(event: &Value) -> (&Value, &Value) {
    (&event["userStatusList"][0]["userID"], &event["userStatusList"][0]["onlineStatus"])
}

async fn profile(client: &mut Client, user: &str) -> Value {
    client.ok("queryUsersInfo", json!({"userIDs": [user]})).await["userList"][0].take()
}

#[tokio::test]
async fn a_profile_is_changed_kept_and_told_to_ones_other_devices() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).config(|config| config.users.devices_per_user_max = 2).start();
    let mut alice = world.login(Login { user: "alice", device: "a1", ..Login::default() }).await;
    let mut other = world.login(Login { user: "alice", device: "a2", ..Login::default() }).await;
    let mut bob = world.client("bob").await;
    assert_eq!(alice.ok("updateUserName", json!({"userName": "Alicia"})).await["userName"], "Alicia");
    assert_eq!(other.event("userInfoUpdated").await["info"]["baseInfo"]["userName"], "Alicia");
    let url = "https://example.org/a.png";
    assert_eq!(alice.ok("updateUserAvatarUrl", json!({"userAvatarUrl": url})).await["userAvatarUrl"], url);
    assert_eq!(alice.ok("updateUserExtendedData", json!({"extendedData": "x"})).await["extendedData"], "x");
    let seen = profile(&mut bob, "alice").await;
    assert_eq!(
        (&seen["baseInfo"]["userName"], &seen["baseInfo"]["userAvatarUrl"], &seen["extendedData"]),
        (&json!("Alicia"), &json!(url), &json!("x"))
    );
    assert_eq!(alice.code("updateUserName", json!({"userName": "n".repeat(257)})).await, 6_000_001);
    // A group hears the new name from the session that changed it.
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    assert_eq!(bob.event("groupStateChanged").await["operatedInfo"]["userName"], "Alicia");
    drop((alice, other, bob));
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    assert_eq!(profile(&mut world.client("bob").await, "alice").await["extendedData"], "x");
}

#[tokio::test]
async fn who_follows_a_user_hears_when_it_comes_and_goes_until_the_time_is_over() {
    let world = World::builder().frozen().start();
    let mut events = world.broker.subscribe();
    drop(world.client("bob").await);
    session_ended(&mut events, "bob").await;
    let mut alice = world.client("alice").await;
    let asked = alice.ok("queryUsersStatus", json!({"userIDs": ["bob", "nobody"]})).await;
    assert_eq!(status(&asked), (&json!("bob"), &json!(1)));
    assert_eq!(asked["errorUserList"], json!([{"userID": "nobody", "reason": 6_000_204}]));
    let followed = alice.ok("subscribeUsersStatus", json!({"userIDs": ["bob", "nobody"], "config": {"subscriptionDuration": 2}})).await;
    assert_eq!(followed["errorUserList"][0]["userID"], "nobody");
    let mut bob = world.client("bob").await;
    assert_eq!(status(&alice.event("userStatusUpdated").await), (&json!("bob"), &json!(0)));
    bob.ok("logout", json!({})).await;
    assert_eq!(status(&alice.event("userStatusUpdated").await), (&json!("bob"), &json!(2)));
    let list = alice.ok("querySubscribedUserStatusList", json!({"config": {"userIDs": []}})).await;
    assert_eq!(list["userStatusSubscriptionList"][0]["userStatus"]["onlineStatus"], 2);
    session_ended(&mut events, "bob").await;
    world.advance(Duration::from_secs(119));
    let lost = world.client("bob").await;
    assert_eq!(status(&alice.event("userStatusUpdated").await), (&json!("bob"), &json!(0)));
    world.advance(Duration::from_secs(1));
    drop(lost);
    session_ended(&mut events, "bob").await;
    let list = alice.ok("querySubscribedUserStatusList", json!({"config": {}})).await;
    assert_eq!(list["userStatusSubscriptionList"], json!([]));
    alice.assert_nothing_unread();
}

#[tokio::test]
async fn a_subscription_outlives_its_session_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    drop(world.client("bob").await);
    let mut alice = world.client("alice").await;
    alice.ok("subscribeUsersStatus", json!({"userIDs": ["bob"], "config": {"subscriptionDuration": 60}})).await;
    drop(alice);
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    let bob = world.client("bob").await;
    assert_eq!(status(&alice.event("userStatusUpdated").await), (&json!("bob"), &json!(0)));
    alice.ok("unsubscribeUsersStatus", json!({"userIDs": ["bob"]})).await;
    let mut events = world.broker.subscribe();
    drop(bob);
    session_ended(&mut events, "bob").await;
    assert_eq!(alice.ok("querySubscribedUserStatusList", json!({"config": {}})).await["userStatusSubscriptionList"], json!([]));
    alice.assert_nothing_unread();
}
