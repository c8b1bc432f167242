//! Groups: durable membership, its events and its lists of errors.

use serde_json::{Value, json};

use crate::support::{Client, Login, T0, To, World, fields, group_target, pluck, text, text_draft, until, user};

fn create(id: &str, users: &[&str]) -> Value {
    json!({"groupInfo": {"groupID": id, "groupName": format!("the {id}")}, "userIDs": users})
}

fn named(id: &str) -> Value {
    json!({"groupID": id})
}

fn with_users(id: &str, users: &[&str]) -> Value {
    json!({"groupID": id, "userIDs": users})
}

fn error(user: &str, reason: u32) -> Value {
    json!({"userID": user, "reason": reason})
}

fn member(user: &str, role: u8) -> Value {
    json!({"userID": user, "userName": user.to_uppercase(), "userAvatarUrl": "", "memberNickname": "", "memberRole": role,
           "muteExpiredTime": 0, "memberAvatarUrl": ""})
}

fn operator(user: &str, role: u8) -> Value {
    json!({"userID": user, "userName": user.to_uppercase(), "memberNickname": "", "memberRole": role, "operatedUserInfo": member(user, role)})
}

/// Returns the same without when and how members came in.
fn plain(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("groupEnterInfo");
            fields.values_mut().for_each(|field| *field = plain(field.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|one| *one = plain(one.take())),
        _ => {}
    }
    value
}

/// What a member of group g is told of its own membership.
fn own(state: u8, event: u8, operator: &Value) -> Value {
    json!({"state": state, "event": event, "groupInfo": full("g"), "operatedInfo": operator})
}

/// What a member of group g is told of others.
fn others(state: u8, event: u8, users: &[Value], operator: &Value) -> Value {
    json!({"groupID": "g", "state": state, "event": event, "userList": users, "operatedInfo": operator})
}

fn full(id: &str) -> Value {
    json!({"baseInfo": {"groupID": id, "groupName": format!("the {id}"), "groupAvatarUrl": ""}, "groupNotice": "", "groupAttributes": {},
           "notificationStatus": 1, "mutedInfo": {"mode": 0, "expiredTime": 0, "roles": []},
           "groupAlias": "", "createTime": T0, "maxMemberCount": 0, "verifyInfo": {"joinMode": 0, "inviteMode": 0, "beInviteMode": 0}})
}

/// Logs a user in, with its id in capitals as name.
async fn client(world: &World, id: &str) -> Client {
    world.login(Login { user: id, name: &id.to_uppercase(), device: "only", ..Login::default() }).await
}

async fn roles(client: &mut Client) -> Vec<(String, String)> {
    let page = client.ok("queryGroupMemberList", json!({"groupID": "g", "config": {"count": 100}})).await;
    pluck(&page["userList"], "userID").into_iter().zip(pluck(&page["userList"], "memberRole")).collect()
}

fn role(user: &str, number: u8) -> (String, String) {
    (user.to_owned(), number.to_string())
}

#[tokio::test]
async fn creating_a_group_tells_who_came_in_and_who_did_not() {
    let world = World::builder().frozen().start();
    let mut bob = client(&world, "bob").await;
    let mut alice = client(&world, "alice").await;
    let created = alice.ok("createGroup", create("g", &["bob", "nobody", "alice", "bob"])).await;
    assert_eq!(
        plain(created),
        json!({"groupInfo": full("g"), "userList": [member("alice", 1), member("bob", 3)], "errorUserList": [error("nobody", 6_000_204)]})
    );
    assert_eq!(plain(alice.event("groupStateChanged").await), own(1, 1, &operator("alice", 1)));
    assert_eq!(plain(bob.event("groupStateChanged").await), own(1, 4, &operator("alice", 1)));
    assert_eq!(alice.code("createGroup", create("g", &[])).await, 6_000_524);
    assert_eq!(bob.code("createGroup", create("g", &[])).await, 6_000_524);
    bob.assert_nothing_unread();
}

