//! The vendor's actions on what was sent, on lists of conversations, on users and on groups' limits; and bodies that are forms.

use serde_json::{Value, json};

use crate::support::vendor::Vendor;
use crate::support::{To, World, fetch, pluck};

fn world() -> World {
    Vendor::builder().config(|config| config.vendor_api.calls_per_second = 100_000).no_rates().start()
}

async fn registered<'a>(world: &'a World, users: &[&str]) -> Vendor<'a> {
    let vendor = Vendor::of(world);
    let users: Vec<Value> = users.iter().map(|user| json!({"UserId": user, "UserName": user.to_uppercase()})).collect();
    vendor.ok("UserRegister", json!({"UserInfo": users})).await;
    vendor
}

fn many(count: usize, make: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(make).collect()
}

#[tokio::test]
async fn users_are_changed_and_told_of() {
    let world = world();
    let vendor = registered(&world, &["alice", "bob"]).await;
    let mut alice = world.client("alice").await;
    let change = json!({"UserInfo": [
        {"UserId": "alice", "UserName": "Ann", "UserAvatar": "https://a.example/a.png", "Extra": "x"}, {"UserId": "nobody", "UserName": "N"},
        {"UserId": "bob", "UserName": "n".repeat(257)}, {"UserId": "bob"},
    ]});
    let errors = vendor.ok("ModifyUserInfo", change).await["ErrorList"].take();
    assert_eq!(pluck(&errors, "SubCode"), ["660200001", "660700006", "660000002"]);
    alice.event("userInfoUpdated").await;
    let told = vendor.ok("QueryUserInfos", json!({"UserIds": ["alice", "bob", "nobody"]})).await;
    let ann = json!({"UserId": "alice", "UserName": "Ann", "UserAvatar": "https://a.example/a.png", "Extra": "x"});
    assert_eq!(told["Result"], json!([ann, {"UserId": "bob", "UserName": "BOB", "UserAvatar": "", "Extra": ""}]));
    assert_eq!(told["ErrorList"], json!([{"UserId": "nobody", "SubCode": 660_200_001}]));
    let infos = |count: usize| json!({"UserInfo": many(count, |n| json!({"UserId": format!("u{n}"), "UserName": "x"}))});
    assert_eq!(
        (vendor.code("ModifyUserInfo", infos(100)).await, vendor.code("ModifyUserInfo", infos(101)).await),
        (660_200_001, 660_000_011)
    );
    let ids = |count: usize| json!({"UserIds": many(count, |n| json!(format!("u{n}")))});
    assert_eq!((vendor.code("QueryUserInfos", ids(100)).await, vendor.code("QueryUserInfos", ids(101)).await), (660_200_001, 660_000_011));
}

