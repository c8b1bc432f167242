//! Logging in and out, and how a connection ends.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{Login, T0, To, World, fields, pluck, session_ended, text, user};

const S: Duration = Duration::from_secs(1);

fn shut(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn a_login_answers_with_exactly_the_documented_fields() {
    let world = World::builder().frozen().start();
    let alice = world.login(Login { user: "alice", name: "Alice", device: "d-1", version: "2.14.0", resume: "" }).await;
    let hello = &alice.hello;
    assert_eq!(
        fields(hello),
        ["cursor", "heartbeatSeconds", "mediaToken", "mediaTokenSeconds", "rooms", "serverTime", "sessionID", "userID", "userName"]
    );
    assert_eq!((&hello["userName"], &hello["serverTime"], &hello["rooms"]), (&json!("Alice"), &json!(T0), &json!([])));
    assert_eq!(hello["heartbeatSeconds"], 300);
    assert!(hello["cursor"].is_string() && hello["sessionID"].as_str().is_some_and(|id| !id.is_empty()), "{hello}");
}

#[tokio::test]
async fn an_absent_or_empty_name_keeps_the_stored_one() {
    let world = World::start();
    drop(world.login(Login { user: "alice", name: "Alice", ..Login::default() }).await);
    let again = world.client("alice").await;
    assert_eq!(again.hello["userName"], "Alice");
    let renamed = world.login(Login { user: "alice", name: "A.", ..Login::default() }).await;
    assert_eq!(renamed.hello["userName"], "A.");
    let mut bob = world.client("bob").await;
    let info = bob.ok("queryUsersInfo", json!({"userIDs": ["alice", "nobody"], "config": {"isQueryFromServer": true}})).await;
    assert_eq!(
        info,
        json!({"userList": [{"baseInfo": {"userID": "alice", "userName": "A.", "userAvatarUrl": ""}, "extendedData": ""}],
               "errorUserList": [{"userID": "nobody", "reason": 6_000_204}]})
    );
}

#[tokio::test]
async fn each_kind_of_bad_token_has_its_code_and_the_connection_may_try_again() {
    let world = World::builder().frozen().start();
    let short = world.tokens.issue_jwt(&user("alice"), 29 + 60).unwrap();
    // The broker accepts a year from now; whoever has the key can sign for longer.
    let long = world.tokens.clone().with_lifetime_max(0).issue_jwt(&user("alice"), 31_536_000 + 60 + 6).unwrap();
    let expired = world.tokens.issue_jwt(&user("alice"), 60).unwrap();
    let foreign = world.token("bob");
    let good = world.tokens.issue_jwt(&user("alice"), 30 + 60).unwrap();
    world.advance(60 * S);
    let mut alice = world.connect().await;
    let tampered = format!("{}A", &good[..good.len() - 1]);
    let tampered = if tampered == good { format!("{}B", &good[..good.len() - 1]) } else { tampered };
    let login = Login { user: "alice", ..Login::default() };
    for (token, code) in [
        ("nonsense", 6_000_103),
        ("", 6_000_103),
        (&*tampered, 6_000_103),
        (&*foreign, 6_000_103),
        (&*expired, 6_000_106),
        (&*short, 6_000_108),
        (&*long, 6_000_103),
    ] {
        let refused = alice.refused("login", login.args(token)).await;
        assert_eq!((refused.code, refused.temporary), (code, false), "{token}: {refused:?}");
    }
    alice.login(&good, login).await;
}

#[tokio::test]
async fn a_token_of_the_vendors_format_04_logs_in() {
    let world = World::with(|config| {
        config.auth.token04_secret = "0123456789abcdef0123456789abcdef".to_owned();
        config.auth.app_id = 77;
    });
    let token = world.tokens.issue_token04(&user("alice"), 3600).unwrap();
    let mut alice = world.connect().await;
    assert_eq!(alice.code("login", Login { user: "bob", ..Login::default() }.args(&token)).await, 6_000_103);
    alice.login(&token, Login { user: "alice", ..Login::default() }).await;
}

#[tokio::test]
async fn nothing_but_login_and_ping_works_before_login() {
    let world = World::start();
    let mut nobody = world.connect().await;
    for (op, args) in [
        ("logout", json!({})),
        ("renewToken", json!({"token": "x"})),
        ("sendMessage", To::Peer("bob").args(&text("hi"))),
        ("queryGroupList", json!({})),
        ("enterRoom", json!({"roomInfo": {"roomID": "r"}})),
        ("revokeMessage", json!({})),
        ("fly", json!({})),
    ] {
        assert_eq!(nobody.code(op, args).await, 6_000_121, "{op}");
    }
    let pong = nobody.ok("ping", json!({})).await;
    assert_eq!(fields(&pong), ["serverTime"]);
}

#[tokio::test]
async fn a_connection_logs_in_once() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let again = Login { user: "alice", ..Login::default() }.args(&world.token("alice"));
    assert_eq!(alice.code("login", again).await, 6_000_111);
    let other = Login { user: "bob", ..Login::default() }.args(&world.token("bob"));
    assert_eq!(alice.code("login", other).await, 6_000_111);
}