#[tokio::test]
async fn an_empty_id_makes_the_broker_choose_one_and_advanced_fields_are_kept() {
    let world = World::builder().frozen().start();
    let mut alice = client(&world, "alice").await;
    let args = json!({"groupInfo": {"groupName": "n", "groupAvatarUrl": "http://a/b"}, "userIDs": [],
                      "config": {"groupNotice": "read me", "groupAttributes": {"k": "v"}}});
    let created = alice.ok("createGroup", args.clone()).await["groupInfo"].take();
    let id = created["baseInfo"]["groupID"].as_str().unwrap().to_owned();
    assert!(id.starts_with('#') && id.len() > 1, "{created}");
    assert_eq!((&created["groupNotice"], &created["groupAttributes"]), (&json!("read me"), &json!({"k": "v"})));
    assert_ne!(alice.ok("createGroup", args).await["groupInfo"]["baseInfo"]["groupID"], json!(id));
    assert_eq!(alice.ok("queryGroupInfo", named(&id)).await["groupInfo"], created);
    alice.say(To::Group(&id), "works").await;
}

#[tokio::test]
async fn joining_is_told_to_both_sides_and_is_done_once() {
    let world = World::builder().frozen().start();
    let mut alice = client(&world, "alice").await;
    let mut bob = client(&world, "bob").await;
    assert_eq!(bob.code("joinGroup", named("g")).await, 6_000_523);
    alice.ok("createGroup", create("g", &[])).await;
    assert_eq!(bob.ok("joinGroup", named("g")).await, json!({"groupInfo": full("g")}));
    assert_eq!(plain(bob.event("groupStateChanged").await), own(1, 3, &operator("bob", 3)));
    assert_eq!(plain(alice.event("groupMemberStateChanged").await), others(1, 1, &[member("bob", 3)], &operator("bob", 3)));
    assert_eq!(bob.code("joinGroup", named("g")).await, 6_000_522, "once is enough");
    assert_eq!(bob.ok("queryGroupMemberCount", named("g")).await, json!({"groupID": "g", "count": 2}));
    bob.assert_nothing_unread();
}

#[tokio::test]
async fn an_invitation_brings_in_whom_it_can_and_names_the_others() {
    let world = World::builder().frozen().start();
    let mut alice = client(&world, "alice").await;
    let mut bob = client(&world, "bob").await;
    let mut carol = client(&world, "carol").await;
    assert_eq!(bob.code("inviteUsersIntoGroup", with_users("g", &["carol"])).await, 6_000_523);
    alice.ok("createGroup", create("g", &["bob"])).await;
    assert_eq!(carol.code("inviteUsersIntoGroup", with_users("g", &["carol"])).await, 6_000_521);
    bob.event("groupStateChanged").await;
    let invited = bob.ok("inviteUsersIntoGroup", with_users("g", &["alice", "carol", "nobody"])).await;
    assert_eq!(
        plain(invited),
        json!({"groupID": "g", "userList": [member("carol", 3)],
               "errorUserList": [error("nobody", 6_000_204), error("alice", 6_000_522)]})
    );
    assert_eq!(plain(carol.event("groupStateChanged").await), own(1, 4, &operator("bob", 3)));
    for old in [&mut alice, &mut bob] {
        assert_eq!(plain(old.event("groupMemberStateChanged").await), others(1, 5, &[member("carol", 3)], &operator("bob", 3)));
    }
    carol.assert_nothing_unread();
}

#[tokio::test]
async fn a_full_group_takes_nobody_more() {
    let world = World::with(|config| config.limits.group_members_max = 2);
    let mut bob = client(&world, "bob").await;
    let mut carol = client(&world, "carol").await;
    let mut alice = client(&world, "alice").await;
    let created = alice.ok("createGroup", create("g", &["bob", "carol"])).await;
    assert_eq!(created["errorUserList"], json!([error("carol", 6_000_525)]));
    assert_eq!(carol.code("joinGroup", named("g")).await, 6_000_525);
    assert_eq!(alice.ok("inviteUsersIntoGroup", with_users("g", &["carol"])).await["errorUserList"], json!([error("carol", 6_000_525)]));
    bob.ok("leaveGroup", named("g")).await;
    carol.ok("joinGroup", named("g")).await;
}

