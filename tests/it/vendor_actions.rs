//! Each action in the vendor's shape, and what clients see of it.

use serde_json::{Value, json};

use crate::support::vendor::Vendor;
use crate::support::{To, World, pluck};

fn world() -> World {
    let quick = |config: &mut tidings::config::Config| {
        let vendor = &mut config.vendor_api;
        for quota in [
            &mut vendor.calls_per_second,
            &mut vendor.group_and_room_messages_per_second,
            &mut vendor.changes_of_one_group_per_second,
            &mut vendor.looks_into_one_room_per_second,
            &mut vendor.group_lists_per_second,
        ] {
            *quota = 100_000;
        }
    };
    Vendor::builder().config(quick).start()
}

fn says(from: &str, words: &str, more: Value) -> Value {
    let mut body = json!({"FromUserId": from, "MessageType": 1, "Priority": 1, "MessageBody": {"Message": words}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn registered<'a>(world: &'a World, users: &[&str]) -> Vendor<'a> {
    let vendor = Vendor::of(world);
    let users: Vec<Value> = users.iter().map(|user| json!({"UserId": user, "UserName": user.to_uppercase()})).collect();
    vendor.ok("UserRegister", json!({"UserInfo": users})).await;
    vendor
}

#[tokio::test]
async fn users_are_registered_and_asked_for() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let _bob = world.client("bob").await;
    let some = json!({"UserInfo": [
        {"UserId": "carol", "UserName": "Carol", "UserAvatar": "https://a.example/c.png"}, {"UserId": "bob"}, {"UserId": "x".repeat(33)},
        {"UserId": "dave", "UserName": "n".repeat(257)}, {"UserId": "erin", "UserAvatar": "a".repeat(501)},
    ]});
    let errors = vendor.ok("UserRegister", some).await["ErrorList"].take();
    assert_eq!(pluck(&errors, "SubCode"), ["660700002", "660000012", "660700006", "660700007"]);
    assert_eq!(world.broker.users().get(&crate::support::user("carol")).await.unwrap().unwrap().avatar_url, "https://a.example/c.png");
    assert_eq!(vendor.code("UserRegister", json!({"UserInfo": [{"UserId": "bob"}]})).await, 660_700_002);
    let many = |count: usize| json!({"UserInfo": (0..count).map(|n| json!({"UserId": format!("u{n}")})).collect::<Vec<_>>()});
    assert_eq!((vendor.code("UserRegister", many(100)).await, vendor.code("UserRegister", many(101)).await), (0, 660_000_011));
    assert_eq!(vendor.code("UserRegister", json!({})).await, 660_000_002);
    let states = vendor.got("QueryUserOnlineState", "&UserId[]=bob&UserId[]=shop&UserId[]=nobody").await;
    assert_eq!(states["Result"], json!([{"UserId": "bob", "Status": "Online"}, {"UserId": "shop", "Status": "Offline"}]));
    assert_eq!(states["ErrorList"], json!([{"UserId": "nobody", "SubCode": 660_200_001}]));
    assert_eq!(vendor.get("QueryUserOnlineState", "&UserId[]=nobody").await["Code"], 660_200_001);
}