#[tokio::test]
async fn a_connection_without_a_login_is_closed_at_the_deadline() {
    let world = World::builder().frozen().start();
    let mut nobody = world.connect().await;
    // A ping is answered, and no login.
    nobody.ok("ping", json!({})).await;
    world.advance(10 * S);
    assert_eq!(nobody.closed().await, shut(4502, "login_timeout"));
}

#[tokio::test]
async fn silence_of_one_and_a_half_heartbeats_closes_with_4002() {
    let world = World::builder().frozen().config(|config| config.server.heartbeat_seconds = 30).start();
    let mut silent = world.client("silent").await;
    let mut talking = world.client("talking").await;
    world.advance(44 * S);
    talking.ok("ping", json!({})).await;
    world.advance(S);
    assert_eq!(silent.closed().await, shut(4002, "heartbeat"));
    talking.ok("ping", json!({})).await;
}

#[tokio::test]
async fn a_token_is_announced_renewed_and_at_its_end_ends_the_session() {
    let world = World::builder().frozen().start();
    let mut alice = world.connect().await;
    let login = Login { user: "alice", ..Login::default() };
    alice.login(&world.tokens.issue_jwt(&user("alice"), 100).unwrap(), login).await;
    world.advance(70 * S);
    assert_eq!(alice.event("tokenWillExpire").await, json!({"second": 30}));
    assert_eq!(alice.code("renewToken", json!({"token": world.token("bob")})).await, 6_000_103);
    let token = world.tokens.issue_jwt(&user("alice"), 100).unwrap();
    assert_eq!(alice.ok("renewToken", json!({"token": token})).await, json!({"token": token}));
    world.advance(80 * S);
    assert_eq!(alice.event("tokenWillExpire").await, json!({"second": 20}));
    world.advance(20 * S);
    assert_eq!(alice.closed().await, shut(4501, "token_expired"));
    alice.assert_nothing_unread();
}

#[tokio::test]
async fn the_same_device_takes_over_silently_and_keeps_its_rooms() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let mut old = world.device("alice", "phone").await;
    old.ok("joinRoom", json!({"roomID": "r"})).await;
    bob.event("roomMemberJoined").await;
    let mut new = world.device("alice", "phone").await;
    assert_eq!(new.hello["rooms"], json!(["r"]));
    assert_eq!(old.closed().await, shut(4500, "kicked"));
    new.say(To::Room("r"), "still here").await;
    assert_eq!(bob.texts(1).await, ["still here"]);
    bob.say(To::Room("r"), "so you are").await;
    assert_eq!(new.texts(1).await, ["so you are"]);
    bob.assert_nothing_unread();
    old.assert_nothing_unread();
}

#[tokio::test]
async fn another_device_kicks_the_oldest_and_takes_no_room_along() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let mut phone = world.device("alice", "phone").await;
    phone.ok("joinRoom", json!({"roomID": "r"})).await;
    let mut tablet = world.device("alice", "tablet").await;
    assert_eq!(tablet.hello["rooms"], json!([]));
    assert_eq!(phone.closed().await, shut(4500, "kicked"));
    bob.event("roomMemberJoined").await;
    assert_eq!(pluck(&bob.event("roomMemberLeft").await["memberList"], "userID"), ["alice"]);
    assert_eq!(tablet.send(To::Room("r"), text("hi")).await.unwrap_err().code, 6_000_321);
}

#[tokio::test]
async fn every_end_of_a_session_is_told_to_the_host() {
    let world = World::start();
    let mut events = world.broker.subscribe();
    let _phone = world.device("alice", "phone").await;
    let _tablet = world.device("alice", "tablet").await;
    session_ended(&mut events, "alice").await;
    let taken_over = world.device("bob", "phone").await;
    let bob = world.device("bob", "phone").await;
    session_ended(&mut events, "bob").await;
    drop((taken_over, bob));
    session_ended(&mut events, "bob").await;
}