#[tokio::test]
async fn the_owner_kicks_and_nobody_else() {
    let world = World::builder().frozen().start();
    let mut bob = client(&world, "bob").await;
    let mut carol = client(&world, "carol").await;
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &["bob", "carol"])).await;
    let mut stranger = client(&world, "stranger").await;
    assert_eq!(stranger.code("kickGroupMembers", with_users("g", &["bob"])).await, 6_000_521);
    assert_eq!(bob.code("kickGroupMembers", with_users("g", &["carol"])).await, 6_000_541);
    assert_eq!(alice.code("kickGroupMembers", with_users("nowhere", &["bob"])).await, 6_000_523);
    assert_eq!(alice.code("kickGroupMembers", with_users("g", &["alice", "stranger"])).await, 6_000_507);
    let kicked = alice.ok("kickGroupMembers", with_users("g", &["bob", "stranger", "alice"])).await;
    assert_eq!(
        kicked,
        json!({"groupID": "g", "kickedUserIDs": ["bob"], "errorUserList": [error("stranger", 6_000_521), error("alice", 6_000_541)]})
    );
    bob.event("groupStateChanged").await;
    assert_eq!(plain(bob.event("groupStateChanged").await), own(0, 6, &operator("alice", 1)));
    for left in [&mut alice, &mut carol] {
        assert_eq!(plain(left.event("groupMemberStateChanged").await), others(0, 4, &[member("bob", 3)], &operator("alice", 1)));
    }
    assert_eq!(bob.send(To::Group("g"), text("hey")).await.unwrap_err().code, 6_000_521);
    assert_eq!(bob.history(To::Group("g"), json!({"count": 1})).await.unwrap_err().code, 6_000_521);
    alice.say(To::Group("g"), "without bob").await;
    assert_eq!(carol.texts(1).await, ["without bob"]);
    bob.ok("ping", json!({})).await;
    bob.assert_nothing_unread();
}

#[tokio::test]
async fn a_leaving_owner_hands_the_group_to_the_earliest_member() {
    let world = World::builder().frozen().start();
    let mut alice = client(&world, "alice").await;
    let mut zoe = client(&world, "zoe").await;
    let mut bob = client(&world, "bob").await;
    alice.ok("createGroup", create("g", &[])).await;
    zoe.ok("joinGroup", named("g")).await;
    bob.ok("joinGroup", named("g")).await;
    zoe.event("groupMemberStateChanged").await;
    assert_eq!(alice.ok("leaveGroup", named("g")).await, named("g"));
    alice.event("groupStateChanged").await;
    assert_eq!(plain(alice.event("groupStateChanged").await), own(0, 5, &operator("alice", 1)));
    assert_eq!(plain(zoe.event("groupMemberStateChanged").await), others(0, 2, &[member("alice", 1)], &operator("alice", 1)));
    assert_eq!(roles(&mut bob).await, [role("zoe", 1), role("bob", 3)]);
    assert_eq!(alice.code("leaveGroup", named("g")).await, 6_000_521);
    assert_eq!(bob.code("dismissGroup", named("g")).await, 6_000_541);
    zoe.ok("kickGroupMembers", with_users("g", &["bob"])).await;
}

#[tokio::test]
async fn the_last_one_out_ends_the_group_and_its_id_is_not_used_again() {
    let world = World::builder().frozen().start();
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &[])).await;
    alice.ok("leaveGroup", named("g")).await;
    assert_eq!(alice.code("createGroup", create("g", &[])).await, 6_000_527);
    for (op, args) in [
        ("joinGroup", named("g")),
        ("leaveGroup", named("g")),
        ("dismissGroup", named("g")),
        ("queryGroupInfo", named("g")),
        ("queryGroupMemberCount", named("g")),
        ("queryGroupMemberList", json!({"groupID": "g", "config": {"count": 1}})),
        ("sendMessage", To::Group("g").args(&text("x"))),
    ] {
        assert_eq!(alice.code(op, args).await, 6_000_523, "{op}");
    }
    assert_eq!(alice.ok("queryGroupList", json!({})).await, json!({"groupList": [], "nextFlag": 0}));
}