#[tokio::test]
async fn what_was_sent_is_edited_confirmed_looked_up_and_cleared() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob"]})).await;
    for (to, of) in [(To::Peer("bob"), json!({"ToUserId": "bob"})), (To::Group("g"), json!({"GroupId": "g"}))] {
        let mut args = to.args(&json!({"type": 1, "message": "frist"}));
        args["config"] = json!({"hasReceipt": true});
        let sent = alice.ok("sendMessage", args).await;
        let seq = sent["message"]["messageSeq"].clone();
        let (edit, receipt) =
            if of["GroupId"].is_null() { ("EditC2cMsgBody", "C2cReadReceipt") } else { ("EditGroupMsgBody", "GroupReadReceipt") };
        let mut call =
            json!({"FromUserId": "alice", "SenderId": "alice", "MsgType": 1, "ConvMsgSeq": seq, "MsgBody": {"Message": "first"}});
        call["ConvId"] = if of["GroupId"].is_null() { json!("bob") } else { json!("g") };
        vendor.ok(edit, call.clone()).await;
        assert_eq!(bob.event("messageEdited").await["messageList"][0]["message"], "first");
        call["SenderId"] = json!("bob");
        call["ConvId"] = if of["GroupId"].is_null() { json!("alice") } else { json!("g") };
        assert_eq!(vendor.code(edit, call).await, 660_000_026, "it is not bob's");
        let mut read = json!({"FromUserId": "bob", "ConvMsgSeq": [seq]});
        read[if of["GroupId"].is_null() { "ToUserId" } else { "GroupId" }] =
            if of["GroupId"].is_null() { json!("alice") } else { json!("g") };
        vendor.ok(receipt, read.clone()).await;
        assert_eq!(alice.event("messageReceiptChanged").await["infos"][0]["readMemberCount"], 1);
        read["ConvMsgSeq"] = json!(many(11, |n| json!(n + 1)));
        assert_eq!(vendor.code(receipt, read.clone()).await, 660_000_002);
        read["ConvMsgSeq"] = json!([99]);
        assert_ne!(vendor.code(receipt, read).await, 0);
        let kind = if of["GroupId"].is_null() { 0 } else { 2 };
        let conversation = if kind == 0 { "bob" } else { "g" };
        let wanted = json!({"FromUserId": "alice", "ConvId": conversation, "ConvType": kind, "MsgSeqList": [seq, 99]});
        let found = vendor.ok("QueryMessagesByMsgSeq", wanted.clone()).await["MessageList"].take();
        assert_eq!((found.as_array().unwrap().len(), &found[0]["MsgBody"], &found[0]["Sender"]), (1, &json!("first"), &json!("alice")));
        let mut most = wanted;
        most["MsgSeqList"] = json!(many(21, |n| json!(n + 1)));
        assert_eq!(vendor.code("QueryMessagesByMsgSeq", most).await, 660_000_002);
    }
    vendor.ok("ClearPeerMessage", json!({"FromUserId": "bob", "ToUserId": "alice"})).await;
    vendor.ok("ClearMemberGroupMessage", json!({"FromUserId": "bob", "GroupId": "g"})).await;
    for to in [To::Peer("alice"), To::Group("g")] {
        assert!(bob.newest(to).await.is_empty());
    }
    assert_eq!((alice.newest(To::Peer("bob")).await.len(), alice.newest(To::Group("g")).await.len()), (1, 1), "others keep theirs");
    assert_eq!(vendor.code("EditC2cMsgBody", json!({"FromUserId": "nobody"})).await, 660_500_002);
}

#[tokio::test]
async fn a_list_of_conversations_is_read_and_changed() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob"]})).await;
    alice.say(To::Peer("bob"), "one").await;
    alice.say(To::Group("g"), "two").await;
    bob.messages(2).await;
    let list = |more: Value| {
        let vendor = &vendor;
        async move {
            let mut call = json!({"FromUserId": "bob"});
            call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            vendor.ok("QueryConversationList", call).await
        }
    };
    let all = list(json!({})).await;
    assert_eq!((&all["Next"], pluck(&all["ConvList"], "ConvId")), (&json!(0), vec!["alice".to_owned(), "g".to_owned()]));
    assert_eq!((&all["ConvList"][0]["UnreadCount"], &all["ConvList"][0]["ConvType"]), (&json!(1), &json!(0)));
    let first = list(json!({"Limit": 1})).await;
    let second = list(json!({"Limit": 1, "Next": first["Next"]})).await;
    assert_eq!(
        (pluck(&first["ConvList"], "ConvId"), pluck(&second["ConvList"], "ConvId"), &second["Next"]),
        (vec!["alice".into()], vec!["g".into()], &json!(0))
    );

    vendor.ok("ClearConversationUnread", json!({"FromUserId": "bob", "ConvId": "alice", "ConvType": 0})).await;
    vendor.ok("SilenceConvNotification", json!({"FromUserId": "bob", "ConvType": 2, "ConvIds": ["g"], "Enable": true})).await;
    let pin = json!({"FromUserId": "bob", "ConvList": [{"ConvId": "alice", "ConvType": 0}], "PinnedType": 1});
    vendor.ok("ConvPinned", pin).await;
    let marks = json!({"FromUserId": "shop", "ConvMarkInfoList": [
        {"UserId": "bob", "SetMarkC2c": {"alice": {"MarkContent": 3}}, "SetMarkGroup": {"g": {"MarkContent": 4}}, "Action": true},
        {"UserId": "bob", "Action": true},
    ]});
    assert_eq!(pluck(&vendor.ok("SetConvMark", marks).await["ErrorList"], "SubCode"), ["660000002"]);
    let all = list(json!({})).await["ConvList"].take();
    let of = |id: &str| all.as_array().unwrap().iter().find(|entry| entry["ConvId"] == id).unwrap();
    assert_eq!((&of("alice")["UnreadCount"], &of("alice")["IsPinned"], &of("alice")["Marks"]), (&json!(0), &json!(1), &json!([3])));
    assert_eq!((&of("g")["IsSilenced"], &of("g")["Marks"]), (&json!(1), &json!([4])));
    vendor.ok("DeleteConv", json!({"FromUserId": "bob", "ConvId": "alice", "ConvType": 0})).await;
    assert_eq!(pluck(&list(json!({})).await["ConvList"], "ConvId"), ["g"]);

    let silence =
        |count: usize| json!({"FromUserId": "bob", "ConvType": 0, "ConvIds": many(count, |n| json!(format!("u{n}"))), "Enable": true});
    assert_ne!(vendor.code("SilenceConvNotification", silence(10)).await, 660_000_011);
    assert_eq!(vendor.code("SilenceConvNotification", silence(11)).await, 660_000_011);
    let pin = |count: usize| json!({"FromUserId": "bob", "ConvList": many(count, |n| json!({"ConvId": format!("u{n}"), "ConvType": 0})), "PinnedType": 1});
    assert_ne!(vendor.code("ConvPinned", pin(20)).await, 660_000_011);
    assert_eq!(vendor.code("ConvPinned", pin(21)).await, 660_000_011);
    assert_eq!(vendor.code("DeleteConv", json!({"FromUserId": "bob", "ConvId": "r", "ConvType": 1})).await, 660_000_002);
}