#[tokio::test]
async fn two_devices_get_every_message_and_the_sending_session_not_its_own() {
    let world = World::with(|config| config.users.devices_per_user_max = 2);
    let mut phone = world.device("alice", "phone").await;
    let mut tablet = world.device("alice", "tablet").await;
    let mut bob = world.client("bob").await;
    let sent = phone.say(To::Peer("bob"), "hello").await;
    let data = tablet.event("receivePeerMessage").await;
    // The sender's other device is told in the sender's name, and reads the other side from `toUserID`.
    assert_eq!((&data["fromConversationID"], &data["messageList"]), (&json!("alice"), &json!([sent])));
    assert_eq!(bob.texts(1).await, ["hello"]);
    bob.say(To::Peer("alice"), "hi").await;
    assert_eq!(phone.texts(1).await, ["hi"], "its own message does not come back");
    assert_eq!(tablet.texts(1).await, ["hi"]);
    let mut third = world.device("alice", "watch").await;
    assert_eq!(phone.closed().await, shut(4500, "kicked"));
    bob.say(To::Peer("alice"), "who is there").await;
    assert_eq!((tablet.texts(1).await, third.texts(1).await), (vec!["who is there".to_owned()], vec!["who is there".to_owned()]));
}

#[tokio::test]
async fn devices_without_an_id_are_new_each_time() {
    let world = World::with(|config| config.users.devices_per_user_max = 2);
    let mut one = world.login(Login { user: "alice", ..Login::default() }).await;
    let mut two = world.login(Login { user: "alice", ..Login::default() }).await;
    let mut bob = world.client("bob").await;
    bob.say(To::Peer("alice"), "both of you").await;
    assert_eq!((one.texts(1).await, two.texts(1).await), (vec!["both of you".to_owned()], vec!["both of you".to_owned()]));
}

#[tokio::test]
async fn the_tenth_malformed_frame_closes_with_4503() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let malformed =
        ["", "nonsense", "[]", "{}", "{\"id\":-1,\"op\":\"ping\"}", "{\"id\":1}", "7", "\"x\"", "{\"op\":\"ping\"}", "{\"id\":1e3}"];
    for frame in malformed {
        alice.raw(Message::text(frame)).await;
        let answer = alice.frame("an answer with id null", |frame| frame.get("id") == Some(&Value::Null)).await;
        assert_eq!((&answer["error"]["code"], &answer["error"]["temporary"]), (&json!(6_000_001), &json!(false)), "{frame}");
    }
    assert_eq!(alice.closed().await, shut(4503, "malformed"));
}

#[tokio::test]
async fn a_binary_frame_closes_with_4505() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(alice.closed().await, shut(4505, "binary"));
}

#[tokio::test]
async fn a_first_frame_over_4_kib_closes_with_4504() {
    let world = World::start();
    let mut nobody = world.connect().await;
    nobody.request("login", Login { user: "alice", ..Login::default() }.args(&"t".repeat(4096))).await;
    assert_eq!(nobody.closed().await, shut(4504, "too_long"));
}

#[tokio::test]
async fn an_unknown_operation_names_op_and_a_later_one_is_not_supported() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let unknown = alice.refused("fly", json!({})).await;
    assert_eq!(unknown.code, 6_000_001);
    assert!(unknown.message.starts_with("op ") && unknown.message.contains("fly"), "{unknown:?}");
    for op in ["callInvite", "sendGroupJoinApplication", "sendMediaMessage", "addFriend"] {
        let refused = alice.refused(op, json!({})).await;
        assert_eq!((refused.code, refused.temporary), (6_000_013, false), "{op}");
    }
}