#[tokio::test]
async fn the_owner_dismisses_and_everyone_is_told() {
    let world = World::builder().frozen().start();
    let mut bob = client(&world, "bob").await;
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &["bob"])).await;
    let mut stranger = client(&world, "stranger").await;
    assert_eq!(stranger.code("dismissGroup", named("g")).await, 6_000_521);
    assert_eq!(bob.code("dismissGroup", named("g")).await, 6_000_541);
    assert_eq!(alice.ok("dismissGroup", named("g")).await, named("g"));
    for member in [&mut alice, &mut bob] {
        member.event("groupStateChanged").await;
        assert_eq!(plain(member.event("groupStateChanged").await), own(0, 2, &operator("alice", 1)));
        assert_eq!(member.ok("queryGroupList", json!({})).await, json!({"groupList": [], "nextFlag": 0}));
    }
    assert_eq!(alice.code("createGroup", create("g", &[])).await, 6_000_527);
    assert_eq!(bob.code("dismissGroup", named("g")).await, 6_000_523);
}

#[tokio::test]
async fn a_group_message_reaches_every_member_on_every_device() {
    let world = World::with(|config| config.users.devices_per_user_max = 2);
    let mut phone = world.device("bob", "phone").await;
    let mut tablet = world.device("bob", "tablet").await;
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &["bob"])).await;
    let sent = alice.say(To::Group("g"), "hello").await;
    assert_eq!(fields(&sent), ["conversationType", "message", "messageID", "messageSeq", "orderKey", "senderUserID", "timestamp", "type"]);
    for device in [&mut phone, &mut tablet] {
        let data = device.event("receiveGroupMessage").await;
        assert_eq!((&data["fromConversationID"], &data["messageList"]), (&json!("g"), &json!([sent])));
    }
    let late = world.broker.send(&user("bob"), &group_target("g"), text_draft("h", "from the host")).await.unwrap();
    assert_eq!((late.seq, alice.texts(1).await), (2, vec!["from the host".to_owned()]));
    assert_eq!((phone.texts(1).await, tablet.texts(1).await), (vec!["from the host".to_owned()], vec!["from the host".to_owned()]));
}

/// Our choice: a member reads from the moment it joined, because what was said before was not said to it.
#[tokio::test]
async fn history_begins_with_ones_joining() {
    let world = World::builder().frozen().start();
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &[])).await;
    alice.say(To::Group("g"), "before").await;
    let mut bob = client(&world, "bob").await;
    assert_eq!(bob.history(To::Group("g"), json!({"count": 1})).await.unwrap_err().code, 6_000_521);
    assert_eq!(bob.history(To::Group("nowhere"), json!({"count": 1})).await.unwrap_err().code, 6_000_523);
    bob.ok("joinGroup", named("g")).await;
    alice.say(To::Group("g"), "after").await;
    assert_eq!(pluck(&Value::Array(bob.newest(To::Group("g")).await), "message"), ["after"]);
    let around = bob.history(To::Group("g"), json!({"count": 10, "nextMessage": {"messageSeq": 2}, "reverse": true})).await.unwrap();
    assert_eq!(around["messageList"], json!([]), "not past the joining by an anchor either");
    assert_eq!(pluck(&Value::Array(alice.newest(To::Group("g")).await), "message"), ["before", "after"]);
    // Leaving and coming back begins anew.
    bob.ok("leaveGroup", named("g")).await;
    alice.say(To::Group("g"), "in between").await;
    bob.ok("joinGroup", named("g")).await;
    assert_eq!(bob.newest(To::Group("g")).await, Vec::<Value>::new());
}

/// Messages gathered for the next frame are for those who were members when they were accepted.
#[tokio::test]
async fn a_change_of_members_comes_between_messages_live_as_in_history() {
    let world = World::with(|config| config.batch.tick_ms = 1000);
    let mut carol = client(&world, "carol").await;
    let mut bob = client(&world, "bob").await;
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &["carol"])).await;
    alice.say(To::Group("g"), "one").await;
    alice.say(To::Group("g"), "two").await;
    bob.ok("joinGroup", named("g")).await;
    carol.ok("leaveGroup", named("g")).await;
    alice.say(To::Group("g"), "three").await;
    assert_eq!(pluck(&Value::Array(bob.newest(To::Group("g")).await), "message"), ["three"]);
    assert_eq!(bob.texts(1).await, ["three"]);
    assert_eq!(carol.texts(2).await, ["one", "two"]);
}

