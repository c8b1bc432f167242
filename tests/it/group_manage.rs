//! Groups as their members manage them: names, roles, mutes, attributes, who may come in.

use serde_json::{Value, json};

use crate::support::{Client, Login, To, World, fields, pluck, text};

/// Starts a group that alice owns: bob is an admin, carol and dave are members; all are online and were told of it.
async fn group(world: &World) -> [Client; 4] {
    let mut members = Vec::new();
    for id in ["alice", "bob", "carol", "dave"] {
        members.push(world.login(Login { user: id, name: &id.to_uppercase(), device: "only", ..Login::default() }).await);
    }
    let mut members: [Client; 4] = members.try_into().ok().unwrap();
    let [alice, ..] = &mut members;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob", "carol", "dave"]})).await;
    alice.ok("setGroupMemberRole", in_group(json!({"forUserID": "bob", "role": 2}))).await;
    for member in &mut members {
        member.event("groupMemberInfoUpdated").await;
        member.forget_unread();
    }
    members
}

fn in_group(mut args: Value) -> Value {
    args["groupID"] = "g".into();
    args
}

#[tokio::test]
async fn name_notice_and_avatar_are_changed_by_any_member_and_heard_by_all() {
    let world = World::start();
    let [mut alice, mut bob, mut carol, _dave] = group(&world).await;
    for (op, field, event) in [
        ("updateGroupName", "groupName", "groupNameUpdated"),
        ("updateGroupNotice", "groupNotice", "groupNoticeUpdated"),
        ("updateGroupAvatarUrl", "groupAvatarUrl", "groupAvatarUrlUpdated"),
    ] {
        assert_eq!(carol.ok(op, in_group(json!({field: "new"}))).await, json!({"groupID": "g", field: "new"}));
        let told = json!({"groupID": "g", field: "new",
                          "operatedInfo": {"userID": "carol", "userName": "CAROL", "memberNickname": "", "memberRole": 3}});
        for member in [&mut alice, &mut carol] {
            let mut heard = member.event(event).await;
            // The same user, described as members are.
            let described = heard["operatedInfo"].as_object_mut().unwrap().remove("operatedUserInfo").unwrap();
            assert_eq!((&described["userID"], &described["memberAvatarUrl"]), (&json!("carol"), &json!("")));
            assert!(described["groupEnterInfo"]["enterTime"].as_u64().unwrap() > 0);
            assert_eq!(heard, told);
        }
    }
    let info = bob.ok("queryGroupInfo", json!({"groupID": "g"})).await["groupInfo"].take();
    assert_eq!(info["baseInfo"], json!({"groupID": "g", "groupName": "new", "groupAvatarUrl": "new"}));
    assert_eq!(info["groupNotice"], "new");
    let mut eve = world.client("eve").await;
    assert_eq!(eve.code("updateGroupName", in_group(json!({"groupName": "mine"}))).await, 6_000_521);
    assert_eq!(eve.code("updateGroupName", json!({"groupID": "x", "groupName": "mine"})).await, 6_000_523);
}

#[tokio::test]
async fn a_renamed_group_is_renamed_in_everyones_list() {
    let world = World::start();
    let [mut alice, _bob, mut carol, _dave] = group(&world).await;
    alice.say(To::Group("g"), "hi").await;
    alice.ok("updateGroupName", in_group(json!({"groupName": "Renamed"}))).await;
    let heard = carol.frame("the new name in the list", |frame| {
        frame["event"] == "conversationChanged" && frame.to_string().contains("\"conversationName\":\"Renamed\"")
    });
    heard.await;
    let list = carol.ok("queryConversationList", json!({"config": {"count": 10}})).await;
    assert_eq!(list["conversationList"][0]["conversationName"], "Renamed");
}