#[tokio::test]
async fn a_whole_number_is_one_however_it_is_written() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let _bob = world.client("bob").await;
    let send = r#"{"id":77.0,"op":"sendMessage","args":{"message":{"type":1.0,"message":"2.0"},"toConversationID":"bob","conversationType":0.0,"config":{"priority":1e0}}}"#;
    alice.raw(Message::text(send)).await;
    let answer = alice.frame("the answer", |frame| frame["id"] == 77).await;
    assert_eq!(answer["result"]["message"]["message"], "2.0", "{answer}");
    alice.raw(Message::text(r#"{"id":78.5,"op":"ping"}"#)).await;
    let malformed = alice.frame("a refusal", |frame| !frame["error"].is_null()).await;
    assert_eq!(malformed["error"]["code"], 6_000_001, "{malformed}");
}

#[tokio::test]
async fn a_wrong_type_names_its_field() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    let send = |message: Value| To::Peer("bob").args(&message);
    for (op, args, field) in [
        ("sendMessage", send(json!({"type": "1", "message": "x"})), "message.type"),
        ("sendMessage", send(json!({"type": 1, "message": 5})), "message.message"),
        ("sendMessage", send(json!({"type": 200, "message": "", "subType": "x"})), "message.subType"),
        ("sendMessage", send(json!({"type": 1, "message": "x", "extendedData": {}})), "message.extendedData"),
        ("sendMessage", send(json!({"type": 2, "message": "no base64!"})), "message.message"),
        ("sendMessage", json!({"message": text("x"), "toConversationID": 7, "conversationType": 0}), "toConversationID"),
        ("sendMessage", json!({"message": text("x"), "toConversationID": "bob", "conversationType": 3}), "conversationType"),
        ("sendMessage", json!({"message": text("x"), "toConversationID": "bob"}), "conversationType"),
        ("sendMessage", json!({"message": text("x"), "toConversationID": "b b", "conversationType": 0}), "toConversationID"),
        ("queryHistoryMessage", json!({"conversationID": "bob", "conversationType": 0, "config": {"count": "x"}}), "config.count"),
        ("queryHistoryMessage", json!({"conversationID": "bob", "conversationType": 0}), "config"),
        ("joinRoom", json!({}), "roomID"),
        ("joinRoom", json!([]), "args"),
        ("createGroup", json!({"groupInfo": {"groupName": 1}, "userIDs": []}), "groupInfo.groupName"),
        ("createGroup", json!({"groupInfo": {"groupID": "#mine"}, "userIDs": []}), "groupInfo.groupID"),
        ("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": []}), "userIDs"),
        ("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": ["ok", "not ok"]}), "userIDs[1]"),
    ] {
        let refused = alice.refused(op, args.clone()).await;
        assert_eq!(refused.code, 6_000_001, "{op} {args}: {refused:?}");
        assert!(refused.message.contains(field), "{op} {args} names {field}: {refused:?}");
    }
    for kind in [0, 30, 31, 32, 99, -1] {
        let refused = alice.refused("sendMessage", send(json!({"type": kind, "message": "x"}))).await;
        assert!(refused.code == 6_000_001 && refused.message.starts_with("message.type"), "{kind}: {refused:?}");
    }
    for (kind, code) in [(10, 6_000_013), (11, 6_000_211), (12, 6_000_211), (13, 6_000_001), (14, 6_000_001)] {
        assert_eq!(alice.code("sendMessage", send(json!({"type": kind, "message": "x"}))).await, code, "{kind}");
    }
}

#[tokio::test]
async fn a_logout_answers_and_closes_with_4506() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    assert_eq!(alice.ok("logout", json!({})).await, json!({}));
    assert_eq!(alice.closed().await, shut(4506, "logout"));
}

/// A user that has nothing else left must not be gone before it told its rooms.
#[tokio::test]
async fn a_logout_gives_up_every_room_at_once() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    bob.ok("createRoom", json!({"roomInfo": {"roomID": "r"}})).await;
    let mut alice = world.client("alice").await;
    alice.ok("joinRoom", json!({"roomID": "r"})).await;
    alice.ok("logout", json!({})).await;
    alice.closed().await;
    bob.event("roomMemberJoined").await;
    assert_eq!(pluck(&bob.event("roomMemberLeft").await["memberList"], "userID"), ["alice"]);
    assert_eq!(world.client("alice").await.hello["rooms"], json!([]));
}

#[tokio::test]
async fn fragments_are_put_together_wherever_they_are_cut() {
    let world = World::start();
    let mut bob = world.client("bob").await;
    let mut alice = world.client("alice").await;
    let request = json!({"id": 900, "op": "sendMessage", "args": To::Peer("bob").args(&text("grüße, 世界"))}).to_string();
    // Seven bytes at a time cut characters apart, and a ping comes between two of them.
    let parts: Vec<Bytes> = request.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect();
    let last = parts.len() - 1;
    for (n, part) in parts.into_iter().enumerate() {
        let opcode = OpCode::Data(if n == 0 { Data::Text } else { Data::Continue });
        alice.raw(Message::Frame(Frame::message(part, opcode, n == last))).await;
        if n == 2 {
            alice.raw(Message::Ping("between".into())).await;
        }
    }
    assert_eq!(alice.pong().await, b"between");
    assert_eq!(alice.reply(900).await.unwrap()["message"]["message"], "grüße, 世界");
    assert_eq!(bob.texts(1).await, ["grüße, 世界"]);
}

#[tokio::test]
async fn a_ping_of_the_wire_is_answered_with_its_payload() {
    let world = World::start();
    let mut nobody = world.connect().await;
    nobody.raw(Message::Ping("before login".into())).await;
    assert_eq!(nobody.pong().await, b"before login");
    let mut alice = world.client("alice").await;
    alice.raw(Message::Ping("after".into())).await;
    assert_eq!(alice.pong().await, b"after");
}

#[tokio::test]
async fn unknown_arguments_are_ignored_and_args_may_be_absent() {
    let world = World::start();
    let mut alice = world.client("alice").await;
    alice.ok("queryGroupList", json!({"whatever": 1})).await;
    alice.raw(Message::text("{\"id\":9007199254740991,\"op\":\"ping\",\"more\":true}")).await;
    assert!(alice.reply(9_007_199_254_740_991).await.is_ok());
    alice.raw(Message::text("{\"id\":0,\"op\":\"ping\",\"args\":{}}")).await;
    assert!(alice.reply(0).await.is_ok());
}