#[tokio::test]
async fn groups_are_bounded_and_those_in_which_not_all_may_speak_are_told() {
    let world = world();
    let vendor = registered(&world, &["shop", "owner", "bob", "carol"]).await;
    for id in ["a", "b", "c", "d"] {
        vendor.ok("CreateGroup", json!({"GroupOwner": "owner", "GroupId": id, "GroupName": id, "UserId": ["bob"]})).await;
    }
    let of = vendor.ok("QueryGroupsInfoOfUser", json!({"FromUserId": "bob"})).await;
    assert_eq!((&of["TotalCount"], pluck(&of["GroupList"], "GroupId").len()), (&json!(4), 4));
    vendor.ok("ModifyGroupLimit", json!({"FromUserId": "shop", "GroupId": "a", "JoinMode": 2, "MemberCountLimit": 2})).await;
    let info = vendor.ok("QueryGroupInfo", json!({"FromUserId": "shop", "GroupId": "a"})).await;
    assert_eq!((&info["LimitInfo"]["JoinMode"], &info["LimitInfo"]["MemberCountLimit"]), (&json!(2), &json!(2)));
    let added = vendor.code("InviteUsersIntoGroup", json!({"FromUserId": "shop", "GroupId": "a", "UserIds": ["carol"]})).await;
    assert_eq!(added, 660_600_016, "it is full");
    for wrong in [json!({}), json!({"JoinMode": 3}), json!({"MemberCountLimit": -1}), json!({"MemberCountLimit": 1_000_000_000})] {
        let mut call = json!({"FromUserId": "shop", "GroupId": "a"});
        call.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(vendor.code("ModifyGroupLimit", call).await, 660_000_002, "{wrong}");
    }
    vendor.ok("MuteGroup", json!({"FromUserId": "shop", "GroupId": "a", "IsAllMuted": true, "Duration": -1})).await;
    vendor.ok("MuteGroup", json!({"FromUserId": "shop", "GroupId": "b", "MuteRoleList": [3], "Duration": -1})).await;
    vendor.ok("MuteGroupMembers", json!({"FromUserId": "shop", "GroupId": "c", "UserIds": ["bob"], "Duration": 60})).await;
    let muted = vendor.ok("FetchForbidGroupList", json!({"FromUserId": "shop", "StartFlag": 0})).await;
    let wanted = json!([{"GroupId": "a", "ForbidType": 1}, {"GroupId": "b", "ForbidType": 2}, {"GroupId": "c", "ForbidType": 3}]);
    assert_eq!((&muted["GroupList"], &muted["FetchEnd"], &muted["NextFlag"]), (&wanted, &json!(1), &json!(0)));
    vendor.ok("SetGroupMemberRole", json!({"FromUserId": "shop", "GroupId": "d", "UserId": ["bob"], "Role": 2})).await;
    let mut bob = world.client("bob").await;
    let members = bob.ok("queryGroupMemberList", json!({"groupID": "d", "config": {"count": 10}})).await;
    assert_eq!(pluck(&members["userList"], "memberRole"), ["1", "2"]);
    assert_eq!(
        vendor.code("SetGroupMemberRole", json!({"FromUserId": "shop", "GroupId": "d", "UserId": ["carol"], "Role": 2})).await,
        660_600_024
    );
    assert_eq!(
        vendor.code("SetGroupMemberRole", json!({"FromUserId": "shop", "GroupId": "d", "UserId": ["bob"], "Role": 1})).await,
        660_000_002
    );
}