#[tokio::test]
async fn ownership_is_handed_over_and_roles_are_the_owners_to_give() {
    let world = World::start();
    let [mut alice, mut bob, mut carol, _dave] = group(&world).await;
    assert_eq!(bob.code("transferGroupOwner", in_group(json!({"toUserID": "bob"}))).await, 6_000_541);
    assert_eq!(alice.code("transferGroupOwner", in_group(json!({"toUserID": "nobody"}))).await, 6_000_521);
    assert_eq!(alice.ok("transferGroupOwner", in_group(json!({"toUserID": "carol"}))).await, json!({"groupID": "g", "toUserID": "carol"}));
    let told = bob.event("groupMemberInfoUpdated").await;
    assert_eq!(
        (pluck(&told["userList"], "userID"), pluck(&told["userList"], "memberRole")),
        (vec!["carol".into(), "alice".into()], vec!["1".into(), "3".into()])
    );
    assert_eq!(alice.code("setGroupMemberRole", in_group(json!({"forUserID": "dave", "role": 2}))).await, 6_000_541);
    let given = carol.ok("setGroupMemberRole", in_group(json!({"forUserID": "dave", "role": 101}))).await;
    assert_eq!(given, json!({"groupID": "g", "forUserID": "dave", "role": 101}));
    let dave = carol.ok("queryGroupMemberInfo", in_group(json!({"userID": "dave"}))).await;
    assert_eq!((&dave["groupID"], &dave["userInfo"]["memberRole"]), (&json!("g"), &json!(101)));
    assert_eq!(carol.code("queryGroupMemberInfo", in_group(json!({"userID": "nobody"}))).await, 6_000_521);
    assert_eq!(carol.code("setGroupMemberRole", in_group(json!({"forUserID": "carol", "role": 2}))).await, 6_000_001);
}

#[tokio::test]
async fn an_admin_kicks_and_takes_back_what_regular_members_said() {
    let world = World::start();
    let [mut alice, mut bob, mut carol, _dave] = group(&world).await;
    let by_carol = carol.say(To::Group("g"), "rude").await;
    let by_alice = alice.say(To::Group("g"), "kind").await;
    let revoke = |message: &Value| json!({"message": {"messageID": message["messageID"], "messageSeq": message["messageSeq"], "conversationID": "g", "conversationType": 2}});
    assert_eq!(bob.code("revokeMessage", revoke(&by_alice)).await, 6_000_541);
    assert_eq!(carol.code("revokeMessage", revoke(&by_alice)).await, 6_000_541);
    assert_eq!(bob.ok("revokeMessage", revoke(&by_carol)).await["message"]["revokeStatus"], 3);
    let kicked = bob.ok("kickGroupMembers", in_group(json!({"userIDs": ["carol", "alice"]}))).await;
    assert_eq!(kicked, json!({"groupID": "g", "kickedUserIDs": ["carol"], "errorUserList": [{"userID": "alice", "reason": 6_000_541}]}));
    assert_eq!(carol.code("kickGroupMembers", in_group(json!({"userIDs": ["dave"]}))).await, 6_000_521);
}

#[tokio::test]
async fn nicknames_are_ones_own_or_a_managers_to_give_and_show_who_did_something() {
    let world = World::start();
    let [mut alice, mut bob, mut carol, _dave] = group(&world).await;
    assert_eq!(carol.code("setGroupMemberNickname", in_group(json!({"forUserID": "dave", "nickname": "D"}))).await, 6_000_541);
    let set = carol.ok("setGroupMemberNickname", in_group(json!({"forUserID": "carol", "nickname": "Caz"}))).await;
    assert_eq!(set, json!({"groupID": "g", "forUserID": "carol", "nickname": "Caz"}));
    assert_eq!(alice.event("groupMemberInfoUpdated").await["userList"][0]["memberNickname"], "Caz");
    carol.ok("updateGroupNotice", in_group(json!({"groupNotice": "n"}))).await;
    assert_eq!(alice.event("groupNoticeUpdated").await["operatedInfo"]["memberNickname"], "Caz");
    bob.ok("setGroupMemberNickname", in_group(json!({"forUserID": "dave", "nickname": "D"}))).await;
    let found = bob
        .ok(
            "searchLocalGroupMembers",
            in_group(json!({"config": {"keywords": ["d"], "count": 10, "isAlsoMatchGroupMemberNickname": true}})),
        )
        .await;
    assert_eq!((pluck(&found["userList"], "userID"), &found["nextFlag"]), (vec!["dave".to_owned()], &json!(0)));
}