#[tokio::test]
async fn lists_and_counts_are_for_members_and_come_in_pages() {
    let world = World::builder().frozen().start();
    let mut users = Vec::new();
    for n in 0..6 {
        users.push(format!("u{}", 5 - n));
        world.broker.register(&user(&users[n]), &users[n].to_uppercase()).await.unwrap();
    }
    let mut alice = client(&world, "alice").await;
    alice.ok("createGroup", create("g", &users.iter().map(String::as_str).collect::<Vec<_>>())).await;
    let (mut seen, mut next) = (Vec::new(), json!(0));
    loop {
        let page = alice.ok("queryGroupMemberList", json!({"groupID": "g", "config": {"count": 3, "nextFlag": next}})).await;
        assert_eq!(fields(&page), ["groupID", "nextFlag", "userList"]);
        seen.extend(pluck(&page["userList"], "userID"));
        next = page["nextFlag"].clone();
        if next == 0 {
            break;
        }
    }
    assert_eq!(seen, [vec!["alice".to_owned()], users].concat(), "in the order of joining");
    for count in [0, 101] {
        assert_eq!(alice.code("queryGroupMemberList", json!({"groupID": "g", "config": {"count": count}})).await, 6_000_001);
    }
    let mut stranger = client(&world, "stranger").await;
    assert_eq!(stranger.code("queryGroupMemberCount", named("g")).await, 6_000_521);
    assert_eq!(stranger.code("queryGroupMemberList", json!({"groupID": "g", "config": {"count": 1}})).await, 6_000_521);
    assert_eq!(stranger.ok("queryGroupInfo", named("g")).await, json!({"groupInfo": full("g")}));
    assert_eq!(stranger.code("queryGroupInfo", named("nowhere")).await, 6_000_523);
    let short = json!({"baseInfo": full("g")["baseInfo"], "groupAlias": "", "notificationStatus": 1});
    assert_eq!(alice.ok("queryGroupList", json!({})).await, json!({"groupList": [short], "nextFlag": 0}));
    assert_eq!(stranger.ok("queryGroupList", json!({})).await, json!({"groupList": [], "nextFlag": 0}));
}

#[tokio::test]
async fn membership_survives_a_restart_on_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    let mut alice = client(&world, "alice").await;
    let bob = client(&world, "bob").await;
    let carol = client(&world, "carol").await;
    alice.ok("createGroup", create("g", &["bob", "carol"])).await;
    alice.say(To::Group("g"), "before").await;
    alice.ok("kickGroupMembers", with_users("g", &["carol"])).await;
    alice.ok("createGroup", create("gone", &[])).await;
    alice.ok("dismissGroup", named("gone")).await;
    drop((alice, bob, carol));
    assert!(world.stop().await.is_clean());

    let world = World::builder().folder(folder.path()).start();
    let mut alice = client(&world, "alice").await;
    let mut bob = client(&world, "bob").await;
    let mut carol = client(&world, "carol").await;
    assert_eq!(roles(&mut bob).await, [role("alice", 1), role("bob", 3)]);
    assert_eq!(bob.say(To::Group("g"), "after").await["messageSeq"], 2);
    assert_eq!(alice.texts(1).await, ["after"]);
    assert_eq!(pluck(&Value::Array(bob.newest(To::Group("g")).await), "message"), ["before", "after"]);
    assert_eq!(carol.send(To::Group("g"), text("x")).await.unwrap_err().code, 6_000_521);
    assert_eq!(alice.code("createGroup", create("gone", &[])).await, 6_000_527);
}

/// Otherwise a group would keep its actor, and the connections of users long gone, for as long as the broker runs.
#[tokio::test]
async fn a_group_whose_members_are_offline_leaves_memory() {
    let world = World::with(|config| config.actors.idle_seconds = 1);
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": ""}, "userIDs": []})).await;
    alice.say(To::Group("g"), "x").await;
    drop(alice);
    until("the end of an idle group", || world.broker.stats().groups == 0).await;
}