#[tokio::test]
async fn a_sender_may_be_unaware_of_what_is_sent_in_its_name() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let call = json!({"FromUserId": "alice", "ToUserId": ["bob"], "MessageType": 1, "Priority": 1, "MessageBody": {"Message": "psst"}, "SenderUnaware": 1});
    vendor.ok("SendPeerMessage", call).await;
    let heard = bob.messages(1).await.remove(0);
    assert_eq!((&heard["message"], &heard["isServerMessage"], &heard["senderUserID"]), (&json!("psst"), &json!(true), &json!("alice")));
    assert!(alice.newest(To::Peer("bob")).await.is_empty());
    let call = json!({"FromUserId": "alice", "ToUserId": ["bob"], "MessageType": 1, "Priority": 1, "MessageBody": {"Message": "aloud"}});
    vendor.ok("SendPeerMessage", call).await;
    let heard = alice.event("receivePeerMessage").await["messageList"].take();
    assert_eq!(pluck(&heard, "message"), ["aloud"], "the other one was never received");
    assert_eq!(bob.texts(1).await, ["aloud"]);
}

#[tokio::test]
async fn a_room_is_read_backwards_and_loses_a_message() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let mut alice = world.client("alice").await;
    let (mut bob, mut carol) = (world.client("bob").await, world.client("carol").await);
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    for client in [&mut bob, &mut carol] {
        client.ok("joinRoom", json!({"roomID": "r"})).await;
    }
    let page = vendor.got("QueryRoomUserList", "&RoomId=r&Mode=1&Limit=2").await;
    assert_eq!(pluck(&page["UserList"], "UserId"), ["carol", "bob"]);
    let next = page["NextFlag"].as_str().unwrap().replace('>', "%3E");
    let page = vendor.got("QueryRoomUserList", &format!("&RoomId=r&Mode=1&Limit=2&NextFlag={next}")).await;
    assert_eq!((pluck(&page["UserList"], "UserId"), &page["NextFlag"]), (vec!["alice".to_owned()], &json!("0")));
    assert_eq!(vendor.get("QueryRoomUserList", "&RoomId=r&Mode=2").await["Code"], 660_000_002);
    let sent = alice.say(To::Room("r"), "oops").await;
    let revoke = |from: &str, seq: Value| json!({"FromUserId": from, "RoomId": "r", "MsgSeq": seq, "Payload": "p"});
    assert_eq!(vendor.code("RevokeRoomMessage", revoke("bob", sent["messageSeq"].clone())).await, 660_000_026);
    assert_eq!(vendor.code("RevokeRoomMessage", revoke("alice", json!(99))).await, 660_000_022);
    vendor.ok("RevokeRoomMessage", revoke("alice", sent["messageSeq"].clone())).await;
    let told = bob.event("messageRevokeReceived").await;
    assert_eq!((&told["messageList"][0]["messageID"], &told["messageList"][0]["type"]), (&sent["messageID"], &json!(31)));
    assert_eq!(alice.newest(To::Room("r")).await[0]["type"], 31);
}

#[tokio::test]
async fn a_body_may_be_a_form() {
    let world = world();
    let vendor = registered(&world, &["shop"]).await;
    let post = |kind: &'static str, body: &'static str| {
        let request = format!("POST {}", vendor.query("QueryUserInfos", ""));
        let address = world.address();
        async move { fetch(address, &request, &[("Content-Type", kind)], body).await.json() }
    };
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "UserIds%5B%5D=shop"),
        ("application/x-www-form-urlencoded", r#"UserIds=["shop"]"#),
        ("application/x-www-form-urlencoded", r#"{"UserIds": ["shop"]}"#),
        ("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"UserIds[]\"\r\n\r\nshop\r\n--x--\r\n"),
        ("text/plain", r#"{"UserIds": ["shop"]}"#),
    ] {
        let told = post(kind, body).await;
        assert_eq!((&told["Code"], &told["Result"][0]["UserId"]), (&json!(0), &json!("shop")), "{kind} {body}: {told}");
    }
    assert_eq!(post("multipart/form-data; boundary=x", "--x\r\n").await["Code"], 660_000_002);
}