#[tokio::test]
async fn the_muted_are_refused_in_every_kind_until_it_ends() {
    let world = World::builder().frozen().start();
    let [mut alice, mut bob, mut carol, mut dave] = group(&world).await;
    let muted =
        bob.ok("muteGroupMembers", in_group(json!({"isMute": true, "userIDs": ["carol", "alice"], "config": {"duration": 60}}))).await;
    assert_eq!(
        (&muted["mutedUserIDs"], &muted["errorUserList"], &muted["duration"]),
        (&json!(["carol"]), &json!([{"userID": "alice", "reason": 6_000_541}]), &json!(60))
    );
    let until = carol.event("groupMemberInfoUpdated").await["userList"][0]["muteExpiredTime"].as_u64().unwrap();
    assert_eq!(carol.send(To::Group("g"), text("hi")).await.unwrap_err().code, 6_000_231);
    assert_eq!(carol.send(To::Group("g"), json!({"type": 2, "message": "AQ=="})).await.unwrap_err().code, 6_000_231);
    let list = dave.ok("queryGroupMemberMutedList", in_group(json!({"config": {"count": 10}}))).await;
    assert_eq!(
        (pluck(&list["userList"], "userID"), list["userList"][0]["muteExpiredTime"].as_u64()),
        (vec!["carol".to_owned()], Some(until))
    );
    world.advance(std::time::Duration::from_secs(60));
    carol.say(To::Group("g"), "I am back").await;
    assert_eq!(dave.ok("queryGroupMemberMutedList", in_group(json!({"config": {"count": 10}}))).await["userList"], json!([]));

    let all = |mode: i64| in_group(json!({"isMute": true, "config": {"mode": mode, "duration": -1, "roles": []}}));
    assert_eq!(bob.code("muteGroup", all(2)).await, 6_000_541);
    assert_eq!(carol.code("muteGroup", all(1)).await, 6_000_541);
    let mute = json!({"mode": 1, "expiredTime": -1, "roles": []});
    assert_eq!(bob.ok("muteGroup", all(1)).await, json!({"groupID": "g", "isMute": true, "mutedInfo": mute}));
    assert_eq!(alice.event("groupMutedInfoUpdated").await["mutedInfo"], mute);
    assert_eq!(dave.send(To::Group("g"), text("hi")).await.unwrap_err().code, 6_000_231);
    bob.say(To::Group("g"), "admins may").await;
    alice.ok("muteGroup", in_group(json!({"isMute": false}))).await;
    dave.say(To::Group("g"), "free").await;
}

#[tokio::test]
async fn leaving_and_coming_back_ends_no_mute() {
    let world = World::builder().frozen().start();
    let [mut alice, mut bob, mut carol, mut dave] = group(&world).await;
    bob.ok("muteGroupMembers", in_group(json!({"isMute": true, "userIDs": ["carol", "dave"], "config": {"duration": 60}}))).await;
    carol.ok("leaveGroup", json!({"groupID": "g"})).await;
    bob.ok("kickGroupMembers", in_group(json!({"userIDs": ["dave"]}))).await;
    carol.ok("joinGroup", json!({"groupID": "g"})).await;
    alice.ok("inviteUsersIntoGroup", in_group(json!({"userIDs": ["dave"]}))).await;
    for member in [&mut carol, &mut dave] {
        assert_eq!(member.send(To::Group("g"), text("hi")).await.unwrap_err().code, 6_000_231);
    }
    dave.ok("leaveGroup", json!({"groupID": "g"})).await;
    world.advance(std::time::Duration::from_secs(60));
    carol.say(To::Group("g"), "over").await;
    dave.ok("joinGroup", json!({"groupID": "g"})).await;
    dave.say(To::Group("g"), "over for me, too").await;
}

#[tokio::test]
async fn attributes_are_kept_told_and_asked_for_by_members() {
    let world = World::start();
    let [mut alice, _bob, mut carol, _dave] = group(&world).await;
    let set = carol.ok("setGroupAttributes", in_group(json!({"groupAttributes": {"a": "1", "b": "2"}}))).await;
    assert_eq!(set, json!({"groupID": "g", "errorKeys": []}));
    assert_eq!(alice.event("groupAttributesUpdated").await["infoList"], json!([{"action": 0, "groupAttributes": {"a": "1", "b": "2"}}]));
    assert_eq!(alice.ok("queryGroupAllAttributes", in_group(json!({}))).await["groupAttributes"], json!({"a": "1", "b": "2"}));
    assert_eq!(
        alice.ok("queryGroupAttributes", in_group(json!({"keys": ["b"]}))).await,
        json!({"groupID": "g", "groupAttributes": {"b": "2"}})
    );
    assert_eq!(alice.code("queryGroupAttributes", in_group(json!({"keys": ["b", "z"]}))).await, 6_000_526);
    assert_eq!(carol.ok("deleteGroupAttributes", in_group(json!({"keys": ["a", "z"]}))).await["errorKeys"], json!(["z"]));
    assert_eq!(alice.event("groupAttributesUpdated").await["infoList"], json!([{"action": 1, "groupAttributes": {"a": ""}}]));
    assert_eq!(carol.code("deleteGroupAttributes", in_group(json!({"keys": ["a"]}))).await, 6_000_526);
    let mut eve = world.client("eve").await;
    assert_eq!(eve.code("queryGroupAllAttributes", in_group(json!({}))).await, 6_000_521);
}