#[tokio::test]
async fn a_message_to_some_users_reaches_those_who_are_there() {
    let world = world();
    let vendor = registered(&world, &["shop", "carol"]).await;
    let mut bob = world.client("bob").await;
    let more = json!({"ToUserId": ["bob", "nobody", "shop", "carol"], "SendMsgOptions": {"NoUnread": true}});
    let sent = vendor.ok("SendPeerMessage", says("shop", "hello", more)).await;
    assert_eq!(pluck(&sent["SuccList"], "UserId"), ["bob", "carol"]);
    assert_eq!(sent["SuccList"][0]["MsgSeq"], 1);
    assert_eq!(sent["ErrorList"], json!([{"UserId": "nobody", "SubCode": 660_200_001}, {"UserId": "shop", "SubCode": 660_600_030}]));
    let got = bob.event("receivePeerMessage").await["messageList"][0].take();
    assert_eq!(
        (&got["message"], &got["senderUserID"], &got["messageID"]),
        (&json!("hello"), &json!("shop"), &sent["SuccList"][0]["MsgId"])
    );
    let kinds = [
        (json!({"MessageType": 2, "MessageBody": {"Message": "run"}}), json!({"type": 2, "message": "cnVu"})),
        (json!({"MessageType": 2, "MessageBody": {"Message": "AAH/", "IsBase64": 1}}), json!({"type": 2, "message": "AAH/"})),
        (
            json!({"MessageType": 200, "SubMsgType": 7, "SearchedContent": "find", "MessageBody": {"Message": "{}", "ExtendedData": "e"}}),
            json!({"type": 200, "subType": 7, "searchedContent": "find", "message": "{}", "extendedData": "e"}),
        ),
        (
            json!({"MessageType": 11, "MessageBody": {"Message": json!({"Uid": "1", "Origin": {"Url": "https://f.example/a.png",
                "Width": 3, "Height": 4}, "FileName": "a.png", "Size": 9}).to_string()}}),
            json!({"type": 11, "fileDownloadUrl": "https://f.example/a.png", "fileName": "a.png", "originalImageWidth": 3}),
        ),
        (
            json!({"MessageType": 13, "MessageBody": {"Message": {"Url": "https://f.example/a.mp3", "FileName": "a.mp3", "MediaDuration": 5}}}),
            json!({"type": 13, "fileDownloadUrl": "https://f.example/a.mp3", "audioDuration": 5}),
        ),
        (json!({"MentionedUserIds": ["bob"], "MessageBody": {"Message": "you"}}), json!({"type": 1, "mentionedUserIDs": ["bob"]})),
    ];
    for (mut more, wanted) in kinds {
        more["ToUserId"] = json!(["bob"]);
        vendor.ok("SendPeerMessage", says("shop", "", more)).await;
        let got = bob.event("receivePeerMessage").await["messageList"][0].take();
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&got[field], value, "{field} of {got}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_by_its_number() {
    let world = world();
    let vendor = registered(&world, &["shop", "bob"]).await;
    let to_bob = |more: Value| {
        let mut body = says("shop", "hi", json!({"ToUserId": ["bob"]}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let many = |count: usize| json!({"ToUserId": (0..count).map(|n| format!("u{n}")).collect::<Vec<_>>()});
    let long = |bytes: usize| json!({"MessageBody": {"Message": "x".repeat(bytes)}});
    for (more, code) in [
        (json!({"FromUserId": "nobody"}), 660_500_002),
        (json!({"FromUserId": ""}), 660_000_002),
        (json!({"FromUserId": "x".repeat(33)}), 660_000_012),
        (json!({"ToUserId": []}), 660_000_002),
        (json!({"ToUserId": "bob"}), 660_000_002),
        (many(100), 660_200_001),
        (many(101), 660_000_011),
        (json!({"MessageType": 10}), 660_000_002),
        (json!({"MessageType": 20}), 660_000_002),
        (json!({"MessageType": 31}), 660_000_002),
        (json!({"MessageType": "x"}), 660_000_002),
        (json!({"MessageType": null}), 660_000_002),
        (json!({"MessageType": 200, "SubMsgType": 200}), 0),
        (json!({"MessageType": 200, "SubMsgType": 201}), 660_000_002),
        (json!({"MessageBody": {}}), 660_000_002),
        (json!({"MessageBody": "no"}), 660_000_002),
        (long(32_768), 0),
        (long(32_769), 660_400_001),
        (json!({"MessageType": 2, "MessageBody": {"Message": "x".repeat(5_120)}}), 0),
        (json!({"MessageType": 2, "MessageBody": {"Message": "x".repeat(5_121)}}), 660_400_001),
        (json!({"MessageType": 2, "MessageBody": {"Message": "???", "IsBase64": 1}}), 660_000_025),
        (json!({"MessageBody": {"Message": "m", "ExtendedData": "e".repeat(1_024)}}), 0),
        (json!({"MessageBody": {"Message": "m", "ExtendedData": "e".repeat(1_025)}}), 660_400_001),
        (json!({"MessageType": 11, "MessageBody": {"Message": "{}"}}), 660_000_002),
        (json!({"MessageType": 12, "MessageBody": {"Message": {"FileName": "f", "Url": "ftp://x"}}}), 660_000_002),
        (json!({"Priority": 3}), 0),
        (json!({"Priority": 4}), 660_000_002),
        (json!({"SenderUnaware": 0}), 0),
        (json!({"SenderUnaware": 1}), 0),
        (json!({"SendMsgOptions": {"TargetOption": {"ReceiverUserIds": ["bob"]}}}), 660_000_002),
    ] {
        let answer = vendor.post("SendPeerMessage", to_bob(more.clone())).await;
        assert_eq!(answer["Code"], code, "{} {}", more.to_string().chars().take(100).collect::<String>(), answer["Message"]);
    }
    let pushed = vendor.ok("SendPeerMessage", to_bob(json!({"MessageBody": {"Message": "m", "OfflinePush": {"Enable": 1}}}))).await;
    assert_eq!(pushed["Message"], "success; MessageBody.OfflinePush: nothing is pushed to who is offline");
}

#[tokio::test]
async fn a_broadcast_reaches_everyone_within_its_rate() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let mut bob = world.client("bob").await;
    let call = |more: Value| vendor.post("SendMessageToAllUsers", says("shop", "sale", more));
    assert_eq!(call(json!({"PushType": 2})).await["Code"], 660_000_002);
    assert_eq!(call(json!({"MessageType": 2})).await["Code"], 660_000_002);
    assert_eq!(call(json!({"FromUserId": "nobody"})).await["Code"], 660_500_002);
    assert_eq!(call(json!({})).await["Code"], 0);
    assert_eq!(bob.event("broadcastMessageReceived").await["message"]["message"], "sale");
    assert_eq!(call(json!({})).await["Code"], 660_500_003);
}

#[tokio::test]
async fn messages_are_listed_newest_first_and_taken_back() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let mut bob = world.client("bob").await;
    for n in 1..=12 {
        vendor.ok("SendPeerMessage", says("shop", &n.to_string(), json!({"ToUserId": ["bob"]}))).await;
    }
    bob.messages(12).await;
    let pair = json!({"FromUserId": "bob", "ToUserId": "shop"});
    let page = vendor.ok("QueryPeerMsg", pair.clone()).await;
    assert_eq!(pluck(&page["List"], "MsgBody"), ["12", "11", "10", "9", "8", "7", "6", "5", "4", "3"]);
    assert_eq!((&page["Next"], &page["List"][0]["Sender"]), (&json!(3), &json!("shop")));
    let rest = vendor.ok("QueryPeerMessages", json!({"FromUserId": "bob", "ToUserId": "shop", "Next": 3, "Limit": 101})).await;
    assert_eq!((pluck(&rest["List"], "MsgBody"), &rest["Next"]), (vec!["2".to_owned(), "1".to_owned()], &json!(0)));
    let revoke = |from: &str, to: &str, seq: i64| json!({"FromUserId": from, "ToUserId": to, "MsgSeq": seq, "Payload": "typo"});
    for (call, code) in [
        (revoke("bob", "shop", 12), 660_000_026),
        (revoke("shop", "bob", 13), 660_000_022),
        (revoke("shop", "bob", -1), 660_000_022),
        (revoke("shop", "bob", 12), 0),
        (revoke("shop", "bob", 12), 660_000_023),
    ] {
        assert_eq!(vendor.code("RevokePeerMessage", call.clone()).await, code, "{call}");
    }
    let told = bob.event("messageRevokeReceived").await["messageList"][0].take();
    assert_eq!((&told["messageSeq"], &told["revokeExtendedData"]), (&json!(12), &json!("typo")));
    let page = vendor.ok("QueryPeerMsg", json!({"FromUserId": "bob", "ToUserId": "shop", "Limit": 1, "WithEmptyMsg": 1})).await;
    assert_eq!((&page["List"][0]["IsEmpty"], &page["List"][0]["MsgType"]), (&json!(2), &json!(1)));
    assert_eq!(vendor.ok("QueryPeerMsg", pair).await["List"][0]["MsgSeq"], 11);
    world.advance(std::time::Duration::from_secs(121));
    assert_eq!(vendor.code("QueryPeerMsg", json!({"FromUserId": "x"})).await, 660_500_002);
    let late = revoke("shop", "bob", 11);
    assert_eq!(vendor.code("RevokePeerMessage", late).await, 660_000_024);
}

#[tokio::test]
async fn a_room_from_its_making_to_its_end() {
    let world = world();
    let vendor = registered(&world, &["admin"]).await;
    let pair = |key: &str, value: &str, more: Value| {
        let mut pair = json!({"Key": key, "Value": value});
        pair.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pair
    };
    let make = json!({"FromUserId": "admin", "RoomId": "r", "RoomName": "Lobby", "DestroyDelayTime": 60, "Attributes": [pair("k", "v", json!({}))]});
    vendor.ok("CreateRoom", make.clone()).await;
    assert_eq!(vendor.code("CreateRoom", make).await, 660_300_014);
    for (more, code) in [
        (json!({"RoomName": "n".repeat(65)}), 660_000_002),
        (json!({"DestroyDelayTime": 10_801}), 660_000_002),
        (json!({"DestroyDelayTime": -1}), 660_000_002),
        (json!({"Attributes": [pair("k", "v", json!({"AutoDelete": 2}))]}), 660_000_002),
        (json!({"FromUserId": "nobody"}), 660_500_002),
    ] {
        let mut call = json!({"FromUserId": "admin", "RoomId": "other"});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(vendor.code("CreateRoom", call).await, code, "{more}");
    }
    assert_eq!(vendor.get("QueryRoomUserList", "&RoomId=r").await["Code"], 660_300_008);
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    for client in [&mut alice, &mut bob] {
        client.ok("joinRoom", json!({"roomID": "r"})).await;
    }
    let page = vendor.got("QueryRoomUserList", "&RoomId=r&Limit=1&NextFlag=0&Mode=0").await;
    assert_eq!((&page["Count"], &page["UserList"][0]["UserId"]), (&json!(2), &json!("alice")));
    let next = page["NextFlag"].as_str().unwrap().replace('>', "%3E");
    let page = vendor.got("QueryRoomUserList", &format!("&RoomId=r&Limit=1&NextFlag={next}")).await;
    assert_eq!((&page["NextFlag"], &page["UserList"][0]["UserId"]), (&json!("0"), &json!("bob")));
    let asked = vendor.got("QueryRoomMembers", "&RoomId=r&UserId[]=bob&UserId[]=admin&UserId[]=nobody").await;
    assert_eq!(asked["UserList"][0]["user_id"], "bob");
    assert_eq!(pluck(&asked["ErrorList"], "SubCode"), ["660200001", "660300012"]);
    assert_eq!(vendor.get("QueryRoomMembers", "&RoomId=r&UserId[]=admin").await["Code"], 660_300_012);

    vendor.ok("SendRoomMessage", says("admin", "from outside", json!({"RoomId": "r"}))).await;
    assert_eq!(bob.texts(1).await, ["from outside"]);
    vendor.ok("SendRoomMessage", says("admin", "wow", json!({"RoomId": "r", "MessageType": 20}))).await;
    assert_eq!(bob.texts(1).await, ["wow"]);
    let receipt = json!({"RoomId": "r", "MessageBody": {"Message": "m", "HasReceipt": 1}});
    assert_eq!(vendor.code("SendRoomMessage", says("admin", "", receipt)).await, 660_300_013);
    assert_eq!(vendor.code("SendRoomMessage", says("admin", "m", json!({"RoomId": "gone"}))).await, 660_300_001);

    bob.forget_unread();
    let changes = json!([
        pair("k", "w", json!({"Action": 0})),
        pair("no", "", json!({"Action": 1})),
        pair("l", "1", json!({"Action": 0, "AutoDelete": 1}))
    ]);
    let changed = vendor.ok("ModifyRoomAttribute", json!({"FromUserId": "admin", "RoomId": "r", "Attributes": changes.clone()})).await;
    assert_eq!(changed["ErrKeyList"].as_array().unwrap().last().unwrap(), &json!({"Key": "l", "SubCode": 660_300_012}));
    assert_eq!(bob.event("roomAttributesUpdated").await["infos"][0]["roomAttributes"], json!({"k": "w"}));
    vendor.ok("ModifyRoomAttribute", json!({"FromUserId": "alice", "RoomId": "r", "Attributes": changes})).await;
    let now = vendor.ok("QueryRoomAttribute", json!({"FromUserId": "admin", "RoomId": "r"})).await;
    assert_eq!(now["Attributes"], json!([{"Key": "k", "Value": "w", "AutoDelete": 0}, {"Key": "l", "Value": "1", "AutoDelete": 1}]));
    assert!(now["AttributeSeq"].as_u64().unwrap() >= 2);

    assert_eq!(vendor.get("KickoutRoomUser", "&RoomId=r&UserId[]=admin").await["Code"], 660_300_002);
    assert_eq!(
        vendor.get("KickoutRoomUser", &format!("&RoomId=r&UserId[]=bob&CustomReason={}", "x".repeat(33))).await["Code"],
        660_000_002
    );
    vendor.got("KickoutRoomUser", "&RoomId=r&UserId[]=bob&CustomReason=spam").await;
    assert_eq!(bob.event("roomStateChanged").await["event"], 8);
    vendor.got("DestroyRoom", "&RoomId=r").await;
    assert_eq!(alice.event("roomStateChanged").await["event"], 3);
    assert_eq!(vendor.get("DestroyRoom", "&RoomId=r").await["Code"], 660_300_001);
}

#[tokio::test]
async fn a_group_from_its_making_to_its_end() {
    let world = world();
    let vendor = registered(&world, &["admin", "alice", "dave"]).await;
    let limits = tidings::model::Limits::default();
    let (mut bob, mut carol) = (world.client("bob").await, world.client("carol").await);
    let make = json!({"GroupId": "g", "GroupName": "G", "GroupNotice": "N", "GroupAvatar": "https://a.example", "GroupOwner": "alice",
        "UserId": ["alice", "bob", "nobody"], "Attributes": [{"Key": "k", "Value": "v"}], "CreateGroupTime": 0});
    let made = vendor.ok("CreateGroup", make.clone()).await;
    assert_eq!((pluck(&made["Members"], "UserId"), &made["GroupId"]), (vec!["alice".to_owned(), "bob".to_owned()], &json!("g")));
    assert_eq!(made["ErrorUsers"], json!([{"UserId": "nobody", "SubCode": 660_200_001}]));
    assert_eq!(bob.event("groupStateChanged").await["event"], 4);
    assert_eq!(vendor.code("CreateGroup", make).await, 660_600_011);
    for (more, code) in [
        (json!({"GroupOwner": "nobody"}), 660_600_013),
        (json!({"CreateGroupTime": 5}), 660_000_002),
        (json!({"GroupId": "#x"}), 660_000_002),
        (json!({"GroupName": "n".repeat(limits.group_name_bytes_max + 1)}), 660_000_002),
        (json!({"Attributes": [{"Key": "k".repeat(17), "Value": ""}]}), 660_600_020),
        (json!({"Attributes": (0..11).map(|n| json!({"Key": n.to_string(), "Value": ""})).collect::<Vec<_>>()}), 660_600_019),
        (json!({"UserId": (0..101).map(|n| format!("u{n}")).collect::<Vec<_>>()}), 660_600_016),
    ] {
        let mut call = json!({"GroupOwner": "alice"});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(vendor.code("CreateGroup", call).await, code, "{more}");
    }
    let by_admin = |more: Value| {
        let mut call = json!({"FromUserId": "admin", "GroupId": "g"});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    vendor.ok("InviteUsersIntoGroup", by_admin(json!({"UserIds": ["carol", "admin"]}))).await;
    assert_eq!(carol.event("groupStateChanged").await["event"], 4);
    vendor.ok("AddGroupMembers", by_admin(json!({"GroupMemberInfos": [{"UserId": "dave"}]}))).await;
    assert_eq!(vendor.code("InviteUsersIntoGroup", by_admin(json!({"UserIds": ["nobody"]}))).await, 660_200_001);
    assert_eq!(vendor.code("InviteUsersIntoGroup", json!({"FromUserId": "admin", "GroupId": "no", "UserIds": ["bob"]})).await, 660_600_001);

    vendor.ok("UpdateGroupData", by_admin(json!({"GroupName": "H", "GroupNotice": ""}))).await;
    assert_eq!(bob.event("groupNameUpdated").await["groupName"], "H");
    assert_eq!(vendor.code("UpdateGroupData", by_admin(json!({}))).await, 660_000_002);
    let set = by_admin(json!({"Action": 0, "Attributes": [{"Key": "l", "Value": "1"}]}));
    assert_eq!(vendor.ok("ModifyGroupAttribute", set).await["Attributes"]["Attributes"], json!([{"Key": "l", "Value": "1"}]));
    let delete = by_admin(json!({"Action": 1, "Attributes": [{"Key": "k"}]}));
    vendor.ok("ModifyGroupAttribute", delete.clone()).await;
    let again = vendor.post("ModifyGroupAttribute", delete).await;
    assert_eq!((&again["Code"], &again["FailKeys"][0]["Key"]), (&json!(660_000_002), &json!("k")));
    let info = vendor.ok("QueryGroupInfo", by_admin(json!({}))).await;
    assert_eq!(
        (&info["GroupName"], &info["GroupNotice"], &info["GroupAttributes"]),
        (&json!("H"), &json!(""), &json!([{"Key": "l", "Value": "1"}]))
    );

    vendor
        .ok(
            "SetGroupMembersNickname",
            by_admin(json!({"UserIds": [{"UserId": "bob", "Nickname": "Bobby"}, {"UserId": "admin", "Nickname": "x"}]})),
        )
        .await;
    assert_eq!(bob.event("groupMemberInfoUpdated").await["userList"][0]["memberNickname"], "Bobby");
    let page = vendor.ok("QueryGroupMemberList", json!({"GroupId": "g", "Limit": 2, "Next": 0})).await;
    assert_eq!((&page["TotalCount"], &page["MemberList"][1]["UserNickName"]), (&json!(4), &json!("Bobby")));
    let page = vendor.ok("QueryGroupMemberList", json!({"GroupId": "g", "Limit": 2, "Next": page["Next"]})).await;
    assert_eq!((pluck(&page["MemberList"], "UserId"), &page["Next"]), (vec!["carol".to_owned(), "dave".to_owned()], &json!(0)));
    let list = vendor.got("QueryAppGroupList", "&Limit=10&Next=0").await;
    assert_eq!((&list["TotalCount"], &list["GroupIdList"]), (&json!(1), &json!([{"GroupId": "g", "GroupName": "H"}])));

    bob.forget_unread();
    let sent = vendor.ok("SendGroupMessage", says("admin", "from outside", json!({"GroupId": "g"}))).await;
    let got = bob.messages(1).await;
    assert_eq!(
        (&got[0]["message"], &got[0]["senderUserID"], &sent["MsgSeq"]),
        (&json!("from outside"), &json!("admin"), &got[0]["messageSeq"])
    );
    assert_eq!(vendor.code("SendGroupMessage", says("admin", "m", json!({"GroupId": "no"}))).await, 660_600_001);
    let target = json!({"GroupId": "g", "SendMsgOptions": {"TargetOption": {"ReceiverUserIds": ["bob"], "Inclusive": true}}});
    assert_eq!(vendor.code("SendGroupMessage", says("admin", "m", target)).await, 660_000_002);
    let sent = vendor.ok("SendGroupMessage", says("bob", "oops", json!({"GroupId": "g"}))).await;
    let revoke = |from: &str| json!({"FromUserId": from, "GroupId": "g", "MsgSeq": sent["MsgSeq"]});
    assert_eq!(vendor.code("RevokeGroupMessage", revoke("alice")).await, 660_000_026);
    vendor.ok("RevokeGroupMessage", revoke("bob")).await;
    let list = vendor.ok("QueryGroupMsg", json!({"GroupId": "g"})).await["List"].take();
    assert_eq!(pluck(&list, "MsgBody"), ["from outside"]);

    let from_outside = json!({"FromUserId": "admin", "GroupId": "g", "MsgSeq": list[0]["MsgSeq"]});
    vendor.ok("RevokeGroupMessage", from_outside.clone()).await;
    assert_eq!(vendor.code("RevokeGroupMessage", from_outside).await, 660_000_023);

    vendor.got("MuteGroup", "&FromUserId=admin&GroupId=g&IsAllMuted=true&Duration=60").await;
    assert_eq!(bob.event("groupMutedInfoUpdated").await["mutedInfo"]["mode"], 2);
    assert_eq!(vendor.code("SendGroupMessage", says("bob", "m", json!({"GroupId": "g"}))).await, 660_000_001);
    vendor.got("MuteGroup", "&FromUserId=admin&GroupId=g&Duration=0").await;
    assert_eq!(vendor.get("MuteGroup", "&FromUserId=admin&GroupId=g&Duration=2592001&IsAllMuted=1").await["Code"], 660_000_002);
    vendor.got("MuteGroup", "&FromUserId=admin&GroupId=g&Duration=60&MuteRoleList[]=3").await;
    vendor.got("MuteGroup", "&FromUserId=admin&GroupId=g").await;
    let muted = vendor.got("MuteGroupMembers", "&FromUserId=admin&GroupId=g&UserIds[]=bob&UserIds[]=admin&Duration=60").await;
    assert_eq!(muted["ErrorUsers"], json!([{"UserId": "admin", "SubCode": 660_600_024}]));
    assert_eq!(bob.code("sendMessage", To::Group("g").args(&crate::support::text("m"))).await, 6_000_231);
    assert_eq!(vendor.get("MuteGroupMembers", "&FromUserId=admin&GroupId=g&UserIds[]=admin&Duration=60").await["Code"], 660_600_033);

    let kicked = vendor.ok("KickoutGroupUser", by_admin(json!({"UserId": ["dave", "admin"], "CustomReason": "spam"}))).await;
    assert_eq!(kicked["ErrorList"], json!([{"UserId": "admin", "SubCode": 660_600_008}]));
    assert_eq!(kicked["Message"], "success; CustomReason: it is told to nobody");
    assert_eq!(vendor.code("KickoutGroupUser", by_admin(json!({"UserId": ["dave"]}))).await, 660_600_008);
    let many = |count: usize| json!({"UserId": (0..count).map(|n| format!("u{n}")).collect::<Vec<_>>()});
    assert_eq!(vendor.code("KickoutGroupUser", by_admin(many(50))).await, 660_600_008);
    assert_eq!(vendor.code("KickoutGroupUser", by_admin(many(51))).await, 660_000_011);
    assert_eq!(vendor.get("TransferGroupOwner", "&FromUserId=admin&GroupId=g&NewOwner=dave").await["Code"], 660_600_024);
    vendor.got("TransferGroupOwner", "&FromUserId=admin&GroupId=g&NewOwner=carol").await;
    assert_eq!(world.broker.groups().owner(&tidings::model::GroupId::parse("g", "g", &limits).unwrap()).await.unwrap().as_str(), "carol");
    vendor.got("DismissGroup", "&FromUserId=admin&GroupId=g").await;
    carol.frame("the end of the group", |frame| frame["event"] == "groupStateChanged" && frame["data"]["event"] == 2).await;
    assert_eq!(vendor.get("DismissGroup", "&FromUserId=admin&GroupId=g").await["Code"], 660_600_001);
}