#[tokio::test]
async fn who_may_come_in_is_the_groups_to_say() {
    let world = World::start();
    let [mut alice, mut bob, mut carol, _dave] = group(&world).await;
    let mut eve = world.client("eve").await;
    let mode = |mode: i64| in_group(json!({"mode": mode}));
    assert_eq!(carol.code("updateGroupJoinMode", mode(2)).await, 6_000_541);
    assert_eq!(bob.ok("updateGroupJoinMode", mode(2)).await, json!({"groupID": "g", "mode": 2}));
    assert_eq!(alice.event("groupVerifyInfoUpdated").await["verifyInfo"], json!({"joinMode": 2, "inviteMode": 0, "beInviteMode": 0}));
    assert_eq!(eve.code("joinGroup", json!({"groupID": "g"})).await, 6_000_542);
    alice.ok("updateGroupJoinMode", mode(1)).await;
    assert_eq!(eve.code("joinGroup", json!({"groupID": "g"})).await, 6_000_543);
    alice.ok("updateGroupInviteMode", mode(1)).await;
    let invite = in_group(json!({"userIDs": ["eve"]}));
    assert_eq!(carol.code("inviteUsersIntoGroup", invite.clone()).await, 6_000_541);
    alice.ok("updateGroupBeInviteMode", mode(1)).await;
    assert_eq!(bob.code("inviteUsersIntoGroup", invite.clone()).await, 6_000_544);
    alice.ok("updateGroupBeInviteMode", mode(0)).await;
    assert_eq!(pluck(&bob.ok("inviteUsersIntoGroup", invite).await["userList"], "userID"), ["eve"]);
}

#[tokio::test]
async fn a_group_holds_as_many_as_its_creator_says() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    for id in ["bob", "carol"] {
        world.client(id).await;
    }
    let create = json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob", "carol"], "config": {"maxMemberCount": 2}});
    let created = alice.ok("createGroup", create).await;
    assert_eq!(
        (created["userList"].as_array().unwrap().len(), &created["errorUserList"]),
        (2, &json!([{"userID": "carol", "reason": 6_000_525}]))
    );
    assert_eq!(created["groupInfo"]["maxMemberCount"], 2);
    let too_many = json!({"groupInfo": {"groupID": "h"}, "userIDs": [], "config": {"maxMemberCount": 501}});
    assert_eq!(alice.code("createGroup", too_many).await, 6_000_001);
}

#[tokio::test]
async fn what_was_changed_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    let [mut alice, mut bob, _carol, _dave] = group(&world).await;
    bob.ok("muteGroupMembers", in_group(json!({"isMute": true, "userIDs": ["carol"], "config": {"duration": -1}}))).await;
    alice.ok("updateGroupJoinMode", in_group(json!({"mode": 2}))).await;
    alice.ok("setGroupAttributes", in_group(json!({"groupAttributes": {"a": "1"}}))).await;
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut carol = world.client("carol").await;
    assert_eq!(carol.send(To::Group("g"), text("hi")).await.unwrap_err().code, 6_000_231);
    let info = carol.ok("queryGroupInfo", json!({"groupID": "g"})).await["groupInfo"].take();
    assert_eq!((&info["verifyInfo"]["joinMode"], &info["groupAttributes"]), (&json!(2), &json!({"a": "1"})));
    let bob = carol.ok("queryGroupMemberInfo", in_group(json!({"userID": "bob"}))).await;
    assert_eq!(bob["userInfo"]["memberRole"], 2);
}

#[tokio::test]
async fn changes_are_said_in_the_group_when_tips_are_on() {
    let world = World::with(|config| config.group.tips = true);
    let [mut alice, _bob, mut carol, _dave] = group(&world).await;
    alice.ok("updateGroupName", in_group(json!({"groupName": "New"}))).await;
    alice.ok("muteGroupMembers", in_group(json!({"isMute": true, "userIDs": ["dave"], "config": {"duration": -1}}))).await;
    // A tip is kept after the change it tells of was answered.
    let mut history = carol.newest(To::Group("g")).await;
    for _ in 0..1000 {
        if history.last().is_some_and(|last| last["changeInfo"]["type"] == 12) {
            break;
        }
        history = carol.newest(To::Group("g")).await;
    }
    let tips: Vec<(u64, Value)> = history
        .iter()
        .filter(|message| message["type"] == 32)
        .map(|tip| (tip["event"].as_u64().unwrap(), tip["changeInfo"].clone()))
        .collect();
    assert_eq!(tips[tips.len() - 2], (7, json!({"type": 3, "groupDataFlag": 1, "groupName": "New"})));
    assert_eq!(tips[tips.len() - 1], (8, json!({"type": 12, "muteExpiredTime": -1})));
    assert_eq!(pluck(&history.last().unwrap()["targetUserList"], "userID"), ["dave"]);
}

#[tokio::test]
async fn groups_are_found_by_name_and_by_their_members() {
    let world = World::start();
    let [mut alice, _bob, _carol, mut dave] = group(&world).await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "h", "groupName": "Hiking"}, "userIDs": ["dave"]})).await;
    let search =
        |words: &[&str], by_name: bool| json!({"config": {"keywords": words, "count": 10, "isAlsoMatchGroupMemberUserName": by_name}});
    let ids = |found: &Value| {
        found["groupSearchInfoList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|info| info["groupInfo"]["groupID"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let found = dave.ok("searchLocalGroups", search(&["hik"], false)).await;
    assert_eq!(ids(&found), ["h"]);
    assert_eq!(fields(&found), ["groupSearchInfoList", "nextFlag"]);
    let found = dave.ok("searchLocalGroups", search(&["carol"], true)).await;
    assert_eq!(
        (ids(&found), pluck(&found["groupSearchInfoList"][0]["userList"], "userID")),
        (vec!["g".to_owned()], vec!["carol".to_owned()])
    );
    assert!(ids(&dave.ok("searchLocalGroups", search(&["carol"], false)).await).is_empty());
}

#[tokio::test]
async fn whether_a_group_disturbs_is_told_to_each_member_for_itself() {
    let world = World::start();
    let [mut alice, _bob, mut carol, _dave] = group(&world).await;
    carol.ok("setConversationNotificationStatus", json!({"status": 2, "conversationID": "g", "conversationType": 2})).await;
    let status = |answer: &Value| answer["groupInfo"]["notificationStatus"].clone();
    assert_eq!(status(&carol.ok("queryGroupInfo", json!({"groupID": "g"})).await), 2);
    assert_eq!(status(&alice.ok("queryGroupInfo", json!({"groupID": "g"})).await), 1);
    assert_eq!(carol.ok("queryGroupList", json!({})).await["groupList"][0]["notificationStatus"], 2);
}

#[tokio::test]
async fn a_client_that_knows_no_tips_keeps_seeing_what_was_said_before_them() {
    let world = World::with(|config| config.group.tips = true);
    let [mut alice, _bob, _carol, _dave] = group(&world).await;
    let said = alice.say(To::Group("g"), "hi").await;
    alice.ok("updateGroupName", in_group(json!({"groupName": "Renamed"}))).await;
    for (version, shown) in [("2.14.0", json!("hi")), ("2.15.0", json!(null))] {
        let mut carol = world.login(Login { user: "carol", device: "only", version, ..Login::default() }).await;
        let list = carol.ok("queryConversationList", json!({"config": {"count": 10}})).await;
        let last = &list["conversationList"][0]["lastMessage"];
        assert_eq!(last["message"], shown, "{version}: {last}");
        if version == "2.14.0" {
            assert_eq!(last["messageID"], said["messageID"]);
            alice.ok("updateGroupNotice", in_group(json!({"groupNotice": "n"}))).await;
            let changed = carol.event("conversationChanged").await;
            assert_eq!(changed["infoList"][0]["conversation"]["lastMessage"]["message"], "hi", "{changed}");
        }
    }
}
